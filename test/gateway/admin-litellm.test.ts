import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callRecord } from '../../src/ledger/ledger-contract.js'
import { picoUsd } from '../../src/quantities/index.js'
import { startAdminBench, type AdminBench } from './admin-bench.js'

let bench: AdminBench
beforeAll(async () => {
  bench = await startAdminBench({ teams: { ops: {} } })
})
afterAll(() => bench.close())

const authenticate = (text: string) => bench.keyring().authenticate({ authorization: `Bearer ${text}` }, Date.now() / 1000)

describe('calls in LiteLLM’s shapes', () => {
  it('make a key with all that has a counterpart', async () => {
    const { status, body } = await bench.call('POST', '/key/generate', {
      key_alias: 'prod-1',
      team_id: 'ops',
      user_id: null,
      models: ['gpt-4o', 'claude-*'],
      max_budget: 12.5,
      soft_budget: 10,
      budget_duration: '30d',
      rpm_limit: 60,
      tpm_limit: 1000,
      max_parallel_requests: 3,
      metadata: { env: 'prod', tier: 1 },
      tags: ['blue'],
      duration: '24h',
      allowed_routes: ['/chat/completions', '/v1/embeddings'],
      aliases: {},
      config: {},
      permissions: {},
      spend: 0,
      send_invite_email: false,
      key_type: 'default',
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      key_alias: 'prod-1',
      team_id: 'ops',
      user_id: null,
      models: ['gpt-4o', 'claude-*'],
      max_budget: 12.5,
      soft_budget: 10,
      budget_duration: '1mo',
      rpm_limit: 60,
      tpm_limit: 1000,
      max_parallel_requests: 3,
      metadata: { env: 'prod', tier: '1', blue: 'true' },
      blocked: false,
      warnings: [expect.stringContaining('calendar month')],
    })
    const key = String(body['key'])
    expect(body['token_id']).toBe(body['token'])
    expect(String(body['key_name'])).toBe(`${key.slice(0, 7)}...`)
    expect(Date.parse(String(body['expires']))).toBeCloseTo(Date.now() + 86_400_000, -5)
    expect(authenticate(key)).toMatchObject({
      team: 'ops',
      endpoints: ['/v1/chat/completions', '/v1/embeddings'],
      levels: [
        { kind: 'team', id: 'ops' },
        {
          kind: 'key',
          rules: [
            { unit: 'usd', limit: 12_500_000_000_000n, per: 'month', hard: true },
            { unit: 'usd', limit: 10_000_000_000_000n, per: 'month', hard: false },
          ],
          rates: { requestsPerMinute: 60, tokensPerMinute: 1000, parallel: 3 },
        },
      ],
    })
  })

  it('make a key of nothing at all', async () => {
    const { body } = await bench.call('POST', '/key/generate', {})
    expect(body).toMatchObject({ models: [], max_budget: null, budget_duration: null, expires: null, metadata: {} })
    expect(authenticate(String(body['key'])).modelLists).toEqual([])
  })

  it('refuse what can’t be mapped, with the field’s path', async () => {
    const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
      [{ budget_duration: '7d', max_budget: 1 }, 'budget_duration'],
      [{ budget_duration: '1d' }, 'budget_duration'],
      [{ model_max_budget: { 'gpt-4': 1 } }, 'model_max_budget'],
      [{ aliases: { a: 'b' } }, 'aliases'],
      [{ guardrails: ['x'] }, 'guardrails'],
      [{ spend: 3 }, 'spend'],
      [{ auto_rotate: true }, 'auto_rotate'],
      [{ key_type: 'management' }, 'key_type'],
      [{ metadata: { nested: { a: 1 } } }, 'metadata.nested'],
      [{ max_budget: 'ten' }, 'max_budget'],
      [{ max_budget: -1 }, 'max_budget'],
      [{ rpm_limit: 0 }, 'rpm_limit'],
      [{ duration: 'soon' }, 'duration'],
      [{ models: 'gpt-4' }, 'models'],
      [{ team_id: 'nowhere' }, 'team'],
      [{ key_alias: 'a/b' }, 'key_alias'],
      [{ allowed_routes: ['/images/generations'] }, 'allowed_routes[0]'],
      [{ max_budgets: 3 }, 'max_budgets'],
      [{ key: 'sk-my-own-text' }, 'key'],
    ]
    for (const [body, path] of wrong)
      expect(await bench.call('POST', '/key/generate', body), JSON.stringify(body)).toMatchObject({
        status: 400,
        body: { error: { param: path } },
      })
  })

  it('show, change, block, renew and delete a key, named by its text, id or alias', async () => {
    const made = (await bench.call('POST', '/key/generate', { key_alias: 'living', max_budget: 1, metadata: { a: 'b' } })).body
    const [text, id] = [String(made['key']), String(made['token_id'])]
    await bench.ledger.recordCall(
      callRecord({
        callId: 'call_l1',
        requestId: 'req_l1',
        key: 'living',
        cost: { usd: picoUsd(1_500_000_000_000n), seconds: 1, joules: null, gramsCO2e: null },
      }),
    )
    for (const reference of [text, id, 'living'])
      expect((await bench.call('GET', `/key/info?key=${encodeURIComponent(reference)}`)).body).toMatchObject({
        key: id,
        info: { key_alias: 'living', max_budget: 1, spend: 1.5 },
      })
    expect(
      (await bench.call('POST', '/key/update', { key: text, max_budget: 5, budget_duration: '1d', models: ['m'] })).body,
    ).toMatchObject({ key: id, max_budget: 5, budget_duration: '1d', models: ['m'], metadata: { a: 'b' } })
    expect((await bench.call('POST', '/key/update', { key: text, soft_budget: 4 })).body).toMatchObject({
      max_budget: 5,
      soft_budget: 4,
      budget_duration: '1d',
    })
    expect((await bench.call('POST', '/key/update', { key: text, models: [], max_budget: null })).body).toMatchObject({
      max_budget: null,
      soft_budget: 4,
      models: [],
    })
    expect(await bench.call('POST', '/key/update', { key: text, key_alias: 'renamed' })).toMatchObject({
      status: 400,
      body: { error: { param: 'key_alias' } },
    })
    await bench.call('POST', '/key/block', { key: text })
    expect(() => authenticate(text)).toThrow(/blocked/)
    await bench.call('POST', '/key/unblock', { key: id })
    expect(authenticate(text).id).toBe(id)
    const renewed = String((await bench.call('POST', '/key/regenerate', { key: text })).body['key'])
    expect(authenticate(renewed).id).toBe(id)
    expect(() => authenticate(text)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
    expect(await bench.call('POST', '/key/delete', { keys: [renewed, 'no-such-key'] })).toMatchObject({ status: 404 })
    expect(authenticate(renewed).id).toBe(id)
    expect((await bench.call('POST', '/key/delete', { key_aliases: ['living'] })).body).toEqual({ deleted_keys: ['living'] })
    expect(() => authenticate(renewed)).toThrow(/revoked/)
    expect(await bench.call('GET', '/key/info?key=bk-nothing')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect(await bench.call('GET', '/key/info')).toMatchObject({ status: 400, body: { error: { param: 'key' } } })
    expect(await bench.call('POST', '/key/delete', {})).toMatchObject({ status: 400, body: { error: { param: 'keys' } } })
  })

  it('make users and teams', async () => {
    const team = await bench.call('POST', '/team/new', {
      team_id: 'litellm-team',
      team_alias: 'My team',
      max_budget: 50,
      budget_duration: '1mo',
      members_with_roles: [],
      blocked: false,
    })
    expect(team.body).toMatchObject({ team_id: 'litellm-team', team_alias: 'My team', max_budget: 50, budget_duration: '1mo' })
    const user = await bench.call('POST', '/user/new', {
      user_id: 'u-1',
      user_email: 'u@example.com',
      team_id: 'litellm-team',
      max_budget: 2,
      user_role: 'internal_user',
      key_alias: 'u-1-key',
    })
    expect(user.body).toMatchObject({ user_id: 'u-1', max_budget: 2, team_id: 'litellm-team' })
    expect(
      authenticate(String(user.body['key']))
        .levels.map(({ kind, id }) => `${kind} ${id}`)
        .slice(0, 2),
    ).toEqual(['team litellm-team', 'user u-1'])
    const silent = await bench.call('POST', '/user/new', { auto_create_key: false })
    expect(silent.body).not.toHaveProperty('key')
    expect(silent.body['user_id']).toMatch(/^user-/)
    expect(await bench.call('POST', '/user/new', { user_role: 'proxy_admin' })).toMatchObject({
      status: 400,
      body: { error: { param: 'user_role' } },
    })
    expect(await bench.call('POST', '/team/new', { members_with_roles: [{ role: 'admin', user_id: 'x' }] })).toMatchObject({
      status: 400,
      body: { error: { param: 'members_with_roles' } },
    })
    expect(await bench.call('POST', '/team/new', { team_id: 'litellm-team' })).toMatchObject({ status: 409 })
  })

  it('show what was spent, call by call and by day', async () => {
    const at = Date.UTC(2027, 0, 31, 12) / 1000
    const cost = (pico: bigint | null) => ({ usd: pico === null ? null : picoUsd(pico), seconds: 2, joules: null, gramsCO2e: null })
    await bench.call('POST', '/key/generate', { key_alias: 'logged' })
    await bench.ledger.recordCall(
      callRecord({ callId: 'call_a', requestId: 'req_a', key: 'logged', user: 'eve', at, cost: cost(100_000_000_000n) }),
    )
    await bench.ledger.recordCall(
      callRecord({
        callId: 'call_b',
        requestId: 'req_b',
        key: 'logged',
        user: 'eve',
        at: at + 1,
        end: 'failed',
        cost: cost(200_000_000_000n),
      }),
    )
    await bench.ledger.recordCall(callRecord({ callId: 'call_c', requestId: 'req_c', key: 'other', at, cost: cost(null) }))
    const rows = (await bench.call('GET', '/spend/logs?api_key=logged')).body
    expect(rows).toMatchObject([
      { request_id: 'call_b', spend: 0.2, status: 'failure' },
      {
        request_id: 'call_a',
        api_key: 'logged',
        spend: 0.1,
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        user: 'eve',
        startTime: '2027-01-31T12:00:00.000Z',
        endTime: '2027-01-31T12:00:02.000Z',
        status: 'success',
      },
    ])
    expect((await bench.call('GET', '/spend/logs?request_id=req_c')).body).toMatchObject([{ request_id: 'call_c', spend: null }])
    expect((await bench.call('GET', '/spend/logs?start_date=2027-01-31&end_date=2027-01-31&api_key=logged')).body).toEqual([
      { startTime: '2027-01-31', spend: 0.3, users: { eve: 0.3 }, models: { 'gpt-5-mini': 0.3 }, keys: { logged: 0.3 } },
    ])
    expect(await bench.call('GET', '/spend/logs?start_date=2027-01-31')).toMatchObject({
      status: 400,
      body: { error: { param: 'end_date' } },
    })
    expect(await bench.call('GET', '/spend/logs?user_id=eve')).toMatchObject({ status: 400, body: { error: { param: 'user_id' } } })
  })
})

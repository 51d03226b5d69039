import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callRecord } from '../../src/ledger/ledger-contract.js'
import { picoUsd } from '../../src/quantities/index.js'
import { ADMIN_KEY, startAdminBench, type AdminBench } from './admin-bench.js'

let bench: AdminBench
beforeAll(async () => {
  bench = await startAdminBench({
    keys: [{ name: 'file-key', key: 'sk-from-the-file', team: 'ops' }],
    teams: { ops: { budgets: [{ usd: 7, per: 'month' }] } },
  })
})
afterAll(() => bench.close())

const authenticate = (text: string, now = Date.now() / 1000) => bench.keyring().authenticate({ authorization: `Bearer ${text}` }, now)

async function make(name: string, more: Record<string, unknown> = {}): Promise<{ readonly id: string; readonly key: string }> {
  const { status, body } = await bench.call('POST', '/admin/keys', { name, ...more })
  expect(body).toMatchObject({ name })
  expect(status).toBe(201)
  return { id: String(body['id']), key: String(body['key']) }
}

describe('who may ask', () => {
  it('needs the admin key on every path', async () => {
    const paths = [
      ['GET', '/admin/keys'],
      ['POST', '/admin/keys'],
      ['GET', '/admin/keys/file-key'],
      ['PATCH', '/admin/keys/file-key'],
      ['DELETE', '/admin/keys/file-key'],
      ['POST', '/admin/keys/file-key/rotate'],
      ['POST', '/admin/keys/file-key/top-up'],
      ['GET', '/admin/keys/file-key/usage'],
      ['GET', '/admin/accounts'],
      ['POST', '/admin/accounts'],
      ['DELETE', '/admin/accounts/team/ops'],
      ['GET', '/admin/audit'],
      ['POST', '/key/generate'],
      ['GET', '/key/info?key=file-key'],
      ['POST', '/key/update'],
      ['POST', '/key/delete'],
      ['POST', '/key/block'],
      ['POST', '/key/unblock'],
      ['POST', '/key/regenerate'],
      ['POST', '/user/new'],
      ['POST', '/team/new'],
      ['GET', '/spend/logs'],
    ] as const
    for (const [method, path] of paths) {
      const body = method === 'GET' ? undefined : {}
      expect(await bench.call(method, path, body, { authorization: '' }), `${method} ${path}`).toMatchObject({
        status: 401,
        body: { error: { code: 'missing_key' } },
      })
      expect(await bench.call(method, path, body, { authorization: 'Bearer nope-nope-nope' }), `${method} ${path}`).toMatchObject({
        status: 401,
        body: { error: { code: 'invalid_key' } },
      })
      expect(await bench.call(method, path, body, { authorization: 'Bearer sk-from-the-file' }), `${method} ${path}`).toMatchObject({
        status: 403,
        body: { error: { code: 'admin_only' } },
      })
    }
  })

  it('is off without an admin key, and says how to turn it on', async () => {
    const off = await startAdminBench({ admin: undefined, keys: [{ name: 'a', key: 'sk-from-the-file' }] })
    try {
      for (const authorization of ['', 'Bearer sk-from-the-file', `Bearer ${ADMIN_KEY}`]) {
        const { status, body } = await off.call('GET', '/admin/keys', undefined, { authorization })
        expect([status, body]).toMatchObject([403, { error: { code: 'admin_only', message: expect.stringContaining('BURSAR_ADMIN_KEY') } }])
      }
    } finally {
      await off.close()
    }
  })
})

describe('keys', () => {
  it('are made, shown once, used, listed and revoked', async () => {
    const { id, key } = await make('app', {
      team: 'ops',
      budget_usd: 5,
      budgets: [{ calls: 10, per: 'minute', hard: false }],
      rates: { parallel: 2 },
      models: ['m*'],
      endpoints: ['/v1/embeddings'],
      objective: 'cheap',
      tags: { a: 'b' },
      expires: '2999-01-01',
    })
    expect(key).toMatch(/^bk-[0-9A-Za-z]{43}$/)
    expect(authenticate(key)).toMatchObject({
      id,
      name: 'app',
      team: 'ops',
      levels: [
        { kind: 'team', id: 'ops' },
        { kind: 'key', id, rates: { parallel: 2 } },
      ],
    })
    const shown = await bench.call('GET', `/admin/keys/${id}`)
    expect(shown.body).toMatchObject({
      id,
      name: 'app',
      status: 'active',
      source: 'store',
      prefix: key.slice(0, 7),
      budgets: [
        { usd: 5, per: 'total', hard: true },
        { calls: 10, per: 'minute', hard: false },
      ],
      expires: '2999-01-01T00:00:00.000Z',
      created_by: 'admin',
    })
    expect((await bench.call('GET', '/admin/keys/app')).body['id']).toBe(id)
    const list = await bench.call('GET', '/admin/keys?team=ops')
    expect(list.body['data']).toMatchObject([{ name: 'file-key', source: 'configuration' }, { name: 'app' }])
    expect(JSON.stringify([shown, list])).not.toContain(key)
    expect((await bench.call('POST', '/admin/keys/app/revoke')).body).toMatchObject({ status: 'revoked' })
    expect(() => authenticate(key)).toThrow(/revoked/)
    expect((await bench.call('GET', '/admin/keys?name=app')).body['data']).toEqual([])
    expect((await bench.call('GET', '/admin/keys?name=app&revoked=true')).body['data']).toHaveLength(1)
    expect((await bench.call('DELETE', `/admin/keys/${id}`)).body).toMatchObject({ status: 'revoked' })
    expect((await bench.call('PATCH', '/admin/keys/app', { tags: {} })).body).toMatchObject({ error: { code: 'invalid_request' } })
  })

  it('are rotated, with the old one for as long as was said', async () => {
    const first = await make('rotating')
    const second = String((await bench.call('POST', '/admin/keys/rotating/rotate', { grace: '1h' })).body['key'])
    expect(authenticate(first.key).id).toBe(authenticate(second).id)
    expect(() => authenticate(first.key, Date.now() / 1000 + 3601)).toThrow(/replaced/)
    const third = String((await bench.call('POST', '/admin/keys/rotating/rotate')).body['key'])
    for (const old of [first.key, second]) expect(() => authenticate(old)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
    expect(authenticate(third).id).toBe(first.id)
  })

  it('are blocked, unblocked, changed and topped up at once', async () => {
    const { key, id } = await make('changing', { budget_usd: 1, budgets: [{ usd: 2, per: 'day' }] })
    await bench.call('POST', '/admin/keys/changing/block')
    expect(() => authenticate(key)).toThrow(/blocked/)
    await bench.call('POST', '/admin/keys/changing/unblock')
    expect(authenticate(key).id).toBe(id)
    const changed = await bench.call('PATCH', '/admin/keys/changing', { budget_usd: 3, models: ['x'], team: 'ops' })
    expect(changed.body).toMatchObject({
      budgets: [
        { usd: 3, per: 'total', hard: true },
        { usd: 2, per: 'day', hard: true },
      ],
      models: ['x'],
      team: 'ops',
    })
    expect(authenticate(key).levels).toHaveLength(2)
    expect((await bench.call('PATCH', '/admin/keys/changing', { models: null, team: null, budgets: [{ tokens: 5 }] })).body).toMatchObject({
      budgets: [{ tokens: 5, per: 'total', hard: true }],
      models: null,
      team: null,
    })
    expect((await bench.call('PATCH', '/admin/keys/changing', { budgets: null })).body['budgets']).toEqual([])
    await bench.call('PATCH', '/admin/keys/changing', { budget_usd: 0.1 })
    expect((await bench.call('POST', '/admin/keys/changing/top-up', { usd: 0.2 })).body['budgets']).toEqual([
      { usd: 0.3, per: 'total', hard: true },
    ])
    expect(authenticate(key).levels.at(-1)?.rules[0]?.limit).toBe(300_000_000_000n)
  })

  it('tell what is wrong with a body, with the path of the field', async () => {
    await make('taken')
    const wrong: readonly (readonly [Record<string, unknown>, number, string, RegExp])[] = [
      [{ name: 'x', budgetUsd: 5 }, 400, 'budgetUsd', /did you mean "budget_usd"/],
      [{ name: 'x', budgets: [{ usdd: 5 }] }, 400, 'budgets[0].usdd', /did you mean "usd"/],
      [{ name: 'x', budgets: [{ usd: 5, per: 'week' }] }, 400, 'budgets[0].per', /"month"/],
      [{ name: 'x', budgets: [{ usd: 5, calls: 1 }] }, 400, 'budgets[0]', /usd and calls/],
      [{ name: 'x', budget_usd: -1 }, 400, 'budget_usd', /at least 0/],
      [{ name: 'x', rates: { parallel: 1.5 } }, 400, 'rates.parallel', /whole number/],
      [{ name: 'x', endpoints: ['/v1/chat/completion'] }, 400, 'endpoints[0]', /did you mean/],
      [{ name: 'x', expires: 'tomorrow' }, 400, 'expires', /date/],
      [{ name: 'x', team: 'nowhere' }, 400, 'team', /make it first/],
      [{ name: 'x', key: 'my-own-key-please' }, 400, 'key', /unknown field/],
      [{}, 400, 'name', /missing/],
      [{ name: 'taken' }, 409, 'name', /already/],
      [{ name: 'file-key' }, 409, 'name', /configuration/],
    ]
    for (const [body, status, path, message] of wrong) {
      const answer = await bench.call('POST', '/admin/keys', body)
      expect(answer, JSON.stringify(body)).toMatchObject({
        status,
        body: { error: { param: path, message: expect.stringMatching(message) } },
      })
    }
    for (const [body, type, status] of [
      ['{"name": "x"', 'application/json', 400],
      ['[]', 'application/json', 400],
      ['{"name":"x"}', 'text/plain', 415],
      [`{"name":"${'x'.repeat(300_000)}"}`, 'application/json', 413],
    ] as const)
      expect((await bench.call('POST', '/admin/keys', body, { 'content-type': type })).status, body.slice(0, 40)).toBe(status)
    expect(await bench.call('POST', '/admin/keys/taken/revoke', { at: 'noon' })).toMatchObject({
      status: 400,
      body: { error: { param: 'at' } },
    })
    expect(await bench.call('GET', '/admin/keys?limit=0')).toMatchObject({ status: 400, body: { error: { param: 'limit' } } })
    expect(await bench.call('GET', '/admin/keys?pages=2')).toMatchObject({ status: 400, body: { error: { param: 'pages' } } })
    expect(await bench.call('GET', '/admin/keys/none')).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    expect(await bench.call('POST', '/admin/keys/taken/top-up', { usd: 1 })).toMatchObject({
      status: 400,
      body: { error: { param: 'usd' } },
    })
    expect(await bench.call('POST', '/admin/keys/taken/top-up', { usd: 1, calls: 1 })).toMatchObject({
      status: 400,
      body: { error: { param: 'calls' } },
    })
  })

  it('of the configuration are changed in the configuration', async () => {
    for (const [method, path, body] of [
      ['PATCH', '', { tags: {} }],
      ['DELETE', '', undefined],
      ['POST', '/rotate', {}],
      ['POST', '/block', {}],
      ['POST', '/top-up', { usd: 1 }],
    ] as const)
      expect(await bench.call(method, `/admin/keys/file-key${path}`, body), path).toMatchObject({
        status: 400,
        body: { error: { message: expect.stringContaining('configuration') } },
      })
    expect(await bench.call('PATCH', '/admin/accounts/team/ops', { name: 'x' })).toMatchObject({ status: 400 })
    expect(await bench.call('POST', '/admin/accounts', { kind: 'team', id: 'ops' })).toMatchObject({ status: 409 })
  })

  it('of the database stop when the configuration takes their name, and their account when it goes', async () => {
    const twin = await make('soon-twin')
    const orphan = await make('soon-orphan', { team: 'ops' })
    bench.reload({ keys: [{ name: 'soon-twin', key: 'sk-another-from-file' }] })
    try {
      expect(() => authenticate(twin.key)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
      expect(() => authenticate(orphan.key)).toThrow(/no team "ops"/)
    } finally {
      bench.reload({
        keys: [{ name: 'file-key', key: 'sk-from-the-file', team: 'ops' }],
        teams: { ops: { budgets: [{ usd: 7, per: 'month' }] } },
      })
    }
    expect(authenticate(twin.key).name).toBe('soon-twin')
    expect(authenticate(orphan.key).name).toBe('soon-orphan')
  })

  it('are listed in pages', async () => {
    const paged = await startAdminBench()
    try {
      for (let index = 0; index < 5; index++) await paged.call('POST', '/admin/keys', { name: `page-${index}` })
      const names: unknown[] = []
      for (let after = '', turn = 0; turn < 5; turn++) {
        const { body } = await paged.call('GET', `/admin/keys?limit=2${after === '' ? '' : `&after=${after}`}`)
        names.push(...(body['data'] as { name: string }[]).map(({ name }) => name))
        if (body['next'] === null) break
        after = String(body['next'])
      }
      expect(names).toEqual(['page-4', 'page-3', 'page-2', 'page-1', 'page-0'])
    } finally {
      await paged.close()
    }
  })
})

describe('accounts', () => {
  it('are made under each other, changed, and deleted when nothing is under them', async () => {
    expect(
      await bench.call('POST', '/admin/accounts', {
        kind: 'organisation',
        id: 'acme',
        name: 'Acme Ltd',
        budgets: [{ usd: 100, per: 'month' }],
      }),
    ).toMatchObject({ status: 201, body: { id: 'acme', kind: 'organisation', name: 'Acme Ltd' } })
    await bench.call('POST', '/admin/accounts', {
      kind: 'team',
      id: 'search',
      organisation: 'acme',
      user_budgets: [{ usd: 1, per: 'day' }],
    })
    await bench.call('POST', '/admin/accounts', { kind: 'user', id: 'bob@acme.com', team: 'search', budget_usd: 9 })
    const { key } = await make('bobs', { user: 'bob@acme.com' })
    expect(authenticate(key)).toMatchObject({
      organisation: 'acme',
      team: 'search',
      user: 'bob@acme.com',
      endUsers: [{ scope: 'team:search' }],
    })
    expect(await bench.call('POST', '/admin/keys', { name: 'torn', user: 'bob@acme.com', team: 'ops' })).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('two teams') } },
    })
    expect(
      (await bench.call('PATCH', '/admin/accounts/user/bob%40acme.com', { budget_usd: null, budgets: [{ usd: 4, per: 'day' }] })).body[
        'budgets'
      ],
    ).toEqual([{ usd: 4, per: 'day', hard: true }])
    expect((await bench.call('POST', '/admin/accounts/users/bob%40acme.com/top-up', { usd: 1 })).body['budgets']).toEqual([
      { usd: 5, per: 'day', hard: true },
    ])
    expect(authenticate(key).levels[2]?.rules[0]?.limit).toBe(5_000_000_000_000n)
    expect((await bench.call('GET', '/admin/accounts?organisation=acme')).body['data']).toMatchObject([{ id: 'search' }])
    expect((await bench.call('GET', '/admin/accounts?kind=team')).body['data']).toMatchObject([
      { id: 'ops', source: 'configuration' },
      { id: 'search' },
    ])
    expect(await bench.call('DELETE', '/admin/accounts/team/search')).toMatchObject({ status: 409 })
    await bench.call('DELETE', '/admin/keys/bobs')
    await bench.call('DELETE', '/admin/accounts/user/bob%40acme.com')
    expect(await bench.call('DELETE', '/admin/accounts/team/search')).toMatchObject({ status: 200, body: { deleted: true } })
    expect(await bench.call('GET', '/admin/accounts/team/search')).toMatchObject({ status: 404 })
    expect(await bench.call('POST', '/admin/accounts', { kind: 'team', id: 'search' })).toMatchObject({ status: 409 })
    for (const [body, path] of [
      [{ kind: 'group' }, 'kind'],
      [{ kind: 'team', id: 'a/b' }, 'id'],
      [{ kind: 'team', team: 'ops' }, 'team'],
      [{ kind: 'organisation', organisation: 'acme' }, 'organisation'],
      [{ kind: 'user', team: 'no' }, 'team'],
    ] as const)
      expect(await bench.call('POST', '/admin/accounts', body), path).toMatchObject({ status: 400, body: { error: { param: path } } })
  })
})

describe('usage', () => {
  it('is what was recorded, by day, and how full each budget over the key is', async () => {
    const { id } = await make('spender', { team: 'ops', budget_usd: 2 })
    const now = Date.now() / 1000
    await bench.ledger.recordCall(
      callRecord({
        callId: 'u1',
        key: 'spender',
        team: 'ops',
        at: now,
        cost: { usd: picoUsd(250_000_000_000n), seconds: 1, joules: null, gramsCO2e: null },
      }),
    )
    await bench.ledger.recordCall(callRecord({ callId: 'u2', key: 'somebody-else', at: now }))
    bench.used.set(`key:${id}/usd/total:all`, 500_000_000_000n)
    const { body } = await bench.call('GET', '/admin/keys/spender/usage?days=2')
    expect(body).toMatchObject({
      name: 'spender',
      total: { usd: 0.25, calls: 1, input_tokens: 10, output_tokens: 5 },
      days: [{ day: new Date().toISOString().slice(0, 10), usd: 0.25 }],
      budgets: [
        { level: 'team', id: 'ops', usd: 7, per: 'month', used: 0, left: 7 },
        { level: 'key', id, unit: 'usd', limit: 2, used: 0.5, left: 1.5, resets_at: null },
      ],
    })
    expect((await bench.call('GET', '/admin/accounts/team/ops/usage')).body).toMatchObject({
      kind: 'team',
      total: { usd: 0.25 },
      budgets: [{ level: 'team' }],
    })
    expect(await bench.call('GET', '/admin/keys/spender/usage?days=0')).toMatchObject({ status: 400, body: { error: { param: 'days' } } })
  })
})

describe('the audit', () => {
  it('has every change with who made it, and no secret', async () => {
    const audited = await startAdminBench()
    try {
      const { body } = await audited.call('POST', '/admin/keys', { name: 'watched', budget_usd: 1 }, { 'x-bursar-actor': 'alice' })
      await audited.call('PATCH', '/admin/keys/watched', { budget_usd: 2 }, { 'litellm-changed-by': 'bob' })
      const rotated = await audited.call('POST', '/admin/keys/watched/rotate')
      await audited.call('DELETE', '/admin/keys/watched')
      const audit = await audited.call('GET', `/admin/audit?kind=key&id=${String(body['id'])}`)
      expect((audit.body['data'] as { by: string; action: string }[]).map(({ by, action }) => [by, action])).toEqual([
        ['admin', 'revoke'],
        ['admin', 'rotate'],
        ['admin (bob)', 'update'],
        ['admin (alice)', 'create'],
      ])
      expect(audit.body['data']).toMatchObject([{}, {}, { changes: { budgets: { before: [{ usd: 1 }], after: [{ usd: 2 }] } } }, {}])
      for (const secret of [String(body['key']), String(rotated.body['key']), ADMIN_KEY])
        expect(JSON.stringify(audit)).not.toContain(secret)
      const first = await audited.call('GET', '/admin/audit?limit=3')
      const second = await audited.call('GET', `/admin/audit?limit=3&before=${String(first.body['next'])}`)
      expect(second.body).toMatchObject({ data: [{ action: 'create' }], next: null })
      expect(await audited.call('POST', '/admin/keys', { name: 'x' }, { 'x-bursar-actor': 'a'.repeat(101) })).toMatchObject({
        status: 400,
        body: { error: { param: 'x-bursar-actor' } },
      })
    } finally {
      await audited.close()
    }
  })
})

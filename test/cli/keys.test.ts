import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountsCommand } from '../../src/cli/commands/accounts.js'
import { keysCommand } from '../../src/cli/commands/keys.js'
import { run as runCommand } from '../../src/cli/fixtures/inspection.js'
import { callRecord } from '../../src/ledger/ledger-contract.js'
import { ADMIN_KEY, startAdminBench, type AdminBench } from '../gateway/admin-bench.js'

let bench: AdminBench
beforeAll(async () => {
  bench = await startAdminBench({ teams: { ops: {} }, keys: [{ name: 'from-the-file', key: 'sk-from-the-file', budget_usd: 3 }] })
})
afterAll(() => bench.close())

const env = () => ({ BURSAR_ADMIN_KEY: ADMIN_KEY, BURSAR_URL: `${bench.url}/v1` })
const keys = (...line: string[]) => runCommand(keysCommand, ['keys', ...line], { env: env() })
const accounts = (...line: string[]) => runCommand(accountsCommand, ['accounts', ...line], { env: env() })

describe('bursar keys', () => {
  it('makes a key, with its text alone on standard output', async () => {
    const { out, err } = await keys(
      'create',
      'app',
      '--team',
      'ops',
      '--budget',
      'usd=500',
      '--budget',
      'usd=20/day soft',
      '--rate',
      'requests=600',
      '--rate',
      'parallel=4',
      '--models',
      'openai/gpt-5-mini, anthropic/*',
      '--endpoints',
      '/v1/embeddings',
      '--tag',
      'a=b=c',
      '--run-budget',
      'calls=60',
      '--request-budget',
      'usd=0.1',
      '--user-budget',
      'usd=2/day',
      '--objective',
      'cheap',
      '--expires',
      '30d',
    )
    expect(out).toMatch(/^bk-[0-9A-Za-z]{43}\n$/)
    expect(err).toContain('shown this once')
    const { body } = await bench.call('GET', '/admin/keys/app')
    expect(body).toMatchObject({
      team: 'ops',
      budgets: [
        { usd: 500, per: 'total', hard: true },
        { usd: 20, per: 'day', hard: false },
      ],
      rates: { requests_per_minute: 600, parallel: 4 },
      models: ['openai/gpt-5-mini', 'anthropic/*'],
      endpoints: ['/v1/embeddings'],
      tags: { a: 'b=c' },
      run_budgets: [{ calls: 60 }],
      request_budgets: [{ usd: 0.1 }],
      user_budgets: [{ usd: 2, per: 'day' }],
      objective: 'cheap',
      expires: '2026-12-21T00:00:00.000Z',
    })
  })

  it('lists keys of file and database in a table of eighty columns', async () => {
    await keys(
      'create',
      'a-key-with-quite-a-long-name-that-has-no-room',
      '--budget',
      'usd=1',
      '--budget',
      'tokens=1000000/month',
      '--budget',
      'calls=5/minute soft',
    )
    const { out } = await keys('list')
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^NAME +KEY +STATUS +UNDER +BUDGETS +EXPIRES$/)
    expect(out).toMatch(/^from-the-file +file +active +\$3/m)
    expect(out).toMatch(/^app +bk-\w{4} +expired +ops +\$500, \$20\/day soft +2026-12-21|^app +bk-\w{4} +active +ops +\$500/m)
    expect(out).toMatch(/^a-key-with.*…/m)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
    expect(JSON.parse((await keys('list', '--team', 'ops', '--json')).out)).toMatchObject([{ name: 'app' }])
    const few = await keys('list', '--limit', '1')
    expect(few.err).toContain('--limit')
  })

  it('shows, changes, rotates, blocks, tops up and revokes', async () => {
    const first = (await keys('create', 'life', '--budget', 'usd=1')).out.trim()
    expect((await keys('show', 'life')).out).toMatch(/^budgets +\$1$/m)
    expect((await keys('update', 'life', '--models', 'x', '--tag', 'k=v')).out).toMatch(/^models +x$/m)
    expect((await keys('update', 'life', '--clear', 'models,tags')).out).not.toMatch(/^(models|tags) /m)
    expect((await keys('top-up', 'life', 'usd=0.5')).out).toMatch(/^budgets +\$1.5$/m)
    const second = (await keys('rotate', 'life', '--grace', '1h')).out.trim()
    expect(second).toMatch(/^bk-/)
    expect(second).not.toBe(first)
    expect((await keys('block', 'life')).out).toBe('The key "life" is blocked.\n')
    expect((await keys('unblock', 'life')).out).toBe('The key "life" is active.\n')
    expect((await keys('revoke', 'life')).out).toBe('The key "life" is revoked.\n')
    expect((await keys('list')).out).not.toContain('life')
    expect((await keys('list', '--revoked')).out).toContain('life')
    expect(JSON.parse((await keys('show', 'life', '--json')).out)).toMatchObject({ status: 'revoked' })
  })

  it('shows what was spent', async () => {
    await keys('create', 'busy', '--budget', 'usd=2')
    await bench.ledger.recordCall(callRecord({ callId: 'k1', key: 'busy', at: Date.now() / 1000 }))
    await bench.ledger.recordCall(
      callRecord({ callId: 'k2', key: 'busy', at: Date.now() / 1000, cost: { usd: null, seconds: 0, joules: null, gramsCO2e: null } }),
    )
    const { out } = await keys('usage', 'busy', '--days', '3')
    expect(out).toMatch(/^DAY +DOLLARS +CALLS +FAILED +TOKENS IN +OUT$/m)
    expect(out).toMatch(/^all +0\.0000125 +2 +0 +20 +10$/m)
    expect(out).toContain('1 call had no known price')
    expect(out).toMatch(/^key +\S+ +\$2 +0 +2 +never$/m)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('says what is wrong with what was typed, before asking the gateway', async () => {
    for (const line of [
      ['create', 'x', '--budget', 'usd:5'],
      ['create', 'x', '--rate', 'calls=5'],
      ['create', 'x', '--tag', 'no-value'],
      ['create', 'x', '--models', 'a,,b'],
      ['top-up', 'x', '50'],
      ['list', '--limit', 'all'],
      ['usage', 'x', '--days', '0'],
    ])
      await expect(keys(...line), line.join(' ')).rejects.toThrow(/expected/)
  })

  it('passes on what the gateway says', async () => {
    await expect(keys('create', 'y', '--team', 'nowhere')).rejects.toThrow(/there is no team "nowhere"/)
    await expect(keys('show', 'nobody')).rejects.toThrow('There is no key "nobody".')
    await expect(keys('block', 'from-the-file')).rejects.toThrow(/in the configuration/)
    await expect(keys('create', 'z', '--admin-key', 'not-the-admin-key')).rejects.toThrow(/not the admin key/)
    await expect(keys('update', 'app', '--clear', 'modles')).rejects.toThrow(/did you mean "models"/)
  })

  it('says so when no gateway answers, or something else does', async () => {
    await expect(runCommand(keysCommand, ['keys', 'list'], { env: {} })).rejects.toThrow(/BURSAR_ADMIN_KEY/)
    await expect(keys('list', '--url', 'http://127.0.0.1:1')).rejects.toThrow(
      /No gateway answers at http:\/\/127\.0\.0\.1:1 .*bursar serve/,
    )
    await expect(keys('list', '--url', 'localhost:8787')).rejects.toThrow(/no address such as/)
    const other = createServer((_, res) => res.end('<html>hello</html>'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    try {
      await expect(keys('list', '--url', `http://127.0.0.1:${portOf(other)}`)).rejects.toThrow(/not a Bursar gateway/)
    } finally {
      other.close()
    }
  })
})

describe('bursar accounts', () => {
  it('makes, lists, changes, tops up and deletes', async () => {
    expect((await accounts('create', 'organisation', 'acme', '--name', 'Acme Ltd', '--budget', 'usd=100/month')).out).toMatch(
      /^name +Acme Ltd$/m,
    )
    await accounts('create', 'team', 'search', '--organisation', 'acme')
    const { out } = await accounts('list')
    expect(out).toMatch(/^KIND +ID +NAME +UNDER +BUDGETS +FROM$/m)
    expect(out).toMatch(/^organisation +acme +Acme Ltd +\$100\/month +database$/m)
    expect(out).toMatch(/^team +search +acme +database$/m)
    expect(out).toMatch(/^team +ops +file$/m)
    expect((await accounts('list', 'organisation')).out).not.toContain('search')
    expect((await accounts('update', 'organisation', 'acme', '--budget', 'usd=200/month')).out).toMatch(/^budgets +\$200\/month$/m)
    expect((await accounts('top-up', 'organisation', 'acme', 'usd=50')).out).toMatch(/^budgets +\$250\/month$/m)
    expect((await accounts('usage', 'organisation', 'acme')).out).toMatch(/^organisation +acme +\$250\/month +0 +250 +\S+$/m)
    await expect(accounts('delete', 'organisation', 'acme')).rejects.toThrow(/"search" is under/)
    expect((await accounts('delete', 'team', 'search')).out).toBe('The team "search" is deleted.\n')
    await expect(accounts('create', 'group', 'x')).rejects.toThrow(/organisation/)
  })
})

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

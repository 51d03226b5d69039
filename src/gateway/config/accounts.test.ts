import { describe, expect, it } from 'vitest'
import { configuredAccounts } from '../configured-accounts.js'
import { hashKey } from '../keys.js'
import { discoverConfig } from './discover.js'
import { parseConfig } from './load.js'
import { InvalidConfiguration, type ConfigProblem } from './problem.js'

const KEY = 'sk-0123456789abcdef'

const read = (config: Record<string, unknown>, env: Record<string, string> = {}) =>
  configuredAccounts(parseConfig(JSON.stringify(config), env).config)

function problems(config: Record<string, unknown>, env: Record<string, string> = {}): readonly ConfigProblem[] {
  try {
    read(config, env)
    return []
  } catch (thrown) {
    if (thrown instanceof InvalidConfiguration) return thrown.problems
    throw thrown
  }
}

describe('keys and accounts of the configuration', () => {
  it('become accounts with exact limits', () => {
    const { accounts, keys, adminHash } = read({
      organisations: { acme: { name: 'Acme Ltd', budgets: [{ usd: 5000, per: 'month' }] } },
      teams: { search: { organisation: 'acme', budget_usd: 0.1, user_budgets: [{ joules: 1.5, per: 'day' }] } },
      users: { 'bob@acme.com': { team: 'search', rates: { parallel: 2 } } },
      keys: [
        {
          name: 'app',
          key: KEY,
          user: 'bob@acme.com',
          budget_usd: 1,
          budgets: [{ tokens: 5, per: 'minute', hard: false }],
          rates: { requests_per_minute: 1, tokens_per_minute: 2, parallel: 3 },
          run_budgets: [{ calls: 6 }],
          request_budgets: [{ seconds: 0.001 }],
          endpoints: ['/v1/chat/*'],
          objective: 'best',
          expires: '2027-01-01',
          tags: { a: 'b' },
        },
      ],
      admin: { key_hash: `sha256:${'AB'.repeat(32)}` },
    })
    expect(adminHash).toBe('ab'.repeat(32))
    expect(accounts).toMatchObject([
      {
        kind: 'organisation',
        id: 'acme',
        name: 'Acme Ltd',
        rules: [{ unit: 'usd', limit: 5_000_000_000_000_000n, per: 'month', hard: true }],
      },
      {
        kind: 'team',
        id: 'search',
        organisation: 'acme',
        rules: [{ unit: 'usd', limit: 100_000_000_000n, per: 'total' }],
        endUserRules: [{ unit: 'joules', limit: 1500n, per: 'day' }],
      },
      { kind: 'user', id: 'bob@acme.com', team: 'search', rates: { parallel: 2 } },
    ])
    expect(keys).toMatchObject([
      {
        id: 'app',
        hash: hashKey(KEY),
        user: 'bob@acme.com',
        rules: [
          { unit: 'usd', limit: 1_000_000_000_000n, per: 'total', hard: true },
          { unit: 'tokens', limit: 5n, per: 'minute', hard: false },
        ],
        rates: { requestsPerMinute: 1, tokensPerMinute: 2, parallel: 3 },
        runRules: [{ unit: 'calls', limit: 6n }],
        requestRules: [{ unit: 'seconds', limit: 1n }],
        endpoints: ['/v1/chat/*'],
        objective: 'best',
        expiresAt: Date.UTC(2027, 0, 1) / 1000,
        source: 'configuration',
      },
    ])
    expect(JSON.stringify(keys, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(KEY)
  })

  it('must fit together', () => {
    const wrong: readonly (readonly [Record<string, unknown>, string, RegExp])[] = [
      [
        { teams: { search: {} }, keys: [{ name: 'a', key: KEY, team: 'serach' }] },
        'keys[0].team',
        /"serach" is not in `teams`; did you mean "search"/,
      ],
      [{ teams: { search: { organisation: 'acme' } } }, 'teams.search.organisation', /is not in `organisations`/],
      [{ users: { bob: { team: 't' } } }, 'users.bob.team', /is not in `teams`/],
      [
        { teams: { a: {}, b: {} }, users: { bob: { team: 'a' } }, keys: [{ name: 'k', key: KEY, user: 'bob', team: 'b' }] },
        'keys[0]',
        /two teams, "b" and "a"/,
      ],
      [
        { organisations: { x: {}, y: {} }, teams: { t: { organisation: 'x' } }, users: { u: { team: 't', organisation: 'y' } } },
        'users.u',
        /two organisations/,
      ],
      [
        {
          keys: [
            { name: 'a', key: KEY },
            { name: 'b', key_hash: `sha256:${hashKey(KEY)}` },
          ],
        },
        'keys[1].key_hash',
        /same key as keys\[0\]/,
      ],
      [{ admin: { key: KEY }, keys: [{ name: 'a', key: KEY }] }, 'keys[0].key', /admin key/],
      [{ admin: { key_hash: `sha256:${hashKey(KEY)}` }, keys: [{ name: 'a', key: KEY }] }, 'keys[0].key', /admin key/],
      [{ admin: {} }, 'admin', /either `key` or `key_hash`/],
      [{ admin: { key: 'short' } }, 'admin.key', /too easy to guess/],
      [{ keys: [{ name: 'a', key: KEY, budgets: [{ usd: 1, tokens: 1 }] }] }, 'keys[0].budgets[0]', /one limit, got usd and tokens/],
      [{ keys: [{ name: 'a', key: KEY, budgets: [{ per: 'day' }] }] }, 'keys[0].budgets[0]', /expected a limit/],
      [{ keys: [{ name: 'a', key: KEY, budgets: [{ usd: 1, per: 'daily' }] }] }, 'keys[0].budgets[0].per', /"day"/],
      [{ keys: [{ name: 'a', key: KEY, endpoints: ['/v1/embedings'] }] }, 'keys[0].endpoints[0]', /did you mean "\/v1\/embeddings"/],
      [{ keys: [{ name: 'a', key: KEY, rates: { parallel: 0 } }] }, 'keys[0].rates.parallel', /more than 0/],
      [{ teams: { 'a/b': {} } }, 'teams["a/b"]', /not a good name/],
    ]
    for (const [config, path, message] of wrong)
      expect(problems(config), JSON.stringify(config)).toContainEqual(
        expect.objectContaining({ path, message: expect.stringMatching(message) }),
      )
  })

  it('never shows a key in what is wrong with it', () => {
    const told = JSON.stringify([
      problems({
        admin: { key: KEY },
        keys: [
          { name: 'a', key: KEY },
          { name: 'b', key: KEY },
        ],
      }),
      problems({ admin: { key: 'tiny-one' } }),
    ])
    for (const secret of [KEY, 'tiny-one']) expect(told).not.toContain(secret)
  })
})

describe('the admin key', () => {
  it('comes from the environment, where the file says nothing', async () => {
    expect(read({}, { BURSAR_ADMIN_KEY: KEY }).adminHash).toBe(hashKey(KEY))
    expect(read({}, { LITELLM_MASTER_KEY: KEY }).adminHash).toBe(hashKey(KEY))
    expect(read({}, { BURSAR_ADMIN_KEY: KEY, LITELLM_MASTER_KEY: `${KEY}-other` }).adminHash).toBe(hashKey(KEY))
    expect(read({ admin: { key: `${KEY}-file` } }, { BURSAR_ADMIN_KEY: KEY }).adminHash).toBe(hashKey(`${KEY}-file`))
    expect(read({}).adminHash).toBeUndefined()
    const { config } = await discoverConfig({ BURSAR_ADMIN_KEY: KEY }, () => Promise.reject(new Error('nothing there')))
    expect(config.admin?.key?.reveal()).toBe(KEY)
  })

  it('is none where callers use the master key, and where it is too easy to guess', () => {
    expect(read({ keys: [{ name: 'master', key: KEY }] }, { LITELLM_MASTER_KEY: KEY }).adminHash).toBeUndefined()
    const { config, warnings } = parseConfig('{}', { LITELLM_MASTER_KEY: 'sk-1234' })
    expect(config.admin).toBeUndefined()
    expect(warnings).toContainEqual(expect.stringMatching(/LITELLM_MASTER_KEY.*stays off/))
    expect(warnings.join()).not.toContain('sk-1234')
    expect(() => parseConfig('{}', { BURSAR_ADMIN_KEY: 'sk-1234' })).toThrow(/BURSAR_ADMIN_KEY: expected at least 12/)
    expect(problems({ keys: [{ name: 'a', key: KEY }] }, { BURSAR_ADMIN_KEY: KEY })).toContainEqual(
      expect.objectContaining({ path: 'keys[0].key', message: expect.stringContaining('admin key') }),
    )
  })

  it('makes it safe to listen for others without a key yet', () => {
    expect(problems({ server: { host: '0.0.0.0' } })).toContainEqual(expect.objectContaining({ path: 'server.host' }))
    expect(problems({ server: { host: '0.0.0.0' } }, { BURSAR_ADMIN_KEY: KEY })).toEqual([])
  })
})

describe('the address of the database', () => {
  it('has to be that of PostgreSQL, and is never shown', () => {
    expect(problems({}, { DATABASE_URL: 'postgresql://u:p@h/d' })).toEqual([])
    expect(problems({ ledger: { store: 'memory' } }, { DATABASE_URL: 'mysql://u:geheim@h/d' })).toEqual([])
    const [env] = problems({}, { DATABASE_URL: 'mysql://u:geheim@h/d' })
    expect(env?.message).toMatch(/DATABASE_URL in the environment is not/)
    const [own] = problems({ ledger: { database_url: 'host=h password=geheim' } }, { DATABASE_URL: 'postgres://h/d' })
    expect(own).toMatchObject({
      path: 'ledger.database_url',
      message: 'expected the address of a PostgreSQL database, postgres://user:password@host/database',
    })
    expect(`${env?.message} ${own?.message}`).not.toContain('geheim')
  })

  it('is told of without a file, too', async () => {
    await expect(discoverConfig({ DATABASE_URL: 'mysql://h/d' }, () => Promise.resolve([]))).rejects.toThrow(/DATABASE_URL/)
  })
})

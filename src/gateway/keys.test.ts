import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BursarError } from '../errors/index.js'
import type { Account, BudgetLevel, BudgetRule, KeyAccount } from '../ledger/index.js'
import { usd } from '../quantities/index.js'
import { labelsOf } from './attribution.js'
import { hashKey, Keyring, levelsOf, mayName, requireEndpoint, requireModel, type ConfiguredAccounts, type StoredAccounts } from './keys.js'

const NOW = 1_800_000_000

function rule(dollars: number, more: Partial<BudgetRule> = {}): BudgetRule {
  return { unit: 'usd', limit: usd(dollars), per: 'total', hard: true, ...more }
}

function key(text: string, fields: Partial<KeyAccount> = {}): KeyAccount {
  return {
    id: fields.name ?? text,
    name: text,
    hash: hashKey(text),
    prefix: '',
    rules: [],
    createdAt: 0,
    createdBy: 'test',
    source: 'configuration',
    ...fields,
  }
}

function account(kind: Account['kind'], id: string, fields: Partial<Account> = {}): Account {
  return { kind, id, name: id, rules: [], createdAt: 0, source: 'configuration', ...fields }
}

function configured(fields: Partial<ConfiguredAccounts>): ConfiguredAccounts {
  return { accounts: [], keys: [], ...fields }
}

/** Accounts of a database, in memory. */
class Stored implements StoredAccounts {
  revision = 0
  fresh = true
  readonly keys: KeyAccount[] = []
  readonly accounts: Account[] = []
  get size() {
    return this.keys.length
  }
  keyByHash(hash: string) {
    return this.keys.find((one) => one.hash === hash || one.previous?.hash === hash)
  }
  account(kind: Account['kind'], id: string) {
    return this.accounts.find((one) => one.kind === kind && one.id === id)
  }
  ensureFresh() {
    if (!this.fresh) throw new BursarError('not now', { code: 'ledger_unavailable', status: 503 })
  }
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

describe('Keyring', () => {
  it('knows keys of the configuration and of the database, by any of the usual headers', () => {
    const stored = new Stored()
    stored.keys.push(key('bk-stored', { source: 'store' }))
    const keyring = new Keyring(configured({ keys: [key('sk-configured')] }), stored)
    for (const name of ['x-api-key', 'api-key', 'x-goog-api-key'])
      expect(keyring.authenticate({ [name]: 'sk-configured' }, NOW).name).toBe('sk-configured')
    expect(keyring.authenticate(bearer('bk-stored'), NOW)).toMatchObject({ name: 'bk-stored', source: 'store' })
    expect(keyring.authenticate(bearer('bk-stored'), NOW)).toBe(keyring.authenticate(bearer('bk-stored'), NOW))
    expect(() => keyring.authenticate({}, NOW)).toThrow(expect.objectContaining({ code: 'missing_key', status: 401 }))
    for (const wrong of ['sk-configuree', hashKey('sk-configured'), ''])
      expect(() => keyring.authenticate(bearer(wrong), NOW)).toThrow(expect.objectContaining({ status: 401 }))
  })

  it('sees changes of the database with the next request', () => {
    const stored = new Stored()
    const keyring = new Keyring(configured({ keys: [key('sk-other')] }), stored)
    expect(() => keyring.authenticate(bearer('bk-a'), NOW)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
    stored.keys.push(key('bk-a', { source: 'store', team: 't' }))
    stored.accounts.push(account('team', 't', { rules: [rule(5)] }))
    stored.revision++
    expect(keyring.authenticate(bearer('bk-a'), NOW).levels[0]?.rules).toEqual([rule(5)])
    stored.accounts[0] = account('team', 't', { rules: [rule(1)] })
    stored.revision++
    expect(keyring.authenticate(bearer('bk-a'), NOW).levels[0]?.rules).toEqual([rule(1)])
    stored.keys[0] = key('bk-a', { source: 'store', revokedAt: NOW - 1 })
    stored.revision++
    expect(() => keyring.authenticate(bearer('bk-a'), NOW)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
  })

  it('refuses expired, blocked, revoked and replaced keys, each from its moment on', () => {
    const text = (hours: string) => `bk-${hours}`
    const keyring = new Keyring(
      configured({
        keys: [key(text('expiring'), { expiresAt: NOW }), key(text('blocked'), { blocked: true })],
      }),
    )
    expect(keyring.authenticate(bearer(text('expiring')), NOW - 1).name).toBe('bk-expiring')
    expect(() => keyring.authenticate(bearer(text('expiring')), NOW)).toThrow(expect.objectContaining({ code: 'key_expired' }))
    expect(() => keyring.authenticate(bearer(text('blocked')), NOW)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
    const stored = new Stored()
    stored.keys.push(key('bk-new', { source: 'store', previous: { hash: hashKey('bk-old'), until: NOW } }))
    const rotated = new Keyring(configured({}), stored)
    expect(rotated.authenticate(bearer('bk-new'), NOW + 1).id).toBe(rotated.authenticate(bearer('bk-old'), NOW - 1).id)
    expect(() => rotated.authenticate(bearer('bk-old'), NOW)).toThrow(expect.objectContaining({ code: 'key_expired' }))
  })

  it('refuses a key whose limits can’t be told', () => {
    const keys = [key('sk-orphan', { team: 'gone' }), key('sk-torn', { team: 'a', user: 'bob' }), key('sk-fine', { user: 'bob' })]
    const keyring = new Keyring(
      configured({
        keys,
        accounts: [
          account('team', 'a'),
          account('team', 'b', { organisation: 'acme' }),
          account('user', 'bob', { team: 'b' }),
          account('organisation', 'acme'),
        ],
      }),
    )
    expect(() => keyring.authenticate(bearer('sk-orphan'), NOW)).toThrow(/there is no team "gone"/)
    expect(() => keyring.authenticate(bearer('sk-torn'), NOW)).toThrow(/under two teams/)
    expect(keyring.authenticate(bearer('sk-fine'), NOW)).toMatchObject({ organisation: 'acme', team: 'b', user: 'bob' })
  })

  it('refuses keys of the database while it can’t be asked, and goes on with those of the configuration', () => {
    const stored = new Stored()
    stored.keys.push(key('bk-a', { source: 'store' }))
    const keyring = new Keyring(configured({ keys: [key('sk-a')] }), stored)
    expect(keyring.authenticate(bearer('bk-a'), NOW).name).toBe('bk-a')
    stored.fresh = false
    expect(() => keyring.authenticate(bearer('bk-a'), NOW)).toThrow(expect.objectContaining({ code: 'ledger_unavailable', status: 503 }))
    expect(keyring.authenticate(bearer('sk-a'), NOW).name).toBe('sk-a')
  })

  it('keeps a name of the configuration to the configuration', () => {
    const stored = new Stored()
    stored.keys.push(key('bk-twin', { name: 'twin', id: 'key_1', source: 'store' }))
    const keyring = new Keyring(configured({ keys: [key('sk-twin', { name: 'twin' })] }), stored)
    expect(keyring.authenticate(bearer('sk-twin'), NOW).source).toBe('configuration')
    expect(() => keyring.authenticate(bearer('bk-twin'), NOW)).toThrow(expect.objectContaining({ code: 'invalid_key' }))
  })

  it('lets everyone on this machine call only while there never was a key nor an admin key', () => {
    const stored = new Stored()
    const open = new Keyring(configured({}), stored)
    expect(open.authenticate({ host: 'localhost:8787' }, NOW).name).toBe('anonymous')
    expect(() => open.authenticate({ host: 'evil.example' }, NOW)).toThrow(expect.objectContaining({ code: 'missing_key' }))
    expect(() => open.authenticate({ host: 'localhost', origin: 'https://evil.example' }, NOW)).toThrow(
      expect.objectContaining({ code: 'missing_key' }),
    )
    stored.keys.push(key('bk-a', { source: 'store', revokedAt: 1 }))
    stored.revision++
    expect(() => open.authenticate({ host: 'localhost' }, NOW)).toThrow(expect.objectContaining({ code: 'missing_key' }))
    const administered = new Keyring(configured({ adminHash: hashKey('admin-key') }))
    expect(() => administered.authenticate({ host: 'localhost' }, NOW)).toThrow(expect.objectContaining({ code: 'missing_key' }))
    const blind = new Stored()
    blind.fresh = false
    expect(() => new Keyring(configured({}), blind).authenticate({ host: 'localhost' }, NOW)).toThrow(
      expect.objectContaining({ code: 'ledger_unavailable' }),
    )
  })

  it('lets the admin key manage and nothing else, and other keys call and nothing else', () => {
    const keyring = new Keyring(configured({ keys: [key('sk-a')], adminHash: hashKey('admin-key') }))
    expect(() => keyring.requireAdmin(bearer('admin-key'))).not.toThrow()
    expect(() => keyring.authenticate(bearer('admin-key'), NOW)).toThrow(
      expect.objectContaining({ code: 'endpoint_not_allowed', status: 403 }),
    )
    expect(() => keyring.requireAdmin(bearer('sk-a'))).toThrow(expect.objectContaining({ code: 'admin_only', status: 403 }))
    expect(() => keyring.requireAdmin(bearer('sk-b'))).toThrow(expect.objectContaining({ code: 'invalid_key', status: 401 }))
    expect(() => keyring.requireAdmin({})).toThrow(expect.objectContaining({ code: 'missing_key', status: 401 }))
    const off = new Keyring(configured({ keys: [key('sk-a')] }))
    for (const headers of [bearer('sk-a'), bearer('admin-key'), {}]) expect(() => off.requireAdmin(headers)).toThrow(/BURSAR_ADMIN_KEY/)
  })
})

describe('levels of budgets', () => {
  const full = new Keyring(
    configured({
      accounts: [
        account('organisation', 'acme', { rules: [rule(100)], models: ['a*', 'b'], tags: { org: 'acme', env: 'dev' } }),
        account('team', 'search', {
          organisation: 'acme',
          rules: [rule(10), rule(5), rule(3, { hard: false })],
          endUserRules: [rule(2, { per: 'day' })],
        }),
        account('user', 'bob', { team: 'search', rules: [rule(1, { per: 'day' })], rates: { parallel: 2 } }),
      ],
      keys: [
        key('sk-a', {
          user: 'bob',
          rules: [rule(50)],
          models: ['a1', 'c'],
          endpoints: ['/v1/chat/*', '/v1/embeddings'],
          tags: { env: 'prod' },
          endUserRules: [rule(1)],
          runRules: [rule(0.5)],
          requestRules: [rule(0.1)],
        }),
      ],
    }),
  ).authenticate(bearer('sk-a'), NOW)

  it('are organisation, team, user, key, then what the caller says brings in', () => {
    const levels = levelsOf(full, { user: 'eve', run: 'r1' }, 'req_1')
    expect(levels.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      'organisation acme',
      'team search',
      'user bob',
      'key sk-a',
      'user team:search/eve',
      'user key:sk-a/eve',
      'run sk-a/r1',
      'request req_1',
    ])
    expect(levels[1]?.rules).toEqual([rule(5), rule(3, { hard: false })])
    expect(levels[2]?.rates).toEqual({ parallel: 2 })
    expect(levels[4]?.rules).toEqual([rule(2, { per: 'day' })])
  })

  it('share a level among callers that name nobody, and make a request without a run a run of its own', () => {
    const [first, second] = ['req_1', 'req_2'].map((id) => levelsOf(full, {}, id).map((level) => level.id)) as [string[], string[]]
    expect(first.slice(0, 6)).toEqual(second.slice(0, 6))
    expect(first.slice(6)).toEqual(['req_1'])
    expect(second.slice(6)).toEqual(['req_2'])
    expect(levelsOf(full, { runRules: [rule(0.05)] }, 'req_1').at(-1)).toMatchObject({ kind: 'request', rules: [rule(0.05)] })
  })

  it('are the same object for keys without anything by caller', () => {
    const keyring = new Keyring(configured({ keys: [key('sk-b', { rules: [rule(1)] })] }))
    const plain = keyring.authenticate(bearer('sk-b'), NOW)
    expect(levelsOf(plain, { user: 'eve', run: 'x' }, 'r')).toBe(plain.levels)
  })

  it('take limits of the caller’s own as further ones', () => {
    const levels = levelsOf(
      full,
      { run: 'r', runRules: [rule(9), rule(0.2, { unit: 'calls', limit: 4n })], requestRules: [rule(0.01)] },
      'q',
    )
    expect(levels.find(({ kind }) => kind === 'run')?.rules).toEqual([rule(0.5), rule(0, { unit: 'calls', limit: 4n })])
    expect(levels.find(({ kind }) => kind === 'request')?.rules).toEqual([rule(0.01)])
  })

  it('allow a model that every level allows, and an endpoint that the key does', () => {
    expect(['a1', 'a2', 'b', 'c'].filter((model) => mayName(full, model))).toEqual(['a1'])
    expect(() => requireModel(full, 'b')).toThrow(expect.objectContaining({ code: 'model_not_allowed', status: 403 }))
    expect(() => requireEndpoint(full, '/v1/chat/completions')).not.toThrow()
    expect(() => requireEndpoint(full, '/v1/responses')).toThrow(expect.objectContaining({ code: 'endpoint_not_allowed', status: 403 }))
    expect(full.tags).toEqual({ org: 'acme', env: 'prod' })
  })

  it('never widen, whatever headers and body say', () => {
    const anyHeaders = fc.dictionary(
      fc.constantFrom(
        'x-bursar-user',
        'x-litellm-end-user-id',
        'helicone-user-id',
        'x-bursar-run',
        'x-bursar-session',
        'x-bursar-tags',
        'x-bursar-budget',
        'x-bursar-run-budget',
        'x-bursar-team',
        'x-bursar-organisation',
        'x-bursar-key',
        'x-litellm-tags',
        'host',
        'origin',
        'x-forwarded-for',
      ),
      fc.oneof(
        fc.string({ maxLength: 300 }),
        fc.constantFrom('bob', 'acme', 'search', 'sk-a', 'usd=1000000', 'usd=0.000001; calls=3', '../bob', 'team:search/bob', ''),
      ),
    )
    const id = ({ kind, id: name }: BudgetLevel) => `${kind} ${name}`
    fc.assert(
      fc.property(
        anyHeaders,
        fc.option(fc.string({ unit: 'binary', maxLength: 300 }), { nil: undefined }),
        fc.uuid(),
        (headers, user, requestId) => {
          let levels: readonly BudgetLevel[]
          try {
            levels = levelsOf(full, labelsOf(headers, user), requestId)
          } catch (thrown) {
            // A label that can't be read is refused; it is never taken for none.
            expect(thrown).toMatchObject({ status: 400 })
            return
          }
          // Every level of the key is there, untouched.
          expect(levels.slice(0, full.levels.length)).toEqual(full.levels)
          // So is each kind of limit that the key has by caller, at the key's own limits or below.
          for (const scope of ['team:search/', 'key:sk-a/'])
            expect(levels.some((level) => level.kind === 'user' && level.id.startsWith(scope) && level.rules.length > 0)).toBe(true)
          const run = levels.find(({ kind }) => kind === 'run')
          const request = levels.find(({ kind }) => kind === 'request')
          // A run without a name is its request, which has the lower limit of the two here anyway.
          if (run)
            expect(run.rules.some(({ unit, per, hard, limit }) => unit === 'usd' && per === 'total' && hard && limit <= usd(0.5))).toBe(
              true,
            )
          expect(request?.rules.some(({ unit, per, hard, limit }) => unit === 'usd' && per === 'total' && hard && limit <= usd(0.1))).toBe(
            true,
          )
          // No label reaches the counters of an account, nor those of another key.
          expect(new Set(levels.map(id)).size).toBe(levels.length)
          for (const level of levels.slice(full.levels.length)) {
            expect(['user', 'run', 'request']).toContain(level.kind)
            if (level.kind !== 'request') expect(level.id).toMatch(/^(team:search|key:sk-a|sk-a)\/[^/]*$/)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('secrets', () => {
  it('are nowhere in it, only their hashes', () => {
    const keyring = new Keyring(
      configured({ keys: [key('sk-very-secret', { name: 'plain', id: 'plain' })], adminHash: hashKey('admin-very-secret') }),
    )
    expect(keyring.authenticate(bearer('sk-very-secret'), NOW).name).toBe('plain')
    expect(
      JSON.stringify(keyring, (_, value: unknown) =>
        value instanceof Map ? [...value] : value instanceof Set ? [...value] : typeof value === 'bigint' ? String(value) : value,
      ),
    ).not.toContain('very-secret')
  })
})

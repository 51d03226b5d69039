import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { usd } from '../../quantities/index.js'
import type { BudgetRule } from '../budgets/contract.js'
import type { AccountStore, NewKey } from './contract.js'
import { AccountFeed } from './feed.js'

/** A rule in dollars. */
export function dollars(limit: number, per: BudgetRule['per'] = 'total', hard = true): BudgetRule {
  return { unit: 'usd', limit: usd(limit), per, hard }
}

let made = 0

/** A key as tests need one; every field can be replaced. */
export function newKey(fields: Partial<NewKey> = {}): NewKey {
  const number = ++made
  return {
    id: `key_${number}`,
    name: `key ${number}`,
    hash: number.toString(16).padStart(64, '0'),
    prefix: 'bk-0000',
    rules: [],
    ...fields,
  }
}

/** What a test database is: made empty, closed (and dropped) at the end. */
export interface TestAccounts {
  /** Two stores over the same database, as two processes have them. */
  readonly stores: readonly [AccountStore, AccountStore]
  /** Every text that the database holds, to be searched for secrets. */
  dump(): Promise<string>
  empty(): Promise<void>
  close(): Promise<void>
}

/** What every account store must do, whatever engine is under it. */
export function accountStoreContract(name: string, open: () => Promise<TestAccounts>, skip = false): void {
  describe.skipIf(skip)(name, () => {
    let database: TestAccounts
    let store: AccountStore
    let other: AccountStore
    beforeAll(async () => {
      database = await open()
      ;[store, other] = database.stores
    })
    afterAll(() => database.close())
    beforeEach(() => database.empty())

    it('gives back accounts and keys, every field of them', async () => {
      const team = {
        kind: 'team',
        id: 'search',
        name: 'Search',
        organisation: 'acme',
        rules: [dollars(0.000000000001, 'month')],
        rates: { parallel: 3 },
        models: ['a*'],
        endUserRules: [dollars(1)],
        tags: { a: 'b' },
      } as const
      const account = await store.createAccount(team, 'admin')
      expect(account).toMatchObject({ ...team, source: 'store' })
      expect(account.createdAt).toBeGreaterThan(1_700_000_000)
      expect(await other.account('team', 'search')).toEqual(account)
      expect(await store.account('user', 'search')).toBeUndefined()
      const full = newKey({
        team: 'search',
        user: 'bob',
        organisation: 'acme',
        rules: [dollars(1_000_000), { unit: 'seconds', limit: 1500n, per: 'day', hard: false }],
        rates: { requestsPerMinute: 1, tokensPerMinute: 2, parallel: 3 },
        models: ['x'],
        endpoints: ['/v1/embeddings'],
        runRules: [dollars(1)],
        requestRules: [dollars(2)],
        endUserRules: [dollars(3)],
        objective: 'cheap',
        blocked: true,
        tags: { env: 'prod' },
        expiresAt: 1_900_000_000.5,
      })
      const key = await store.createKey(full, 'alice')
      expect(key).toEqual({ ...full, createdAt: key.createdAt, createdBy: 'alice', source: 'store' })
      expect(await other.key(full.id)).toEqual(key)
      expect(await other.keyByHash(full.hash)).toEqual(key)
      const bare = await store.createKey(newKey(), 'alice')
      expect(await other.key(bare.id)).toEqual(bare)
      expect(await store.key('key_none')).toBeUndefined()
    })

    it('raises the revision by one for every change, and only then', async () => {
      expect(await store.revision()).toBe(0)
      const key = await store.createKey(newKey({ rules: [dollars(1)] }), 'a')
      expect(await other.revision()).toBe(1)
      await store.createAccount({ kind: 'user', id: 'bob', name: 'Bob', rules: [] }, 'a')
      await store.updateKey(key.id, { tags: { x: 'y' } }, 'a')
      await store.topUp({ kind: 'key', id: key.id }, { unit: 'usd', amount: usd(1) }, 'a')
      await store.revokeKey(key.id, 'a')
      expect(await store.revision()).toBe(5)
      await expect(store.updateKey(key.id, { tags: null }, 'a')).rejects.toMatchObject({ code: 'invalid_request' })
      await expect(store.createAccount({ kind: 'user', id: 'bob', name: 'Bob', rules: [] }, 'a')).rejects.toMatchObject({
        code: 'already_exists',
        status: 409,
        path: 'id',
      })
      await store.revokeKey(key.id, 'a')
      expect(await store.revision()).toBe(5)
      expect((await store.audit({ limit: 100 })).map((entry) => entry.revision)).toEqual([5, 4, 3, 2, 1])
    })

    it('tells what has changed, in pieces of any size', async () => {
      for (let index = 0; index < 7; index++) {
        await store.createKey(newKey(), 'a')
        await store.createAccount({ kind: 'team', id: `team-${index}`, name: 't', rules: [] }, 'a')
      }
      await store.deleteAccount('team', 'team-3', 'a')
      const all = await store.changes(0, 1000)
      expect([all.revision, all.more, all.keys.length, all.accounts.length, all.deleted]).toEqual([
        15,
        false,
        7,
        6,
        [{ kind: 'team', id: 'team-3' }],
      ])
      for (const size of [1, 2, 3, 10]) {
        const seen = new Map<string, unknown>()
        let since = 0
        for (let turn = 0, more = true; more; turn++) {
          expect(turn).toBeLessThan(30)
          const piece = await store.changes(since, size)
          expect(piece.revision).toBeGreaterThan(since)
          for (const key of piece.keys) seen.set(key.id, key)
          for (const account of piece.accounts) seen.set(account.id, account)
          for (const { id } of piece.deleted) seen.delete(id)
          ;({ revision: since, more } = piece)
        }
        expect(since).toBe(15)
        expect(new Set(seen.keys())).toEqual(new Set([...all.keys, ...all.accounts].map(({ id }) => id)))
      }
      expect(await store.changes(15, 10)).toEqual({ revision: 15, accounts: [], keys: [], deleted: [], more: false })
    })

    it('changes settings, leaves what a patch does not name, and takes away what it sets to null', async () => {
      const key = await store.createKey(
        newKey({ rules: [dollars(1)], models: ['a'], tags: { a: 'b' }, team: 'search', expiresAt: 1_900_000_000 }),
        'a',
      )
      const changed = await store.updateKey(key.id, { models: null, tags: { c: 'd' }, team: null, expiresAt: null }, 'a')
      expect(changed).toEqual({ ...key, models: undefined, tags: { c: 'd' }, team: undefined, expiresAt: undefined })
      expect(await other.key(key.id)).toEqual(changed)
      const [entry] = await store.audit({ kind: 'key', id: key.id, limit: 1 })
      expect(entry?.changes).toEqual({
        models: { before: ['a'] },
        tags: { before: { a: 'b' }, after: { c: 'd' } },
        team: { before: 'search' },
        expires_at: { before: 1_900_000_000 },
      })
      await store.createAccount({ kind: 'team', id: 't', name: 'T', rules: [], rates: { parallel: 1 } }, 'a')
      expect(await store.updateAccount('team', 't', { name: 'Tea', rates: null, rules: [dollars(2)] }, 'a')).toMatchObject({
        name: 'Tea',
        rates: undefined,
        rules: [dollars(2)],
      })
      await expect(store.updateAccount('team', 'none', { name: 'x' }, 'a')).rejects.toMatchObject({ code: 'not_found', status: 404 })
      await expect(store.updateKey('none', {}, 'a')).rejects.toMatchObject({ code: 'not_found' })
    })

    it('keeps one key to a name, until it is revoked', async () => {
      const first = await store.createKey(newKey({ name: 'app' }), 'a')
      await expect(other.createKey(newKey({ name: 'app' }), 'a')).rejects.toMatchObject({ code: 'already_exists', path: 'name' })
      await store.revokeKey(first.id, 'a')
      await other.createKey(newKey({ name: 'app' }), 'a')
      await expect(store.createKey(newKey({ hash: first.hash }), 'a')).rejects.toMatchObject({ code: 'already_exists' })
    })

    it('rotates: the old key stays for as long as was said, the one before it is gone', async () => {
      const key = await store.createKey(newKey(), 'a')
      const [second, third] = ['aa', 'bb'].map((digits) => ({ hash: digits.repeat(32), prefix: `bk-${digits}` })) as [
        { hash: string; prefix: string },
        { hash: string; prefix: string },
      ]
      const once = await store.rotateKey(key.id, second, 60, 'a')
      expect(once).toMatchObject({ hash: second.hash, prefix: 'bk-aa', previous: { hash: key.hash } })
      expect(once.previous?.until).toBeGreaterThan(Date.now() / 1000 + 50)
      expect((await other.keyByHash(key.hash))?.id).toBe(key.id)
      await expect(store.rotateKey(key.id, { hash: key.hash, prefix: '' }, 0, 'a')).rejects.toMatchObject({ code: 'already_exists' })
      expect((await store.rotateKey(key.id, third, 0, 'a')).previous).toBeUndefined()
      expect(await other.keyByHash(key.hash)).toBeUndefined()
      expect(await other.keyByHash(second.hash)).toBeUndefined()
      expect((await other.keyByHash(third.hash))?.id).toBe(key.id)
    })

    it('raises limits, also from two processes at once, and never makes one', async () => {
      const key = await store.createKey(
        newKey({
          rules: [dollars(1), dollars(0.5, 'total', false), dollars(1, 'day'), { unit: 'calls', limit: 5n, per: 'day', hard: true }],
        }),
        'a',
      )
      const subject = { kind: 'key', id: key.id } as const
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? store : other).topUp(subject, { unit: 'usd', per: 'total', amount: 3n }, 'a'),
        ),
      )
      const { rules } = (await store.key(key.id)) ?? { rules: [] }
      expect(rules).toEqual([
        { ...dollars(1), limit: usd(1) + 60n },
        dollars(0.5, 'total', false),
        dollars(1, 'day'),
        { unit: 'calls', limit: 5n, per: 'day', hard: true },
      ])
      await store.topUp(subject, { unit: 'calls', amount: 2n }, 'a')
      expect((await store.key(key.id))?.rules[3]?.limit).toBe(7n)
      await expect(store.topUp(subject, { unit: 'usd', amount: 1n }, 'a')).rejects.toMatchObject({ code: 'invalid_request', path: 'per' })
      await expect(store.topUp(subject, { unit: 'tokens', amount: 1n }, 'a')).rejects.toMatchObject({
        code: 'invalid_request',
        path: 'tokens',
      })
      await expect(store.topUp(subject, { unit: 'calls', amount: -1n }, 'a')).rejects.toMatchObject({ code: 'invalid_request' })
      await expect(store.topUp(subject, { unit: 'calls', amount: 2n ** 63n }, 'a')).rejects.toMatchObject({ code: 'invalid_request' })
      await store.createAccount({ kind: 'organisation', id: 'acme', name: 'Acme', rules: [dollars(10, 'month')] }, 'a')
      expect(await store.topUp({ kind: 'organisation', id: 'acme' }, { unit: 'usd', amount: usd(5) }, 'a')).toMatchObject({
        rules: [dollars(15, 'month')],
      })
    })

    it('makes changes of two processes one after the other', async () => {
      const key = await store.createKey(newKey(), 'a')
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? store : other).updateKey(
            key.id,
            index % 3 === 0 ? { tags: { n: String(index) } } : { models: [`m${index}`] },
            'a',
          ),
        ),
      )
      expect(await store.revision()).toBe(21)
      const entries = await store.audit({ limit: 100 })
      expect(entries.map((entry) => entry.revision)).toEqual(Array.from({ length: 21 }, (_, index) => 21 - index))
      // Each began where the one before had ended.
      let tags: unknown
      let models: unknown
      for (const { changes } of [...entries].reverse()) {
        if (changes['tags']) expect(changes['tags'].before).toEqual(tags)
        if (changes['models']) expect(changes['models'].before).toEqual(models)
        tags = changes['tags'] ? changes['tags'].after : tags
        models = changes['models'] ? changes['models'].after : models
      }
    })

    it('deletes accounts that nothing is under, and never gives their ids again', async () => {
      await store.createAccount({ kind: 'organisation', id: 'acme', name: 'Acme', rules: [] }, 'a')
      await store.createAccount({ kind: 'team', id: 'search', name: 'S', organisation: 'acme', rules: [] }, 'a')
      const key = await store.createKey(newKey({ team: 'search' }), 'a')
      await expect(store.deleteAccount('organisation', 'acme', 'a')).rejects.toMatchObject({ code: 'already_exists', status: 409 })
      await expect(store.deleteAccount('team', 'search', 'a')).rejects.toMatchObject({ code: 'already_exists' })
      await store.revokeKey(key.id, 'a')
      await store.deleteAccount('team', 'search', 'a')
      await store.deleteAccount('organisation', 'acme', 'a')
      expect(await store.account('team', 'search')).toBeUndefined()
      expect((await store.accounts({ limit: 10 })).items).toEqual([])
      await expect(store.deleteAccount('team', 'search', 'a')).rejects.toMatchObject({ code: 'not_found' })
      await expect(store.createAccount({ kind: 'team', id: 'search', name: 'S', rules: [] }, 'a')).rejects.toMatchObject({
        code: 'already_exists',
      })
    })

    it('lists in pages, the newest first, with filters', async () => {
      for (let index = 0; index < 5; index++)
        await store.createKey(newKey({ name: `k${index}`, team: index % 2 === 0 ? 'even' : 'odd' }), 'a')
      const first = await store.keys({ limit: 2 })
      expect(first.items.map((key) => key.name)).toEqual(['k4', 'k3'])
      const second = await store.keys({ limit: 2, after: first.next })
      expect(second.items.map((key) => key.name)).toEqual(['k2', 'k1'])
      const third = await store.keys({ limit: 2, after: second.next })
      expect([third.items.map((key) => key.name), third.next]).toEqual([['k0'], undefined])
      expect((await store.keys({ team: 'odd', limit: 10 })).items.map((key) => key.name)).toEqual(['k3', 'k1'])
      const id = first.items[0]?.id ?? ''
      await store.revokeKey(id, 'a')
      expect((await store.keys({ limit: 10 })).items).toHaveLength(4)
      expect((await store.keys({ limit: 10, revoked: true })).items).toHaveLength(5)
      expect((await store.keys({ limit: 10, name: 'k2' })).items).toHaveLength(1)
      await expect(store.keys({ limit: 10, after: "1' or 1=1" })).rejects.toMatchObject({ code: 'invalid_request', path: 'after' })
    })

    it('writes down who changed what, and no secret', async () => {
      const key = await store.createKey(newKey({ rules: [dollars(1.5, 'day')] }), 'alice')
      await store.rotateKey(key.id, { hash: 'cd'.repeat(32), prefix: 'bk-cdcd' }, 60, 'bob')
      await store.revokeKey(key.id, 'carol')
      const entries = await store.audit({ kind: 'key', id: key.id, limit: 10 })
      expect(entries.map(({ by, action, name }) => [by, action, name])).toEqual([
        ['carol', 'revoke', key.name],
        ['bob', 'rotate', key.name],
        ['alice', 'create', key.name],
      ])
      expect(entries[2]?.changes).toMatchObject({ budgets: { after: [{ usd: 1.5, per: 'day', hard: true }] } })
      expect(JSON.stringify(entries)).not.toContain('cdcdcdcdcd')
      expect(JSON.stringify(entries)).not.toContain(key.hash)
      expect((await store.audit({ before: entries[0]?.revision, limit: 1 }))[0]?.action).toBe('rotate')
    })

    it('is followed by another process: keys, rotations, revocations, accounts', async () => {
      const feed = new AccountFeed(other, { pollSeconds: 0.02 })
      await feed.start()
      try {
        const key = await store.createKey(newKey({ team: 'search' }), 'a')
        await store.createAccount({ kind: 'team', id: 'search', name: 'S', rules: [] }, 'a')
        await expect.poll(() => feed.keyByHash(key.hash)?.id).toBe(key.id)
        await expect.poll(() => feed.account('team', 'search')?.name).toBe('S')
        await store.rotateKey(key.id, { hash: 'ef'.repeat(32), prefix: '' }, 0, 'a')
        await expect.poll(() => feed.keyByHash('ef'.repeat(32))?.id).toBe(key.id)
        expect(feed.keyByHash(key.hash)).toBeUndefined()
        await store.revokeKey(key.id, 'a')
        await expect.poll(() => feed.keyByHash('ef'.repeat(32))?.revokedAt).toBeGreaterThan(0)
        await store.deleteAccount('team', 'search', 'a')
        await expect.poll(() => feed.account('team', 'search')).toBeUndefined()
        expect(feed.size).toBe(1)
        expect(feed.revision).toBeGreaterThan(0)
      } finally {
        feed.close()
      }
    })

    it('keeps no text of a key anywhere', async () => {
      await store.createKey(newKey({ name: 'secretive' }), 'a')
      const text = await database.dump()
      expect(text).toContain('secretive')
      expect(text).not.toMatch(/bk-[0-9A-Za-z]{20}/)
    })
  })
}

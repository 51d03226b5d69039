import { describe, expect, it } from 'vitest'
import { AccountFeed } from './feed.js'
import type { AccountChanges, KeyAccount } from './contract.js'

function key(id: string): KeyAccount {
  return { id, name: id, hash: `hash of ${id}`, prefix: '', rules: [], createdAt: 0, createdBy: 'test', source: 'store' }
}

/** A database that answers, fails, or says nothing. */
class Scripted {
  mood: 'answers' | 'fails' | 'is silent' = 'answers'
  asked = 0
  current = 0
  rows: KeyAccount[] = []

  revision(): Promise<number> {
    this.asked++
    return this.answer(() => this.current)
  }

  changes(since: number): Promise<AccountChanges> {
    return this.answer(() => ({
      revision: this.current,
      accounts: [],
      keys: since < this.current ? this.rows : [],
      deleted: [],
      more: false,
    }))
  }

  private answer<T>(value: () => T): Promise<T> {
    if (this.mood === 'fails') return Promise.reject(new Error('connection refused'))
    return this.mood === 'answers' ? Promise.resolve(value()) : new Promise(() => undefined)
  }
}

describe('AccountFeed', () => {
  it('goes on with what it knows while the database fails, says so once, and refuses once that is too old', async () => {
    const database = new Scripted()
    database.rows = [key('a')]
    database.current = 1
    const told: (string | undefined)[] = []
    const feed = new AccountFeed(database, {
      pollSeconds: 0.01,
      staleSeconds: 0.25,
      answerSeconds: 0.05,
      onFault: (fault) => told.push(fault?.message),
    })
    await feed.start()
    try {
      database.mood = 'fails'
      await expect(feed.refresh()).rejects.toThrow('connection refused')
      expect(feed.keyByHash('hash of a')?.id).toBe('a')
      feed.ensureFresh()
      await expect.poll(() => refusal(feed)).toBe('ledger_unavailable')
      database.mood = 'is silent'
      await expect(feed.refresh()).rejects.toMatchObject({ code: 'ledger_unavailable' })
      database.mood = 'answers'
      await expect.poll(() => refusal(feed)).toBeUndefined()
      expect(told).toEqual(['connection refused', undefined])
    } finally {
      feed.close()
    }
  })

  it('can’t start without the database', async () => {
    const database = new Scripted()
    database.mood = 'fails'
    await expect(new AccountFeed(database).start()).rejects.toThrow()
    expect(refusal(new AccountFeed(database))).toBe('ledger_unavailable')
  })

  it('shares the work of refreshes, and none resolves with what was read before it was asked for', async () => {
    const database = new Scripted()
    const feed = new AccountFeed(database)
    await feed.refresh()
    const early = feed.refresh()
    database.rows = [key('b')]
    database.current = 1
    await Promise.all([
      early,
      ...Array.from({ length: 50 }, () => feed.refresh().then(() => expect(feed.keyByHash('hash of b')?.id).toBe('b'))),
    ])
    expect(database.asked).toBeLessThan(6)
  })

  it('reads everything anew when the database is an older one', async () => {
    const database = new Scripted()
    database.rows = [key('a'), key('b')]
    database.current = 9
    const feed = new AccountFeed(database)
    await feed.refresh()
    expect(feed.size).toBe(2)
    database.rows = [key('a')]
    database.current = 3
    await feed.refresh()
    expect(feed.keyByHash('hash of b')).toBeUndefined()
    expect(feed.size).toBe(1)
  })

  it('asks no more once it is closed', async () => {
    const database = new Scripted()
    const feed = new AccountFeed(database, { pollSeconds: 0.005 })
    await feed.start()
    await expect.poll(() => database.asked).toBeGreaterThan(2)
    feed.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    const { asked } = database
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(database.asked).toBe(asked)
  })
})

function refusal(feed: AccountFeed): string | undefined {
  try {
    feed.ensureFresh()
    return undefined
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'something else'
  }
}

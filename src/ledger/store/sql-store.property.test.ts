import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { LedgerRecord } from '../record.js'
import type { Dimension } from '../report/contract.js'
import type { Connection } from './connect.js'
import type { JournalPiece } from './contract.js'
import { empty, engines, type TestDatabase } from './fixtures/databases.js'
import { ModelStore } from './fixtures/model.js'
import { planned, steps, type Step } from './fixtures/records.js'
import { openDatabase, SqlStore } from './index.js'

const counters = ['c1', 'c2', 'c3', 'p']
const groupings: readonly (readonly Dimension[])[] = [
  [],
  ['key', 'day'],
  ['team', 'hour'],
  ['organisation', 'model'],
  ['run'],
  ['session', 'key'],
  ['tag:x'],
  ['tag:y', 'day'],
  ['tag:x', 'tag:y'],
]
const always = { from: 0, to: 4e9 }

/** A connection that fails when so many more statements were run: what they did is done, but nobody learns of it. */
class Fragile {
  left = Number.POSITIVE_INFINITY
  constructor(readonly connection: Connection) {}

  get broken(): Connection {
    const db = this.connection.db.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: ({ result }) => (--this.left === 0 ? Promise.reject(new Error('the connection broke')) : Promise.resolve(result)),
    })
    return { ...this.connection, db }
  }
}

/** Brings steps into a store and a model of it, and compares what they say. */
async function run(connection: Connection, given: readonly Step[]): Promise<void> {
  const model = new ModelStore()
  let fragile = new Fragile(connection)
  let store = new SqlStore(fragile.broken)
  let waiting: LedgerRecord[] = []
  let last: JournalPiece | undefined
  let offset = 0
  let holder = 0
  let crashAfter = Number.POSITIVE_INFINITY
  // What a new process has: nothing but the database.
  const startAnew = () => {
    fragile = new Fragile(connection)
    store = new SqlStore(fragile.broken)
  }
  const flush = async () => {
    if (waiting.length === 0) return
    const piece: JournalPiece = { segment: 'only', from: offset, to: offset + waiting.length, holder: `h${holder}`, records: waiting }
    fragile.left = crashAfter
    try {
      await store.apply(piece)
    } catch (thrown) {
      if (fragile.left > 0) throw thrown
      startAnew()
      await store.apply(piece)
    }
    fragile.left = crashAfter = Number.POSITIVE_INFINITY
    for (const record of waiting) model.add(record, piece.holder)
    waiting = []
    offset = piece.to
    last = piece
  }
  const compare = async () => {
    for (const key of [undefined, 'key-a', 'key-b', 'key-c', '']) expect(await store.totals({ key })).toEqual(model.totals(key))
    expect(await store.balances(counters)).toEqual(counters.map((counter) => model.balances.get(counter) ?? 0n))
  }
  for (const step of given)
    switch (step.kind) {
      case 'record':
        waiting.push(step.record)
        break
      case 'cut':
        await flush()
        break
      case 'again':
        if (last !== undefined) await store.apply(last)
        break
      case 'crash':
        crashAfter = step.after
        break
      case 'expire':
        await flush()
        holder++
        expect(await store.expireHolds({ allBut: `h${holder}` })).toBe(model.expire(`h${holder}`))
        await compare()
        break
    }
  await flush()
  await compare()
  expect(await store.appliedTo('only')).toBe(offset)
  expect((await store.calls({ limit: 1000 })).map(({ callId }) => callId).sort()).toEqual(model.callIds())
  for (const by of groupings) {
    const query = { ...always, by }
    expect(await store.report(query)).toEqual(model.report(query))
    const limited = { ...query, limit: 2, order: 'calls' as const, where: { key: 'key-a' } }
    expect(await store.report(limited)).toEqual(model.report(limited))
    const largest = { ...query, limit: 1 }
    expect(await store.report(largest)).toEqual(model.report(largest))
  }
}

const sequences = fc.array(planned, { minLength: 1, maxLength: 8 }).chain((calls) => fc.array(steps(calls), { maxLength: 60 }))

describe.each(engines)('any sequence of records, cut anywhere, given again, through crashes: $name', ({ there, make }) => {
  let database: TestDatabase | undefined
  let connection: Connection | undefined
  afterAll(async () => {
    await connection?.close()
    await database?.drop()
  })

  it.skipIf(!there)(
    'comes to what a plain model comes to',
    async () => {
      database = await make()
      const open = (connection = await openDatabase(database.settings))
      await fc.assert(
        fc.asyncProperty(sequences, async (given) => {
          await empty(open)
          await run(open, given)
        }),
        { numRuns: Number(process.env['STORE_RUNS'] ?? 60) },
      )
    },
    300_000,
  )
})

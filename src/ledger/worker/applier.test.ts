import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFileJournal, type FileJournal } from '../journal/file-journal.js'
import { findSegments } from '../journal/segment.js'
import { callRecord } from '../ledger-contract.js'
import type { LedgerRecord } from '../record.js'
import type { JournalPiece } from '../store/contract.js'
import { Applier, type ApplierSettings } from './applier.js'
import { FakeStore } from './fixtures/fake-store.js'

let directory: string
const running: Applier[] = []
const journals: FileJournal[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-applier-'))
})
afterEach(async () => {
  for (const applier of running.splice(0)) await applier.stop()
  for (const journal of journals.splice(0)) await journal.close()
  rmSync(directory, { recursive: true, force: true })
})

const call = (callId: string): LedgerRecord => ({ type: 'call', record: callRecord({ callId }) })
const names = (count: number, prefix = 'call') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** An applier over a store that can go wrong, and what it told. */
function applierOf(settings: Partial<ApplierSettings> = {}) {
  const store = new FakeStore(join(directory, 'store'))
  const faults: string[] = []
  const removed: string[] = []
  const synced: number[] = []
  const told = { records: 0, left: { segments: 0, bytes: 0 } }
  const applier = new Applier(
    {
      store,
      holder: 'me',
      spoiltDirectory: join(directory, 'spoilt'),
      makeDurable: async () => void synced.push((await store.pieces()).length),
      pauses: { first: 1, longest: 5 },
      ...settings,
    },
    {
      onApplied: ({ records }) => (told.records += records),
      onRemoved: (segment) => removed.push(segment),
      onLeft: (left) => (told.left = left),
      onFault: (kind, message) => faults.push(`${kind}: ${message}`),
    },
  )
  applier.start()
  running.push(applier)
  const applied = async () => (await store.pieces()).flatMap(({ ids }) => ids)
  return { applier, store, faults, removed, synced, told, applied }
}

function journalOf(applier: Applier | undefined, holder = 'me', segmentBytes = 3000, now?: () => number): FileJournal {
  const journal = openFileJournal(
    { directory: join(directory, holder), holder, durability: 'process', segmentBytes, now },
    { onAdvance: (state) => applier?.advance(state) },
  )
  journals.push(journal)
  return journal
}

describe('bringing a journal into the store', () => {
  it('applies every record once, in order, and removes segments that are done', async () => {
    const { applier, applied, removed, told } = applierOf({ pieces: { maxRecords: 3, maxBytes: 10_000 } })
    const journal = journalOf(applier)
    for (const name of names(40)) await journal.append(call(name))
    await expect.poll(applied).toEqual(names(40))
    await expect.poll(() => readdirSync(join(directory, 'me')).length).toBe(1)
    expect(removed.length).toBeGreaterThan(5)
    expect(told.records).toBe(40)
    await journal.append(call('last'))
    await expect.poll(applied).toEqual([...names(40), 'last'])
  })

  it('makes the store durable before a segment goes', async () => {
    const { applier, synced, removed } = applierOf()
    const journal = journalOf(applier)
    for (const name of names(20)) await journal.append(call(name))
    await expect.poll(() => removed.length).toBeGreaterThan(1)
    expect(synced).toHaveLength(removed.length)
    expect(synced[0]).toBeGreaterThan(0)
  })

  it.each(['away', 'answer_lost'] as const)('loses and doubles nothing when the database is %s for a while', async (trouble) => {
    const { applier, store, applied, faults } = applierOf({ pieces: { maxRecords: 4, maxBytes: 10_000 } })
    const journal = journalOf(applier)
    for (const [index, name] of names(30).entries()) {
      if (index % 10 === 5) await store.trouble(trouble, 3)
      await journal.append(call(name))
    }
    await expect.poll(applied).toEqual(names(30))
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.every((fault) => fault.startsWith('store: '))).toBe(true)
  })

  it('applies all before a record that the database never takes, keeps trying, and goes no further', async () => {
    const fake = new FakeStore(join(directory, 'store'))
    const tried: number[] = []
    const { applier, faults } = applierOf({
      store: {
        appliedTo: (segment) => fake.appliedTo(segment),
        apply: (piece: JournalPiece) => {
          tried.push(piece.records.length)
          return piece.records.some((entry) => entry.type === 'call' && entry.record.callId === 'poison')
            ? Promise.reject(new Error('check constraint'))
            : fake.apply(piece)
        },
      },
    })
    const journal = journalOf(undefined, 'me', 1_000_000)
    await Promise.all([...names(100), 'poison', ...names(5, 'after')].map((name) => journal.append(call(name))))
    applier.advance({ ...journal.end, path: findSegments(join(directory, 'me'))[0]?.path ?? '', sequence: 1, sealed: false })
    await expect.poll(async () => (await fake.pieces()).flatMap(({ ids }) => ids)).toEqual(names(100))
    const faultsBefore = faults.length
    await expect.poll(() => faults.length).toBeGreaterThan(faultsBefore)
    expect(tried.at(-1)).toBe(1)
    expect((await fake.pieces()).flatMap(({ ids }) => ids)).toEqual(names(100))
  })

  it('goes on where the store is, with another applier', async () => {
    const fake = new FakeStore(join(directory, 'store'))
    let stopped: Promise<void> | undefined
    const first = applierOf({
      pieces: { maxRecords: 2, maxBytes: 10_000 },
      store: {
        appliedTo: (segment) => fake.appliedTo(segment),
        apply: async (piece: JournalPiece) => {
          await fake.apply(piece)
          if ((await fake.pieces()).length === 5) stopped = first.applier.stop()
        },
      },
    })
    const journal = journalOf(undefined, 'me', 1_000_000)
    await Promise.all(names(50).map((name) => journal.append(call(name))))
    const state = { ...journal.end, path: findSegments(join(directory, 'me'))[0]?.path ?? '', sequence: 1, sealed: true }
    first.applier.advance(state)
    await expect.poll(() => stopped !== undefined).toBe(true)
    await stopped
    expect((await fake.pieces()).flatMap(({ ids }) => ids)).toEqual(names(10))
    const second = applierOf()
    second.applier.advance(state)
    await expect.poll(second.applied).toEqual(names(50))
  })
})

describe('journals that dead processes left', () => {
  it('are applied before our own, the oldest first, each for its holder', async () => {
    for (const [holder, begun] of [
      ['younger', 2000],
      ['older', 1000],
    ] as const) {
      const journal = journalOf(undefined, holder, 2000, () => begun)
      for (const name of names(6, holder)) await journal.append(call(name))
    }
    const { applier, store, told } = applierOf()
    applier.adopt(findSegments(directory))
    const journal = journalOf(applier)
    await journal.append(call('mine'))
    await expect
      .poll(() => store.pieces().then((pieces) => pieces.flatMap(({ ids }) => ids)))
      .toEqual([...names(6, 'older'), ...names(6, 'younger'), 'mine'])
    expect(told.left).toEqual({ segments: 0, bytes: 0 })
    for (const { holder, ids } of await store.pieces())
      for (const id of ids) expect(id.startsWith(holder === 'me' ? 'mine' : holder)).toBe(true)
    expect(findSegments(directory).map(({ holder }) => holder)).toEqual(['me'])
  })

  it('may end in the middle of a line', async () => {
    const journal = journalOf(undefined, 'dead', 1_000_000)
    for (const name of names(3)) await journal.append(call(name))
    const [segment] = findSegments(directory)
    const bytes = readFileSync(segment?.path ?? '')
    writeFileSync(segment?.path ?? '', bytes.subarray(0, bytes.length - 10))
    const { applier, applied, faults } = applierOf()
    applier.adopt(findSegments(directory))
    await expect.poll(() => findSegments(directory)).toEqual([])
    expect(await applied()).toEqual(names(2))
    expect(faults).toEqual([])
  })

  it('are kept aside when lines in them are spoilt, and the other lines count', async () => {
    const journal = journalOf(undefined, 'dead', 1_000_000)
    for (const name of names(2)) await journal.append(call(name))
    appendFileSync(findSegments(directory)[0]?.path ?? '', 'what is this\n')
    const { applier, applied, faults } = applierOf()
    applier.adopt(findSegments(directory))
    await expect.poll(() => findSegments(directory)).toEqual([])
    expect(await applied()).toEqual(names(2))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain('12 bytes')
    const [kept] = readdirSync(join(directory, 'spoilt'))
    expect(readFileSync(join(directory, 'spoilt', kept ?? ''), 'utf8')).toContain('what is this')
  })

  it('may be gone: another process has brought them in', async () => {
    const journal = journalOf(undefined, 'dead')
    await journal.append(call('a'))
    const found = findSegments(directory)
    rmSync(found[0]?.path ?? '')
    const { applier, applied, told, faults } = applierOf()
    applier.adopt(found)
    const mine = journalOf(applier)
    await mine.append(call('mine'))
    await expect.poll(applied).toEqual(['mine'])
    expect(told.left.segments).toBe(0)
    expect(faults).toHaveLength(1)
    expect(existsSync(found[0]?.path ?? '')).toBe(false)
  })
})

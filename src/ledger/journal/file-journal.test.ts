import fc from 'fast-check'
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { callRecord } from '../ledger-contract.js'
import type { LedgerRecord } from '../record.js'
import type { Begun } from './contract.js'
import { openFileJournal, type FileJournal, type FileJournalObserver, type FileJournalSettings, type SegmentState } from './file-journal.js'
import { systemFiles, type FileOperations } from './file-operations.js'
import { anyLedgerRecord } from './fixtures/records.js'
import { readSegment } from './fixtures/read-segment.js'
import { findSegments } from './segment.js'

let directory: string
const open: FileJournal[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-journal-'))
})
afterEach(async () => {
  vi.useRealTimers()
  for (const journal of open.splice(0)) await journal.close()
  rmSync(directory, { recursive: true, force: true })
})

function journalOf(settings: Partial<FileJournalSettings> = {}, observer: FileJournalObserver = {}): FileJournal {
  const journal = openFileJournal({ directory, holder: 'me', durability: 'process', ...settings }, observer)
  open.push(journal)
  return journal
}

/** Begins a record, and gives it when it is written. */
async function written(journal: FileJournal, record: LedgerRecord, soon: boolean): Promise<Begun> {
  const begun = journal.begin(record, soon)
  await begun.written()
  return begun
}

const call = (callId: string): LedgerRecord => ({ type: 'call', record: callRecord({ callId }) })
const idsOf = (records: readonly LedgerRecord[]) => records.map((entry) => (entry.type === 'call' ? entry.record.callId : entry.type))
const everything = () => findSegments(directory).flatMap(({ path }) => readSegment(path).records)

describe.each(['process', 'disk'] as const)('a journal that is durable for the %s', (durability) => {
  it('has every record in the order in which it came, awaited or not', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyLedgerRecord, fc.constantFrom('append', 'note', 'begin', 'begin soon'), fc.boolean())),
        async (entries) => {
          rmSync(directory, { recursive: true, force: true })
          const journal = journalOf({ durability, segmentBytes: 2000 })
          const appended: Promise<void>[] = []
          for (const [entry, how, pause] of entries) {
            if (how === 'append') appended.push(journal.append(entry))
            else if (how === 'note') journal.note(entry)
            else appended.push(written(journal, entry, how === 'begin soon').then((begun) => begun.durable()))
            if (pause) await Promise.all(appended)
          }
          await journal.close()
          await Promise.all(appended)
          expect(everything()).toEqual(entries.map(([entry]) => entry))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('has a record in the file when its promise resolves', async () => {
    const journal = journalOf({ durability })
    for (let index = 0; index < 20; index++) {
      await journal.append(call(`call-${index}`))
      expect(idsOf(everything())).toHaveLength(index + 1)
    }
  })

  it('keeps nothing of a record that was begun and could not be written', async () => {
    let full = false
    const files: FileOperations = {
      ...systemFiles,
      write(...args) {
        if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        return systemFiles.write(...args)
      },
    }
    const journal = journalOf({ durability, files })
    await written(journal, call('before'), false)
    full = true
    await expect(written(journal, call('refused'), false)).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
    full = false
    await journal.append(call('after'))
    expect(idsOf(everything())).toEqual(['before', 'after'])
  })

  it('writes once for all that came in a turn', async () => {
    let writes = 0
    const journal = journalOf({ durability, files: { ...systemFiles, write: (...args) => (writes++, systemFiles.write(...args)) } })
    expect(writes).toBe(1)
    await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append(call(`call-${index}`))))
    expect(writes).toBe(2)
  })

  it('begins a new segment at the size, and tells of both', async () => {
    const states: SegmentState[] = []
    const journal = journalOf({ durability, segmentBytes: 3000 }, { onAdvance: (state) => states.push(state) })
    for (let index = 0; index < 20; index++) await journal.append(call(`call-${index}`))
    const segments = findSegments(directory)
    expect(segments.length).toBeGreaterThan(2)
    expect(segments.map(({ sequence }) => sequence)).toEqual(segments.map((_, index) => index + 1))
    for (const { segment, path } of segments.slice(0, -1)) {
      const last = states.filter((state) => state.segment === segment).at(-1)
      expect(last).toMatchObject({ sealed: true, offset: statSync(path).size })
      expect(statSync(path).size).toBeGreaterThanOrEqual(3000)
      expect(statSync(path).size).toBeLessThan(4000)
    }
    expect(idsOf(everything())).toEqual(Array.from({ length: 20 }, (_, index) => `call-${index}`))
  })

  it('says how far it is durable, and counts records', async () => {
    let records = 0
    const journal = journalOf({ durability }, { onAdvance: (_, more) => (records += more) })
    const before = journal.end
    expect(before.offset).toBe(statSync(findSegments(directory)[0]?.path ?? '').size)
    journal.note(call('noted'))
    await journal.append(call('awaited'))
    expect(journal.end.offset).toBe(statSync(findSegments(directory)[0]?.path ?? '').size)
    expect(records).toBe(2)
  })

  it('flushes what nobody waits for', async () => {
    const journal = journalOf({ durability })
    journal.note(call('noted'))
    expect(everything()).toEqual([])
    await journal.flush()
    expect(idsOf(everything())).toEqual(['noted'])
    await journal.flush()
  })

  it('writes a lone note by itself after a moment', async () => {
    journalOf({ durability }).note(call('noted'))
    await expect.poll(() => idsOf(everything())).toEqual(['noted'])
  })

  it('refuses records once it is closed', async () => {
    const journal = journalOf({ durability })
    await journal.close()
    await expect(journal.append(call('late'))).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
    expect(everything()).toEqual([])
  })

  describe('with a disk that fails', () => {
    /** Takes so many more bytes, then says that it is full, as the system does: what fits is written. */
    function filling() {
      const disk = { room: Infinity, truncates: true, emptiedWhenFull: false }
      const files: FileOperations = {
        ...systemFiles,
        write: (file, bytes, from, length, position) => {
          const fits = Math.min(length, disk.room)
          if (fits === 0 && disk.emptiedWhenFull) disk.room = Infinity
          if (fits === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
          disk.room -= fits
          return systemFiles.write(file, bytes, from, fits, position)
        },
        truncate: (file, length) => {
          if (!disk.truncates) throw Object.assign(new Error('EIO: i/o error, ftruncate'), { code: 'EIO' })
          systemFiles.truncate(file, length)
        },
      }
      return { disk, files }
    }

    it.each([0, 1, 300, 700, 1500])('keeps nothing of a group when %d bytes of it fit, and goes on when there is room', async (room) => {
      const { disk, files } = filling()
      const faults: Error[] = []
      const journal = journalOf({ durability, files }, { onFault: (error) => faults.push(error) })
      await journal.append(call('before'))
      disk.room = room
      const refused = await Promise.allSettled([call('a'), call('b'), call('c')].map((entry) => journal.append(entry)))
      for (const one of refused) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ledger_unavailable', status: 503 } })
      expect(faults).toHaveLength(1)
      const [segment] = findSegments(directory)
      expect(idsOf(everything())).toEqual(['before'])
      expect(statSync(segment?.path ?? '').size).toBe(journal.end.offset)
      disk.room = Infinity
      await journal.append(call('after'))
      expect(idsOf(everything())).toEqual(['before', 'after'])
    })

    it.each([1, 300, 700, 1500])('blanks %d bytes that were written when they can not be cut off', async (room) => {
      const { disk, files } = filling()
      const journal = journalOf({ durability, files })
      await journal.append(call('before'))
      disk.room = room
      disk.truncates = false
      // A disk that is full takes blanks over what it has given room to before.
      disk.emptiedWhenFull = true
      const refused = await Promise.allSettled([call('a'), call('b'), call('c')].map((entry) => journal.append(entry)))
      expect(refused.every(({ status }) => status === 'rejected')).toBe(true)
      for (const { path } of findSegments(directory)) {
        const { records, spoilt } = readSegment(path)
        expect(idsOf(records)).toEqual(['before'])
        expect(spoilt).toEqual([])
        expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true)
      }
      await journal.append(call('after'))
      await journal.append(call('and after'))
      expect(idsOf(everything())).toEqual(['before', 'after', 'and after'])
      for (const { path } of findSegments(directory)) expect(readSegment(path).spoilt).toEqual([])
    })

    it('begins a new segment when the file takes nothing any more', async () => {
      const { disk, files } = filling()
      const states: SegmentState[] = []
      const journal = journalOf({ durability, files }, { onAdvance: (state) => states.push(state) })
      await journal.append(call('before'))
      disk.room = 100
      disk.truncates = false
      await expect(journal.append(call('refused'))).rejects.toMatchObject({ code: 'ledger_unavailable' })
      expect(states.at(-1)).toMatchObject({ sealed: true, sequence: 1 })
      disk.room = Infinity
      await journal.append(call('after'))
      expect(states.at(-1)).toMatchObject({ sealed: false, sequence: 2 })
      // What the first file says of itself: the end that was told is before the torn line, which a reader skips in any case.
      expect(idsOf(everything())).toEqual(['before', 'after'])
    })

    it('refuses while no new segment can be made, and goes on when one can', async () => {
      const { disk, files } = filling()
      const journal = journalOf({ durability, files, segmentBytes: 500 })
      await journal.append(call('before'))
      disk.room = 0
      await expect(journal.append(call('refused'))).rejects.toMatchObject({ code: 'ledger_unavailable' })
      await expect(journal.append(call('refused'))).rejects.toMatchObject({ code: 'ledger_unavailable' })
      disk.room = Infinity
      await journal.append(call('after'))
      expect(idsOf(everything())).toEqual(['before', 'after'])
      expect(readdirSync(directory)).toHaveLength(2)
    })

    it('keeps for later what nobody waits for', async () => {
      const { disk, files } = filling()
      const lost: number[] = []
      const journal = journalOf({ durability, files }, { onFault: (_, notes) => lost.push(notes) })
      disk.room = 400
      journal.note(call('first'))
      const refused = journal.append(call('refused'))
      journal.note(call('second'))
      await expect(refused).rejects.toMatchObject({ code: 'ledger_unavailable' })
      disk.room = Infinity
      await journal.append(call('after'))
      expect(idsOf(everything())).toEqual(['first', 'second', 'after'])
      expect(lost).toEqual([0])
    })
  })

  it('refuses a record that can not be written down, and takes the others', async () => {
    const journal = journalOf({ durability })
    const good = [journal.append(call('a'))]
    await expect(journal.append({ type: 'call', record: callRecord({ at: NaN }) })).rejects.toThrow(RangeError)
    await expect(journal.append(call('x'.repeat(5 * 1024 * 1024)))).rejects.toThrow(RangeError)
    good.push(journal.append(call('b')))
    await Promise.all(good)
    expect(idsOf(everything())).toEqual(['a', 'b'])
  })
})

describe('syncs', () => {
  /** Syncs that end when they are told to. */
  function heldSyncs() {
    const waiting: ((error: Error | null) => void)[] = []
    return { waiting, files: { ...systemFiles, sync: (_: number, done: (error: Error | null) => void) => void waiting.push(done) } }
  }

  it('has one under way, and gathers meanwhile', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const done: string[] = []
    const append = (id: string) => journal.append(call(id)).then(() => done.push(id))
    const first = append('a')
    await expect.poll(() => waiting.length).toBe(1)
    const others = [append('b'), append('c')]
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(waiting).toHaveLength(1)
    expect(done).toEqual([])
    waiting.shift()?.(null)
    await first
    await expect.poll(() => waiting.length).toBe(1)
    expect(done).toEqual(['a'])
    waiting.shift()?.(null)
    await Promise.all(others)
    expect(done).toEqual(['a', 'b', 'c'])
  })

  it('takes back a group whose sync failed, and writes no more to that file', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const first = journal.append(call('a'))
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await first
    journal.note(call('note'))
    const failed = journal.append(call('b'))
    await expect.poll(() => waiting.length).toBe(1)
    const next = journal.append(call('c'))
    waiting.shift()?.(Object.assign(new Error('EIO'), { code: 'EIO' }))
    await expect(failed).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await next
    expect(findSegments(directory).map(({ path }) => idsOf(readSegment(path).records))).toEqual([['a'], ['note', 'c']])
  })

  it('are not waited for by a record that is begun, and are asked for at once where that is wanted', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const first = await written(journal, call('a'), true)
    expect(idsOf(everything())).toEqual(['a'])
    expect(waiting).toHaveLength(1)
    // Written while the sync of the one before is under way.
    const second = await written(journal, call('b'), true)
    expect(idsOf(everything())).toEqual(['a', 'b'])
    expect(waiting).toHaveLength(1)
    const before = journal.end
    waiting.shift()?.(null)
    await first.durable()
    expect(first.durable()).toBeUndefined()
    expect(journal.end.offset).toBeGreaterThan(before.offset)
    const told: string[] = []
    const durable = second.durable()?.then(() => told.push('b'))
    await expect.poll(() => waiting.length).toBe(1)
    expect(told).toEqual([])
    waiting.shift()?.(null)
    await durable
    expect(told).toEqual(['b'])
    expect(journal.end.offset).toBe(statSync(findSegments(directory)[0]?.path ?? '').size)
  })

  it('are shared by a record that is begun and one that is waited for', async () => {
    // No moment passes, however slow the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const begun = await written(journal, call('a'), false)
    const appended = journal.append(call('b'))
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await appended
    expect(begun.durable()).toBeUndefined()
    await journal.flush()
    expect(waiting).toEqual([])
  })

  it('come by themselves for a record that nobody waits for', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const begun = await written(journal, call('a'), false)
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await begun.durable()
    expect(begun.durable()).toBeUndefined()
  })

  it('that fail are told to those who wait, and what was begun is written again, before what came later', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files })
    const first = await written(journal, call('a'), true)
    const second = await written(journal, call('b'), true)
    const durable = [first.durable(), second.durable()].map((one) => expect(one).rejects.toMatchObject({ code: 'ledger_unavailable' }))
    const later = journal.append(call('c'))
    waiting.shift()?.(Object.assign(new Error('EIO'), { code: 'EIO' }))
    await Promise.all(durable)
    await expect(first.durable()).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await later
    expect(findSegments(directory).map(({ path }) => idsOf(readSegment(path).records))).toEqual([[], ['a', 'b', 'c']])
  })

  it('end a segment that is full before more is written', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files, segmentBytes: 500 })
    await written(journal, call('a'), true)
    const told: string[] = []
    const second = written(journal, call('b'), true).then(() => told.push('b'))
    const third = journal.append(call('c'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(told).toEqual([])
    waiting.shift()?.(null)
    await second
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    await third
    expect(findSegments(directory).map(({ path }) => idsOf(readSegment(path).records))).toEqual([['a'], ['b', 'c']])
  })

  it('refuses records when too much waits for a disk that hangs', async () => {
    const { waiting, files } = heldSyncs()
    const journal = journalOf({ durability: 'disk', files, maxWaitingBytes: 5000 })
    const first = journal.append(call('a'))
    await expect.poll(() => waiting.length).toBe(1)
    const appended = Array.from({ length: 50 }, (_, index) => journal.append(call(`call-${index}`)))
    const settled = Promise.allSettled(appended)
    await expect(appended.at(-1)).rejects.toMatchObject({ code: 'ledger_unavailable' })
    waiting.shift()?.(null)
    await first
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()?.(null)
    const taken = (await settled).filter(({ status }) => status === 'fulfilled').length
    expect(taken).toBeGreaterThan(1)
    expect(taken).toBeLessThan(20)
    expect(everything()).toHaveLength(1 + taken)
  })
})

describe('reading a journal', () => {
  it('ignores a torn end, at every byte', async () => {
    const journal = journalOf()
    await journal.append(call('a'))
    const whole = journal.end.offset
    await journal.append(call('b'))
    await journal.close()
    const [segment] = findSegments(directory)
    const bytes = readFileSync(segment?.path ?? '')
    for (let length = whole; length < bytes.length; length++) {
      writeFileSync(segment?.path ?? '', bytes.subarray(0, length))
      expect(readSegment(segment?.path ?? '')).toMatchObject({ records: [{ record: { callId: 'a' } }], spoilt: [], to: whole })
    }
  })

  it('tells of a spoilt line and skips it', async () => {
    const journal = journalOf()
    for (const id of ['a', 'b', 'c']) await journal.append(call(id))
    await journal.close()
    const path = findSegments(directory)[0]?.path ?? ''
    const bytes = readFileSync(path)
    const inB = bytes.indexOf('"callId":"b"')
    fc.assert(
      fc.property(fc.integer({ min: -15, max: 200 }), fc.integer({ min: 1, max: 255 }), (distance, flip) => {
        const spoilt = Buffer.from(bytes)
        spoilt[inB + distance] = (bytes[inB + distance] ?? 0) ^ flip
        writeFileSync(path, spoilt)
        const read = readSegment(path)
        expect(idsOf(read.records)).toEqual(['a', 'c'])
        expect(read.spoilt.length).toBeGreaterThan(0)
      }),
    )
  })

  it('goes on after a line that never seems to end', async () => {
    const journal = journalOf()
    await journal.append(call('a'))
    await journal.close()
    const path = findSegments(directory)[0]?.path ?? ''
    const bytes = readFileSync(path)
    const line = bytes.subarray(bytes.indexOf('\n') + 1)
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(9_000_000, 'x'), Buffer.from('\n'), line]))
    const read = readSegment(path)
    expect(idsOf(read.records)).toEqual(['a', 'a'])
    expect(read.spoilt).toEqual([{ offset: bytes.length, bytes: 9_000_000 }])
  })

  it('reads in pieces of any size what it reads at once', async () => {
    const journal = journalOf()
    const entries = fc.sample(anyLedgerRecord, 60)
    await Promise.all(entries.map((entry) => journal.append(entry)))
    await journal.close()
    const path = findSegments(directory)[0]?.path ?? ''
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 100_000 }), (maxRecords, maxBytes) => {
        expect(readSegment(path, { maxRecords, maxBytes }).records).toEqual(entries)
      }),
    )
  })

  it('orders segments by holder and number, whatever the clock said', () => {
    const at = { earlier: 1000, later: 2000 }
    for (const [holder, times] of [
      ['b', [at.later, at.earlier - 500]],
      ['a', [at.earlier, at.later]],
    ] as const) {
      let turn = 0
      const journal = journalOf({ holder, now: () => times[turn++] ?? 0, segmentBytes: 1, directory: join(directory, holder) })
      journal.note(call(holder))
    }
    return Promise.all(open.map((journal) => journal.flush())).then(async () => {
      for (const journal of open) await journal.append(call('second'))
      expect(findSegments(directory).map(({ holder, sequence }) => [holder, sequence])).toEqual([
        ['b', 1],
        ['b', 2],
        ['a', 1],
        ['a', 2],
      ])
    })
  })

  it('makes up a header that is spoilt from the names', async () => {
    const mine = join(directory, 'holder-1')
    const journal = journalOf({ directory: mine, holder: 'holder-1' })
    await journal.append(call('a'))
    await journal.close()
    const [found] = findSegments(directory)
    const file = openSync(found?.path ?? '', 'r+')
    systemFiles.write(file, Buffer.from('zz'), 0, 2, 0)
    closeSync(file)
    expect(findSegments(directory)).toEqual([{ ...found, created: 0 }])
    expect(idsOf(readSegment(found?.path ?? '').records)).toEqual(['a'])
  })
})

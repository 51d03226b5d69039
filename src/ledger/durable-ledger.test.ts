import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDurableLedger, type DurableLedger, type DurableLedgerSettings, type LedgerFault, type LedgerLag } from './durable-ledger.js'
import { systemFiles, type FileOperations } from './journal/file-operations.js'
import { readSegment } from './journal/fixtures/read-segment.js'
import { intentRecord } from './journal/fixtures/records.js'
import { findSegments } from './journal/segment.js'
import { callRecord, decisionRecord } from './ledger-contract.js'
import type { Control } from './worker/fixtures/fake-store.js'
import type { Remote } from './worker/store-worker.js'

let directory: string
const opened: DurableLedger[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-ledger-'))
})
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
  rmSync(directory, { recursive: true, force: true })
})

const names = (count: number, prefix = 'call') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** A ledger over the store that goes wrong when it is told to. */
async function open(settings: Partial<DurableLedgerSettings> = {}) {
  const faults: LedgerFault[] = []
  const lags: LedgerLag[] = []
  const ledger = await openDurableLedger(
    {
      journals: join(directory, 'journals'),
      store: { file: join(directory, 'bursar.db') },
      storeModule: new URL('./worker/fixtures/fake-store.ts', import.meta.url).href,
      durability: 'process',
      ...settings,
    },
    { onFault: (fault) => faults.push(fault), onLag: (lag) => lags.push(lag) },
  )
  opened.push(ledger)
  const control: Remote<Control> = ledger.methods<Control>('control')
  return { ledger, control, faults, lags }
}

describe('the durable ledger', () => {
  it('answers with everything recorded before, awaited or not', async () => {
    const { ledger } = await open()
    ledger.recordDecision(decisionRecord({ decisionId: 'd' }))
    expect((await ledger.decision('d'))?.decisionId).toBe('d')
    await ledger.recordIntent(intentRecord({ callId: 'a' }))
    void ledger.recordCall(callRecord({ callId: 'a' }))
    void ledger.recordOutcome({ outcomeId: 'o', at: 1, key: 'k', source: 'user', score: 1 })
    expect(await ledger.calls({ limit: 10 })).toEqual([callRecord({ callId: 'a' })])
    expect(await ledger.outcomes({ limit: 10 })).toHaveLength(1)
    expect(await ledger.balances(['key:key-a/usd/total'])).toEqual([99n])
    expect((await ledger.totals({})).calls).toBe(1)
    expect(ledger.lag()).toEqual({ records: 0, bytes: 0, late: 0 })
  })

  it('records while the database is away, says how far behind it is, and catches up', async () => {
    const { ledger, control, faults, lags } = await open({ limits: { read: 0.3 } })
    await control.trouble('away', 5)
    for (const callId of names(30)) await ledger.recordCall(callRecord({ callId }))
    await expect(ledger.totals({})).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
    expect(ledger.lag().records).toBe(30)
    await expect.poll(() => lags.length, { timeout: 5000 }).toBeGreaterThan(0)
    expect(faults[0]).toMatchObject({ kind: 'store', error: { message: 'connect ECONNREFUSED' } })
    await expect
      .poll(
        () =>
          ledger.totals({}).then(
            ({ calls }) => calls,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(30)
    await expect.poll(() => lags.at(-1), { timeout: 5000 }).toEqual({ records: 0, bytes: 0, late: 0 })
  })

  it('turns what others held into spend at the start, once all they left is in', async () => {
    const first = await open({ holder: 'first', limits: { close: 0.5 } })
    await first.control.trouble('away', 1000)
    for (const callId of names(10)) await first.ledger.recordCall(callRecord({ callId }))
    await first.ledger.close()
    expect(readdirSync(join(directory, 'journals'))).toEqual(['first'])
    const { control, ledger } = await open({ holder: 'second' })
    expect(await control.expired()).toEqual([{ allBut: 'second', after: 10 }])
    expect((await ledger.totals({})).calls).toBe(10)
    expect(readdirSync(join(directory, 'journals'))).toEqual(['second'])
    await ledger.close()
    expect(readdirSync(join(directory, 'journals'))).toEqual([])
    expect(readdirSync(directory).sort()).toEqual(['bursar.db', 'journals'])
  }, 40_000)

  it('serves one embedded database from one process, and refuses an id that was used before', async () => {
    const { ledger } = await open({ holder: 'first' })
    await expect(open()).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    })
    await expect(open({ holder: 'first', store: { file: join(directory, 'other.db') } })).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('used before') as string,
    })
    await expect(open({ holder: '../x', store: { file: join(directory, 'other.db') } })).rejects.toMatchObject({
      code: 'invalid_configuration',
    })
    expect(readdirSync(directory).filter((name) => name.startsWith('other.db'))).toEqual([])
    await ledger.close()
    await open()
  })

  it('leaves nothing behind when it could not be opened', async () => {
    writeFileSync(join(directory, 'bursar.db.away'), '')
    await expect(open({ limits: { start: 0.7 } })).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(readdirSync(directory).sort()).toEqual(['bursar.db.away', 'journals'])
    expect(readdirSync(join(directory, 'journals'))).toEqual([])
    rmSync(join(directory, 'bursar.db.away'))
    await open()
  })

  it('says what is wrong with a place that it can not use', async () => {
    writeFileSync(join(directory, 'file'), '')
    await expect(open({ journals: join(directory, 'file', 'journals') })).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('file') as string,
    })
    await expect(open({ store: { file: join(directory, 'file', 'bursar.db') } })).rejects.toMatchObject({ code: 'invalid_configuration' })
    expect(readdirSync(directory)).toEqual(['file'])
    await open({ store: { file: join(directory, 'made', 'bursar.db') } })
  })

  it('closes with everything in the database, and records nothing after', async () => {
    const { ledger } = await open()
    const recorded = names(50).map((callId) => ledger.recordCall(callRecord({ callId })))
    const closed = ledger.close()
    await Promise.all(recorded)
    await closed
    await expect(ledger.recordCall(callRecord({ callId: 'late' }))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await expect(ledger.recordIntent(intentRecord())).rejects.toMatchObject({ code: 'ledger_unavailable' })
    const again = await open()
    expect((await again.ledger.totals({})).calls).toBe(50)
  })

  it('goes on through the death of its worker', async () => {
    const { ledger, control } = await open({ limits: { read: 20 } })
    await ledger.recordCall(callRecord({ callId: 'a' }))
    await expect(control.die()).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await ledger.recordCall(callRecord({ callId: 'b' }))
    expect((await ledger.totals({}).catch(() => ledger.totals({}))).calls).toBe(2)
  })

  it('removes old records in steps, away from the requests', async () => {
    const { control } = await open({ retention: { maxAgeSeconds: 3600, maxBytes: 1_000_000, everySeconds: 0.1 } })
    await expect.poll(async () => (await control.expired()).length, { timeout: 5000 }).toBeGreaterThanOrEqual(4)
    const [, ...removals] = await control.expired()
    expect(removals[0]).toMatchObject({ maxBytes: 1_000_000 })
  })

  it('records nothing any more when another process has taken over', async () => {
    const { ledger, faults } = await open({ holder: 'me', heartbeatSeconds: 0.05 })
    const mark = readdirSync(directory).find((name) => name.startsWith('bursar.db.lock-'))
    rmSync(join(directory, mark ?? ''))
    await expect.poll(() => faults.map(({ kind }) => kind)).toContain('fenced')
    await expect(ledger.recordIntent(intentRecord())).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await expect(ledger.recordCall(callRecord())).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(existsSync(join(directory, 'journals', 'me'))).toBe(true)
  })
})

interface Disk {
  full: boolean
  /** Whether syncs wait. */
  held?: boolean
  /** Ends the sync that waits. */
  syncing?: (() => void) | undefined
}

function failing(disk: Disk): FileOperations {
  return {
    ...systemFiles,
    write: (file, bytes, from, length, position) => {
      if (disk.full) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      return systemFiles.write(file, bytes, from, length, position)
    },
    sync: (file, done) => {
      if (disk.held) disk.syncing = () => systemFiles.sync(file, done)
      else systemFiles.sync(file, done)
    },
  }
}

describe('with a journal that can not be written', () => {
  it.each(['process', 'disk'] as const)(
    'refuses intents, keeps the calls that end meanwhile, and records them in order (%s)',
    async (durability) => {
      const disk: Disk = { full: false }
      const { ledger, faults } = await open({ durability, files: failing(disk), limits: { record: 0.2 } })
      await ledger.recordIntent(intentRecord({ callId: 'call-0' }))
      disk.full = true
      for (const callId of names(3))
        await expect(ledger.recordCall(callRecord({ callId }))).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
      await expect(ledger.recordIntent(intentRecord({ callId: 'refused' }))).rejects.toMatchObject({
        code: 'ledger_unavailable',
        status: 503,
      })
      await expect(ledger.recordOutcome({ outcomeId: 'o', at: 1, key: 'k', source: 'user', score: 1 })).rejects.toMatchObject({
        code: 'ledger_unavailable',
      })
      await expect(ledger.totals({})).rejects.toMatchObject({ code: 'ledger_unavailable' })
      expect(ledger.lag().late).toBe(3)
      expect(faults.some(({ kind }) => kind === 'journal')).toBe(true)
      disk.full = false
      await expect.poll(() => ledger.lag().late, { timeout: 5000 }).toBe(0)
      await ledger.recordIntent(intentRecord({ callId: 'call-9' }))
      await ledger.recordCall(callRecord({ callId: 'call-9' }))
      expect((await ledger.calls({ limit: 10 })).map(({ callId }) => callId)).toEqual(['call-9', 'call-2', 'call-1', 'call-0'])
    },
  )

  it('lets a call be made when its intent is written, and tells when that is on the disk', async () => {
    const disk: Disk = { full: false }
    const { ledger } = await open({ durability: 'disk', files: failing(disk), limits: { record: 0.1 } })
    disk.held = true
    const noted = await ledger.recordIntent(intentRecord({ callId: 'call-0', stream: true }))
    const left = findSegments(join(directory, 'journals')).flatMap(({ path }) => readSegment(path).records)
    expect(left).toMatchObject([{ type: 'intent', record: { callId: 'call-0' } }])
    await expect(noted.durable()).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
    disk.held = false
    disk.syncing?.()
    await noted.durable()
    expect(noted.durable()).toBeUndefined()
    await ledger.recordCall(callRecord({ callId: 'call-0' }))
    expect(await ledger.calls({ limit: 10 })).toMatchObject([{ callId: 'call-0', end: 'complete' }])
  })

  it('lets no call be made before its intent is on the disk when it is strict', async () => {
    const disk: Disk = { full: false }
    const { ledger } = await open({ durability: 'strict', files: failing(disk) })
    disk.held = true
    let mayBeMade = false
    const noting = ledger.recordIntent(intentRecord({ callId: 'call-0' })).then(() => (mayBeMade = true))
    await expect.poll(() => disk.syncing).toBeDefined()
    expect(mayBeMade).toBe(false)
    disk.held = false
    disk.syncing?.()
    await noting
  })

  it('refuses an intent that takes too long, and says that its call was never made if it is written after all', async () => {
    const disk: Disk = { full: false }
    const { ledger, control } = await open({ durability: 'strict', files: failing(disk), limits: { record: 0.1 } })
    disk.held = true
    await expect(ledger.recordIntent(intentRecord({ callId: 'slow', held: [{ counter: 'c', amount: 5n }] }))).rejects.toMatchObject({
      code: 'ledger_unavailable',
    })
    disk.held = false
    disk.syncing?.()
    await expect.poll(async () => (await control.pieces()).flatMap(({ ids }) => ids)).toEqual(['slow', 'slow'])
    expect(await ledger.calls({ limit: 1 })).toMatchObject([{ callId: 'slow', end: 'failed', status: 0, settled: [0n], cost: { usd: 0n } }])
  })
})

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFileJournal, type FileJournal } from '../journal/file-journal.js'
import { backdate, ProcessMark } from '../journal/process-mark.js'
import { callRecord } from '../ledger-contract.js'
import type { LedgerRecord } from '../record.js'
import type { Store } from '../store/contract.js'
import { journalDirectory, markName } from './adopt.js'
import type { Control, Trouble } from './fixtures/fake-store.js'
import type { LedgerFault } from './messages.js'
import { StoreWorker, type StoreWorkerSettings } from './store-worker.js'

let directory: string
const workers: StoreWorker[] = []
const journals: FileJournal[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-worker-'))
})
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.kill()
  for (const journal of journals.splice(0)) await journal.close()
  rmSync(directory, { recursive: true, force: true })
})

const call = (callId: string): LedgerRecord => ({ type: 'call', record: callRecord({ callId }) })
const names = (count: number, prefix = 'call') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

function workerOf(settings: Partial<StoreWorkerSettings> = {}) {
  const faults: LedgerFault[] = []
  const own = journalDirectory(directory, 'me')
  mkdirSync(own, { recursive: true })
  const worker = new StoreWorker(
    {
      store: { file: join(directory, 'store.db') },
      storeModule: new URL('./fixtures/fake-store.ts', import.meta.url).href,
      journals: directory,
      own,
      holder: 'me',
      leaseSeconds: 30,
      ...settings,
    },
    { onFault: (fault) => faults.push(fault) },
  )
  workers.push(worker)
  const control = worker.group<Control>('control')
  const store = worker.group<Store>('store')
  const applied = async () => (await control.pieces()).flatMap(({ ids }) => ids)
  return { worker, control, store, faults, applied }
}

function journalOf(worker: StoreWorker | undefined, holder = 'me', segmentBytes?: number): FileJournal {
  const journal = openFileJournal(
    { directory: journalDirectory(directory, holder), holder, durability: 'process', segmentBytes },
    { onAdvance: (state, records) => worker?.advance(state, records) },
  )
  journals.push(journal)
  return journal
}

describe('the worker', () => {
  it('starts from TypeScript, opens the store and answers calls of its methods', async () => {
    const { worker, control, store } = workerOf()
    await worker.ready(20)
    const value = { money: 2n ** 80n, list: [undefined, null, NaN], map: new Map([[1, new Uint8Array([1, 2])]]) }
    expect(await control.echo(value)).toEqual(value)
    expect(await store.balances(['a'])).toEqual([0n])
  })

  it('has errors keep their code, status, path and patience, and hides none that are not for callers', async () => {
    const { worker, control } = workerOf()
    await worker.ready(20)
    await expect(control.fail('invalid')).rejects.toMatchObject({
      name: 'InvalidRequest',
      code: 'invalid_request',
      status: 400,
      path: 'rules[0].limit',
      message: 'not that',
    })
    await expect(control.fail('budget')).rejects.toMatchObject({
      code: 'budget_exceeded',
      status: 429,
      retryAfterSeconds: 7,
      cause: 'Error: deep',
    })
    await expect(control.fail('type')).rejects.toMatchObject({
      code: 'internal_error',
      status: 500,
      cause: { message: 'a fault of the program' },
    })
    await expect(control.fail('other')).rejects.toMatchObject({
      code: 'ledger_unavailable',
      status: 503,
      cause: { message: 'password authentication failed' },
    })
    await expect(worker.group<{ none(): Promise<void> }>('control').none()).rejects.toMatchObject({ code: 'internal_error' })
    await expect(control.echo(() => undefined)).rejects.toThrow(/could not be cloned/)
  })

  it('is not waited for longer than the limit of a call', async () => {
    const { worker, control } = workerOf({ callSeconds: 0.2 })
    await worker.ready(20)
    await expect(control.hang(5)).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await worker.group<Control>('control', { hang: 5 }).hang(0.4)
  })

  it('refuses calls beyond as many as may wait', async () => {
    const { worker, control } = workerOf({ maxCalls: 2 })
    await worker.ready(20)
    const waiting = [control.hang(0.2), control.hang(0.2)]
    await expect(control.echo(1)).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await Promise.all(waiting)
    expect(await control.echo(1)).toBe(1)
  })

  it('brings in the journal; who asks waits until it is in', async () => {
    const { worker, applied } = workerOf()
    const journal = journalOf(worker, 'me', 5000)
    await worker.ready(20)
    await Promise.all(names(100).map((name) => journal.append(call(name))))
    expect(worker.lag.records).toBe(100)
    expect(worker.lag.bytes).toBeGreaterThan(10_000)
    await worker.caughtUp(10)
    expect(await applied()).toEqual(names(100))
    expect(worker.lag).toEqual({ records: 0, bytes: 0 })
    await worker.caughtUp(0.001)
  })

  it.each(['away', 'answer_lost', 'death', 'death_after'] satisfies Trouble[])(
    'loses and doubles nothing through trouble: %s',
    async (trouble) => {
      const { worker, control, applied, faults } = workerOf()
      const journal = journalOf(worker)
      await worker.ready(20)
      await Promise.all(names(10).map((name) => journal.append(call(name))))
      await worker.caughtUp(10)
      await control.trouble(trouble, 2)
      for (const name of names(20, 'later')) {
        await journal.append(call(name))
        if (name.endsWith('5')) await new Promise((resolve) => setTimeout(resolve, 30))
      }
      await worker.caughtUp(20)
      expect(await applied()).toEqual([...names(10), ...names(20, 'later')])
      expect(worker.lag).toEqual({ records: 0, bytes: 0 })
      if (trouble === 'away' || trouble === 'answer_lost')
        expect(faults[0]).toMatchObject({ kind: 'store', error: { message: expect.stringMatching(/connect/) as string } })
    },
  )

  it('is started again when it dies; calls under way are refused, later ones answered', async () => {
    const { worker, control } = workerOf()
    await worker.ready(20)
    for (let death = 0; death < 2; death++) {
      const waiting = control.hang(60)
      const refused = expect(waiting).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
      await expect(control.die()).rejects.toMatchObject({ code: 'ledger_unavailable' })
      await refused
      await expect.poll(() => control.echo('back').catch(() => 'gone'), { timeout: 10_000 }).toBe('back')
    }
  })

  it('waits for a database that is away at first, and tells of it', async () => {
    writeFileSync(join(directory, 'store.db.away'), '')
    const { worker, applied, faults } = workerOf()
    const journal = journalOf(worker)
    await expect(worker.ready(0.8)).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
    await expect.poll(() => faults[0], { timeout: 20_000 }).toMatchObject({ kind: 'store', message: 'the database could not be opened' })
    await journal.append(call('early'))
    await expect(worker.caughtUp(0.1)).rejects.toMatchObject({ code: 'ledger_unavailable' })
    rmSync(join(directory, 'store.db.away'))
    await worker.ready(20)
    await worker.caughtUp(20)
    expect(await applied()).toEqual(['early'])
  })

  it('says at once when the settings can never work', async () => {
    const { worker } = workerOf({ store: { url: 'postgresql://nowhere' } })
    await expect(worker.ready(20)).rejects.toMatchObject({ code: 'invalid_configuration' })
  })

  it('closes when all is in the store, and removes the journal then', async () => {
    const { worker } = workerOf()
    const journal = journalOf(worker)
    await worker.ready(20)
    await journal.append(call('a'))
    await journal.close()
    expect(await worker.close(10)).toEqual([])
    expect(readdirSync(journalDirectory(directory, 'me'))).toEqual([])
  })

  it('leaves the journal for the next start when the database does not take it', async () => {
    const { worker, control } = workerOf()
    const journal = journalOf(worker)
    await worker.ready(20)
    await control.trouble('away', 1000)
    await journal.append(call('a'))
    await journal.close()
    expect(await worker.close(1)).not.toEqual([])
    expect(readdirSync(journalDirectory(directory, 'me'))).toHaveLength(1)
  })
})

describe('journals of other processes', () => {
  async function leave(holder: string, mark: 'released' | 'fresh' | 'stale' | 'none', count = 3): Promise<void> {
    const journal = journalOf(undefined, holder)
    for (const name of names(count, holder)) await journal.append(call(name))
    await journal.close()
    const path = join(journalDirectory(directory, holder), markName)
    if (mark === 'none') return
    const owner = new ProcessMark(path)
    if (mark === 'released') owner.release()
    if (mark === 'stale') {
      // Of a process that can't be seen from here.
      writeFileSync(
        path,
        JSON.stringify({ pid: 1, host: 'elsewhere', startTicks: '1', bootId: 'other', pidSpace: 'other', token: 'x', released: false }),
      )
      backdate(path, 60)
    }
  }

  it('are taken over from the dead and left to the living', async () => {
    await leave('released', 'released')
    await leave('stale', 'stale')
    await leave('alive', 'fresh')
    await leave('beginning', 'none')
    const { worker, applied } = workerOf()
    await worker.ready(20)
    const holders = await worker.adopt(10)
    expect([...holders].sort()).toEqual(['released', 'stale'])
    expect((await applied()).sort()).toEqual([...names(3, 'released'), ...names(3, 'stale')].sort())
    expect(readdirSync(directory).sort()).toEqual(['alive', 'beginning', 'me', 'store.db'])
    expect(readdirSync(journalDirectory(directory, 'me'))).toEqual([])
    expect(await worker.adopt(10)).toEqual([])
  })

  it('go on being applied after the worker died, and after the process that took them over did', async () => {
    await leave('first', 'released', 50)
    mkdirSync(journalDirectory(directory, 'second'))
    new ProcessMark(join(journalDirectory(directory, 'second'), markName)).release()
    // Took over the first, and died before it could apply it.
    const { renameSync } = await import('node:fs')
    renameSync(journalDirectory(directory, 'first'), join(journalDirectory(directory, 'second'), 'first'))
    const { worker, control, applied } = workerOf()
    await worker.ready(20)
    await control.trouble('death_after', 1)
    const holders = await worker.adopt(10).catch(() => undefined)
    if (holders !== undefined) expect([...holders].sort()).toEqual(['first', 'second'])
    await expect.poll(() => applied().catch(() => undefined), { timeout: 10_000 }).toEqual(names(50, 'first'))
    await expect.poll(() => existsSync(join(journalDirectory(directory, 'me'), 'second'))).toBe(false)
  })
})

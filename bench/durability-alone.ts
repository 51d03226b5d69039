import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDurableLedger, type Durability, type PlannedCall } from '../src/ledger/index.js'
import { systemFiles, type FileOperations } from '../src/ledger/journal/file-operations.js'
import { noUsage, picoUsd } from '../src/quantities/index.js'
import { figure, median } from './report.js'

/** What one call, one after the other, costs the ledger alone: no gateway and no network. */
export interface AloneRow {
  readonly durability: Durability
  readonly stream: boolean
  /** CPU of the process with its threads, milliseconds a call. */
  readonly cpuMs: number
  readonly writes: number
  readonly syncs: number
  /** Medians of what the call waits for, milliseconds: before it is sent, before its first byte, before its last. */
  readonly waits: readonly [sent: number, first: number, last: number]
}

/** A provider that answers so soon shows what is not hidden behind its work. */
const providerMs = 1

/** Records so many calls, each with its decision, its note and its end. */
export async function ledgerAlone(durability: Durability, stream: boolean, calls: number): Promise<AloneRow> {
  const directory = mkdtempSync(join(tmpdir(), 'bursar-alone-'))
  let syncs = 0
  let writes = 0
  const files: FileOperations = {
    ...systemFiles,
    write: (...given) => (writes++, systemFiles.write(...given)),
    sync: (file, done) => (syncs++, systemFiles.sync(file, done)),
  }
  const settings = { journals: join(directory, 'journals'), store: { file: join(directory, 'bursar.db') }, durability, files }
  const ledger = await openDurableLedger({ ...settings, limits: { start: 300, record: 60, read: 120, close: 60 } })
  const waits: [number[], number[], number[]] = [[], [], []]
  const call = async (number: number): Promise<void> => {
    const id = `01a1fd4a-8b23-722f-aa4b-${String(number).padStart(12, '0')}`
    const at = Date.now() / 1000
    const ids = { requestId: `req_${id}`, decisionId: `dec_${id}` }
    const who = { key: 'bench', requestedModel: 'mock' }
    const plan: PlannedCall = {
      ...ids,
      ...who,
      callId: `call_${id}_1`,
      at,
      provider: 'up',
      deployment: 'up/mock',
      model: 'mock',
      operation: 'generate',
      stream,
      attempt: 1,
    }
    const cost = { usd: picoUsd(30n), seconds: providerMs / 1000, joules: null, gramsCO2e: null }
    const usage = { ...noUsage, inputTokens: 30, outputTokens: 50 }
    ledger.recordDecision({
      ...ids,
      ...who,
      at,
      arm: 'single(mock)',
      policy: 'as-named',
      propensity: 1,
      reason: 'the caller named the model',
    })
    const begun = performance.now()
    const noted = await ledger.recordIntent({ ...plan, usage, cost, held: [{ counter: 'key:bench/usd/total', amount: 100n }] })
    const sent = performance.now()
    await sleep(providerMs)
    const answered = performance.now()
    if (stream) await noted.durable()
    const shown = performance.now()
    await ledger.recordCall({ ...plan, end: 'complete', status: 200, usage, usageEstimated: false, cost, settled: [30n] })
    waits[0].push(sent - begun)
    waits[1].push(shown - answered)
    waits[2].push(performance.now() - shown)
  }
  try {
    for (let number = 0; number < calls / 4; number++) await call(number)
    await ledger.caughtUp()
    for (const list of waits) list.length = 0
    syncs = 0
    writes = 0
    const before = process.cpuUsage()
    for (let number = 0; number < calls; number++) await call(calls + number)
    await ledger.caughtUp()
    const { user, system } = process.cpuUsage(before)
    const [sent, first, last] = waits
    return {
      durability,
      stream,
      cpuMs: (user + system) / 1000 / calls,
      writes: writes / calls,
      syncs: syncs / calls,
      waits: [median(sent), median(first), median(last)],
    }
  } finally {
    await ledger.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The rows of a table: what, durability, CPU, writes, syncs, and the three waits. */
export function aloneCells({ durability, stream, cpuMs, writes, syncs, waits }: AloneRow): string[] {
  return [
    stream ? 'stream' : 'whole answer',
    durability,
    figure(cpuMs, 2),
    figure(writes, 2),
    figure(syncs, 2),
    ...waits.map((wait) => figure(wait, 2)),
  ]
}

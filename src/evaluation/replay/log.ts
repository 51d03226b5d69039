import { rmSync } from 'node:fs'
import { pricesFileOf, readArmPrices, SeenTexts, type Outcome, type OutcomeRow, type OutcomeSample } from '../../environment/index.js'
import { priceUsage } from '../../catalog/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { noUsage, toDollars } from '../../quantities/index.js'
import {
  outcomeObservations,
  predictorKinds,
  type ArmId,
  type Objective,
  type Observation,
  type Predictor,
  type PredictorKind,
} from '../../routing/index.js'
import type { Interval } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import { openLog, type Log } from '../logs/registry.js'
import { readCheckpoint, replayFingerprint, writeCheckpoint, type Checkpoint } from './checkpoint.js'
import { factsOf, featureReader, type FeaturesOf } from './deciding.js'
import { DecisionThreads, usualThreads } from './decision-threads.js'
import { Replay, type ReplayedPolicy } from './replay.js'
import type { PriceOf } from './row-outcomes.js'
import type { DecidedBatch } from './thread-messages.js'

/** Rows that are decided before threads are begun: fewer aren't worth their start. */
const rowsBeforeThreads = 5_000
/** Batches that are with each thread, so that none waits for the reader. */
const batchesAhead = 2

/** Rows that are looked at to find out which arms a log has. */
const rowsLookedAt = 1_000

export interface LogSurvey {
  /** Arms of the first rows, in the order of their names. */
  readonly arms: readonly ArmId[]
  /** Whether any of these rows has outcomes of more than one arm: only then does a log say what another would have done. */
  readonly comparable: boolean
  readonly rows: number
}

/** What a log holds, by its first 1,000 rows. Throws `invalid_configuration` for a file that can't be read or has no outcomes. */
export async function surveyLog(log: Log): Promise<LogSurvey> {
  const arms = new Set<ArmId>()
  let rows = 0
  let comparable = false
  for await (const batch of log.rows({ onFault: () => undefined })) {
    for (const { outcomes } of batch.slice(0, rowsLookedAt - rows)) {
      const names = Object.keys(outcomes)
      if (names.length > 1) comparable = true
      for (const arm of names) arms.add(arm)
      rows += 1
    }
    if (rows >= rowsLookedAt) break
  }
  if (arms.size === 0) throw new BursarError(`${log.file} has no outcomes.`, { code: 'invalid_configuration', status: 500 })
  return { arms: [...arms].sort(), comparable, rows }
}

export interface LogReplay {
  readonly arms: readonly ArmId[]
  readonly reference: ArmId
  /** Learn from this table first, and from the log not at all. */
  readonly trainFile?: string | undefined
  /** One of `predictorKinds`. */
  readonly predictor: string
  /** None: only policies that predict nothing are replayed, and no request is looked at. */
  readonly objectives: Readonly<Record<string, Objective>>
  readonly warmUp: number
  /** Loss of quality that would be accepted, in (0, 1). */
  readonly margin: number
  readonly limit?: number | undefined
  readonly seed: number
  readonly signal: AbortSignal
  /**
   * Threads that decide, where the predictor learns from `trainFile` only: as many as there are processors, up to 4, when absent; 0 decides
   * where it reads. The figures are the same whatever their number. Each keeps the predictor.
   */
  readonly threads?: number | undefined
  /** Rows that are decided before threads are begun: 5,000 when absent. */
  readonly threadsAfter?: number | undefined
  /** Where the state is kept every `checkpointRows` rows (50,000) and when the signal is aborted; a run that finds one goes on from it. Deleted at the end. */
  readonly checkpoint?: string | undefined
  readonly checkpointRows?: number | undefined
  /** Told every batch of some hundred rows: bytes of the file read, and rows replayed. */
  onProgress?(done: { readonly bytes: number; readonly rows: number }): void
  /** Told of rows that are wrong: file, row and field. They are left out. */
  onFault?(fault: BursarError): void
}

export interface PolicySummary {
  readonly name: string
  readonly quality: number
  readonly qualityInterval: Interval
  readonly usdPerThousand: number
  readonly secondsPerRequest: number | null
  /** Quality less the reference's, on the same requests. */
  readonly difference: Interval
  /** Share of the reference's dollars. */
  readonly saved: Interval
  /** `proven` that no more than the margin is lost, `worse`, or `not yet`. */
  readonly verdict: 'proven' | 'not yet' | 'worse'
  readonly chosen: Readonly<Record<ArmId, number>>
  readonly unknown: number
}

export interface ReplaySummary {
  readonly policies: readonly PolicySummary[]
  readonly reference: ArmId
  readonly margin: number
  readonly requests: number
  readonly warmUp: number
  /** Requests without an outcome of the reference. */
  readonly incomplete: number
  /** Rows that were wrong. */
  readonly leftOut: number
  /** Outcomes of arms that the first 1,000 rows don't have: passed over. */
  readonly otherOutcomes: number
  readonly seed: number
  /** `null` where nothing was predicted. */
  readonly predictor: string | null
}

/**
 * Replays a log (see `Replay`), row by row: a file of any size takes the memory of the predictor, and 8 to 21 bytes a row to know the ids. Throws
 * `InvalidRequest` for a reference, predictor or checkpoint that can't be, and the signal's reason when it is aborted.
 */
export async function replayLog(given: string | Log, options: LogReplay): Promise<ReplaySummary> {
  const log = typeof given === 'string' ? await openLog(given, { signal: options.signal }) : given
  const kind = Object.hasOwn(predictorKinds, options.predictor) ? predictorKinds[options.predictor] : undefined
  if (!kind)
    throw new InvalidRequest(`There is no predictor "${options.predictor}". There are ${Object.keys(predictorKinds).join(', ')}.`, {
      path: 'predictor',
    })
  const { arms, reference, trainFile, predictor: name, objectives, warmUp, limit, seed, checkpoint: kept } = options
  const fingerprint =
    kept === undefined
      ? ''
      : replayFingerprint(log.file, { arms, reference, trainFile, name, objectives, warmUp, limit, seed, format: log.format })
  const begun = kept === undefined ? undefined : readCheckpoint(kept, fingerprint)
  const predicts = Object.keys(objectives).length > 0
  const featuresOf = featureReader()
  const predictor = predicts ? await predictorFor(kind, options, featuresOf, begun) : undefined
  const replay = new Replay({ ...options, predictor, learn: trainFile === undefined, priceOf: await pricesOf(log.file) })
  if (begun) replay.restore(begun.state)
  const seen = begun ? SeenTexts.from(begun.seen) : new SeenTexts()
  let { line, leftOut, bytes } = begun ?? { line: 0, leftOut: 0, bytes: 0 }
  let read = 0
  let keptAt = replay.seen
  const onFault = (fault: BursarError) => {
    leftOut += 1
    options.onFault?.(fault)
  }
  const keep = () => {
    if (kept !== undefined)
      writeCheckpoint(kept, fingerprint, {
        line,
        leftOut,
        bytes,
        state: replay.state(),
        seen: seen.bytes(),
        predictor: predictor?.serialize(),
      })
    keptAt = replay.seen
  }
  let next = line
  const count = trainFile === undefined ? 0 : (options.threads ?? usualThreads())
  let threads: DecisionThreads | undefined
  const deciding = { arms, reference, objectives, seed }
  const ahead: Ahead[] = []
  let rowsAhead = 0
  const finish = async (left: number) => {
    while (ahead.length > left) {
      const first = ahead.shift()
      if (!first) break
      addDecided(replay, first.rows, await first.decided, log, onFault)
      rowsAhead -= first.rows.length
      ;({ line, bytes } = first)
      options.onProgress?.({ bytes, rows: replay.seen })
    }
  }
  try {
    const onBytes = (chunk: Uint8Array) => (read += chunk.byteLength)
    reading: for await (const batch of log.rows({ onBytes, onFault, after: line, seen, onLine: (number) => (next = number) })) {
      if (count > 0 && predictor && !threads && replay.seen >= (options.threadsAfter ?? rowsBeforeThreads))
        threads = new DecisionThreads({ deciding, kind: name, predictor: predictor.serialize() }, count)
      if (threads && (limit === undefined || replay.seen + rowsAhead + batch.length <= limit)) {
        ahead.push({ rows: batch, decided: threads.decide(batch.map(({ request }) => request)), line: next, bytes: read })
        rowsAhead += batch.length
        await finish(batchesAhead * count)
      } else {
        await finish(0)
        for (const row of batch) {
          if (limit !== undefined && replay.seen >= limit) break reading
          addRow(replay, row, featuresOf, log, onFault)
        }
        line = next
        bytes = read
        options.onProgress?.({ bytes, rows: replay.seen })
      }
      // A batch is finished before the state is kept: ids of the whole of it are known by then, and of none after it.
      if (options.signal.aborted || (kept !== undefined && replay.seen + rowsAhead - keptAt >= (options.checkpointRows ?? 50_000))) {
        await finish(0)
        keep()
      }
      options.signal.throwIfAborted()
    }
    await finish(0)
  } finally {
    await threads?.close()
  }
  if (kept !== undefined) rmSync(kept, { force: true })
  return {
    policies: replay.results().map((policy) => summaryOf(policy, options)),
    reference,
    margin: options.margin,
    requests: replay.decisions,
    warmUp: Math.min(replay.seen, warmUp),
    incomplete: replay.incomplete,
    leftOut,
    otherOutcomes: replay.others,
    seed,
    predictor: predicts ? name : null,
  }
}

/** A batch that threads decide while the next is read; how far the log was read with it. */
interface Ahead {
  readonly rows: readonly OutcomeRow[]
  readonly decided: Promise<DecidedBatch>
  readonly line: number
  readonly bytes: number
}

/** Rows in their order, so that sums are the same to the last bit wherever they were decided. */
function addDecided(
  replay: Replay,
  rows: readonly OutcomeRow[],
  { places, faults }: DecidedBatch,
  log: Log,
  onFault: (fault: BursarError) => void,
): void {
  const decisions = places.length / rows.length
  let fault = 0
  for (const [at, row] of rows.entries()) {
    const wrong = faults[fault]
    if (wrong?.at === at) {
      fault += 1
      onFault(requestFault(log, row, wrong.message, wrong.path))
    } else replay.addDecided(row, places, at * decisions)
  }
}

function requestFault({ file }: Log, { id }: OutcomeRow, message: string, path: string | undefined, cause?: unknown): BursarError {
  return new BursarError(`Log ${file}, id "${id}": ${message}`, { code: 'invalid_configuration', status: 500, path, cause })
}

/** A row whose request can't be read as one is left out, where requests are looked at. */
function addRow(replay: Replay, row: OutcomeRow, featuresOf: FeaturesOf, log: Log, onFault: (fault: BursarError) => void): void {
  if (!replay.needsFeatures) return replay.add(row)
  let features: Features
  try {
    features = featuresOf(row.request)
  } catch (thrown) {
    if (!(thrown instanceof InvalidRequest)) throw thrown
    return onFault(requestFault(log, row, thrown.message, thrown.path, thrown))
  }
  replay.add(row, features)
}

async function predictorFor(
  kind: PredictorKind,
  { arms, trainFile, seed, signal }: LogReplay,
  featuresOf: FeaturesOf,
  begun: Checkpoint | undefined,
): Promise<Predictor> {
  if (begun?.predictor) return kind.load(begun.predictor, factsOf(arms), {})
  const learned: Observation[] = []
  if (trainFile !== undefined) {
    const log = await openLog(trainFile, { signal })
    const priceOf = await pricesOf(trainFile)
    for await (const batch of log.rows()) {
      signal.throwIfAborted()
      for (const row of batch) {
        const features = featuresOf(row.request)
        for (const [arm, outcome] of Object.entries(row.outcomes))
          learned.push(...outcomeObservations(features, arm, outcome, row.weight, (sample) => priceOf(arm, sample)))
      }
    }
  }
  return kind.train(learned, factsOf(arms), {}, seed)
}

function summaryOf(
  { name, quality, usd, seconds, chosen, unknown }: ReplayedPolicy,
  { arms, margin, reference }: LogReplay,
): PolicySummary {
  // The reference is as good as itself, however few requests there are.
  const same = chosen.every((count, place) => count === 0 || arms[place] === reference)
  const difference = same ? quality.difference() : quality.qualityDifference()
  const counts = arms.map((arm, place): [ArmId, number] => [arm, chosen[place] ?? 0]).filter(([, count]) => count > 0)
  return {
    name,
    quality: quality.policy(),
    qualityInterval: quality.policyQuality(),
    usdPerThousand: 1_000 * usd.policy(),
    secondsPerRequest: seconds.pairs === 0 ? null : seconds.policy(),
    difference,
    saved: usd.saved(),
    verdict: difference.low > -margin ? 'proven' : difference.high < -margin ? 'worse' : 'not yet',
    chosen: Object.fromEntries(counts.sort((a, b) => b[1] - a[1])),
    unknown,
  }
}

/** Dollars by the prices beside a table (`answers.jsonl` has `answers.prices.json`). */
export async function pricesOf(file: string): Promise<PriceOf> {
  const sheets = await readArmPrices(pricesFileOf(file))
  return (arm: ArmId, { inputTokens, outputTokens, reasoningTokens = 0 }: Outcome | OutcomeSample) => {
    const sheet = sheets.get(arm)
    if (!sheet || inputTokens === undefined || outputTokens === undefined) return null
    const { usd } = priceUsage(sheet, { ...noUsage, inputTokens, outputTokens, reasoningTokens }, { at: 0 }).report
    return usd === null ? null : toDollars(usd)
  }
}

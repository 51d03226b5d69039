import { pricesFileOf, readArmPrices, readOutcomeTable, type Outcome, type OutcomeRow } from '../../environment/index.js'
import { priceUsage } from '../../catalog/index.js'
import { BursarError } from '../../errors/index.js'
import { noUsage, toDollars } from '../../quantities/index.js'
import { predictorKinds, type ArmId, type Objective, type Predictor } from '../../routing/index.js'
import type { Interval } from '../../statistics/index.js'
import { createUnderstanding, type Understanding } from '../../understanding/index.js'
import { factsOf, measuredOf, observationsOf, Replay, type ReplayRow } from './replay.js'

/** Rows that are looked at to find out which arms a log has. */
const rowsLookedAt = 1_000

/** The arms of a log, by its first rows. Throws `invalid_configuration` for a file that can't be read or has no rows. */
export async function readLog(file: string): Promise<{ readonly arms: readonly ArmId[] }> {
  const arms = new Set<ArmId>()
  let rows = 0
  for await (const row of readOutcomeTable(file, undefined, () => undefined)) {
    for (const arm of Object.keys(row.outcomes)) arms.add(arm)
    if ((rows += 1) === rowsLookedAt) break
  }
  if (arms.size === 0) throw new BursarError(`${file} has no outcomes.`, { code: 'invalid_configuration', status: 500 })
  return { arms: [...arms].sort() }
}

export interface LogReplay {
  readonly arms: readonly ArmId[]
  readonly reference: ArmId
  /** Learn from this table first, and from the log not at all. */
  readonly trainFile?: string | undefined
  /** One of `predictorKinds`. */
  readonly predictor: string
  readonly objectives: Readonly<Record<string, Objective>>
  readonly warmUp: number
  /** Loss of quality that would be accepted, in (0, 1). */
  readonly margin: number
  readonly limit?: number | undefined
  readonly seed: number
  readonly signal: AbortSignal
  onBytes?(bytes: number): void
  /** Told of rows that are wrong: file, row and field. They are left out. */
  onFault?(fault: BursarError): void
}

export interface PolicySummary {
  readonly name: string
  readonly quality: number
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
  readonly seed: number
  readonly predictor: string
}

/**
 * Replays a log (see `Replay`), row by row: a file of any size takes the memory of the predictor, and of the row ids. Throws `InvalidRequest` for a
 * reference or predictor that isn't there, and the signal's reason when it is aborted.
 */
export async function replayLog(file: string, options: LogReplay): Promise<ReplaySummary> {
  const understanding = createUnderstanding({ cacheEntries: 0 })
  const kind = predictorKinds[options.predictor]
  if (!kind || !Object.hasOwn(predictorKinds, options.predictor))
    throw new BursarError(`There is no predictor "${options.predictor}". There are ${Object.keys(predictorKinds).join(', ')}.`, { code: 'invalid_request', status: 400, path: 'predictor' })
  const learned = options.trainFile === undefined ? [] : await observationsOfFile(options.trainFile, understanding, options.signal)
  const predictor: Predictor = kind.train(learned, factsOf(options.arms), {}, options.seed)
  const replay = new Replay({ ...options, predictor, learn: options.trainFile === undefined })
  const priceOf = await pricesOf(file)
  let rows = 0
  let leftOut = 0
  let incomplete = 0
  for await (const row of readOutcomeTable(file, (bytes) => options.onBytes?.(bytes.byteLength), (fault) => ((leftOut += 1), options.onFault?.(fault)))) {
    options.signal.throwIfAborted()
    const replayed = replayRow(row, understanding, priceOf)
    if (!replayed.outcomes.has(options.reference)) incomplete += 1
    replay.add(replayed)
    if ((rows += 1) === options.limit) break
  }
  const policies = replay.results().map(({ name, quality, usd, seconds, chosen, unknown }): PolicySummary => {
    const difference = quality.difference()
    return {
      name,
      quality: quality.policy(),
      usdPerThousand: 1_000 * usd.policy(),
      secondsPerRequest: seconds.pairs === 0 ? null : seconds.policy(),
      difference,
      saved: usd.saved(),
      verdict: difference.low > -options.margin ? 'proven' : difference.high < -options.margin ? 'worse' : 'not yet',
      chosen: Object.fromEntries([...chosen].sort((a, b) => b[1] - a[1])),
      unknown,
    }
  })
  return { policies, reference: options.reference, margin: options.margin, requests: replay.decisions, warmUp: Math.min(rows, options.warmUp), incomplete, leftOut, seed: options.seed, predictor: options.predictor }
}

async function observationsOfFile(file: string, understanding: Understanding, signal: AbortSignal) {
  const priceOf = await pricesOf(file)
  const observations = []
  for await (const row of readOutcomeTable(file)) {
    signal.throwIfAborted()
    observations.push(...observationsOf(replayRow(row, understanding, priceOf)))
  }
  return observations
}

type PriceOf = (arm: ArmId, outcome: Outcome) => number | null

function replayRow(row: OutcomeRow, understanding: Understanding, priceOf: PriceOf): ReplayRow {
  return { features: understanding.ofText(askedText(row)), outcomes: measuredOf(row, priceOf) }
}

/** The last message of the user, as text. */
function askedText({ request }: OutcomeRow): string {
  const { content } = request.messages.findLast(({ role }) => role === 'user') ?? request.messages.at(-1) ?? { content: '' }
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part: unknown) => (typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string' ? part.text : '')).join('\n')
}

/** Dollars by the prices beside a table (`answers.jsonl` has `answers.prices.json`). */
async function pricesOf(file: string): Promise<PriceOf> {
  const sheets = await readArmPrices(pricesFileOf(file))
  return (arm, { inputTokens, outputTokens, reasoningTokens = 0 }) => {
    const sheet = sheets.get(arm)
    if (!sheet || inputTokens === undefined || outputTokens === undefined) return null
    const { usd } = priceUsage(sheet, { ...noUsage, inputTokens, outputTokens, reasoningTokens }, { at: 0 }).report
    return usd === null ? null : toDollars(usd)
  }
}

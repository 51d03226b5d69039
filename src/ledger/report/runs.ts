import { addMoney, picoUsd, totalInputTokens, totalOutputTokens, zeroMoney, type Money, type Usage } from '../../quantities/index.js'
import { median, quantile, theilSenSlope } from '../../statistics/index.js'
import type { CallRecord, InputComposition } from '../record.js'

/** Where input tokens came from. Shares of what was billed, by the estimates of each call. */
export interface InputParts {
  readonly system: number
  readonly toolSchemas: number
  readonly observations: number
  readonly assistant: number
  readonly user: number
}

/** Where the tokens of one agent run went (papers 203 and 174). */
export interface RunProfile {
  readonly key: string
  readonly run: string
  /** Unix seconds of the first call's beginning and the last one's end. */
  readonly from: number
  readonly to: number
  readonly calls: number
  readonly failed: number
  /** Known dollars, and calls whose price is unknown. */
  readonly usd: Money
  readonly unpriced: number
  readonly models: readonly string[]
  readonly inputTokens: number
  readonly outputTokens: number
  /** Input tokens for one output token; `null` without output. */
  readonly inputPerOutput: number | null
  /** Input tokens of each step, the first first. */
  readonly steps: readonly number[]
  /** Tokens by which the input grows from step to step (Theil and Sen's slope); `null` below three steps. */
  readonly growthPerStep: number | null
  /** Tokens by part, adding up to the input of the calls that were measured; `null` where none was. */
  readonly parts: InputParts | null
  /** Share of the input that an earlier call of the run had sent already; `null` where it was not measured. */
  readonly repeatedShare: number | null
  /** How often each token was sent, on average: input / input that was new. */
  readonly multiplicity: number | null
  readonly cache: RunCache | null
  /** Seconds in calls of models, and between them: tools, people, the agent itself. Calls side by side count once for each. */
  readonly modelSeconds: number
  readonly otherSeconds: number
}

/** What a prompt cache gave and could have given. */
export interface RunCache {
  /** Share of the input that began as an earlier call did, where that is long enough for a prompt cache. */
  readonly cacheableShare: number
  /** Share of the input that was read from a cache. */
  readonly readShare: number
  /** Tokens that could have been read from a cache and were not. */
  readonly missedTokens: number
  /** What these cost more than from a cache, at most: caches forget, and writing to some costs extra. `null` where prices aren't known. */
  readonly missedUsd: Money | null
}

/** The price of a usage at the model and provider of a call; `null` when unknown. */
export type PriceOf = (call: CallRecord, usage: Usage) => Money | null

/** Shorter prefixes are in no provider's cache. */
const leastCacheable = 1024

/** Profiles one run from all of its calls, in any order. O(calls log calls). */
export function profileRun(calls: readonly CallRecord[], priceOf?: PriceOf): RunProfile {
  const ordered = [...calls].sort((a, b) => a.at - b.at || a.attempt - b.attempt)
  const [first, last] = [ordered[0], ordered.at(-1)]
  if (first === undefined || last === undefined) throw new RangeError('a run has at least one call')
  const steps = ordered.filter(isStep)
  const inputs = steps.map(({ usage }) => totalInputTokens(usage))
  const inputTokens = sum(ordered.map(({ usage }) => totalInputTokens(usage)))
  const outputTokens = sum(ordered.map(({ usage }) => totalOutputTokens(usage)))
  const measured = steps.flatMap((call) => (call.composition === undefined ? [] : [measure(call, call.composition)]))
  const measuredInput = sum(measured.map(({ input }) => input))
  const repeated = sum(measured.map((one) => one.repeated))
  const modelSeconds = sum(ordered.map(({ cost }) => cost.seconds))
  const to = Math.max(...ordered.map(({ at, cost }) => at + cost.seconds))
  return {
    key: first.key,
    run: first.run ?? '',
    from: first.at,
    to,
    calls: ordered.length,
    failed: ordered.filter(({ end }) => end !== 'complete').length,
    usd: ordered.reduce((total, { cost }) => addMoney(total, cost.usd ?? zeroMoney), zeroMoney),
    unpriced: ordered.filter(({ cost }) => cost.usd === null).length,
    models: [...new Set(ordered.map(({ model }) => model))],
    inputTokens,
    outputTokens,
    inputPerOutput: outputTokens === 0 ? null : inputTokens / outputTokens,
    steps: inputs,
    growthPerStep: inputs.length < 3 ? null : theilSenSlope(inputs),
    parts: measuredInput === 0 ? null : partsOf(measured, measuredInput),
    repeatedShare: measuredInput === 0 ? null : repeated / measuredInput,
    multiplicity: measuredInput === 0 ? null : measuredInput / Math.max(1, measuredInput - repeated),
    cache: measuredInput === 0 ? null : cacheOf(measured, measuredInput, priceOf),
    modelSeconds,
    otherSeconds: Math.max(0, to - first.at - modelSeconds),
  }
}

/** A call that the agent went on from. */
function isStep({ operation, end, usage }: CallRecord): boolean {
  return operation === 'generate' && (end === 'complete' || end === 'truncated') && totalInputTokens(usage) > 0
}

interface MeasuredCall {
  readonly call: CallRecord
  readonly composition: InputComposition
  /** Input tokens as billed. */
  readonly input: number
  readonly repeated: number
  /** Billed tokens for each estimated one. */
  readonly scale: number
}

function measure(call: CallRecord, composition: InputComposition): MeasuredCall {
  const input = totalInputTokens(call.usage)
  const { systemTokens, toolSchemaTokens, observationTokens, assistantTokens, userTokens, repeatedTokens } = composition
  const estimate = systemTokens + toolSchemaTokens + observationTokens + assistantTokens + userTokens
  const scale = estimate === 0 ? 0 : input / estimate
  return { call, composition, input, scale, repeated: Math.min(input, repeatedTokens * scale) }
}

/** Whole tokens that add up: what rounding leaves goes to the parts that lost most by it. */
function partsOf(measured: readonly MeasuredCall[], whole: number): InputParts {
  const total = (of: (composition: InputComposition) => number) => sum(measured.map(({ composition, scale }) => of(composition) * scale))
  const exact = [
    total(({ systemTokens }) => systemTokens),
    total(({ toolSchemaTokens }) => toolSchemaTokens),
    total(({ observationTokens }) => observationTokens),
    total(({ assistantTokens }) => assistantTokens),
    total(({ userTokens }) => userTokens),
  ]
  const rounded = exact.map(Math.floor)
  const lost = exact.map((value, index) => ({ index, part: value - Math.floor(value) })).sort((a, b) => b.part - a.part)
  for (let left = whole - sum(rounded), next = 0; left > 0 && next < lost.length; left--, next++) {
    const index = lost[next]?.index ?? 0
    rounded[index] = (rounded[index] ?? 0) + 1
  }
  const [system = 0, toolSchemas = 0, observations = 0, assistant = 0, user = 0] = rounded
  return { system, toolSchemas, observations, assistant, user }
}

function cacheOf(measured: readonly MeasuredCall[], whole: number, priceOf: PriceOf | undefined): RunCache {
  let [cacheable, read, missed] = [0, 0, 0]
  let missedUsd: Money | null = priceOf === undefined ? null : zeroMoney
  for (const { call, repeated } of measured) {
    const { usage } = call
    const could = repeated < leastCacheable ? 0 : Math.floor(repeated)
    cacheable += could
    read += usage.cacheReadTokens + usage.cacheReadAudioTokens
    const more = Math.min(Math.max(0, could - usage.cacheReadTokens), usage.inputTokens)
    missed += more
    if (more === 0 || priceOf === undefined || missedUsd === null) continue
    const paid = priceOf(call, usage)
    const cached = priceOf(call, { ...usage, inputTokens: usage.inputTokens - more, cacheReadTokens: usage.cacheReadTokens + more })
    missedUsd = paid === null || cached === null ? null : addMoney(missedUsd, picoUsd(paid > cached ? paid - cached : 0n))
  }
  return { cacheableShare: cacheable / whole, readShare: read / whole, missedTokens: missed, missedUsd }
}

/** How far runs of the same kind lie apart. */
export interface Spread {
  readonly least: number
  readonly p50: number
  readonly p95: number
  readonly most: number
  /** Most / least; `null` where the least is 0. */
  readonly ratio: number | null
}

export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return { least, p50: median(values), p95: quantile(values, 0.95), most, ratio: least === 0 ? null : most / least }
}

/** What a run is compared by. */
export type RunSize = Pick<RunProfile, 'key' | 'run' | 'inputTokens' | 'outputTokens' | 'growthPerStep'>

export interface Runaway {
  readonly words: string
}

/** Other runs of the key that are needed to say what is usual. */
const leastRuns = 20
const leastSteps = 8

/**
 * Whether a run is out of hand: half as much again as 95 of 100 other runs of its kind, or an input that suddenly grows much faster than it did
 * while the run is already larger than most (only where the growth of 20 others is known). `undefined` where it is not, or where there are fewer than 20 others. O(others + steps²).
 */
export function judgeRun(profile: RunProfile, others: readonly RunSize[]): Runaway | undefined {
  const rest = others.filter(({ key, run }) => key !== profile.key || run !== profile.run)
  if (rest.length < leastRuns) return undefined
  const tokens = profile.inputTokens + profile.outputTokens
  const usual = rest.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens)
  const limit = quantile(usual, 0.95)
  if (tokens > 1.5 * limit)
    return { words: `${whole(tokens)} tokens, ${(tokens / limit).toFixed(1)} times what 95 of 100 other runs stay below (${whole(limit)})` }
  const { steps } = profile
  if (steps.length < leastSteps || tokens < quantile(usual, 0.75)) return undefined
  const growths = rest.flatMap(({ growthPerStep }) => (growthPerStep === null ? [] : [growthPerStep]))
  if (growths.length < leastRuns) return undefined
  const half = Math.floor(steps.length / 2)
  const [before, after] = [theilSenSlope(steps.slice(0, half)), theilSenSlope(steps.slice(half))]
  const usualGrowth = quantile(growths, 0.95)
  if (after > 3 * Math.max(before, 1) && after > 1.5 * usualGrowth)
    return {
      words: `its input grows by ${whole(after)} tokens a step since step ${half + 1}, ${whole(Math.max(0, before))} before; 95 of 100 other runs stay below ${whole(usualGrowth)}`,
    }
  return undefined
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

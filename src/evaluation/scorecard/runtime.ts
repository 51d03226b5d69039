import { fitLine } from './fit-line.js'

/** One timed call. */
export interface TimedCall {
  readonly promptTokens: number
  readonly outputTokens: number
  readonly seconds: number
}

/**
 * T(p, o) = F(p) + (o - 1)·g (087, idealized runtime): F is piecewise linear in the prompt's tokens, g the seconds of a further output
 * token.
 */
export interface RuntimeModel {
  /** F at measured prompt lengths, by rising length; seconds, never falling. */
  readonly prompt: readonly { readonly tokens: number; readonly seconds: number }[]
  readonly secondsPerToken: number
}

/**
 * Fits it as 087 does: for each prompt length a line of T on o, whose value at one token is F (never below F at a shorter prompt); then
 * one g over all calls by the slope of T - F(p) on o - 1 through the origin. `quantile` < 1 keeps, of calls alike, only the fastest
 * share: contention only ever adds, so the low end of API timings is the denoised runtime. Throws `RangeError` for fewer than two
 * different output lengths. O(calls log calls).
 */
export function fitRuntime(calls: readonly TimedCall[], { quantile = 1 }: { readonly quantile?: number } = {}): RuntimeModel {
  const kept = quantile < 1 ? fastest(calls, quantile) : calls
  const byPrompt = new Map<number, TimedCall[]>()
  for (const call of kept) {
    if (![call.promptTokens, call.outputTokens, call.seconds].every((value) => Number.isFinite(value) && value >= 0))
      throw new RangeError('a timed call has finite numbers of 0 or more')
    const same = byPrompt.get(call.promptTokens)
    if (same) same.push(call)
    else byPrompt.set(call.promptTokens, [call])
  }
  const overall = fitLine(kept.map(({ outputTokens, seconds }) => ({ x: outputTokens - 1, y: seconds })))
  if (overall === null) throw new RangeError('calls of two different output lengths are needed at least')
  const prompt: { tokens: number; seconds: number }[] = []
  for (const [tokens, same] of [...byPrompt].sort(([a], [b]) => a - b)) {
    const points = same.map(({ outputTokens, seconds }) => ({ x: outputTokens - 1, y: seconds }))
    const line = fitLine(points) ?? {
      slope: overall.slope,
      intercept: points.reduce((sum, { x, y }) => sum + y - overall.slope * x, 0) / points.length,
    }
    prompt.push({ tokens, seconds: Math.max(line.intercept, prompt.at(-1)?.seconds ?? 0) })
  }
  const model = { prompt, secondsPerToken: 0 }
  let top = 0
  let bottom = 0
  for (const { promptTokens, outputTokens, seconds } of kept) {
    top += (outputTokens - 1) * (seconds - promptSeconds(model, promptTokens))
    bottom += (outputTokens - 1) ** 2
  }
  return { prompt, secondsPerToken: Math.max(0, top / bottom) }
}

/** F(p): linear between measured lengths, and beyond the last on with the slope before it; seconds. */
export function promptSeconds({ prompt }: Pick<RuntimeModel, 'prompt'>, tokens: number): number {
  const after = prompt.findIndex((point) => point.tokens >= tokens)
  const [a, b] = after === -1 ? [prompt.at(-2), prompt.at(-1)] : [prompt[after - 1], prompt[after]]
  if (!b) return 0
  if (!a) return b.seconds
  return a.seconds + ((b.seconds - a.seconds) * (tokens - a.tokens)) / (b.tokens - a.tokens)
}

/** Seconds that the model expects of a call. */
export function runtimeSeconds(model: RuntimeModel, promptTokens: number, outputTokens: number): number {
  return promptSeconds(model, promptTokens) + Math.max(0, outputTokens - 1) * model.secondsPerToken
}

/** Measured over idealized runtime (087): above 1 is what contention, networks and software cost. `null` where the ideal one is 0. */
export function overheadRatio(measured: RuntimeModel, ideal: RuntimeModel, promptTokens: number, outputTokens: number): number | null {
  const seconds = runtimeSeconds(ideal, promptTokens, outputTokens)
  return seconds === 0 ? null : runtimeSeconds(measured, promptTokens, outputTokens) / seconds
}

function fastest(calls: readonly TimedCall[], share: number): TimedCall[] {
  const alike = new Map<string, TimedCall[]>()
  for (const call of calls) {
    const key = `${call.promptTokens} ${call.outputTokens}`
    const same = alike.get(key)
    if (same) same.push(call)
    else alike.set(key, [call])
  }
  return [...alike.values()].flatMap((same) =>
    same.sort((a, b) => a.seconds - b.seconds).slice(0, Math.max(1, Math.ceil(same.length * share))),
  )
}

import type { Request } from '../protocol/index.js'
import { likelyTokens } from './token-bounds.js'

export interface OutputQuantileOptions {
  /** The share of answers that are no longer than what is told. 0.99 unless told otherwise. */
  readonly quantile?: number | undefined
  /** How sure it must be that it is that share or more. 0.95 unless told otherwise: takes 299 answers of a kind. */
  readonly confidence?: number | undefined
  /** Answers of a kind over which its past fades: one that so many others have followed counts about a third. 5,000 unless told otherwise. */
  readonly fading?: number | undefined
  /** Kinds of requests that are remembered, those used last. 2,000 unless told otherwise; each takes a number for each bucket. */
  readonly kinds?: number | undefined
}

/** What has been learned of how long answers get, by kind of request. */
export interface OutputQuantile {
  /**
   * Notes how many output tokens (reasoning included) one answer had. `limit`: a limit on the output that the caller did not set: an answer
   * that fills it would have been longer, nobody knows how much. Answers to requests that set `maxOutputTokens` or want several
   * choices teach nothing here. Costs one pass over the request's bytes, and constant time beside.
   */
  observe(model: string, request: Request, outputTokens: number, limit?: number): void
  /**
   * Output tokens that hardly any answer to such a request exceeds: an upper confidence bound of the quantile, of requests like this one,
   * or else of all requests to the model. `undefined` when too few answers were seen, or too many were cut off. Same costs.
   */
  most(model: string, request: Request): number | undefined
}

export function createOutputQuantile(options: OutputQuantileOptions = {}): OutputQuantile {
  return new LearnedOutputQuantile(options)
}

class LearnedOutputQuantile implements OutputQuantile {
  private readonly byKind = new Map<string, LengthHistogram>()
  private readonly quantile: number
  private readonly confidence: number
  private readonly fading: number
  private readonly kinds: number

  constructor({ quantile = 0.99, confidence = 0.95, fading = 5_000, kinds = 2_000 }: OutputQuantileOptions) {
    if (!(quantile > 0 && quantile < 1) || !(confidence > 0 && confidence < 1))
      throw new RangeError('quantile and confidence lie between 0 and 1')
    if (!(fading >= 1) || !(kinds >= 2)) throw new RangeError('fading is at least 1 answer, kinds at least 2')
    this.quantile = quantile
    this.confidence = confidence
    this.fading = fading
    this.kinds = kinds
  }

  observe(model: string, request: Request, outputTokens: number, limit?: number): void {
    if (!(outputTokens >= 0) || request.maxOutputTokens !== undefined || (request.n ?? 1) > 1) return
    const cut = outputTokens === Number.POSITIVE_INFINITY || (limit !== undefined && outputTokens >= limit)
    for (const kind of [modelKind(model), kindOf(model, request)]) this.histogram(kind).add(cut ? Number.POSITIVE_INFINITY : outputTokens)
  }

  most(model: string, request: Request): number | undefined {
    return this.boundOf(kindOf(model, request)) ?? this.boundOf(modelKind(model))
  }

  private boundOf(kind: string): number | undefined {
    return this.byKind.get(kind)?.upperBound(this.quantile, this.confidence)
  }

  private histogram(kind: string): LengthHistogram {
    const { byKind } = this
    const histogram = byKind.get(kind) ?? new LengthHistogram(this.fading)
    // Put at the end, so that the first one is the one not used for longest.
    byKind.delete(kind)
    const [oldest] = byKind.size >= this.kinds ? byKind.keys() : []
    if (oldest !== undefined) byKind.delete(oldest)
    byKind.set(kind, histogram)
    return histogram
  }
}

function modelKind(model: string): string {
  return `model ${model}`
}

/** Requests whose answers tend to be alike: by what they ask for, and by their size within a factor of two. */
function kindOf(model: string, request: Request): string {
  const tools = (request.tools?.length ?? 0) > 0 && request.toolChoice !== 'none'
  const json = request.responseFormat !== undefined && request.responseFormat.type !== 'text'
  return `${tools ? 't' : ''}${json ? 'j' : ''}${request.reasoning?.effort ?? ''} ${Math.floor(Math.log2(likelyTokens(request) + 1))} ${model}`
}

/** Upper edges of the buckets: every number up to 16, then steps of a sixteenth, up to some 17 million tokens. */
const edges: readonly number[] = (() => {
  const all = [0]
  for (let edge = 0; edge < 2 ** 24;) all.push((edge = Math.max(edge + 1, Math.floor(edge * 1.0625))))
  return all
})()

/** Weights are scaled down before they get too large for doubles to add up well. */
const LARGEST_WEIGHT = 1e100

/** Lengths in buckets that grow with the length, the newest weighing most. */
export class LengthHistogram {
  /** The last bucket is open: lengths beyond all edges, or that nobody knows. */
  private readonly weights = new Float64Array(edges.length + 1)
  private readonly growth: number
  private weight = 1
  private total = 0
  private squares = 0
  private known: { readonly quantile: number; readonly confidence: number; readonly bound: number | undefined } | undefined

  constructor(fading: number) {
    this.growth = 1 / (1 - 1 / (fading + 1))
  }

  /** Adds a length; `Infinity` for one of which only a part was seen. */
  add(length: number): void {
    this.known = undefined
    // Instead of all weights getting smaller, each new one is larger.
    this.weight *= this.growth
    if (this.weight > LARGEST_WEIGHT) this.scaleDown()
    const bucket = bucketOf(length)
    this.weights[bucket] = (this.weights[bucket] ?? 0) + this.weight
    this.total += this.weight
    this.squares += this.weight * this.weight
  }

  /** The number of equally weighing lengths that would tell as much. */
  get effective(): number {
    return this.total === 0 ? 0 : (this.total * this.total) / this.squares
  }

  /**
   * A length that at least this share of lengths doesn't exceed, with this confidence and whatever their distribution (an order
   * statistic: the number of lengths beyond the true quantile is binomial), rounded up to the edge of its bucket. `undefined` when
   * there are too few lengths, or it lies where only parts were seen. O(buckets) after each `add`, else O(1).
   */
  upperBound(quantile: number, confidence: number): number | undefined {
    if (this.known?.quantile === quantile && this.known.confidence === confidence) return this.known.bound
    const bound = this.compute(quantile, confidence)
    this.known = { quantile, confidence, bound }
    return bound
  }

  private compute(quantile: number, confidence: number): number | undefined {
    const count = Math.floor(this.effective * (1 + 1e-9))
    const allowed = allowedBeyond(count, 1 - quantile, 1 - confidence)
    if (allowed === undefined) return undefined
    let beyond = 0
    const most = (allowed / count) * this.total * (1 + 1e-9)
    // From the longest down, as long as those passed over may lie beyond the quantile.
    for (let bucket = edges.length; bucket >= 0; bucket--) {
      beyond += this.weights[bucket] ?? 0
      if (beyond > most) return edges[bucket]
    }
    return undefined
  }

  private scaleDown(): void {
    const factor = 1 / this.weight
    for (let bucket = 0; bucket < this.weights.length; bucket++) this.weights[bucket] = (this.weights[bucket] ?? 0) * factor
    this.total *= factor
    this.squares *= factor * factor
    this.weight = 1
  }
}

/**
 * Of so many draws, how many of the largest may lie beyond the quantile, so that the next one is an upper bound of it: the most for which
 * the chance of seeing no more of them beyond it is at most `risk`. `undefined` when even the largest isn't one. O(answer).
 */
export function allowedBeyond(count: number, share: number, risk: number): number | undefined {
  // The chance that exactly this many of the draws lie beyond, from none upwards; in logarithms, since none of 10,000 may be very rare.
  let logChance = count * Math.log1p(-share)
  let sum = Math.exp(logChance)
  if (sum > risk) return undefined
  for (let beyond = 0; ; beyond++) {
    logChance += Math.log((count - beyond) / (beyond + 1)) + Math.log(share) - Math.log1p(-share)
    sum += Math.exp(logChance)
    if (sum > risk || beyond + 1 >= count) return beyond
  }
}

/** The first bucket whose edge is not below the length. */
function bucketOf(length: number): number {
  let [low, high] = [0, edges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((edges[middle] as number) >= length) high = middle
    else low = middle + 1
  }
  return low
}

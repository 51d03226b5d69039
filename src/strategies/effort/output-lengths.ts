import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { Features } from '../../understanding/index.js'

/** What answers of a kind are long, in tokens. */
export interface LengthEstimate {
  readonly mean: number
  /** P50, within a tenth. */
  readonly median: number
  /** Answers that this rests on, the newest weighing most; 0 where it comes from less special kinds alone. */
  readonly support: number
}

export interface OutputLengthsOptions {
  /** Kinds that are remembered, those used last. 2,000 unless told otherwise; each takes at most 100 small numbers. */
  readonly kinds?: number | undefined
  /** Answers of a kind over which its past fades. 500 unless told otherwise. */
  readonly fading?: number | undefined
}

/** Where an answer belongs. */
export type LengthFeatures = Pick<Features, 'category' | 'difficulty'>

/**
 * The running distribution of output tokens (reasoning included) by arm, category and difficulty level: T̂(x) of paper 077. A level with few
 * answers is drawn to its category, a category to its arm. O(1) to observe and to ask.
 */
export interface OutputLengths {
  /** Throws `RangeError` for a length that isn't a number of tokens, and learns nothing from it. */
  observe(arm: string, features: LengthFeatures, outputTokens: number): void
  /** `undefined` for an arm never seen. */
  expected(arm: string, features: LengthFeatures): LengthEstimate | undefined
  /** Answers of the arm that were observed, the newest weighing most. */
  answers(arm: string): number
  serialize(): Uint8Array
}

/** Answers of the less special kind that a special one is drawn to: half-way at so many of its own. */
const shrinkage = 5
/** Buckets of lengths: eight to a doubling, up to 2^24 tokens. */
const perDoubling = 8
const buckets = 24 * perDoubling

interface Kind {
  count: number
  mean: number
  /** Weight by bucket, only those with any. */
  readonly weights: Map<number, number>
}

const stored = z.object({
  version: z.literal(1),
  fading: z.number().min(1),
  kinds: z.array(
    z.tuple([
      z.string(),
      z.number().nonnegative(),
      z.number().nonnegative(),
      z.array(z.tuple([z.int().min(0).max(buckets), z.number().nonnegative()])).max(buckets + 1),
    ]),
  ),
})

export function createOutputLengths({ kinds = 2_000, fading = 500 }: OutputLengthsOptions = {}): OutputLengths {
  if (!(kinds >= 3) || !(fading >= 1) || !Number.isFinite(fading)) throw new RangeError('kinds is at least 3, fading at least 1 answer')
  return new LearnedLengths(new Map(), Math.floor(kinds), fading)
}

/** What `serialize` wrote. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function loadOutputLengths(bytes: Uint8Array, { kinds = 2_000 }: Pick<OutputLengthsOptions, 'kinds'> = {}): OutputLengths {
  const read = stored.safeParse(parsed(bytes))
  if (!read.success)
    throw new BursarError('The learned output lengths can’t be read; remove the file to begin anew.', {
      code: 'invalid_configuration',
      status: 500,
    })
  const byKind = new Map(
    read.data.kinds.slice(-kinds).map(([key, count, mean, weights]): [string, Kind] => [key, { count, mean, weights: new Map(weights) }]),
  )
  return new LearnedLengths(byKind, kinds, read.data.fading)
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

class LearnedLengths implements OutputLengths {
  constructor(
    private readonly byKind: Map<string, Kind>,
    private readonly most: number,
    private readonly fading: number,
  ) {}

  observe(arm: string, features: LengthFeatures, outputTokens: number): void {
    if (!Number.isFinite(outputTokens) || outputTokens < 0)
      throw new RangeError(`an answer has 0 or more output tokens, not ${outputTokens}`)
    for (const key of keysOf(arm, features)) this.add(key, outputTokens)
  }

  expected(arm: string, features: LengthFeatures): LengthEstimate | undefined {
    let estimate: LengthEstimate | undefined
    for (const key of keysOf(arm, features)) {
      const kind = this.byKind.get(key)
      if (kind === undefined) {
        if (estimate !== undefined) estimate = { ...estimate, support: 0 }
        continue
      }
      const own = { mean: kind.mean, median: medianOf(kind), support: kind.count }
      const share = estimate === undefined ? 1 : kind.count / (kind.count + shrinkage)
      estimate =
        estimate === undefined
          ? own
          : { mean: mixed(estimate.mean, own.mean, share), median: mixed(estimate.median, own.median, share), support: own.support }
    }
    return estimate
  }

  answers(arm: string): number {
    return this.byKind.get(`a ${arm}`)?.count ?? 0
  }

  serialize(): Uint8Array {
    const kinds = [...this.byKind].map(([key, { count, mean, weights }]) => [key, count, mean, [...weights]])
    return new TextEncoder().encode(JSON.stringify({ version: 1, fading: this.fading, kinds }))
  }

  private add(key: string, tokens: number): void {
    const { byKind, fading } = this
    const kind = byKind.get(key) ?? { count: 0, mean: 0, weights: new Map<number, number>() }
    // Put at the end, so that the first one is the one not used for longest.
    byKind.delete(key)
    const [oldest] = byKind.size >= this.most ? byKind.keys() : []
    if (oldest !== undefined) byKind.delete(oldest)
    byKind.set(key, kind)
    const kept = 1 - 1 / (fading + 1)
    if (kind.count >= 1) for (const [bucket, weight] of kind.weights) kind.weights.set(bucket, weight * kept)
    kind.count = kind.count * (kind.count >= 1 ? kept : 1) + 1
    kind.mean += (tokens - kind.mean) / kind.count
    const bucket = bucketOf(tokens)
    kind.weights.set(bucket, (kind.weights.get(bucket) ?? 0) + 1)
  }
}

/** From the least to the most special. */
function keysOf(arm: string, { category, difficulty }: LengthFeatures): readonly string[] {
  const name = category?.name ?? ''
  return [`a ${arm}`, `c ${name} ${arm}`, `l ${difficulty.level} ${name} ${arm}`]
}

function bucketOf(tokens: number): number {
  return Math.min(buckets, Math.floor(Math.log2(tokens + 1) * perDoubling))
}

function medianOf({ weights }: Kind): number {
  const sorted = [...weights].sort(([a], [b]) => a - b)
  let left = sorted.reduce((sum, [, weight]) => sum + weight, 0) / 2
  for (const [bucket, weight] of sorted) if ((left -= weight) <= 1e-9) return 2 ** ((bucket + 0.5) / perDoubling) - 1
  return 0
}

function mixed(general: number, own: number, share: number): number {
  return general + (own - general) * share
}

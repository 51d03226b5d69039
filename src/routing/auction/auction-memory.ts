import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { cosine, type SparseVector } from '../../understanding/index.js'
import { learnWeights, initialWeights, type AuctionWeights, type BidSigns } from './bids.js'

/** One auction as it is remembered. The plans are content: a memory belongs to one tenant, and is written to disk only where content may be. */
export interface AuctionRecord {
  /** Of the call that answered: what an outcome is reported under. */
  readonly id: string
  readonly task: SparseVector
  readonly bids: readonly { readonly agent: string; readonly plan: string; readonly score: number }[]
  readonly winner: string
  readonly signs: BidSigns
  /** `null` until an outcome is known. */
  readonly won: boolean | null
}

/** What past auctions teach: plans that won and failed on similar tasks, and the weights of the score. */
export interface AuctionMemory {
  readonly weights: AuctionWeights
  add(record: AuctionRecord): void
  /** Says what came of an auction, once; moves the weights. False where the auction is unknown or told already. */
  outcome(id: string, won: boolean): boolean
  /** The most similar records with a known outcome, at most k, the nearest first; only those of some likeness. O(records × n-grams). */
  similar(task: SparseVector, k: number): readonly AuctionRecord[]
  /** `content`: whether the records are in it, whose plans are content; the weights alone where it is false. */
  serialize(content?: boolean): Uint8Array
}

export interface AuctionMemoryOptions {
  /** Records kept at most; 1,000 by default, the oldest are forgotten. */
  readonly most?: number | undefined
  /** Least cosine of a similar task; 0.1 by default. */
  readonly leastLikeness?: number | undefined
}

const share = z.number().min(0).max(1)
const weight = z.number().min(-3).max(3)
const stateSchema = z.object({
  version: z.literal(1),
  weights: z.object({ cost: weight, entropy: weight, jury: weight, predicted: weight, intercept: weight }),
  records: z.array(
    z.object({
      id: z.string(),
      indices: z.array(z.int().nonnegative()),
      values: z.array(z.number()),
      bids: z.array(z.object({ agent: z.string(), plan: z.string(), score: z.number() })),
      winner: z.string(),
      signs: z.object({ entropy: share, jury: share, predicted: share }),
      won: z.boolean().nullable(),
    }),
  ),
})

/** A memory, empty or from bytes that `serialize` wrote. Throws `BursarError` (`invalid_configuration`) for other bytes. */
export function auctionMemory({ most = 1000, leastLikeness = 0.1 }: AuctionMemoryOptions = {}, bytes?: Uint8Array): AuctionMemory {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`records are a whole number of at least 1, not ${most}`)
  const state = bytes && read(bytes)
  let weights = state?.weights ?? initialWeights
  let records: AuctionRecord[] = (state?.records ?? [])
    .map(({ indices, values, ...record }) => ({
      ...record,
      task: { indices: Uint32Array.from(indices), weights: Float32Array.from(values) },
    }))
    .slice(-most)
  return {
    get weights() {
      return weights
    },
    add(record) {
      records = [...records, record].slice(-most)
    },
    outcome(id, won) {
      const at = records.findLastIndex((record) => record.id === id)
      const record = records[at]
      if (!record || record.won !== null) return false
      records[at] = { ...record, won }
      weights = learnWeights(weights, record.signs, won)
      return true
    },
    similar: (task, k) =>
      records
        .filter(({ won }) => won !== null)
        .map((record) => ({ record, likeness: cosine(task, record.task) }))
        .filter(({ likeness }) => likeness >= leastLikeness)
        .sort((a, b) => b.likeness - a.likeness)
        .slice(0, k)
        .map(({ record }) => record),
    serialize: (content = true) =>
      new TextEncoder().encode(
        JSON.stringify({
          version: 1,
          weights,
          records: (content ? records : []).map(({ task, ...record }) => ({
            ...record,
            indices: [...task.indices],
            values: [...task.weights],
          })),
        }),
      ),
  }
}

function read(bytes: Uint8Array): z.output<typeof stateSchema> {
  try {
    return stateSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw new BursarError('These bytes are no auction memory of this version. Delete the file to begin with an empty one.', {
      code: 'invalid_configuration',
      status: 500,
      cause,
    })
  }
}

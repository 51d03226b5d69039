import type { Features } from '../../understanding/index.js'
import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * How much a request is like what was learned from. The share of its n-grams (by squared weight) that were seen before is compared with that
 * share of the learned requests themselves, each looked at before it was learned: a request of the same kind is uniformly spread over [0, 1] as a
 * p-value is, twice that and cut at 1 is its familiarity; one whose words were never seen gets 0.
 */
export interface Familiarity {
  of(features: Features): number
  add(features: Features): void
  write(to: ByteWriter): void
}

/** Size of the table of n-grams that were seen; indices beyond it are folded. */
const cells = 1 << 18
/** Requests whose share is remembered: the latest of every stride. */
const remembered = 512
/** Fewer than these tell nothing of a spread; the plain share counts then. */
const leastRemembered = 30

export function createFamiliarity(from?: ByteReader): Familiarity {
  const seen = from ? from.bytes(cells / 8) : new Uint8Array(cells / 8)
  let count = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  const shares = from ? from.f64(remembered) : new Float64Array(remembered)
  let kept = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  let sorted: Float64Array | null = null

  function shareOf({ lexical: { indices, weights } }: Features): number {
    let known = 0
    let whole = 0
    for (let at = 0; at < indices.length; at++) {
      const weight = weights[at] ?? 0
      const cell = (indices[at] ?? 0) % cells
      whole += weight * weight
      if (((seen[cell >> 3] ?? 0) >> (cell & 7)) & 1) known += weight * weight
    }
    return whole > 0 ? known / whole : 0
  }

  return {
    of(features) {
      if (count === 0) return 0
      const share = shareOf(features)
      const held = Math.min(kept, remembered)
      if (held < leastRemembered) return share
      sorted ??= shares.slice(0, held).sort()
      let below = 0
      let above = held
      while (below < above) {
        const middle = (below + above) >> 1
        if ((sorted[middle] ?? 0) < share) below = middle + 1
        else above = middle
      }
      return share === 0 ? 0 : Math.min(1, (2 * (below + 1)) / (held + 1))
    },
    add(features) {
      const { indices } = features.lexical
      // The first requests meet an empty table: their shares say nothing. From then on the spread follows the latest.
      if (count >= 20) {
        shares[kept % remembered] = shareOf(features)
        kept += 1
        sorted = null
      }
      count += 1
      for (let at = 0; at < indices.length; at++) {
        const cell = (indices[at] ?? 0) % cells
        seen[cell >> 3] = (seen[cell >> 3] ?? 0) | (1 << (cell & 7))
      }
    },
    write(to) {
      to.bytes(seen)
      to.number(count)
      to.f64(shares)
      to.number(kept)
    },
  }
}

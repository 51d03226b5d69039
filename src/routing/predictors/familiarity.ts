import type { Features } from '../../understanding/index.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { requestKey } from './request-key.js'

/**
 * How much a request is like what was learned from. The share of its n-grams (by squared weight) that were seen before is compared with that
 * share of the learned requests themselves, each looked at before it was learned: a request of the same kind is uniformly spread over [0, 1] as a
 * p-value is, twice that and cut at 1 is its familiarity; one whose words were never seen gets 0. A request that comes again, such as one that
 * several arms answered, is looked at once: its own words are no measure of how like the learned ones a new request of the same kind is.
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
/** Places for the keys of requests that were looked at, each for the newest that falls on it. They aren't saved: one that comes again after a start may count twice. */
const places = 1 << 14

export function createFamiliarity(from?: ByteReader): Familiarity {
  const seen = from ? from.bytes(cells / 8) : new Uint8Array(cells / 8)
  let count = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  const shares = from ? from.f64(remembered) : new Float64Array(remembered)
  let kept = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  /** The shares that are held, ascending: kept so with every one that comes, since a predictor that learns is asked after each. */
  const sorted = new Float64Array(remembered)
  const held = () => Math.min(kept, remembered)
  const keys = new Float64Array(places).fill(-1)
  sorted.set(shares.slice(0, held()).sort())

  /** The first place of `sorted` whose share isn't below this one. */
  function placeOf(share: number): number {
    let below = 0
    let above = held()
    while (below < above) {
      const middle = (below + above) >> 1
      if ((sorted[middle] ?? 0) < share) below = middle + 1
      else above = middle
    }
    return below
  }

  function remember(share: number): void {
    const at = kept % remembered
    if (kept >= remembered) {
      sorted.copyWithin(placeOf(shares[at] ?? 0), placeOf(shares[at] ?? 0) + 1)
      sorted[remembered - 1] = Infinity
    }
    const place = placeOf(share)
    sorted.copyWithin(place + 1, place, remembered - 1)
    sorted[place] = share
    shares[at] = share
    kept += 1
  }

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
      if (held() < leastRemembered) return share
      return share === 0 ? 0 : Math.min(1, (2 * (placeOf(share) + 1)) / (held() + 1))
    },
    add(features) {
      const key = requestKey(features)
      if (keys[key % places] === key) return
      keys[key % places] = key
      const { indices } = features.lexical
      // The first requests meet an empty table: their shares say nothing. From then on the spread follows the latest.
      if (count >= 20) remember(shareOf(features))
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

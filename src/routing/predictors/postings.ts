import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * For each n-gram the latest requests that hold it, with their weights: an inverted index whose lists have a bound, in one pool of memory. A list grows
 * by fours up to `longest`; from then on each new entry overwrites the oldest, so that common n-grams (which tell little) stay cheap.
 */
export interface Postings {
  /** Weight in [0, 1]. O(1). */
  add(term: number, request: number, weight: number): void
  /** Takes a request out of a term's list. O(list). */
  remove(term: number, request: number): void
  /**
   * Adds share × weight, in units of 1/`scoreUnits`, to `scores` of every request in the term's list; writes requests whose score was 0 to
   * `touched` from `count` on, which needs one place more than there are requests. Returns the new count. Share in [0, 1].
   */
  accumulate(term: number, share: number, scores: Int32Array, touched: Int32Array, count: number): number
  readonly bytes: number
  write(to: ByteWriter): void
}

/** Requests are numbers below this. */
export const mostRequests = 1 << 20
const weightSteps = 4095
const shareSteps = 1 << 16
/** A score of 1: shares and weights are of vectors of unit length, so that their sums stay well within 32 bits. */
export const scoreUnits = weightSteps * shareSteps
const smallest = 4
export const longest = 256
/** Lists have 4, 16, 64 or 256 places: class 1 to 4; class 0 is no list. */
const classes = 5
const placesOf = (kind: number) => smallest << (2 * (kind - 1))

export function createPostings(terms: number, from?: ByteReader): Postings {
  const starts = from ? from.u32(terms) : new Uint32Array(terms)
  const kinds = from ? from.bytes(terms) : new Uint8Array(terms)
  const lengths = from ? uint16(from.bytes(2 * terms)) : new Uint16Array(terms)
  /** Where the next entry goes in a list that is full. */
  const heads = from ? uint16(from.bytes(2 * terms)) : new Uint16Array(terms)
  let pool: Uint32Array = from ? from.u32() : new Uint32Array(1 << 14)
  let used = pool.length
  if (!from) used = 0
  const free: number[][] = Array.from({ length: classes }, () => (from ? [...from.u32()] : []))

  function take(kind: number): number {
    const again = free[kind]?.pop()
    if (again !== undefined) return again
    const start = used
    used += placesOf(kind)
    if (used > pool.length) {
      const old = pool
      pool = new Uint32Array(Math.max(used, 2 * old.length))
      pool.set(old)
    }
    return start
  }

  return {
    add(term, request, weight) {
      const entry = request * (weightSteps + 1) + Math.min(weightSteps, Math.max(1, Math.round(weight * weightSteps)))
      const kind = kinds[term] ?? 0
      const length = lengths[term] ?? 0
      const places = kind === 0 ? 0 : placesOf(kind)
      if (length < places) {
        pool[(starts[term] ?? 0) + length] = entry
        lengths[term] = length + 1
        return
      }
      if (kind === classes - 1) {
        const head = heads[term] ?? 0
        pool[(starts[term] ?? 0) + head] = entry
        heads[term] = (head + 1) % longest
        return
      }
      const start = take(kind + 1)
      const before = starts[term] ?? 0
      pool.copyWithin(start, before, before + length)
      if (kind > 0) free[kind]?.push(before)
      starts[term] = start
      kinds[term] = kind + 1
      pool[start + length] = entry
      lengths[term] = length + 1
    },
    remove(term, request) {
      const length = lengths[term] ?? 0
      const start = starts[term] ?? 0
      for (let at = 0; at < length; at++) {
        if (Math.floor((pool[start + at] ?? 0) / (weightSteps + 1)) !== request) continue
        pool[start + at] = pool[start + length - 1] ?? 0
        lengths[term] = length - 1
        // The list isn't full any more: it is filled at its end, and begins its round anew.
        heads[term] = 0
        return
      }
    },
    accumulate(term, share, scores, touched, count) {
      const start = starts[term] ?? 0
      const end = start + (lengths[term] ?? 0)
      const step = Math.max(1, Math.round(Math.min(1, share) * shareSteps))
      let next = count
      for (let at = start; at < end; at++) {
        const entry = pool[at] ?? 0
        const request = entry >>> 12
        const score = scores[request] ?? 0
        // Without a branch, which a processor would foretell wrongly every other time: a score of 0 less 1 has its highest bit set.
        touched[next] = request
        next += (score - 1) >>> 31
        scores[request] = score + step * (entry & weightSteps)
      }
      return next
    },
    get bytes() {
      return pool.byteLength + starts.byteLength + kinds.byteLength + lengths.byteLength + heads.byteLength
    },
    write(to) {
      to.u32(starts)
      to.bytes(kinds)
      to.bytes(new Uint8Array(lengths.buffer))
      to.bytes(new Uint8Array(heads.buffer))
      to.u32(pool.subarray(0, used))
      for (const list of free) to.u32(Uint32Array.from(list))
    },
  }
}

function uint16(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.slice().buffer)
}

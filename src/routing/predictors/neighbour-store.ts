import { BursarError } from '../../errors/index.js'
import { lexicalDimensions, type Features } from '../../understanding/index.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { createOutcomeStore, type OutcomeStore } from './outcome-store.js'
import { createPostings, mostRequests, scoreUnits } from './postings.js'
import { requestKey } from './request-key.js'

/**
 * Remembered requests and which of them are near a new one. A request keeps its heaviest `kept` n-grams (those that were met before first, since only
 * they can meet again) and its dense vector at a byte a component where it has one. No text is kept. Memory grows up to `capacity` requests and
 * outcomes, then the least important of the old are forgotten.
 *
 * One search serves all arms: lists of bounded length (the latest requests that hold an n-gram) give candidates with their lexical cosine as far as the
 * lists reach; where there are dense vectors, the best of them are compared again by the mixture of both cosines. O(kept × longest list), however much is remembered.
 */
export interface NeighbourStore {
  readonly requests: number
  readonly outcomes: OutcomeStore
  /** Counts a request's n-grams, so that those that come again are known before requests are added. */
  meet(features: Features): void
  /** The nearest requests, nearest first, `most` at most; only those with a likeness above 0. The arrays are used again by the next search. */
  nearest(features: Features, most: number): Neighbours
  /** The same by comparing every remembered request: what `nearest` is measured against. O(requests × kept). */
  scan(features: Features, most: number): Neighbours
  /** Remembers an outcome; `values` as `OutcomeStore` wants them. */
  add(features: Features, arm: string, values: Float32Array): void
  /** Bytes of memory held. */
  readonly bytes: number
  write(to: ByteWriter): void
}

export interface Neighbours {
  readonly count: number
  readonly requests: Int32Array
  /** In (0, 1]. */
  readonly likeness: Float32Array
}

export interface StoreOptions {
  /** Outcomes remembered at most, up to 2²⁰. */
  readonly capacity: number
  /** Share of the dense cosine in likeness, where both requests have a dense vector. */
  readonly denseShare: number
}

/** N-grams kept of a request. */
const kept = 64
/** N-grams of a new request that are looked up: with more a search takes longer, and expects no better. */
const lookedUp = 48
/** Candidates that are compared closely. */
const compared = 256
/** Without any n-gram in common with anything (another language, say) but with a dense vector, so many of the latest are compared. */
const latestCompared = 256
const longestDense = 4096
/** Of scores, which are below `scoreUnits` or, by rounding, a little above: each 1/4096 of likeness. */
const scoreBins = 4096
const scoreShift = 16
/** Of weights in [0, 1]. */
const weightBins = 1024

export function createNeighbourStore({ capacity, denseShare }: StoreOptions, from?: ByteReader): NeighbourStore {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > mostRequests)
    throw new BursarError(`capacity must be a whole number from 1 to ${mostRequests}, not ${capacity}.`, {
      code: 'invalid_configuration',
      status: 500,
      path: 'settings.capacity',
    })
  const outcomes = createOutcomeStore(capacity, from)
  const postings = createPostings(lexicalDimensions, from)
  const met = from ? from.bytes(lexicalDimensions) : new Uint8Array(lexicalDimensions)
  let high = from ? from.count(capacity) : 0
  let places = Math.max(256, high)
  let terms = sized(from?.u32(high * kept), new Uint32Array(places * kept))
  let weights = sized(from && new Uint16Array(from.bytes(2 * high * kept).slice().buffer), new Uint16Array(places * kept))
  let lengths = sized(from?.bytes(high), new Uint8Array(places))
  let keys = sized(from?.f64(high), new Float64Array(places))
  let dimensions = from ? from.count(longestDense) : 0
  let dense = sized(from && new Int8Array(from.bytes(high * dimensions).buffer), new Int8Array(places * dimensions))
  let denseScale = sized(from?.f32(high), new Float32Array(places))
  const free: number[] = from ? [...from.u32()] : []
  const byKey = new Map<number, number>()
  const unused = new Set(free)
  for (let request = 0; request < high; request++) if (!unused.has(request)) byKey.set(keys[request] ?? 0, request)

  // Reused by every search.
  const query = new Float32Array(lexicalDimensions)
  let scores = new Int32Array(places)
  let touched = new Int32Array(places + 1)
  let gathered = new Int32Array(places)
  const bins = new Uint32Array(scoreBins)
  const picked = new Uint32Array(Math.max(kept, lookedUp))
  const weightBinCounts = new Uint16Array(2 * weightBins)
  const overflowing = new Int32Array(compared)
  const candidates = new Int32Array(compared + latestCompared)
  const likenesses = new Float64Array(compared + latestCompared)
  const order = new Float64Array(compared + latestCompared)
  const found = { requests: new Int32Array(compared + latestCompared), likeness: new Float32Array(compared + latestCompared) }

  function grow(): void {
    places = Math.min(capacity, 2 * places)
    terms = sized(terms, new Uint32Array(places * kept))
    weights = sized(weights, new Uint16Array(places * kept))
    lengths = sized(lengths, new Uint8Array(places))
    keys = sized(keys, new Float64Array(places))
    dense = sized(dense, new Int8Array(places * dimensions))
    denseScale = sized(denseScale, new Float32Array(places))
    scores = new Int32Array(places)
    touched = new Int32Array(places + 1)
    gathered = new Int32Array(places)
  }

  /**
   * Puts the most important entries of the vector into `picked`, in their order: the heaviest of those met at least `times` before, then the
   * heaviest of the rest. Returns how many. By a histogram of weights, without sorting; linear.
   */
  function pick({ lexical }: Features, most: number, times: number): number {
    const { indices, weights: values } = lexical
    const size = Math.min(indices.length, values.length)
    const binOf = (entry: number) => {
      const value = Math.min(1, values[entry] ?? 0)
      const known = (met[(indices[entry] ?? 0) % lexicalDimensions] ?? 0) >= times ? weightBins : 0
      return known + Math.min(weightBins - 1, (value * weightBins) | 0)
    }
    let least = 0
    let room = most
    if (size > most) {
      weightBinCounts.fill(0)
      for (let entry = 0; entry < size; entry++) {
        const bin = binOf(entry)
        if ((values[entry] ?? 0) > 0) weightBinCounts[bin] = Math.min(0xffff, (weightBinCounts[bin] ?? 0) + 1)
      }
      // All above the bin `least` fit; of that bin itself, those that stand first.
      for (least = 2 * weightBins - 1; least > 0 && (weightBinCounts[least] ?? 0) <= room; least--) room -= weightBinCounts[least] ?? 0
    }
    let count = 0
    for (let entry = 0; entry < size && count < most; entry++) {
      if (!((values[entry] ?? 0) > 0)) continue
      if (size > most) {
        const bin = binOf(entry)
        if (bin < least || (bin === least && room-- <= 0)) continue
      }
      picked[count++] = entry
    }
    return count
  }

  function lexicalCosine(request: number): number {
    let sum = 0
    const start = request * kept
    const end = start + (lengths[request] ?? 0)
    for (let at = start; at < end; at++) sum += (query[terms[at] ?? 0] ?? 0) * (weights[at] ?? 0)
    return sum / 65_535
  }

  function denseCosine(vector: Float32Array, request: number): number {
    let sum = 0
    const start = request * dimensions
    for (let at = 0; at < dimensions; at++) sum += (vector[at] ?? 0) * (dense[start + at] ?? 0)
    return sum * (denseScale[request] ?? 0)
  }

  function likenessOf(vector: Float32Array | undefined, request: number): number {
    const lexical = lexicalCosine(request)
    if (vector === undefined || (denseScale[request] ?? 0) === 0) return lexical
    return (1 - denseShare) * lexical + denseShare * Math.max(0, denseCosine(vector, request))
  }

  function usableDense({ dense: vector }: Features): Float32Array | undefined {
    return vector && denseShare > 0 && vector.length === dimensions ? vector : undefined
  }

  /** Puts the vector's weights where `lexicalCosine` reads them, and takes them away afterwards. */
  function withQuery<Result>({ lexical: { indices, weights: values } }: Features, use: () => Result): Result {
    for (let at = 0; at < indices.length; at++) query[(indices[at] ?? 0) % lexicalDimensions] = values[at] ?? 0
    try {
      return use()
    } finally {
      for (let at = 0; at < indices.length; at++) query[(indices[at] ?? 0) % lexicalDimensions] = 0
    }
  }

  /**
   * The best `compared` of the touched requests, by scores put into a histogram: linear, no sorting. Leaves all scores at 0. Scores lie scattered, and
   * fetching them is what costs: it is done once.
   */
  function bestTouched(count: number): number {
    bins.fill(0)
    let top = 0
    for (let at = 0; at < count; at++) {
      const request = touched[at] ?? 0
      const score = scores[request] ?? 0
      scores[request] = 0
      gathered[at] = score
      const bin = Math.min(scoreBins - 1, score >>> scoreShift)
      bins[bin] = (bins[bin] ?? 0) + 1
      if (bin > top) top = bin
    }
    let least = top + 1
    for (let sum = 0; least > 0 && sum + (bins[least - 1] ?? 0) <= compared;) sum += bins[--least] ?? 0
    // A bin that would overflow the places is taken as far as there are places.
    const from = least << scoreShift
    const overflow = least === 0 ? 0 : (least - 1) << scoreShift
    let taken = 0
    let more = 0
    for (let at = 0; at < count; at++) {
      const score = gathered[at] ?? 0
      if (score < overflow) continue
      if (score >= from) {
        candidates[taken] = touched[at] ?? 0
        likenesses[taken++] = score / scoreUnits
      } else if (more < compared) overflowing[more++] = at
    }
    for (let each = 0; each < more && taken < compared; each++) {
      const at = overflowing[each] ?? 0
      candidates[taken] = touched[at] ?? 0
      likenesses[taken++] = (gathered[at] ?? 0) / scoreUnits
    }
    return taken
  }

  function compare(count: number, vector: Float32Array | undefined): void {
    for (let at = 0; at < count; at++) likenesses[at] = likenessOf(vector, candidates[at] ?? 0)
  }

  /** The first `count` candidates by falling `likenesses`. */
  function ranked(count: number, most: number): Neighbours {
    for (let at = 0; at < count; at++) order[at] = -Math.round((likenesses[at] ?? 0) * 2 ** 30) * mostRequests + (candidates[at] ?? 0)
    const sorted = order.subarray(0, count).sort()
    let kept = 0
    for (let at = 0; at < count && kept < most; at++) {
      const packed = sorted[at] ?? 0
      const likeness = -Math.floor(packed / mostRequests) / 2 ** 30
      if (!(likeness > 0)) break
      found.requests[kept] = packed - Math.floor(packed / mostRequests) * mostRequests
      found.likeness[kept++] = Math.min(1, likeness)
    }
    return { count: kept, ...found }
  }

  function forget(request: number): void {
    const start = request * kept
    for (let at = start; at < start + (lengths[request] ?? 0); at++) postings.remove(terms[at] ?? 0, request)
    byKey.delete(keys[request] ?? 0)
    lengths[request] = 0
    denseScale[request] = 0
    free.push(request)
  }

  function remember(features: Features, key: number): number {
    if (free.length === 0 && high >= places) grow()
    const request = free.pop() ?? high++
    keys[request] = key
    byKey.set(key, request)
    const { indices, weights: values } = features.lexical
    const count = pick(features, kept, 2)
    let square = 0
    for (let at = 0; at < count; at++) square += (values[picked[at] ?? 0] ?? 0) ** 2
    const length = Math.sqrt(square) || 1
    lengths[request] = count
    for (let at = 0; at < count; at++) {
      const entry = picked[at] ?? 0
      const term = (indices[entry] ?? 0) % lexicalDimensions
      const weight = (values[entry] ?? 0) / length
      terms[request * kept + at] = term
      weights[request * kept + at] = Math.round(weight * 65_535)
      postings.add(term, request, weight)
    }
    rememberDense(request, features)
    return request
  }

  function rememberDense(request: number, { dense: vector }: Features): void {
    if (vector === undefined || denseShare === 0 || vector.length > longestDense) return
    if (dimensions === 0) {
      dimensions = vector.length
      dense = new Int8Array(places * dimensions)
    }
    if (vector.length !== dimensions) return
    const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    if (largest === 0) return
    denseScale[request] = largest / 127
    for (let at = 0; at < dimensions; at++) dense[request * dimensions + at] = Math.round(((vector[at] ?? 0) / largest) * 127)
  }

  function meet({ lexical: { indices } }: Features): void {
    for (let at = 0; at < indices.length; at++) {
      const term = (indices[at] ?? 0) % lexicalDimensions
      met[term] = Math.min(255, (met[term] ?? 0) + 1)
    }
  }

  return {
    get requests() {
      return high - free.length
    },
    outcomes,
    meet,
    nearest(features, most) {
      const vector = usableDense(features)
      const { indices, weights: values } = features.lexical
      let count = 0
      const looked = pick(features, lookedUp, 1)
      for (let at = 0; at < looked; at++) {
        const entry = picked[at] ?? 0
        const term = (indices[entry] ?? 0) % lexicalDimensions
        count = postings.accumulate(term, values[entry] ?? 0, scores, touched, count)
      }
      let taken = bestTouched(count)
      if (taken === 0 && vector)
        for (let request = Math.max(0, high - latestCompared); request < high; request++) candidates[taken++] = request
      // Without dense vectors the lists' own sums are the likeness: comparing again would cost more than it corrects.
      if (vector) withQuery(features, () => compare(taken, vector))
      return ranked(taken, Math.min(most, compared))
    },
    scan(features, most) {
      const vector = usableDense(features)
      return withQuery(features, () => {
        const all = new Float64Array(high)
        for (let request = 0; request < high; request++)
          all[request] = -Math.round(likenessOf(vector, request) * 2 ** 30) * mostRequests + request
        all.sort()
        const taken = Math.min(most, compared, high)
        for (let at = 0; at < taken; at++) candidates[at] = (all[at] ?? 0) - Math.floor((all[at] ?? 0) / mostRequests) * mostRequests
        compare(taken, vector)
        return ranked(taken, most)
      })
    },
    add(features, arm, values) {
      if (!outcomes.takes(arm)) return
      const key = requestKey(features)
      let request = byKey.get(key)
      if (request === undefined) {
        // First a place for the outcome: what is forgotten for it may leave a request without any, whose place is free then.
        for (const left of outcomes.makeRoom()) forget(left)
        request = remember(features, key)
      } else for (const left of outcomes.makeRoom(request)) forget(left)
      outcomes.add(request, arm, values)
    },
    get bytes() {
      const own = [terms, weights, lengths, keys, dense, denseScale, met, query, scores, touched, gathered]
      return own.reduce((sum, { byteLength }) => sum + byteLength, postings.bytes + outcomes.bytes)
    },
    write(to) {
      outcomes.write(to)
      postings.write(to)
      to.bytes(met)
      to.number(high)
      to.u32(terms.subarray(0, high * kept))
      to.bytes(bytesOf(weights.subarray(0, high * kept)))
      to.bytes(lengths.subarray(0, high))
      to.f64(keys.subarray(0, high))
      to.number(dimensions)
      to.bytes(bytesOf(dense.subarray(0, high * dimensions)))
      to.f32(denseScale.subarray(0, high))
      to.u32(Uint32Array.from(free))
    },
  }
}

function sized<Values extends Uint32Array | Uint16Array | Uint8Array | Int8Array | Float32Array | Float64Array>(
  old: Values | undefined,
  wider: Values,
): Values {
  if (old) wider.set(old)
  return wider
}

function bytesOf(values: Uint16Array | Int8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

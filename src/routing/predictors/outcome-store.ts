import { BursarError } from '../../errors/index.js'
import { mostArms } from './arm-means.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { measures } from './observed.js'

/**
 * Outcomes of remembered requests in places that are taken once. When all are taken, the least important of a few drawn ones is forgotten: the older,
 * the more of its arm there are, and the less it weighs, the sooner.
 */
export interface OutcomeStore {
  readonly count: number
  /** The arm's number in outcomes; -1 for one that has none. */
  armNumber(arm: string): number
  /** Calls back for each outcome of a request, newest first: the arm's number, and where its values begin in `values`. */
  each(request: number, visit: (arm: number, at: number) => void): void
  /** Quality (`NaN`: unknown), weight, then the logarithms of `measures` (`NaN`: unknown). */
  readonly values: Float32Array
  /** False for a new arm when there are too many. */
  takes(arm: string): boolean
  add(request: number, arm: string, values: Float32Array): void
  /** Forgets outcomes until one more fits; returns the requests that have none left, `spared` excepted. */
  makeRoom(spared?: number): readonly number[]
  readonly bytes: number
  write(to: ByteWriter): void
}

export const valuesOfOutcome = 2 + measures.length
const none = 0xffff_ffff
const drawn = 8

export function createOutcomeStore(capacity: number, from?: ByteReader): OutcomeStore {
  const arms: string[] = []
  if (from) for (let left = from.count(mostArms); left > 0; left--) arms.push(from.text())
  let high = from ? from.count(capacity) : 0
  let clock = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  let places = Math.max(256, high)
  let values = sized(from?.f32(high * valuesOfOutcome), new Float32Array(places * valuesOfOutcome))
  let armOf = sized(from?.u32(high), new Uint32Array(places))
  let requestOf = sized(from?.u32(high), new Uint32Array(places))
  let next = sized(from?.u32(high), new Uint32Array(places))
  let addedAt = sized(from?.f64(high), new Float64Array(places))
  const requests = from?.u32() ?? new Uint32Array(0)
  const firsts = from?.u32(requests.length) ?? new Uint32Array(0)
  /** A request's newest outcome, `none` where it has none. A plain array: decisions look up hundreds, and each look into a map misses the processor's caches. */
  let first = new Uint32Array(places).fill(none)
  requests.forEach((request, at) => setFirst(request, firsts[at] ?? none))
  const free: number[] = from ? [...from.u32()] : []
  const numbers = new Map(arms.map((arm, number) => [arm, number]))
  const counts = arms.map(() => 0)
  const unused = new Set(free)
  for (let outcome = 0; outcome < high; outcome++) {
    if (unused.has(outcome)) continue
    const arm = armOf[outcome] ?? 0
    if (arm >= arms.length) throw new BursarError('The predictor\'s outcomes name an arm that it has not. Train it again.', { code: 'invalid_configuration', status: 500 })
    counts[arm] = (counts[arm] ?? 0) + 1
  }

  function setFirst(request: number, outcome: number): void {
    if (request >= first.length) {
      const wider = new Uint32Array(Math.max(request + 1, 2 * first.length)).fill(none)
      wider.set(first)
      first = wider
    }
    first[request] = outcome
  }

  function grow(): void {
    places = Math.min(capacity, 2 * places)
    values = sized(values, new Float32Array(places * valuesOfOutcome))
    armOf = sized(armOf, new Uint32Array(places))
    requestOf = sized(requestOf, new Uint32Array(places))
    next = sized(next, new Uint32Array(places))
    addedAt = sized(addedAt, new Float64Array(places))
  }

  /** Takes an outcome out; returns its request when that has none left. */
  function forget(outcome: number): number | undefined {
    const request = requestOf[outcome] ?? 0
    const after = next[outcome] ?? none
    const arm = armOf[outcome] ?? 0
    counts[arm] = (counts[arm] ?? 1) - 1
    free.push(outcome)
    const head = first[request] ?? none
    if (head === outcome) {
      if (after === none) {
        first[request] = none
        return request
      }
      first[request] = after
      return undefined
    }
    for (let at = head; at !== none; at = next[at] ?? none)
      if (next[at] === outcome) {
        next[at] = after
        break
      }
    return undefined
  }

  function leastImportant(): number {
    let worst = 0
    let most = -1
    for (let draw = 0; draw < drawn; draw++) {
      const outcome = spread(clock * drawn + draw) % high
      const age = clock - (addedAt[outcome] ?? 0) + 1
      const weight = values[outcome * valuesOfOutcome + 1] ?? 1
      const worth = (age * ((counts[armOf[outcome] ?? 0] ?? 0) + 1)) / weight
      if (worth > most) {
        most = worth
        worst = outcome
      }
    }
    return worst
  }

  return {
    get count() {
      return high - free.length
    },
    armNumber: (arm) => numbers.get(arm) ?? -1,
    each(request, visit) {
      for (let at = first[request] ?? none; at !== none; at = next[at] ?? none) visit(armOf[at] ?? 0, at * valuesOfOutcome)
    },
    get values() {
      return values
    },
    takes: (arm) => numbers.has(arm) || arms.length < mostArms,
    add(request, arm, given) {
      let number = numbers.get(arm)
      if (number === undefined) {
        if (arms.length >= mostArms) return
        number = arms.length
        arms.push(arm)
        counts.push(0)
        numbers.set(arm, number)
      }
      if (free.length === 0 && high >= places) grow()
      const outcome = free.pop() ?? high++
      values.set(given.subarray(0, valuesOfOutcome), outcome * valuesOfOutcome)
      armOf[outcome] = number
      requestOf[outcome] = request
      next[outcome] = first[request] ?? none
      setFirst(request, outcome)
      addedAt[outcome] = ++clock
      counts[number] = (counts[number] ?? 0) + 1
    },
    makeRoom(spared) {
      if (free.length > 0 || high < capacity) return []
      const left = forget(leastImportant())
      return left === undefined || left === spared ? [] : [left]
    },
    get bytes() {
      return [values, armOf, requestOf, next, addedAt, first].reduce((sum, { byteLength }) => sum + byteLength, 0)
    },
    write(to) {
      to.number(arms.length)
      for (const arm of arms) to.text(arm)
      to.number(high)
      to.number(clock)
      to.f32(values.subarray(0, high * valuesOfOutcome))
      to.u32(armOf.subarray(0, high))
      to.u32(requestOf.subarray(0, high))
      to.u32(next.subarray(0, high))
      to.f64(addedAt.subarray(0, high))
      const held = Uint32Array.from(first.keys()).filter((request) => first[request] !== none)
      to.u32(held)
      to.u32(held.map((request) => first[request] ?? none))
      to.u32(Uint32Array.from(free))
    },
  }
}

function sized<Values extends Uint32Array | Float32Array | Float64Array>(old: Values | undefined, wider: Values): Values {
  if (old) wider.set(old)
  return wider
}

/** A well-spread 32-bit number of a counter: the same counter draws the same places, also after loading. */
function spread(counter: number): number {
  let mixed = (counter + 0x9e3779b9) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

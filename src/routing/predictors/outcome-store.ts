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
  /** Arms that have a number. */
  readonly arms: number
  /** Quality (`NaN`: unknown), weight, then the logarithms of `measures` (`NaN`: unknown): so many from where `each` says. */
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
/**
 * Numbers of an outcome: its values, its arm, and the request's next outcome. They lie together, since decisions look up hundreds of
 * outcomes from all over the memory.
 */
const cellsOfOutcome = valuesOfOutcome + 2
const armAt = valuesOfOutcome
const nextAt = valuesOfOutcome + 1
const drawn = 8

export function createOutcomeStore(capacity: number, from?: ByteReader): OutcomeStore {
  const arms: string[] = []
  if (from) for (let left = from.count(mostArms); left > 0; left--) arms.push(from.text())
  let high = from ? from.count(capacity) : 0
  let clock = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  let places = Math.max(256, high)
  /** The same memory as numbers of both kinds. */
  let cells = new Uint32Array(places * cellsOfOutcome)
  let values = new Float32Array(cells.buffer)
  if (from) spreadOut(from.f32(high * valuesOfOutcome), values, valuesOfOutcome, 0)
  if (from) spreadOut(from.u32(high), cells, 1, armAt)
  let requestOf = sized(from?.u32(high), new Uint32Array(places))
  if (from) spreadOut(from.u32(high), cells, 1, nextAt)
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
    const arm = cells[outcome * cellsOfOutcome + armAt] ?? 0
    if (arm >= arms.length)
      throw new BursarError("The predictor's outcomes name an arm that it has not. Train it again.", {
        code: 'invalid_configuration',
        status: 500,
      })
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
    cells = sized(cells, new Uint32Array(places * cellsOfOutcome))
    values = new Float32Array(cells.buffer)
    requestOf = sized(requestOf, new Uint32Array(places))
    addedAt = sized(addedAt, new Float64Array(places))
  }

  function nextOf(outcome: number): number {
    return cells[outcome * cellsOfOutcome + nextAt] ?? none
  }

  /** Takes an outcome out; returns its request when that has none left. */
  function forget(outcome: number): number | undefined {
    const request = requestOf[outcome] ?? 0
    const after = nextOf(outcome)
    const arm = cells[outcome * cellsOfOutcome + armAt] ?? 0
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
    for (let at = head; at !== none; at = nextOf(at))
      if (nextOf(at) === outcome) {
        cells[at * cellsOfOutcome + nextAt] = after
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
      const weight = values[outcome * cellsOfOutcome + 1] ?? 1
      const worth = (age * ((counts[cells[outcome * cellsOfOutcome + armAt] ?? 0] ?? 0) + 1)) / weight
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
      for (let at = first[request] ?? none; at !== none; at = nextOf(at)) {
        const start = at * cellsOfOutcome
        visit(cells[start + armAt] ?? 0, start)
      }
    },
    get arms() {
      return arms.length
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
      const start = outcome * cellsOfOutcome
      values.set(given.subarray(0, valuesOfOutcome), start)
      cells[start + armAt] = number
      requestOf[outcome] = request
      cells[start + nextAt] = first[request] ?? none
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
      return [cells, requestOf, addedAt, first].reduce((sum, { byteLength }) => sum + byteLength, 0)
    },
    write(to) {
      to.number(arms.length)
      for (const arm of arms) to.text(arm)
      to.number(high)
      to.number(clock)
      // Each an array of its own: the writer keeps them until it is finished.
      const told = new Float32Array(high * valuesOfOutcome)
      const armNumbers = new Uint32Array(high)
      const followers = new Uint32Array(high)
      gather(values, told, valuesOfOutcome, 0)
      gather(cells, armNumbers, 1, armAt)
      gather(cells, followers, 1, nextAt)
      to.f32(told)
      to.u32(armNumbers)
      to.u32(requestOf.subarray(0, high))
      to.u32(followers)
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

/** Puts `width` numbers of each outcome to where they belong among its cells. */
function spreadOut(from: Uint32Array | Float32Array, to: Uint32Array | Float32Array, width: number, offset: number): void {
  for (let at = 0; at < from.length; at++) to[Math.floor(at / width) * cellsOfOutcome + offset + (at % width)] = from[at] ?? 0
}

/** The way back. */
function gather(from: Uint32Array | Float32Array, to: Uint32Array | Float32Array, width: number, offset: number): void {
  for (let at = 0; at < to.length; at++) to[at] = from[Math.floor(at / width) * cellsOfOutcome + offset + (at % width)] ?? 0
}

/** A well-spread 32-bit number of a counter: the same counter draws the same places, also after loading. */
function spread(counter: number): number {
  let mixed = (counter + 0x9e3779b9) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

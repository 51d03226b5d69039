import { BursarError } from '../../errors/index.js'
import { curveAt, poolAdjacent, type MonotoneCurve } from '../../statistics/index.js'

/** Who agreed: a model or an arm, and the kind of question where it is known. */
export interface AgreementSource {
  readonly arm: string
  readonly category?: string | undefined
}

/** A pool of votes: the winner's weight and that of all samples. */
export interface PoolState {
  readonly top: number
  readonly total: number
}

/** The plain-data form of what was learned. */
export interface SavedCalibration {
  readonly version: 1
  readonly cells: Readonly<Record<string, { readonly right: readonly number[]; readonly total: readonly number[] }>>
}

/** Bins of the score; it lies between −3 (one of twenty) and 4 (twenty-seven of twenty-seven). */
const BINS = 29
const LEAST = -3
const WIDTH = 0.25
/** So many outcomes of the wider level a narrower one starts from, in each bin. */
const SHRINKAGE = 4
/** Sources remembered; the one that was learned from longest ago is forgotten first. */
const MOST_SOURCES = 2000
/** Outcomes below which nothing is claimed. */
const LEAST_OUTCOMES = 20

interface Cells {
  readonly right: Float64Array
  readonly total: Float64Array
  /** Fitted when so many outcomes had been learned in all. */
  fittedAt: number
  curve: MonotoneCurve | undefined
}

/** ln((top + ½) / (others + ½)): grows with the share at a given number of samples, and with the samples at full agreement. */
export function agreementScore({ top, total }: PoolState): number {
  return Math.log((top + 0.5) / (Math.max(0, total - top) + 0.5))
}

/**
 * What agreement is worth: the probability that the winner of a pool of votes is right, learned from outcomes. Agreement isn't correctness: a weak
 * model that agrees with itself may be wrong all the same, so every arm and category has a curve of its own, shrunk to the arm's, and
 * that to all arms' (a beta-binomial with the wider level's rate as prior), and never falling in the share (pool adjacent violators). Memory is bounded;
 * learning costs O(1), a probability O(1) after the first of a changed source (O(bins)).
 */
export class AgreementCalibration {
  readonly #sources = new Map<string, Cells>()
  #learned = 0

  /** Loads what `save` gave. Throws `BursarError` (`invalid_configuration`) for anything else. */
  static load(saved: unknown): AgreementCalibration {
    const calibration = new AgreementCalibration()
    if (!isSaved(saved))
      throw new BursarError('This is no saved calibration of agreement of this version.', { code: 'invalid_configuration', status: 500 })
    for (const [key, { right, total }] of Object.entries(saved.cells))
      calibration.#sources.set(key, { right: Float64Array.from(right), total: Float64Array.from(total), curve: undefined, fittedAt: -1 })
    return calibration
  }

  save(): SavedCalibration {
    return {
      version: 1,
      cells: Object.fromEntries([...this.#sources].map(([key, { right, total }]) => [key, { right: [...right], total: [...total] }])),
    }
  }

  /**
   * Learns that the winner of a pool was right (1), wrong (0), or in between. Throws `RangeError`, and learns nothing, for numbers that aren't
   * finite or are out of their range.
   */
  learn(source: AgreementSource, state: PoolState, right: number, weight = 1): void {
    if (!(
      right >= 0 &&
      right <= 1 &&
      weight >= 0 &&
      weight < Infinity &&
      state.top >= 0 &&
      state.top <= state.total * (1 + 1e-9) &&
      state.total < Infinity
    ))
      throw new RangeError('an outcome lies in [0, 1], and a pool has at least 0 votes, the winner no more than all')
    const place = (agreementScore(state) - LEAST) / WIDTH
    const bin = Math.min(BINS - 1, Math.max(0, Math.round(place)))
    for (const key of keysOf(source)) {
      const cells = this.#cells(key)
      cells.right[bin] = (cells.right[bin] ?? 0) + weight * right
      cells.total[bin] = (cells.total[bin] ?? 0) + weight
    }
    // A wider level's curve is every narrower one's prior: all are to be fitted anew, when they are asked for.
    this.#learned++
  }

  /** Probability that the pool's winner is right; `null` while too little was learned of anything. Never falls in the winner's share. */
  probability(source: AgreementSource, state: PoolState): number | null {
    const root = this.#sources.get('')
    if (root === undefined || sum(root.total) < LEAST_OUTCOMES || !(state.top > 0)) return null
    let curve = this.#curve('', priorCurve)
    for (const key of keysOf(source).slice(1)) curve = this.#curve(key, curve)
    return curveAt(curve, agreementScore(state))
  }

  /** Outcomes learned of exactly this source. */
  support(source: AgreementSource): number {
    const cells = this.#sources.get(keysOf(source).at(-1) ?? '')
    return cells === undefined ? 0 : sum(cells.total)
  }

  #cells(key: string): Cells {
    const known = this.#sources.get(key)
    if (known) {
      this.#sources.delete(key)
      this.#sources.set(key, known)
      return known
    }
    const cells = { right: new Float64Array(BINS), total: new Float64Array(BINS), curve: undefined, fittedAt: -1 }
    this.#sources.set(key, cells)
    if (this.#sources.size > MOST_SOURCES)
      for (const oldest of this.#sources.keys()) if (oldest !== '') return (this.#sources.delete(oldest), cells)
    return cells
  }

  #curve(key: string, prior: MonotoneCurve): MonotoneCurve {
    const cells = this.#sources.get(key)
    if (cells === undefined) return prior
    if (cells.curve && cells.fittedAt === this.#learned) return cells.curve
    cells.fittedAt = this.#learned
    const believed = centres.map((centre) => curveAt(prior, centre))
    const rates = believed.map((belief, bin) => ((cells.right[bin] ?? 0) + SHRINKAGE * belief) / ((cells.total[bin] ?? 0) + SHRINKAGE))
    const weights = believed.map((_, bin) => (cells.total[bin] ?? 0) + SHRINKAGE)
    return (cells.curve = { x: centres, y: poolAdjacent(rates, weights) })
  }
}

const centres = Array.from({ length: BINS }, (_, bin) => LEAST + bin * WIDTH)
/** Before anything is learned: agreement says something, but not all. */
const priorCurve: MonotoneCurve = { x: centres, y: centres.map((centre) => 0.15 + 0.75 / (1 + Math.exp(-0.7 * centre))) }

/** From the widest level to the narrowest. */
function keysOf({ arm, category }: AgreementSource): readonly string[] {
  const own = `a\0${arm}`
  return category === undefined ? ['', own] : ['', own, `${own}\0${category}`]
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}

function isSaved(value: unknown): value is SavedCalibration {
  if (
    typeof value !== 'object' ||
    value === null ||
    !('version' in value) ||
    value.version !== 1 ||
    !('cells' in value) ||
    typeof value.cells !== 'object' ||
    value.cells === null
  )
    return false
  const list = (numbers: unknown): numbers is readonly number[] =>
    Array.isArray(numbers) &&
    numbers.length === BINS &&
    numbers.every((number) => typeof number === 'number' && number >= 0 && number < Infinity)
  return Object.values(value.cells).every(
    (cells: unknown) =>
      typeof cells === 'object' && cells !== null && 'right' in cells && 'total' in cells && list(cells.right) && list(cells.total),
  )
}

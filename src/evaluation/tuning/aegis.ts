import { normalDraw, shuffled, type Random } from '../../statistics/index.js'
import { GaussianProcess, type GpParameters, type Point } from './gaussian-process.js'

/**
 * Looks for the least of a function whose values come one by one, in any order, while others are still being computed. Points lie in
 * the unit cube.
 */
export interface Optimiser {
  /** The next point to try. */
  ask(): Point
  /** What came of a point that was asked for. Throws `RangeError` for what isn't finite. */
  tell(point: Point, value: number): void
}

export interface AegisOptions {
  readonly dimensions: number
  /** q, points that are computed at the same time. */
  readonly workers: number
  readonly random: Random
  /** Share of the exploring proposals that are Thompson samples; 0.5 in the paper. */
  readonly thompsonShare?: number | undefined
  /** ε; min(0.5, 1/√max(d, 4)) when absent. 0.5 never exploits. */
  readonly epsilon?: number | undefined
}

/**
 * AEGiS (105; De Ath, Everson and Fieldsend, Asynchronous ε-greedy Bayesian optimisation, 2021), as specified (reconstructed from the
 * authors' code): a Gaussian process over what is known; for a free worker with probability 1 - 2ε the least of its mean, else a
 * Thompson sample's least or a random member of the Pareto front of (mean, variance). Points under way need no invented values. It
 * begins with 2·d points of a Latin hypercube. Values should be of similar worth: they are standardised, outliers below aren't cut.
 * O(n³) a fit, made anew as n grows by a tenth.
 */
export function aegis({
  dimensions,
  workers,
  random,
  thompsonShare = 0.5,
  epsilon = Math.min(0.5, 1 / Math.sqrt(Math.max(dimensions, 4))),
}: AegisOptions): Optimiser {
  if (!(dimensions >= 1) || !(workers >= 1)) throw new RangeError('an optimiser needs a dimension and a worker')
  const first = latinHypercube(2 * dimensions, dimensions, random)
  const points: Point[] = []
  const values: number[] = []
  let parameters: GpParameters | undefined
  let fittedAt = 0
  let proposals = 0
  const model = (): GaussianProcess => {
    if (parameters !== undefined && points.length < fittedAt * 1.1 + 1) return GaussianProcess.with(points, values, parameters)
    const fitted = GaussianProcess.fit(points, values, parameters, parameters === undefined ? 12 : 3)
    ;[parameters, fittedAt] = [fitted.parameters, points.length]
    return fitted
  }
  return {
    ask() {
      const next = first.shift()
      if (next) return next
      if (points.length < 2) return randomPoint(dimensions, random)
      const process = model()
      const t = proposals++
      const best = points[values.indexOf(Math.min(...values))] ?? randomPoint(dimensions, random)
      if ((t === 0 && epsilon < 0.5) || (t > workers && random.next() < 1 - 2 * epsilon))
        return leastOf((point) => process.mean(point), best, dimensions, random)
      if (random.next() < thompsonShare) return leastOf(process.samplePath(random), best, dimensions, random)
      return paretoPick(process, best, dimensions, random)
    },
    tell(point, value) {
      if (!Number.isFinite(value)) throw new RangeError(`a value is a finite number, not ${value}`)
      points.push(point)
      values.push(value)
    },
  }
}

/** Thompson sampling alone, asynchronous (Kandasamy et al. 2018): what AEGiS is held against. */
export function thompson(options: Omit<AegisOptions, 'thompsonShare' | 'epsilon'>): Optimiser {
  return aegis({ ...options, thompsonShare: 1, epsilon: 0.5 })
}

/** Points at random: the least that any way must beat. */
export function randomSearch({ dimensions, random }: Pick<AegisOptions, 'dimensions' | 'random'>): Optimiser {
  return { ask: () => randomPoint(dimensions, random), tell: () => undefined }
}

/** Candidates over the cube and about the best point known, the best few of which are then walked downhill with shrinking random steps. */
function leastOf(value: (point: Point) => number, best: Point, dimensions: number, random: Random): Point {
  const candidates = candidatesAbout(best, dimensions, random, 100 * dimensions).map((point) => ({ point, value: value(point) }))
  candidates.sort((a, b) => a.value - b.value)
  let least = candidates[0]
  for (const start of candidates.slice(0, 3)) {
    let here = start
    let step = 0.1
    for (let turn = 0; turn < 25 * dimensions; turn++) {
      const point = near(here.point, step, random)
      const there = { point, value: value(point) }
      if (there.value < here.value) here = there
      else step = Math.max(1e-4, step * 0.93)
    }
    if (!least || here.value < least.value) least = here
  }
  return least?.point ?? best
}

/** A random one of those candidates of which none has both a lower mean and a higher variance. */
function paretoPick(process: GaussianProcess, best: Point, dimensions: number, random: Random): Point {
  const known = candidatesAbout(best, dimensions, random, 20 * dimensions).map((point) => ({
    point,
    mean: process.mean(point),
    variance: process.variance(point),
  }))
  known.sort((a, b) => a.mean - b.mean)
  let most = -Infinity
  const front = known.filter(({ variance }) => variance > most && ((most = variance), true))
  return front[Math.floor(random.next() * front.length)]?.point ?? randomPoint(dimensions, random)
}

function candidatesAbout(best: Point, dimensions: number, random: Random, count: number): Point[] {
  return Array.from({ length: count }, (_, index) => (index % 4 === 0 ? near(best, 0.05, random) : randomPoint(dimensions, random)))
}

function near(point: Point, step: number, random: Random): Point {
  return point.map((value) => Math.min(1, Math.max(0, value + step * normalDraw(random))))
}

function randomPoint(dimensions: number, random: Random): Point {
  return Array.from({ length: dimensions }, () => random.next())
}

/** Points of which each dimension has one in each of `count` equal strips. */
export function latinHypercube(count: number, dimensions: number, random: Random): Point[] {
  const strips = Array.from({ length: dimensions }, () => shuffled(count, random))
  return Array.from({ length: count }, (_, index) => strips.map((order) => ((order[index] ?? 0) + random.next()) / count))
}

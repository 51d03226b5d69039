import { childRandom, quantile, type Interval } from '../../../statistics/index.js'
import { leastSquares } from '../fitting/least-squares.js'
import { curvePoints, type LossPoint } from './loss-curve.js'

/**
 * The rectified scaling law of fine-tuning (Lin et al. 2024, paper 089): L(D) = B / (D_l + D^β) + E. D: training examples; D_l: how
 * many the pre-training was worth (to the power of β); E: the loss that no data removes. Until D^β reaches D_l the loss falls slowly
 * (the pre-power phase), then as a power of D.
 */
export interface RectifiedLaw {
  readonly B: number
  /** Pre-learned data size, D_l. */
  readonly preLearned: number
  readonly beta: number
  readonly E: number
}

export interface RectifiedFit {
  readonly law: RectifiedLaw
  /** Root of the mean squared residual of ln L over the fitted points: what the paper's figure 3 tells. */
  readonly rootMeanSquare: number
  /** ln A, ln E, β, B': see `logistic`. */
  readonly parameters: readonly number[]
  readonly points: readonly LossPoint[]
}

/** The fitted loss at so many examples. O(1). */
export function lossAt({ B, preLearned, beta, E }: RectifiedLaw, examples: number): number {
  return B / (preLearned + examples ** beta) + E
}

/**
 * The same law as the authors' code writes it: (A − E)/(1 + e^{β ln D + B'}) + E, with A = E + B/D_l the loss without data and B' = −ln
 * D_l. ln A and ln E as parameters keep both above 0. Overflow of the exponential gives E, as it should.
 */
export function logistic([lnA = 0, lnE = 0, beta = 0, shift = 0]: readonly number[], lnD: number): number {
  const E = Math.exp(lnE)
  return (Math.exp(lnA) - E) / (1 + Math.exp(beta * lnD + shift)) + E
}

export function lawOf([lnA = 0, lnE = 0, beta = 0, shift = 0]: readonly number[]): RectifiedLaw {
  const preLearned = Math.exp(-shift)
  return { B: (Math.exp(lnA) - Math.exp(lnE)) * preLearned, preLearned, beta, E: Math.exp(lnE) }
}

/**
 * Fits the law in log loss. As the authors do: alternating least squares on a surrogate first (auxiliary Z ≈ e^{β ln D + B'}), then A
 * and E again; from several starts; then all four together by least squares, which the authors leave out. Points without examples are
 * left out. Throws `InvalidRequest` for fewer than 4 points. O(starts × rounds × points).
 */
export function fitRectifiedLaw(points: readonly LossPoint[], path = 'points'): RectifiedFit {
  const sorted = curvePoints(points, 4, path)
  const x = sorted.map(({ examples }) => Math.log(examples))
  const y = sorted.map(({ loss }) => Math.log(loss))
  const residuals = (parameters: readonly number[]) => x.map((lnD, at) => Math.log(logistic(parameters, lnD)) - (y[at] ?? 0))
  let best: { readonly parameters: readonly number[]; readonly loss: number } | undefined
  for (const start of startsOf(x, y)) {
    const surrogate = alternating(x, y, start)
    for (const from of [start, surrogate]) {
      const fit = leastSquares(residuals, from)
      if ((fit.parameters[0] ?? 0) > (fit.parameters[1] ?? 0) && (fit.parameters[2] ?? 0) > 0 && (!best || fit.loss < best.loss)) best = fit
    }
  }
  // A rising or flat curve fits no falling law: the start closest to it is kept.
  const parameters = best?.parameters ?? startsOf(x, y)[0] ?? []
  const loss = residuals(parameters).reduce((sum, residual) => sum + residual * residual, 0)
  return { law: lawOf(parameters), rootMeanSquare: Math.sqrt(loss / x.length), parameters, points: sorted }
}

/**
 * The loss at so many examples with an interval: residual bootstrap. Residuals, widened by √(n/(n − 4)) for the four fitted parameters,
 * are drawn anew onto the curve, and the law is fitted again from where it stood; one more residual is added for what a new measurement
 * scatters. It knows nothing of the law being wrong, so far beyond the largest subset it is too narrow (`npm run bench:prediction`
 * prints its coverage). With 4 points there is no residual to draw: 0 to infinity. O(draws × rounds × points).
 */
export function predictLoss(
  { law, parameters, points }: RectifiedFit,
  examples: number,
  { level = 0.95, draws = 200, seed = 1 }: { readonly level?: number; readonly draws?: number; readonly seed?: number } = {},
): Interval {
  const value = lossAt(law, examples)
  const n = points.length
  const method = `residual bootstrap, ${draws} draws, ${Math.round(level * 100)} %`
  if (n <= 4) return { value, low: 0, high: Infinity, n, method }
  const random = childRandom(seed, 'rectified law')
  const x = points.map((point) => Math.log(point.examples))
  const fitted = x.map((lnD) => Math.log(logistic(parameters, lnD)))
  const scale = Math.sqrt(n / (n - 4))
  const residuals = points.map(({ loss }, at) => scale * (Math.log(loss) - (fitted[at] ?? 0)))
  const draw = () => residuals[Math.floor(random.next() * n)] ?? 0
  const lnD = Math.log(examples)
  const values = Array.from({ length: draws }, () => {
    const y = fitted.map((one) => one + draw())
    const again = leastSquares((tried) => x.map((one, at) => Math.log(logistic(tried, one)) - (y[at] ?? 0)), parameters, { rounds: 12 })
    return logistic(again.parameters, lnD) * Math.exp(draw())
  }).filter(Number.isFinite)
  return {
    value,
    low: Math.min(value, quantile(values, (1 - level) / 2)),
    high: Math.max(value, quantile(values, (1 + level) / 2)),
    n,
    method,
  }
}

/** Three beginnings: the slow phase ends before, amid, or after the points, with E ever further below them. */
function startsOf(x: readonly number[], y: readonly number[]): number[][] {
  const [first = 0, last = 1] = [x[0], x.at(-1)]
  const [top, bottom] = [Math.max(...y), Math.min(...y)]
  const beta = 0.5
  return [
    [0, 0.3],
    [0.5, 0.6],
    [1, 2],
  ].map(([share = 0, below = 1]) => [
    top + 0.02,
    bottom - below * Math.max(0.05, top - bottom),
    beta,
    -beta * (first + share * (last - first)),
  ])
}

/**
 * The authors' surrogate: min over Z of (ln(A + E Z) − ln(1 + Z) − y)² + (ln Z − β x − B')², by turns: each ln Z by damped Newton steps
 * given the rest, β and B' by a line through ln Z, A and E by least squares given Z.
 */
function alternating(x: readonly number[], y: readonly number[], start: readonly number[]): number[] {
  let [lnA = 0, lnE = 0, beta = 0, shift = 0] = start
  let lnZ = x.map((value) => beta * value + shift)
  for (let turn = 0; turn < 12; turn++) {
    lnZ = lnZ.map((value, at) => {
      const { parameters } = leastSquares(
        ([z = 0]) => [Math.log(logistic([lnA, lnE, 1, 0], z)) - (y[at] ?? 0), z - beta * (x[at] ?? 0) - shift],
        [value],
        { rounds: 3 },
      )
      return parameters[0] ?? value
    })
    const meanX = x.reduce((sum, value) => sum + value, 0) / x.length
    const meanZ = lnZ.reduce((sum, value) => sum + value, 0) / x.length
    const spread = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0)
    beta = Math.max(1e-3, x.reduce((sum, value, at) => sum + (value - meanX) * ((lnZ[at] ?? 0) - meanZ), 0) / spread)
    shift = meanZ - beta * meanX
    const fit = leastSquares(
      (pair) => lnZ.map((z, at) => Math.log(logistic([pair[0] ?? 0, pair[1] ?? 0, 1, 0], z)) - (y[at] ?? 0)),
      [lnA, lnE],
      { rounds: 5 },
    )
    ;[lnA = lnA, lnE = lnE] = fit.parameters
  }
  return [lnA, lnE, beta, shift]
}

import { childRandom } from '../../../statistics/index.js'
import { leastSquares } from '../fitting/least-squares.js'
import { curvePoints, type LossPoint } from './loss-curve.js'

/**
 * The law of pre-training that fine-tuning breaks: L(D) = (1/(B·D^β) + E)^α, the baseline of the paper (089) as its authors' code
 * writes it.
 */
export interface VanillaFit {
  /** α, B, β, E of the formula. */
  readonly parameters: readonly number[]
  /** Root of the mean squared residual of ln L. */
  readonly rootMeanSquare: number
}

/** The fitted loss at so many examples. */
export function vanillaLossAt([alpha = 1, B = 1, beta = 0, E = 0]: readonly number[], examples: number): number {
  return (1 / (B * examples ** beta) + Math.abs(E)) ** alpha
}

/**
 * Huber's loss with δ = 10⁻³ in log loss, from ten seeded starts in [0, 1)⁴, as the authors do. Throws `InvalidRequest` for fewer than
 * 4 points.
 */
export function fitVanillaLaw(points: readonly LossPoint[], seed = 1): VanillaFit {
  const sorted = curvePoints(points, 4)
  const residuals = (parameters: readonly number[]) =>
    sorted.map(({ examples, loss }) => Math.log(vanillaLossAt(parameters, examples)) - Math.log(loss))
  const random = childRandom(seed, 'starts of the vanilla law')
  let best: { readonly parameters: readonly number[]; readonly loss: number } | undefined
  for (let start = 0; start < 10; start++) {
    const fit = leastSquares(residuals, [random.next(), random.next(), random.next(), random.next()], { huber: 1e-3 })
    if (!best || fit.loss < best.loss) best = fit
  }
  const parameters = best?.parameters ?? []
  return {
    parameters,
    rootMeanSquare: Math.sqrt(residuals(parameters).reduce((sum, residual) => sum + residual * residual, 0) / sorted.length),
  }
}

import { cholesky, solveByRoot } from './symmetric.js'

export interface LeastSquares {
  readonly parameters: readonly number[]
  /** Σ r², or Σ ρ(r) where `huber` is given. */
  readonly loss: number
  /** JᵀJ at the parameters, weighted as the loss weighs: its inverse times the variance of a residual is their covariance. */
  readonly information: readonly (readonly number[])[]
  readonly rounds: number
}

export interface LeastSquaresOptions {
  readonly rounds?: number
  /** δ of Huber's loss: ρ(r) = r²/2 within δ, δ(|r| − δ/2) beyond. Absent: r². */
  readonly huber?: number
}

/**
 * Levenberg and Marquardt's method with central differences, and reweighting for Huber's loss. Steps that worsen the loss are never
 * taken, so the outcome is no worse than the start; parameters at which a residual isn't finite are avoided. O(rounds × parameters ×
 * residuals).
 */
export function leastSquares(
  residuals: (parameters: readonly number[]) => readonly number[],
  start: readonly number[],
  { rounds = 200, huber }: LeastSquaresOptions = {},
): LeastSquares {
  let parameters = [...start]
  let current = residuals(parameters)
  let loss = lossOf(current, huber)
  let damping = 1e-3
  let information: number[][] = []
  let round = 0
  for (; round < rounds; round++) {
    const slopes = slopesOf(residuals, parameters)
    const weights = current.map((residual) => (huber === undefined ? 1 : Math.min(1, huber / Math.max(1e-300, Math.abs(residual)))))
    information = slopes.map((left) =>
      slopes.map((right) => left.reduce((sum, value, at) => sum + (weights[at] ?? 1) * value * (right[at] ?? 0), 0)),
    )
    const gradient = slopes.map((slope) => slope.reduce((sum, value, at) => sum + (weights[at] ?? 1) * value * (current[at] ?? 0), 0))
    let gain = 0
    while (damping < 1e12) {
      const damped = information.map((row, i) => row.map((value, j) => (i === j ? value + damping * Math.max(value, 1e-12) : value)))
      const root = cholesky(damped)
      const next = root && parameters.map((value, at) => value - (solveByRoot(root, gradient)[at] ?? 0))
      const tried = next ? residuals(next) : []
      const lossThere = next ? lossOf(tried, huber) : NaN
      if (next && lossThere < loss) {
        gain = (loss - lossThere) / Math.max(loss, 1e-300)
        parameters = next
        current = tried
        loss = lossThere
        damping = Math.max(1e-12, damping / 10)
        break
      }
      damping *= 10
    }
    if (gain < 1e-10) break
  }
  return { parameters, loss, information, rounds: round }
}

function lossOf(residuals: readonly number[], huber: number | undefined): number {
  const sum = residuals.reduce((total, residual) => {
    const size = Math.abs(residual)
    return total + (huber === undefined ? size * size : size < huber ? (size * size) / 2 : huber * (size - huber / 2))
  }, 0)
  return Number.isFinite(sum) ? sum : Infinity
}

/** Slopes of all residuals by each parameter. */
function slopesOf(residuals: (parameters: readonly number[]) => readonly number[], parameters: readonly number[]): number[][] {
  return parameters.map((value, at) => {
    const step = 1e-6 * Math.max(1, Math.abs(value))
    const up = residuals(parameters.with(at, value + step))
    const down = residuals(parameters.with(at, value - step))
    return up.map((one, index) => {
      const slope = (one - (down[index] ?? NaN)) / (2 * step)
      return Number.isFinite(slope) ? slope : 0
    })
  })
}

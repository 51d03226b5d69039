/** Probabilities of a yes, each with what came: 1 or 0 (or a share). `weight` is 1 when absent. */
export interface Forecast {
  readonly probability: number
  readonly outcome: number
  readonly weight?: number | undefined
}

/** Mean squared error of probabilities (Brier 1950): 0 is best, 0.25 is what "½" gets. `NaN` of none. O(n). */
export function brierScore(forecasts: readonly Forecast[]): number {
  let [sum, total] = [0, 0]
  for (const { probability, outcome, weight = 1 } of forecasts) {
    sum += weight * (probability - outcome) ** 2
    total += weight
  }
  return sum / total
}

/**
 * How far probabilities lie from what came, on average (expected calibration error; Naeini et al. 2015), in bins that hold equally many. Of
 * few forecasts it is never near 0, even for perfect probabilities: compare it only with others on the same rows. `NaN` of none. O(n
 * log n).
 */
export function calibrationError(forecasts: readonly Forecast[], bins = 10): number {
  const sorted = [...forecasts].sort((a, b) => a.probability - b.probability)
  const total = sorted.reduce((sum, { weight = 1 }) => sum + weight, 0)
  let [error, from] = [0, 0]
  for (let bin = 1; bin <= bins; bin++) {
    const to = Math.round((bin * sorted.length) / bins)
    const gap = sorted.slice(from, to).reduce((sum, { probability, outcome, weight = 1 }) => sum + weight * (probability - outcome), 0)
    error += Math.abs(gap)
    from = to
  }
  return error / total
}

/** `1 / (1 + e^(−(slope · score + intercept)))`. */
export interface PlattCurve {
  readonly slope: number
  readonly intercept: number
}

/**
 * Turns scores into probabilities by a logistic curve (Platt 1999, with his targets that keep it from certainty; Newton's method after
 * Lin, Lin and Weng 2007). Throws `RangeError` for no forecasts and numbers that aren't finite. O(n) a step, at most 50 steps.
 */
export function fitPlatt(
  scores: readonly { readonly score: number; readonly outcome: number; readonly weight?: number | undefined }[],
): PlattCurve {
  if (
    scores.length === 0 ||
    scores.some(({ score, outcome, weight = 1 }) => !Number.isFinite(score * outcome * weight) || weight < 0 || outcome < 0 || outcome > 1)
  )
    throw new RangeError('a logistic calibration needs finite scores, outcomes in [0, 1] and weights of at least 0')
  let [yes, no] = [0, 0]
  for (const { outcome, weight = 1 } of scores) [yes, no] = [yes + weight * outcome, no + weight * (1 - outcome)]
  const [high, low] = [(yes + 1) / (yes + 2), 1 / (no + 2)]
  let [slope, intercept] = [0, Math.log((yes + 1) / (no + 1))]
  const loss = (a: number, b: number): number =>
    scores.reduce(
      (sum, { score, outcome, weight = 1 }) => {
        const margin = a * score + b
        const target = low + (high - low) * outcome
        // ln(1 + e^m) − t·m without overflow.
        return sum + weight * (Math.max(margin, 0) + Math.log1p(Math.exp(-Math.abs(margin))) - target * margin)
      },
      1e-6 * a * a,
    )
  let current = loss(slope, intercept)
  for (let round = 0; round < 50; round++) {
    let [ga, gb, haa, hab, hbb] = [2e-6 * slope, 0, 2e-6, 0, 1e-9]
    for (const { score, outcome, weight = 1 } of scores) {
      const p = logistic(slope * score + intercept)
      const error = weight * (p - (low + (high - low) * outcome))
      const curvature = weight * p * (1 - p)
      ;[ga, gb, haa, hab, hbb] = [ga + error * score, gb + error, haa + curvature * score * score, hab + curvature * score, hbb + curvature]
    }
    const determinant = haa * hbb - hab * hab
    if (!(determinant > 0)) break
    const [da, db] = [(hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant]
    let step = 1
    while (step > 1e-6 && loss(slope - step * da, intercept - step * db) > current) step /= 2
    if (step <= 1e-6) break
    ;[slope, intercept] = [slope - step * da, intercept - step * db]
    const next = loss(slope, intercept)
    if (current - next < 1e-10) break
    current = next
  }
  return { slope, intercept }
}

/** The probability that the curve gives a score. */
export function plattAt({ slope, intercept }: PlattCurve, score: number): number {
  return logistic(slope * score + intercept)
}

function logistic(margin: number): number {
  return margin >= 0 ? 1 / (1 + Math.exp(-margin)) : Math.exp(margin) / (1 + Math.exp(margin))
}

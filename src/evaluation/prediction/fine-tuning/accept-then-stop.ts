import { mean, studentQuantile, type Interval } from '../../../statistics/index.js'
import { fitLine } from '../../scorecard/fit-line.js'
import { curvePoints, type LossPoint } from './loss-curve.js'

export interface AcceptThenStopOptions {
  /** k: so many of the largest subsets are accepted unseen. 3 in the paper. */
  readonly first?: number
  /** δ: a smaller subset is accepted while its standardised residual is at most this. 5 in the paper. */
  readonly tolerance?: number
}

export interface AcceptedLine {
  /** ln L = intercept + slope · ln D over the accepted points. */
  readonly slope: number
  readonly intercept: number
  /** Subsets of the power phase, by rising size. */
  readonly accepted: readonly LossPoint[]
}

/**
 * Accept-then-Stop (Lin et al. 2024, algorithm 1; paper 089): from the largest subsets down, points are accepted while they lie on the
 * line through those accepted so far, |residual| / standard deviation of the line's residuals ≤ δ; the first that doesn't is taken for
 * the end of the slow phase. The deviation divides by the number of points, as in the authors' code; and as there, once even the
 * smallest subset is taken as a candidate only the points before it make the line. Throws `InvalidRequest` for fewer than 2 points.
 * O(points²).
 */
export function acceptThenStop(
  points: readonly LossPoint[],
  { first = 3, tolerance = 5 }: AcceptThenStopOptions = {},
  path = 'points',
): AcceptedLine {
  const sorted = curvePoints(points, 2, path)
  const logs = sorted.map(({ examples, loss }) => ({ x: Math.log(examples), y: Math.log(loss) }))
  let count = Math.min(first, sorted.length)
  if (sorted.length > first) {
    for (count = first; count < sorted.length - 1; count++) {
      const line = lineOf(logs.slice(-count))
      const deviation = Math.sqrt(mean(logs.slice(-count).map(({ x, y }) => (y - line.intercept - line.slope * x) ** 2)))
      const next = logs[logs.length - count - 1]
      if (next && Math.abs(next.y - line.intercept - line.slope * next.x) / deviation > tolerance) break
    }
  }
  return { ...lineOf(logs.slice(-count)), accepted: sorted.slice(-count) }
}

/**
 * The loss at so many examples by the accepted line, with the prediction interval of a line's new point (Student's t). With two
 * accepted points there is nothing to tell the spread by: the interval is infinite above and 0 below.
 */
export function lineLossAt({ slope, intercept, accepted }: AcceptedLine, examples: number, level = 0.95): Interval {
  const at = Math.log(examples)
  const x = accepted.map((point) => Math.log(point.examples))
  const centre = mean(x)
  const spread = x.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  const freedom = accepted.length - 2
  const squares = accepted.reduce((sum, point, index) => sum + (Math.log(point.loss) - intercept - slope * (x[index] ?? 0)) ** 2, 0)
  const reach =
    freedom < 1
      ? Infinity
      : studentQuantile((1 + level) / 2, freedom) * Math.sqrt((squares / freedom) * (1 + 1 / accepted.length + (at - centre) ** 2 / spread))
  const value = intercept + slope * at
  return {
    value: Math.exp(value),
    low: Math.exp(value - reach),
    high: Math.exp(value + reach),
    n: accepted.length,
    method: `line in logarithms, Student's t, ${Math.round(level * 100)} %`,
  }
}

function lineOf(points: readonly { readonly x: number; readonly y: number }[]): { readonly slope: number; readonly intercept: number } {
  return fitLine(points) ?? { slope: 0, intercept: mean(points.map(({ y }) => y)) }
}

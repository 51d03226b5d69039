import type { Interval } from '../../statistics/index.js'
import type { Comparison } from './comparison.js'

/** Whether a policy keeps the reference's quality to within a margin. */
export type Verdict =
  | { readonly verdict: 'proven'; readonly difference: Interval; readonly margin: number }
  /** `more`: about so many further requests, were the difference exactly 0; `Infinity` where no number would do. */
  | { readonly verdict: 'not yet'; readonly difference: Interval; readonly margin: number; readonly more: number }
  | { readonly verdict: 'worse'; readonly difference: Interval; readonly margin: number }

/**
 * Non-inferiority at the operator's margin (in points of quality, 0.02 is two of a hundred): proven when the whole interval lies above
 * -margin, worse when all of it lies below. It may be asked after every request and acted on: the interval holds at every look. Throws
 * `RangeError` for a margin that isn't above 0.
 */
export function nonInferiority(quality: Comparison, margin: number): Verdict {
  if (!(margin > 0)) throw new RangeError('a margin of non-inferiority is above 0')
  const difference = quality.intervalAt(margin)
  if (difference.low > -margin) return { verdict: 'proven', difference, margin }
  if (difference.high < -margin) return { verdict: 'worse', difference, margin }
  // As far as the estimate itself is above the margin; where it is below, as if there were no difference.
  const room = Number.isFinite(difference.value) && difference.value > -margin ? difference.value + margin : margin
  return { verdict: 'not yet', difference, margin, more: quality.requestsUntil(Math.min(room, margin)) }
}

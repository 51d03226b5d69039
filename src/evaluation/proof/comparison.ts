import { ConfidenceSequence, doublyRobustScore, type Interval } from '../../statistics/index.js'
import { OnlineBaseline } from './online-baseline.js'

/** One request of the experiment: what was done with it, with which probability, and what came of it. */
export interface Trial {
  /** Whether the reference arm answered (held out), or whatever the policy chose. */
  readonly heldOut: boolean
  /** Probability with which this request was to be held out, known before it was drawn; in (0, 1). */
  readonly holdout: number
  /** What came of it: quality in [0, 1], or an amount of dollars, seconds, joules. */
  readonly outcome: number
  /** What a predictor expected of both, before; any number: how much to believe it is learned on the way. */
  readonly expectedOfPolicy?: number | undefined
  readonly expectedOfReference?: number | undefined
  /** Requests of one stratum (category, route) share a baseline. */
  readonly stratum?: string | undefined
}

/** A judge's word on a trial, and a person's where one was asked. */
export interface Judgement {
  readonly judged: number
  /** Probability with which a person was asked, known before; in (0, 1]. */
  readonly labelShare: number
  /** Absent where no person was asked. */
  readonly label?: number | undefined
}

/**
 * The quality of an answer, from a judge of unknown bias: f + 1[asked]/π · (Y - f). Its mean is that of people's labels, whatever the judge is worth
 * (prediction-powered inference as an estimate of every single item, so that it may go into a sequence). Throws `RangeError` for a share outside (0, 1].
 */
export function correctedQuality({ judged, labelShare, label }: Judgement): number {
  return doublyRobustScore({ propensity: labelShare, target: label === undefined ? 0 : 1, reward: label ?? judged, expected: judged, expectedOfTarget: judged })
}

/**
 * Policy less reference, from traffic of which a random share is held out to the reference arm. Each request contributes a doubly robust score, so
 * its mean is the difference whatever the predictor is worth; a good predictor narrows the interval. The baselines are learned only from requests
 * before, so scores stay fair while the policy learns and the traffic drifts; the interval then holds the mean difference over the traffic so far,
 * at every look (see `ConfidenceSequence`). O(1) a request; memory grows with strata, of which at most `maxStrata` are told apart.
 */
export class Comparison {
  private readonly difference: ConfidenceSequence
  private readonly policy = new OnlineBaseline()
  private readonly reference = new OnlineBaseline()
  private held = 0
  private readonly first: number
  private readonly range: number | undefined
  private least = Infinity
  private most = -Infinity

  /**
   * `tightAt`: requests about which the interval is narrowest. `first`: requests of the smaller group before which nothing is claimed. `range`: the
   * largest difference of two outcomes, where that is known (1 for quality); else that of those seen.
   */
  constructor({ level = 0.95, tightAt = 5_000, first = 50, range }: { readonly level?: number; readonly tightAt?: number; readonly first?: number; readonly range?: number } = {}) {
    this.first = first
    this.range = range
    this.difference = new ConfidenceSequence(level, tightAt, 2 * first)
  }

  get requests(): number {
    return this.difference.count
  }

  get heldOut(): number {
    return this.held
  }

  /** Throws `RangeError` for an outcome that isn't finite or a holdout outside (0, 1), and counts nothing then. */
  add({ heldOut, holdout, outcome, expectedOfPolicy, expectedOfReference, stratum }: Trial): void {
    if (!(holdout > 0 && holdout < 1)) throw new RangeError(`a holdout lies between 0 and 1, not at ${holdout}`)
    const policy = this.policy.expect(stratum, expectedOfPolicy)
    const reference = this.reference.expect(stratum, expectedOfReference)
    const treated = doublyRobustScore({ propensity: heldOut ? 1 : 1 - holdout, target: heldOut ? 0 : 1, reward: outcome, expected: policy, expectedOfTarget: policy })
    const untreated = doublyRobustScore({ propensity: heldOut ? holdout : 1, target: heldOut ? 1 : 0, reward: outcome, expected: reference, expectedOfTarget: reference })
    this.difference.add(treated - untreated)
    this.least = Math.min(this.least, outcome)
    this.most = Math.max(this.most, outcome)
    if (heldOut) {
      this.held += 1
      this.reference.learn(stratum, expectedOfReference, outcome)
    } else this.policy.learn(stratum, expectedOfPolicy, outcome)
  }

  /** Policy less reference: above 0 the policy gives (or takes) more. */
  interval(): Interval {
    const interval = this.difference.interval(this.unseenVariance())
    // Of a few requests of one kind not even the variance is known.
    return Math.min(this.held, this.requests - this.held) < this.first ? { ...interval, low: -Infinity, high: Infinity } : interval
  }

  /**
   * What is rare (a failure among a hundred) may not have been met yet in the smaller group, whose scores count most: two more outcomes there of the
   * whole range, as Agresti and Coull (1998) add two successes and two failures to a share.
   */
  private unseenVariance(): number {
    const smaller = Math.min(this.held, this.requests - this.held)
    const range = this.range ?? Math.max(0, this.most - this.least)
    return smaller === 0 ? 0 : (2 * range * range * this.requests) / (smaller * smaller)
  }

  /** Further requests after which, as things vary so far, half the width is `reach`. `Infinity` where it never will be. */
  requestsUntil(reach: number): number {
    return Math.max(0, this.difference.countFor(reach) - this.difference.count)
  }
}

import { doublyRobustScore, type Interval } from '../../statistics/index.js'
import { JudgeCurve } from './judge-curve.js'
import { OnlineBaseline, type Lesson } from './online-baseline.js'
import { UnitMoments } from './unit-moments.js'

/** One request of the experiment: what was done with it, with which probability, and what came of it. */
export interface Trial {
  /** Whether the reference arm answered (held out), or whatever the policy chose. */
  readonly heldOut: boolean
  /** Probability with which this request was to be held out, known before it was drawn; in (0, 1). */
  readonly holdout: number
  /** What came of it: quality in [0, 1], or an amount of dollars, seconds, joules. */
  readonly outcome: number
  /**
   * Probability with which somebody was to look at what came of it, known before; in (0, 1]; 1 unless given. The request counts for
   * 1/sought.
   */
  readonly sought?: number | undefined
  /**
   * Where the outcome is a judge's word: what a person says, and the probability with which a judge and a person were to look, known
   * before; in (0, sought].
   */
  readonly label?: { readonly score: number; readonly sought: number } | undefined
  /** What a predictor expected of both, before; any number: how much to believe it is learned on the way. */
  readonly expectedOfPolicy?: number | undefined
  readonly expectedOfReference?: number | undefined
  /** Requests of one stratum (category, route) share a baseline. */
  readonly stratum?: string | undefined
  /** True where the policy's arm is the reference: nothing can differ then, whatever was drawn. */
  readonly same?: boolean | undefined
  /** Requests that were drawn as one (a conversation) have the same text. Absent: drawn alone. */
  readonly unit?: string | undefined
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
 * The quality of an answer, from a judge of unknown bias: f + 1[asked]/π · (Y - f). Its mean is that of people's labels, whatever the
 * judge is worth (prediction-powered inference as an estimate of every single item, so that it may go into a sequence). Throws
 * `RangeError` for a share outside (0, 1].
 */
export function correctedQuality({ judged, labelShare, label }: Judgement): number {
  return doublyRobustScore({
    propensity: labelShare,
    target: label === undefined ? 0 : 1,
    reward: label ?? judged,
    expected: judged,
    expectedOfTarget: judged,
  })
}

export interface ComparisonOptions {
  /** 0.95 for intervals of 95 %. */
  readonly level?: number | undefined
  /** Units (requests or conversations) about which the interval is narrowest; 5,000. */
  readonly tightAt?: number | undefined
  /** Observed units of the smaller group before which nothing is claimed; 50. */
  readonly first?: number | undefined
  /** The largest difference of two outcomes, where that is known (1 for quality); else that of those seen. */
  readonly range?: number | undefined
}

/** Units of whom what was learned is known, so that it can be left out of what is expected of their next request. */
const mostRemembered = 10_000
/** Requests of one unit of which that is known. */
const mostLessons = 100

/**
 * Policy less reference, from traffic of which a random share is held out to the reference arm. Each request contributes a doubly
 * robust score, so its mean is the difference whatever the predictor is worth; a good predictor narrows the interval. With D = 1 for
 * the policy's answer, h the holdout, Y the outcome and m̂ what was to be expected, the score is m̂_P - m̂_R + D/(1-h)·(Y - m̂_P) -
 * (1-D)/h·(Y - m̂_R). Where Y is a judge's word f and people are asked with probability π about what the judge has looked at, f +
 * 1[asked]/π·(Y - f) stands for it. Where only a sample was looked at, with probability q, a request counts for 1/q and the mean is
 * over all that could have been looked at (Hájek). The score is 0 where the policy's arm is the reference. The baselines are learned
 * only from requests before that were not drawn together with this one, so scores stay fair while the policy learns and the traffic
 * drifts; the interval then holds the mean difference over the traffic so far, at every look, with conversations as its units (see
 * `UnitMoments`). O(1) a request, O(requests) in a conversation; memory grows with strata and with open conversations, of which the
 * newest 10,000 are told apart.
 */
export class Comparison {
  private readonly difference: UnitMoments
  private readonly policy = new OnlineBaseline()
  private readonly reference = new OnlineBaseline()
  private readonly people = new JudgeCurve()
  private readonly lessons = new Map<string, Lessons>()
  private readonly first: number
  private readonly range: number | undefined
  private held = 0
  private seen = { held: 0, other: 0, heldUnits: 0, otherUnits: 0 }
  private differing = 0
  private weights = { all: 0, differing: 0 }
  private labelled = 0
  private least = Infinity
  private most = -Infinity

  constructor({ level = 0.95, tightAt = 5_000, first = 50, range }: ComparisonOptions = {}) {
    this.first = first
    this.range = range
    this.difference = new UnitMoments(level, tightAt)
  }

  get requests(): number {
    return this.difference.requests
  }

  /** Conversations, and requests that were drawn alone. */
  get units(): number {
    return this.difference.units
  }

  get heldOut(): number {
    return this.held
  }

  /** Requests of which somebody saw what came of them, where the two could differ: of those held out, and of the others. */
  get observed(): { readonly heldOut: number; readonly policy: number } {
    return { heldOut: this.seen.held, policy: this.seen.other }
  }

  /** Requests whose outcome a person has labelled. */
  get labels(): number {
    return this.labelled
  }

  /** Throws `RangeError` for an outcome that isn't finite or a probability out of range, and counts nothing then. */
  add({ heldOut, holdout, outcome, sought = 1, label, expectedOfPolicy, expectedOfReference, stratum, same, unit }: Trial): void {
    if (!(holdout > 0 && holdout < 1)) throw new RangeError(`a holdout lies between 0 and 1, not at ${holdout}`)
    if (!(sought > 0 && sought <= 1)) throw new RangeError(`a probability lies in (0, 1], not at ${sought}`)
    if (!Number.isFinite(outcome)) throw new RangeError(`an outcome is a finite number, not ${outcome}`)
    if (same === true) {
      this.difference.add(0, unit, 1 / sought)
      this.weights.all += 1 / sought
      if (heldOut) this.held += 1
      return
    }
    const own = unit === undefined ? noLessons : (this.lessons.get(unit) ?? noLessons)
    const policy = this.policy.expectWithout(own.policy, stratum, expectedOfPolicy)
    const reference = this.reference.expectWithout(own.reference, stratum, expectedOfReference)
    const word = this.people.at(outcome)
    const quality =
      label === undefined ? word : correctedQuality({ judged: word, labelShare: Math.min(1, label.sought / sought), label: label.score })
    const treated = doublyRobustScore({
      propensity: heldOut ? 1 : 1 - holdout,
      target: heldOut ? 0 : 1,
      reward: quality,
      expected: policy,
      expectedOfTarget: policy,
    })
    const untreated = doublyRobustScore({
      propensity: heldOut ? holdout : 1,
      target: heldOut ? 1 : 0,
      reward: quality,
      expected: reference,
      expectedOfTarget: reference,
    })
    const isNew = this.difference.add(treated - untreated, unit, 1 / sought)
    this.differing += 1
    this.weights.all += 1 / sought
    this.weights.differing += 1 / sought
    if (heldOut) this.held += 1
    if (label !== undefined) {
      this.labelled += 1
      this.people.learn(outcome, label.score)
    }
    this.learn({ heldOut, outcome: word, stratum, unit, own, isNew, expected: heldOut ? expectedOfReference : expectedOfPolicy })
  }

  /** Policy less reference: above 0 the policy gives (or takes) more. Where the range is known, never beyond what could differ at most. */
  interval(): Interval {
    const interval = this.difference.interval(this.unseenVariance())
    const most = this.mostDifference
    const { low, high } = this.isEarly() ? { low: -Infinity, high: Infinity } : interval
    const within = (value: number) => Math.max(-most, Math.min(most, value))
    return { ...interval, value: within(interval.value), low: within(low), high: within(high) }
  }

  /**
   * The interval for a question about a margin: of too few requests it has no bounds, unless so few of them went to another arm than
   * the reference that no more than the margin can differ. So a bounded one always has something to say.
   */
  intervalAt(margin: number): Interval {
    const interval = this.interval()
    return this.isEarly() && !(this.mostDifference < margin) ? { ...interval, low: -Infinity, high: Infinity } : interval
  }

  /** Only where the policy's arm isn't the reference can anything differ, and there by no more than the range. */
  private get mostDifference(): number {
    const { all, differing } = this.weights
    return all === 0 || this.requests < 2 * this.first
      ? Infinity
      : differing === 0
        ? 0
        : this.range === undefined
          ? Infinity
          : (this.range * differing) / all
  }

  /**
   * An anytime-valid p-value of "the difference is `at`", on the side where the estimate lies: the least α at which an interval of
   * level 1 - α leaves it out.
   * 1 as long as nothing is claimed.
   */
  pValue(at: number): number {
    if (Math.abs(at) > this.mostDifference) return 0
    return this.isEarly() ? 1 : this.difference.pValue(at, this.unseenVariance())
  }

  /**
   * Further requests after which, as things vary so far, half the width is `reach`. `Infinity` where it never will be, or nothing is
   * known yet.
   */
  requestsUntil(reach: number): number {
    const { requests, seen } = this
    const least = Math.min(seen.heldUnits, seen.otherUnits)
    const forFirst = least >= this.first ? 0 : least === 0 ? Infinity : (requests * this.first) / least - requests
    if (this.difference.variance === 0) return Math.ceil(forFirst)
    return Math.ceil(Math.max(0, forFirst, this.difference.requestsFor(reach) - requests))
  }

  private learn({ heldOut, outcome, stratum, unit, own, isNew, expected }: Learning): void {
    this.least = Math.min(this.least, outcome)
    this.most = Math.max(this.most, outcome)
    const group = heldOut ? this.reference : this.policy
    const firstOfUnit = isNew || (heldOut ? own.reference : own.policy).length === 0
    if (heldOut) {
      this.seen.held += 1
      if (firstOfUnit) this.seen.heldUnits += 1
    } else {
      this.seen.other += 1
      if (firstOfUnit) this.seen.otherUnits += 1
    }
    const lesson = group.learn(stratum, expected, outcome)
    if (unit === undefined) return
    const known = own === noLessons ? { policy: [], reference: [] } : own
    const list = heldOut ? known.reference : known.policy
    list.push(lesson)
    if (list.length > mostLessons) list.shift()
    this.lessons.delete(unit)
    this.lessons.set(unit, known)
    for (const oldest of this.lessons.keys()) {
      if (this.lessons.size <= mostRemembered) break
      this.lessons.delete(oldest)
    }
  }

  /** Of a few requests of one kind not even the variance is known. Where nothing could ever differ nothing needs to be. */
  private isEarly(): boolean {
    if (this.differing === 0) return this.units < 2 * this.first
    return Math.min(this.seen.heldUnits, this.seen.otherUnits) < this.first
  }

  /**
   * What is rare (a failure among a hundred) may not have been met yet in the smaller group, whose scores count most: two more outcomes
   * there of the whole range, as Agresti and Coull (1998) add two successes and two failures to a share.
   */
  private unseenVariance(): number {
    const smaller = Math.min(this.seen.held, this.seen.other)
    const range = this.range ?? Math.max(0, this.most - this.least)
    return smaller === 0 ? 0 : (2 * (range * this.difference.meanWeight * this.differing) ** 2) / (smaller * smaller * this.units)
  }
}

interface Lessons {
  readonly policy: Lesson[]
  readonly reference: Lesson[]
}

const noLessons: Lessons = { policy: [], reference: [] }

interface Learning {
  readonly heldOut: boolean
  readonly outcome: number
  readonly stratum: string | undefined
  readonly unit: string | undefined
  readonly own: Lessons
  readonly isNew: boolean
  readonly expected: number | undefined
}

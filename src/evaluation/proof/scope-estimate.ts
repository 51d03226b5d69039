import type { TrialEvidence } from '../../ledger/index.js'
import { addMoney, toDollars, zeroMoney, type Money } from '../../quantities/index.js'
import type { Interval } from '../../statistics/index.js'
import { Comparison, type Trial } from './comparison.js'
import { evidenceKinds, type EvidenceKind } from './guardrail.js'
import type { QualityEvidence } from './quality-evidence.js'
import { UnitMoments } from './unit-moments.js'

/** What can be saved: dollars, seconds of latency, joules. */
export const amounts = ['usd', 'seconds', 'joules'] as const
export type Amount = (typeof amounts)[number]

/** What of one amount was saved on the requests that the policy answered; each number in the amount's own unit. */
export interface Saving {
  /** Per request: reference less policy; above 0 is saved. */
  readonly perRequest: Interval
  /** All requests that the policy answered: `perRequest` times their number. */
  readonly total: Interval
  /** What those requests took, as recorded. */
  readonly spent: number
  /** `total` as a share of what the reference would have taken, spent + total; `undefined` where that isn't above 0. */
  readonly share: Pick<Interval, 'value' | 'low' | 'high'> | undefined
  /** What was not saved on the requests that were held out: `perRequest` times their number. */
  readonly heldOut: Interval
}

/** What isn't known: of how many requests, and which arms answered those (the most frequent first, at most five). */
export interface Unknown {
  readonly unknown: number
  readonly arms: readonly string[]
}

/** Quality by one kind of evidence: given less reference, in points of [0, 1]. */
export interface QualityEstimate {
  readonly kind: EvidenceKind
  readonly difference: Interval
  /** Words on answers of held-out requests, and of the others; of pairs on both, counted once. */
  readonly observed: { readonly heldOut: number; readonly policy: number }
  readonly labels: number
  /** Anytime-valid p-values of "the policy is worse by the margin or more", and of "it isn't worse by more than the margin". */
  readonly pOfInferior: number
  readonly pOfNotWorse: number
  /** About so many further requests until half the interval's width is the room there is; `Infinity` where none will do. */
  readonly more: number
}

const unitsOfCost = 5_000
const unitsOfQuality = 2_000
const first = 50

/**
 * Policy against reference over one scope's trials (all, a route, a key, a category): amounts by every trial, quality by those that
 * somebody judged. O(1) a trial (see `Comparison`, of which it holds up to six); no trial is kept.
 */
export class ScopeEstimate {
  private readonly comparisons: Readonly<Record<Amount, Comparison>>
  private readonly qualities = new Map<Exclude<EvidenceKind, 'pair'>, Comparison>()
  private readonly pairs: UnitMoments
  private readonly spentOn: Record<Exclude<Amount, 'usd'>, number> = { seconds: 0, joules: 0 }
  private readonly unknown: Record<Amount, { count: number; readonly arms: Map<string, number> }> = {
    usd: { count: 0, arms: new Map() },
    seconds: { count: 0, arms: new Map() },
    joules: { count: 0, arms: new Map() },
  }
  private readonly money = { policy: zeroMoney, heldOut: zeroMoney }
  private count = 0
  private held = 0

  constructor(private readonly level: number) {
    const cost = () => new Comparison({ level, tightAt: unitsOfCost, first })
    this.comparisons = { usd: cost(), seconds: cost(), joules: cost() }
    this.pairs = new UnitMoments(level, unitsOfQuality)
  }

  get requests(): number {
    return this.count
  }

  get heldOut(): number {
    return this.held
  }

  /** Conversations, and requests that were drawn alone. */
  get units(): number {
    return this.comparisons.seconds.units
  }

  /** Exact dollars of the requests that the policy answered, and of those held out, as far as they are known. */
  get usd(): { readonly policy: Money; readonly heldOut: Money } {
    return this.money
  }

  add({ trial, decision, expected, cost }: TrialEvidence, quality: QualityEvidence): void {
    const { heldOut, holdout, policyArm, stratum, unit } = trial
    this.count += 1
    if (heldOut) this.held += 1
    const common = { heldOut, holdout, stratum, unit, same: policyArm === decision.weighed?.reference }
    const taken = { usd: cost.usd === null ? null : toDollars(cost.usd), seconds: cost.seconds, joules: cost.joules }
    for (const amount of amounts) {
      const outcome = taken[amount]
      if (outcome === null) this.missed(amount, decision.arm)
      else this.comparisons[amount].add({ ...common, outcome, ...expectations(expected, amount) })
    }
    if (cost.usd !== null) this.money[heldOut ? 'heldOut' : 'policy'] = addMoney(this.money[heldOut ? 'heldOut' : 'policy'], cost.usd)
    if (!heldOut) {
      this.spentOn.seconds += cost.seconds
      this.spentOn.joules += cost.joules ?? 0
    }
    const rated = { ...common, ...expectations(expected, 'quality') }
    const { judge, label, pair, check, feedback } = quality
    if (judge !== undefined)
      this.quality('judge').add({
        ...rated,
        outcome: judge.score,
        sought: judge.sought,
        label: label !== undefined && label.sought <= judge.sought ? label : undefined,
      })
    if (check !== undefined) this.quality('check').add({ ...rated, outcome: check })
    if (feedback !== undefined) this.quality('feedback').add({ ...rated, outcome: feedback })
    if (pair !== undefined && !heldOut) this.pairs.add(pair.score, unit, 1 / pair.sought)
  }

  /** What was saved of this amount; `Unknown` where it isn't known of every request. */
  saving(amount: Amount): Saving | Unknown {
    const { count, arms } = this.unknown[amount]
    if (count > 0)
      return {
        unknown: count,
        arms: [...arms]
          .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
          .slice(0, 5)
          .map(([arm]) => arm),
      }
    const perRequest = scaled(this.comparisons[amount].interval(), -1)
    const total = scaled(perRequest, this.count - this.held)
    const spent = amount === 'usd' ? toDollars(this.money.policy) : this.spentOn[amount]
    return { perRequest, total, spent, share: shareOf(total, spent), heldOut: scaled(perRequest, this.held) }
  }

  /** Quality by each kind of evidence that there is. */
  qualityEstimates(margin: number): QualityEstimate[] {
    return evidenceKinds.flatMap((kind) => (kind === 'pair' ? this.pairEstimate(margin) : this.comparedEstimate(kind, margin)))
  }

  private comparedEstimate(kind: Exclude<EvidenceKind, 'pair'>, margin: number): QualityEstimate[] {
    const comparison = this.qualities.get(kind)
    if (comparison === undefined) return []
    const difference = comparison.intervalAt(margin)
    const p = comparison.pValue(-margin)
    const more = comparison.requestsUntil(roomOf(difference, margin)) * (this.count / Math.max(1, comparison.requests))
    return [
      {
        kind,
        difference,
        observed: comparison.observed,
        labels: comparison.labels,
        ...sides(difference, margin, p),
        more: Math.ceil(more),
      },
    ]
  }

  private pairEstimate(margin: number): QualityEstimate[] {
    const { pairs } = this
    if (pairs.requests === 0) return []
    const early = pairs.units < 2 * first
    // A pair has both answers, so what hasn't been seen yet may lie on either side: two more differences of the whole range (Agresti
    // and Coull 1998).
    const unseen = (2 * pairs.meanWeight * pairs.meanWeight) / pairs.units
    const interval = pairs.interval(unseen)
    const difference = early ? { ...interval, low: -Infinity, high: Infinity } : interval
    const p = early ? 1 : pairs.pValue(-margin, unseen)
    const wanted = Math.max(pairs.requestsFor(roomOf(difference, margin)), 2 * first) - pairs.requests
    return [
      {
        kind: 'pair',
        difference,
        observed: { heldOut: 0, policy: pairs.requests },
        labels: 0,
        ...sides(difference, margin, p),
        more: Math.ceil(Math.max(0, wanted) * (this.count / pairs.requests)),
      },
    ]
  }

  private quality(kind: Exclude<EvidenceKind, 'pair'>): Comparison {
    let comparison = this.qualities.get(kind)
    if (comparison === undefined)
      this.qualities.set(kind, (comparison = new Comparison({ level: this.level, tightAt: unitsOfQuality, first, range: 1 })))
    return comparison
  }

  private missed(amount: Amount, arm: string): void {
    const unknown = this.unknown[amount]
    unknown.count += 1
    if (unknown.arms.size < 1_000 || unknown.arms.has(arm)) unknown.arms.set(arm, (unknown.arms.get(arm) ?? 0) + 1)
  }
}

export function isUnknown(saving: Saving | Unknown): saving is Unknown {
  return 'unknown' in saving
}

function expectations(
  { policy, reference }: TrialEvidence['expected'],
  what: Amount | 'quality',
): Pick<Trial, 'expectedOfPolicy' | 'expectedOfReference'> {
  return { expectedOfPolicy: policy?.[what] ?? undefined, expectedOfReference: reference?.[what] ?? undefined }
}

/** As far as the estimate itself is above the margin; where it is below, as if there were no difference. */
function roomOf({ value }: Interval, margin: number): number {
  return Number.isFinite(value) && value > -margin ? Math.min(margin, value + margin) : margin
}

/** A p-value of "the difference is -margin" as one of each side: the data speak against the side where the estimate isn't. */
function sides({ value }: Interval, margin: number, p: number) {
  return { pOfInferior: value > -margin ? p : 1, pOfNotWorse: value < -margin ? p : 1 }
}

/** An interval times a number, negative ones turned round. */
export function scaled(interval: Interval, by: number): Interval {
  // Zero times infinity is no number: nothing of what is unbounded is nothing.
  const times = (value: number) => (by === 0 ? 0 : value * by)
  const [one, other] = [times(interval.low), times(interval.high)]
  return { ...interval, value: times(interval.value), low: Math.min(one, other), high: Math.max(one, other) }
}

/** saved / (spent + saved), which grows with what was saved. */
function shareOf({ value, low, high }: Interval, spent: number): Saving['share'] {
  const of = (saved: number) => (spent + saved > 0 ? (saved === Infinity ? 1 : saved / (spent + saved)) : -Infinity)
  return spent + value > 0 ? { value: of(value), low: of(low), high: of(high) } : undefined
}

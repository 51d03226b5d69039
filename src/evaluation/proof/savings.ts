import { picoUsd, toDollars, type Money } from '../../quantities/index.js'
import type { TrialEvidence } from '../../ledger/index.js'
import { holm, type Interval } from '../../statistics/index.js'
import { Calibration, type CalibrationBin } from './calibration-bins.js'
import type { EvidenceKind } from './guardrail.js'
import { evidenceOrder, qualityEvidence } from './quality-evidence.js'
import { isUnknown, ScopeEstimate, type Amount, type QualityEstimate, type Saving, type Unknown } from './scope-estimate.js'
import { Timeline, type Moment } from './timeline.js'

/** What savings can be told apart by: the model asked for with the objective, the key, the category. */
export const savingsDimensions = ['route', 'key', 'category'] as const
export type SavingsDimension = (typeof savingsDimensions)[number]

export interface SavingsOptions {
  /** Quality that may be lost against the reference: 0.02 is two points of a hundred; above 0. */
  readonly margin: number
  /** Of intervals; 0.95. */
  readonly level?: number | undefined
  /** All of them unless given. */
  readonly by?: readonly SavingsDimension[] | undefined
}

/** `none`: nobody has judged any answer. */
export type SavingsVerdict = 'proven' | 'not yet' | 'worse' | 'none'

/** What a scope's traffic gave and took under the policy, against the reference. */
export interface ScopeSavings {
  readonly requests: number
  readonly heldOut: number
  /** Conversations, and requests that were drawn alone. */
  readonly units: number
  readonly savings: Readonly<Record<Amount, Saving | Unknown>>
  /** Exact dollars of the requests that the policy answered, as far as they are known. */
  readonly spentUsd: Money
  readonly quality: readonly QualityEstimate[]
  readonly verdict: SavingsVerdict
  /** What the verdict rests on. */
  readonly evidence: EvidenceKind | undefined
  /** About so many further requests until the verdict falls, with `not yet`. */
  readonly more: number | undefined
}

export interface NamedScope extends ScopeSavings {
  readonly name: string
}

/** What a scope answered with, and what that took. */
export interface ArmSpending {
  readonly arm: string
  readonly requests: number
  readonly heldOut: number
  /** Exact, as far as known. */
  readonly usd: Money
}

export interface Savings {
  readonly margin: number
  readonly level: number
  readonly all: ScopeSavings
  /** The largest scopes first; `left` so many more that are told nowhere. */
  readonly by: readonly { readonly dimension: SavingsDimension; readonly scopes: readonly NamedScope[]; readonly left: number }[]
  readonly timeline: readonly Moment[]
  readonly calibration: readonly CalibrationBin[]
  /** The dearest first, at most 20. */
  readonly arms: readonly ArmSpending[]
  /** Unix seconds of the first and the last trial. */
  readonly first: number | undefined
  readonly last: number | undefined
  /** Judges' words that came without the probability with which they were sought. */
  readonly unusable: number
}

/** Scopes of one dimension; further ones are in the sum of all only. */
const mostScopes = 200
const mostArms = 1_000
const shownArms = 20

/**
 * What a policy saved, from trials in order of time. One trial after the other, none is kept: O(dimensions) each, memory grows with
 * scopes (200 a dimension). The same trials give the same figures.
 */
export class SavingsEstimator {
  readonly margin: number
  readonly level: number
  private readonly all: ScopeEstimate
  private readonly scopes: ReadonlyMap<SavingsDimension, Map<string, ScopeEstimate>>
  private readonly left = new Map<SavingsDimension, Set<string>>()
  private readonly timeline: Timeline
  private readonly calibration = new Calibration()
  private readonly arms = new Map<string, { requests: number; heldOut: number; usd: bigint }>()
  private first: number | undefined
  private last: number | undefined
  private unusable = 0

  /** Throws `RangeError` for a margin that isn't above 0, or a level outside (0, 1). */
  constructor({ margin, level = 0.95, by = savingsDimensions }: SavingsOptions) {
    if (!(margin > 0)) throw new RangeError('a margin of non-inferiority is above 0')
    if (!(level > 0 && level < 1)) throw new RangeError(`a level lies between 0 and 1, not at ${level}`)
    this.margin = margin
    this.level = level
    this.all = new ScopeEstimate(level)
    this.timeline = new Timeline(this.all, margin)
    this.scopes = new Map(by.map((dimension) => [dimension, new Map<string, ScopeEstimate>()]))
  }

  add(trial: TrialEvidence): void {
    const quality = qualityEvidence(trial)
    this.unusable += quality.unusable
    this.all.add(trial, quality)
    for (const [dimension, scopes] of this.scopes) this.scopeOf(dimension, scopes, scopeName(trial, dimension))?.add(trial, quality)
    this.calibration.add(trial, quality)
    this.count(trial)
    this.first ??= trial.decision.at
    this.last = trial.decision.at
    this.timeline.passed(trial.decision.at)
  }

  result(): Savings {
    return {
      margin: this.margin,
      level: this.level,
      all: this.judged(this.all, undefined),
      by: [...this.scopes].map(([dimension, scopes]) => ({
        dimension,
        scopes: this.namedScopes(scopes),
        left: this.left.get(dimension)?.size ?? 0,
      })),
      timeline: this.timeline.moments(headline(this.all.qualityEstimates(this.margin))?.kind),
      calibration: this.calibration.bins(this.level),
      arms: [...this.arms]
        .map(([arm, { requests, heldOut, usd }]): ArmSpending => ({ arm, requests, heldOut, usd: picoUsd(usd) }))
        .sort((a, b) => (a.usd === b.usd ? b.requests - a.requests : a.usd < b.usd ? 1 : -1))
        .slice(0, shownArms),
      first: this.first,
      last: this.last,
      unusable: this.unusable,
    }
  }

  /**
   * Verdicts of several scopes hold together (Holm 1979): the chance of even one wrong one among them is at most 1 - level, at every
   * look.
   */
  private namedScopes(scopes: ReadonlyMap<string, ScopeEstimate>): NamedScope[] {
    const names = [...scopes.keys()]
    const estimates = [...scopes.values()]
    const heads = estimates.map((estimate) => headline(estimate.qualityEstimates(this.margin)))
    const proven = holm(
      heads.map((head) => head?.pOfInferior ?? 1),
      1 - this.level,
    )
    const worse = holm(
      heads.map((head) => head?.pOfNotWorse ?? 1),
      1 - this.level,
    )
    return estimates
      .map((estimate, index) => ({
        name: names[index] ?? '',
        ...this.judged(estimate, { proven: proven[index] === true, worse: worse[index] === true }),
      }))
      .sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1))
  }

  private judged(estimate: ScopeEstimate, together: { readonly proven: boolean; readonly worse: boolean } | undefined): ScopeSavings {
    const quality = estimate.qualityEstimates(this.margin)
    const head = headline(quality)
    const alpha = 1 - this.level
    const { proven, worse } = together ?? { proven: (head?.pOfInferior ?? 1) <= alpha, worse: (head?.pOfNotWorse ?? 1) <= alpha }
    const verdict = head === undefined ? 'none' : proven ? 'proven' : worse ? 'worse' : 'not yet'
    return {
      requests: estimate.requests,
      heldOut: estimate.heldOut,
      units: estimate.units,
      savings: { usd: estimate.saving('usd'), seconds: estimate.saving('seconds'), joules: estimate.saving('joules') },
      spentUsd: estimate.usd.policy,
      quality,
      verdict,
      evidence: head?.kind,
      more: verdict === 'not yet' ? head?.more : undefined,
    }
  }

  private scopeOf(dimension: SavingsDimension, scopes: Map<string, ScopeEstimate>, name: string): ScopeEstimate | undefined {
    const known = scopes.get(name)
    if (known !== undefined) return known
    if (scopes.size >= mostScopes) {
      const left = this.left.get(dimension) ?? new Set<string>()
      if (left.size < mostArms) left.add(name)
      this.left.set(dimension, left)
      return undefined
    }
    const made = new ScopeEstimate(this.level)
    scopes.set(name, made)
    return made
  }

  private count({ decision: { arm }, trial: { heldOut }, cost }: TrialEvidence): void {
    const known = this.arms.get(arm) ?? { requests: 0, heldOut: 0, usd: 0n }
    if (!this.arms.has(arm) && this.arms.size >= mostArms) return
    known.requests += 1
    if (heldOut) known.heldOut += 1
    known.usd += cost.usd ?? 0n
    this.arms.set(arm, known)
  }
}

/**
 * The kind of evidence that gives the verdict: the first in the order of belief of which there is enough, else the first of which there
 * is any.
 */
export function headline(estimates: readonly QualityEstimate[]): QualityEstimate | undefined {
  const labels = estimates.reduce((most, { labels: own }) => Math.max(most, own), 0)
  const ordered = evidenceOrder(labels).flatMap((kind) => estimates.find((estimate) => estimate.kind === kind) ?? [])
  return ordered.find(({ difference }) => Number.isFinite(difference.low)) ?? ordered[0]
}

/** Dollars that judges and shadow calls took, taken off what was saved; intervals keep their width. */
export function savedInTheEnd(saving: Saving, learning: Money): Interval {
  const off = toDollars(learning)
  const { value, low, high } = saving.total
  return { ...saving.total, value: value - off, low: low - off, high: high - off }
}

export function dollarsSaved({ savings: { usd } }: ScopeSavings): Saving | undefined {
  return isUnknown(usd) ? undefined : usd
}

function scopeName({ decision: { requestedModel, key, weighed }, trial }: TrialEvidence, dimension: SavingsDimension): string {
  if (dimension === 'key') return key
  if (dimension === 'category') return trial.stratum ?? ''
  const objective = weighed?.objective['name']
  return typeof objective === 'string' ? `${requestedModel} (${objective})` : requestedModel
}

import { ConfidenceSequence, type Interval } from '../../statistics/index.js'
import { Comparison, type Trial } from './comparison.js'
import { nonInferiority } from './verdict.js'

/**
 * Where the word of a trial's quality comes from; each kind has a comparison of its own, since they measure on different scales.
 * `judge`: a sampled judge's grade; `pair`: a judge's grades of the answer and of the reference's answer to the same request; `check`:
 * a verifier; `feedback`: what callers say.
 */
export const evidenceKinds = ['judge', 'pair', 'check', 'feedback'] as const
export type EvidenceKind = (typeof evidenceKinds)[number]

export interface GuardrailOptions {
  /** Quality that may be lost against the reference; above 0, 0.02 is two points of a hundred. */
  readonly margin: number
  /**
   * Probability that a scope whose quality is exactly the margin worse is never rolled back by chance, over all kinds of evidence
   * together; 0.95 by default.
   */
  readonly level?: number | undefined
  /** Trials of the smaller group before which nothing is claimed; 50 by default. */
  readonly first?: number | undefined
  /** Trials about which intervals are narrowest; 1,000 by default: a guardrail is to be quick. */
  readonly tightAt?: number | undefined
  /** Trials after which a comparison begins anew, so that what gets worse late isn't hidden by a good past; 20,000 by default. */
  readonly mostTrials?: number | undefined
}

/** A scope whose traffic went back to the reference. */
export interface RolledBack {
  readonly scope: string
  /** Unix seconds. */
  readonly at: number
  readonly kind: EvidenceKind
  /** Policy less reference; all of it lies below -margin. */
  readonly difference: Pick<Interval, 'value' | 'low' | 'high' | 'n'>
  readonly margin: number
}

/** What is known of a scope by one kind of evidence. */
export interface Evidence {
  readonly kind: EvidenceKind
  readonly verdict: 'proven' | 'not yet' | 'worse'
  readonly difference: Interval
  readonly trials: number
  readonly heldOut: number
}

interface Watched {
  readonly kind: EvidenceKind
  trials: number
  /** Units that have been counted. */
  readonly units: Set<string>
  readonly comparison: Comparison
  readonly pairs: ConfidenceSequence
}

/** A trial and the unit that it was drawn in. */
export type UnitTrial = Trial & { readonly unit?: string | undefined }

/** Scopes that are watched; trials of further ones count nowhere but in those that hold them too. */
const mostScopes = 2_000

/**
 * Watches routed traffic by scope (all of it, an organisation) and says when its quality is proven worse than the reference's by more
 * than the margin: the whole of an anytime-valid interval lies below -margin (`nonInferiority`), so it may look after every trial. The
 * four kinds of evidence share the error (Bonferroni: each at 1 - (1 - level)/4). Of requests that were drawn as one, such as a
 * conversation's, only the first that was judged counts, since only units are independent. Knows no clock and no files. O(1) a trial;
 * memory grows with scopes (2,000 at most) and, in each, the units of at most `mostTrials`.
 */
export class Guardrail {
  private readonly scopes = new Map<string, Map<EvidenceKind, Watched>>()
  private readonly back = new Map<string, RolledBack>()

  /** Throws `RangeError` for a margin that isn't above 0, or a level outside (0, 1). */
  constructor(private options: GuardrailOptions) {
    check(options)
  }

  /** A new margin holds for the evidence there is, too. Throws as the constructor, and changes nothing then. */
  configure(options: GuardrailOptions): void {
    check(options)
    this.options = options
  }

  /**
   * Counts the quality of a randomised request. Gives the roll-back when this trial brought it about. Nothing is counted of a scope
   * that is rolled back. Throws `RangeError` for numbers that can't be.
   */
  add(scope: string, kind: Exclude<EvidenceKind, 'pair'>, trial: UnitTrial, at: number): RolledBack | undefined {
    const watched = this.counted(scope, kind, trial.unit)
    if (watched === undefined) return undefined
    watched.comparison.add(trial)
    const { verdict, difference } = nonInferiority(watched.comparison, this.options.margin)
    return verdict === 'worse' ? this.rollBack({ scope, at, kind, difference, margin: this.options.margin }) : undefined
  }

  /**
   * The same for a request that the reference has answered too: `difference` is the given answer's quality less the reference's, in
   * [-1, 1].
   */
  addPair(scope: string, difference: number, unit: string | undefined, at: number): RolledBack | undefined {
    const watched = this.counted(scope, 'pair', unit)
    if (watched === undefined) return undefined
    watched.pairs.add(difference)
    const interval = pairInterval(watched.pairs)
    return interval.high < -this.options.margin
      ? this.rollBack({ scope, at, kind: 'pair', difference: interval, margin: this.options.margin })
      : undefined
  }

  rolledBack(scope: string): RolledBack | undefined {
    return this.back.get(scope)
  }

  /** All scopes that are rolled back. */
  allRolledBack(): readonly RolledBack[] {
    return [...this.back.values()]
  }

  /** Takes over what an earlier process had rolled back. */
  restore(rolledBack: RolledBack): void {
    this.back.set(rolledBack.scope, rolledBack)
  }

  /** Lets a scope be routed again; its evidence begins anew. False where it wasn't rolled back. */
  resume(scope: string): boolean {
    if (!this.back.delete(scope)) return false
    this.scopes.delete(scope)
    return true
  }

  /** Scopes of which there is evidence, or that are rolled back. */
  known(): readonly string[] {
    return [...new Set([...this.scopes.keys(), ...this.back.keys()])]
  }

  evidence(scope: string): readonly Evidence[] {
    const { margin } = this.options
    return [...(this.scopes.get(scope)?.values() ?? [])].map(({ kind, comparison, pairs }) => {
      if (kind === 'pair') {
        const difference = pairInterval(pairs)
        return {
          kind,
          verdict: difference.low > -margin ? 'proven' : difference.high < -margin ? 'worse' : 'not yet',
          difference,
          trials: pairs.count,
          heldOut: 0,
        }
      }
      const { verdict, difference } = nonInferiority(comparison, margin)
      return { kind, verdict, difference, trials: comparison.requests, heldOut: comparison.heldOut }
    })
  }

  private rollBack(rolledBack: RolledBack): RolledBack {
    this.back.set(rolledBack.scope, rolledBack)
    return rolledBack
  }

  /** Where a trial of this unit counts; `undefined` where it doesn't. */
  private counted(scope: string, kind: EvidenceKind, unit: string | undefined): Watched | undefined {
    if (this.back.has(scope)) return undefined
    let kinds = this.scopes.get(scope)
    if (kinds === undefined) {
      if (this.scopes.size >= mostScopes) return undefined
      this.scopes.set(scope, (kinds = new Map()))
    }
    let watched = kinds.get(kind)
    if (watched === undefined || watched.trials >= (this.options.mostTrials ?? 20_000)) kinds.set(kind, (watched = this.watched(kind)))
    if (unit !== undefined) {
      if (watched.units.has(unit)) return undefined
      watched.units.add(unit)
    }
    watched.trials++
    return watched
  }

  private watched(kind: EvidenceKind): Watched {
    const { level = 0.95, first = 50, tightAt = 1_000 } = this.options
    const own = 1 - (1 - level) / evidenceKinds.length
    return {
      kind,
      trials: 0,
      units: new Set(),
      comparison: new Comparison({ level: own, first, tightAt, range: 1 }),
      pairs: new ConfidenceSequence(own, tightAt, 2 * first),
    }
  }
}

/**
 * A pair has both answers, so what hasn't been seen yet may lie on either side: two more differences of the whole range (Agresti and
 * Coull 1998).
 */
function pairInterval(pairs: ConfidenceSequence): Interval {
  return pairs.interval(pairs.count === 0 ? 0 : 2 / pairs.count)
}

function check({ margin, level = 0.95 }: GuardrailOptions): void {
  if (!(margin > 0)) throw new RangeError('a margin of non-inferiority is above 0')
  if (!(level > 0 && level < 1)) throw new RangeError(`a level lies between 0 and 1, not at ${level}`)
}

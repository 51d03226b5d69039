import { BursarError } from '../../errors/index.js'
import {
  predictorKinds,
  type ArmFacts,
  type ArmId,
  type Estimate,
  type Observation,
  type Predictor,
  type PredictorKind,
} from '../../routing/index.js'
import type { Features } from '../../understanding/index.js'
import type { RoutingConfig } from '../config/index.js'
import type { Learned, RoutingState } from './state-file.js'

/** Predictors that are held ready; those of further tenants lie as bytes. */
const MOST_READY = 64
/** Tenants that are remembered at all. */
const MOST_TENANTS = 1000

/** What is believed of arms for a request. */
export interface Belief {
  /** In the order of the arms. */
  readonly estimates: readonly Estimate[]
  readonly familiarity: number
  /** Outcomes with a quality that were learned of each arm, by their weight. */
  readonly evidence: ReadonlyMap<ArmId, number>
}

export interface LearnedOutcomes {
  readonly trained: ReadonlyMap<ArmId, number>
  readonly tenants: ReadonlyMap<string, ReadonlyMap<ArmId, number>>
}

export interface BeliefSettings {
  readonly kind: PredictorKind
  readonly settings: unknown
  readonly seed: number
  readonly facts: readonly ArmFacts[]
  /** Wraps a predictor against what it might be told; `load` reads what it serialised. */
  guard(predictor: Predictor, load: (bytes: Uint8Array) => Predictor, tenant: string): Predictor
}

/** The kind of predictor that a configuration names. Throws `invalid_configuration` with the path. */
export function predictorKindOf({ kind = DEFAULT_KIND }: Pick<RoutingConfig['predictor'], 'kind'>): PredictorKind {
  const found = Object.hasOwn(predictorKinds, kind) ? predictorKinds[kind] : undefined
  if (found) return found
  throw new BursarError(
    `routing.predictor.kind: there is no kind "${kind.slice(0, 60)}"; there are ${Object.keys(predictorKinds).join(', ')}.`,
    {
      code: 'invalid_configuration',
      status: 500,
      path: 'routing.predictor.kind',
    },
  )
}

export const DEFAULT_KIND = 'knn'

/**
 * One predictor for each tenant, made when it is first asked: from what the tenant's own has learned before, else from what was trained
 * beforehand, else from nothing. Tenants never meet: none begins with what another has learned.
 */
export class Beliefs {
  private readonly ready = new Map<string, Predictor>()
  private readonly stored = new Map<string, Uint8Array>()
  private readonly evidence = new Map<string, Map<ArmId, number>>()
  private base: Learned | undefined
  private changed = false
  /** What a guard let past last. */
  private letPast: Observation | undefined
  /** What a predictor threw behind its guard, in the question being asked. */
  private thrown: { readonly fault: unknown } | undefined

  constructor(
    private current: BeliefSettings,
    state?: RoutingState,
  ) {
    this.base = state?.base
    for (const [tenant, own] of state?.tenants ?? []) {
      this.stored.set(tenant, own.bytes)
      this.evidence.set(tenant, new Map(own.outcomes))
    }
    // A state that can't be used is to be told now, not with the first request.
    if (this.base !== undefined) this.load('', this.base.bytes)
    for (const [tenant, bytes] of this.stored) this.load(tenant, bytes)
  }

  /** Whether something was learned since the last `state`. */
  get dirty(): boolean {
    return this.changed
  }

  /** Takes new arms into use; what was learned stays. Throws, and changes nothing, where predictors of another kind can't read it. */
  configure(next: BeliefSettings): void {
    if (sameFor(this.current, next)) {
      this.current = next
      return
    }
    const kept = this.all()
    const before = this.current
    this.current = next
    try {
      if (this.base !== undefined) this.load('', this.base.bytes)
      for (const [tenant, bytes] of kept) this.load(tenant, bytes)
    } catch (thrown) {
      this.current = before
      throw thrown
    }
    this.ready.clear()
    this.stored.clear()
    for (const [tenant, bytes] of kept) this.stored.set(tenant, bytes)
  }

  /** Begins anew with another kind, from what was trained for it. */
  reset(next: BeliefSettings, base: Learned | undefined): void {
    this.current = next
    this.base = base
    this.ready.clear()
    this.stored.clear()
    this.evidence.clear()
    this.changed = true
  }

  get kind(): string {
    return this.current.kind.kind
  }

  /**
   * Outcomes with a quality that were learned of each arm, by weight: of everyone's beginning (`trained`), and of each tenant with
   * those included.
   */
  learnedOutcomes(): LearnedOutcomes {
    const copied = (outcomes: ReadonlyMap<ArmId, number> | undefined) => new Map(outcomes)
    return {
      trained: copied(this.base?.outcomes),
      tenants: new Map([...this.evidence].map(([tenant, outcomes]) => [tenant, copied(outcomes)])),
    }
  }

  /** Throws what the predictor does. */
  about(tenant: string, features: Features, arms: readonly ArmId[], user?: string): Belief {
    const predictor = this.predictorOf(tenant)
    this.thrown = undefined
    const belief = { estimates: predictor.predict(features, arms, user), familiarity: predictor.familiarity(features) }
    const { thrown } = this.told()
    if (thrown) throw thrown.fault
    return { ...belief, evidence: this.evidenceOf(tenant) }
  }

  private told(): { readonly thrown: { readonly fault: unknown } | undefined } {
    return { thrown: this.thrown }
  }

  /** Gives what of it was let past the guard and learned, with the weight that it was granted; `undefined` where that is nothing. Throws `RangeError` for numbers that can't be, and learns nothing from them then. */
  learn(tenant: string, observation: Observation): Observation | undefined {
    const predictor = this.predictorOf(tenant)
    this.letPast = undefined
    predictor.update(observation)
    this.changed = true
    return this.lastLearned()
  }

  private lastLearned(): Observation | undefined {
    return this.letPast
  }

  /** What `state` gave could not be kept. */
  unsaved(): void {
    this.changed = true
  }

  /** All that was learned, to be kept. */
  state(): RoutingState {
    this.changed = false
    return {
      kind: this.kind,
      base: this.base,
      tenants: new Map([...this.all()].map(([tenant, bytes]) => [tenant, { bytes, outcomes: new Map(this.evidenceOf(tenant)) }])),
    }
  }

  private all(): Map<string, Uint8Array> {
    const all = new Map(this.stored)
    for (const [tenant, predictor] of this.ready) {
      all.delete(tenant)
      all.set(tenant, predictor.serialize())
    }
    return all
  }

  private evidenceOf(tenant: string): Map<ArmId, number> {
    let evidence = this.evidence.get(tenant)
    if (evidence === undefined) this.evidence.set(tenant, (evidence = new Map(this.base?.outcomes)))
    return evidence
  }

  private load(tenant: string, bytes: Uint8Array): Predictor {
    const { kind, facts, settings } = this.current
    return this.watched(tenant, kind.load(bytes, facts, settings))
  }

  /**
   * A guard answers for a predictor that throws, and whoever asks must know that it did. What gets past the guard is counted here, by
   * the weight that it was let past with.
   */
  private watched(tenant: string, predictor: Predictor): Predictor {
    const watch = <T>(ask: () => T): T => {
      try {
        return ask()
      } catch (fault) {
        this.thrown = { fault }
        throw fault
      }
    }
    return {
      id: predictor.id,
      predict: (features, arms, user) => watch(() => predictor.predict(features, arms, user)),
      familiarity: (features) => watch(() => predictor.familiarity(features)),
      update: (observation) => {
        predictor.update(observation)
        this.letPast = observation
        if (observation.quality === undefined) return
        const evidence = this.evidenceOf(tenant)
        evidence.set(observation.arm, (evidence.get(observation.arm) ?? 0) + (observation.weight ?? 1))
      },
      serialize: () => predictor.serialize(),
    }
  }

  private predictorOf(tenant: string): Predictor {
    const known = this.ready.get(tenant)
    if (known) {
      if (this.ready.size > 1) {
        // Put at the end again: the map's order is that of use.
        this.ready.delete(tenant)
        this.ready.set(tenant, known)
      }
      return known
    }
    const { kind, facts, settings, seed } = this.current
    const bytes = this.stored.get(tenant) ?? this.base?.bytes
    const own = bytes === undefined ? this.watched(tenant, kind.train([], facts, settings, seed)) : this.load(tenant, bytes)
    const made = this.current.guard(own, (saved) => this.load(tenant, saved), tenant)
    this.stored.delete(tenant)
    this.ready.set(tenant, made)
    const [oldest] = this.ready.size > MOST_READY ? this.ready : []
    if (oldest) {
      this.stored.set(oldest[0], oldest[1].serialize())
      this.ready.delete(oldest[0])
      const first = this.stored.size > MOST_TENANTS ? this.stored.keys().next().value : undefined
      if (first !== undefined) {
        this.stored.delete(first)
        this.evidence.delete(first)
      }
    }
    return made
  }
}

/** Whether predictors made for the one can be used on for the other: prices are looked up elsewhere. */
function sameFor(a: BeliefSettings, b: BeliefSettings): boolean {
  const told = ({ kind, settings, seed, facts }: BeliefSettings) =>
    JSON.stringify([kind.kind, settings, seed, facts.map(({ id, card: { priceOf, ...plain } }) => [id, plain, priceOf === undefined])])
  return told(a) === told(b)
}

import type { IncomingHttpHeaders } from 'node:http'
import { BursarError } from '../../errors/index.js'
import type { Route } from '../../environment/index.js'
import type { CallBudget, TrialRecord, Weighed } from '../../ledger/index.js'
import type { Request } from '../../protocol/index.js'
import {
  isAllowedModel,
  type Decision,
  type Estimate,
  type Objective,
  type Policy,
  type Session,
  type Situation,
} from '../../routing/index.js'
import type { Random } from '../../statistics/index.js'
import { fallback, type Strategy } from '../../strategies/index.js'
import type { Features, Understanding } from '../../understanding/index.js'
import type { CallerLabels } from '../attribution.js'
import type { RoutingConfig } from '../config/index.js'
import { allowsModel } from '../config/fields.js'
import { armName } from '../config/routing-references.js'
import { mayName, requireModel, type Key } from '../keys.js'
import { mayBeHeldOut, withHoldout } from '../proof/holdout.js'
import type { Assignment } from '../proof/assignments.js'
import { buildArm, dearestArm, type ArmSet, type ArmSource, type LiveArm } from './arms.js'
import type { Belief } from './beliefs.js'
import { continues, conversationOf, userOf, type Conversations } from './conversations.js'
import { expectations } from './expectations.js'
import { configuredObjectives, isAuto, readWishes, type Wishes } from './request-wishes.js'
import { weighedOf } from './weighed.js'

/** Names in a request's `models` that are looked at. */
const MOST_NAMED = 50

/** Named models that are remembered as arms. */
const MOST_OWN_ARMS = 1000

/** Outcomes from which on a request that is unlike all of them is given to the reference. */
const ENOUGH_OUTCOMES = 200

/** Where a fault was that the reference arm made good. */
export type RoutingFault = 'understanding' | 'predictor' | 'policy' | 'learning' | 'state' | 'encoder'

/** What outlives a reload of the configuration, and what is told outside. */
export interface RouterParts {
  readonly understanding: Understanding
  readonly conversations: Conversations
  about(tenant: string, features: Features, arms: readonly string[], user?: string): Belief
  fault(kind: RoutingFault, thrown: unknown): void
}

/** What of the live proof decisions depend on. */
export interface TrialSource {
  /** Why routed traffic of this organisation goes to the reference at present: a plain clause; `undefined` while it doesn't. */
  rolledBack(organisation: string | undefined): string | undefined
  /** Whether a request is held out. `undefined` for one that is no part of the proof. */
  assign(question: Pick<Question, 'key' | 'labels'> & { readonly request: Request; readonly toolLoop: boolean }): Assignment | undefined
}

export interface Question {
  readonly request: Request
  readonly headers: IncomingHttpHeaders
  readonly key: Key
  readonly labels: CallerLabels
  readonly budget: Pick<CallBudget, 'remaining' | 'regime'>
  readonly signal: AbortSignal
}

/** A decision with all that follows from it. */
export interface Routed {
  readonly decision: Decision
  /** What the arm is to answer. */
  readonly request: Request
  /** Runs the arm; where that fails before its first byte, the reference. */
  readonly strategy: Strategy
  readonly reference: LiveArm
  readonly conversation: string
  readonly tenant: string
  /** Stands for the end user, where the caller names one. */
  readonly user: string | undefined
  readonly weighed: Weighed
  /** Absent where the decision is no part of the live proof. */
  readonly trial?: TrialRecord | undefined
  /** Absent where understanding failed: then there is nothing to learn from. */
  readonly features: Features | undefined
  /** Output tokens that the reference was learned to write for such requests; `null` where nobody knows. */
  readonly referenceOutputTokens: number | null
}

/** Picks arms for requests that name no model. Made anew for each version of the configuration. */
export class Router {
  private readonly objectives
  /** Arms of models that callers named and that are none of the configuration's. */
  private readonly ownArms = new Map<string, LiveArm>()

  /** Throws `InvalidRequest` for objectives that can't be. */
  constructor(
    readonly config: RoutingConfig,
    private readonly source: ArmSource,
    private readonly parts: RouterParts,
    private readonly policy: Policy,
    private readonly random: Random,
    readonly arms: ArmSet,
    private readonly trials?: TrialSource | undefined,
  ) {
    this.objectives = configuredObjectives(config)
  }

  /** What `bursar check` tells of the arms: plain sentences. */
  problems(): readonly string[] {
    const { arms: named = [] } = this.config
    const missing = named.map((arm) => armName(arm)).filter((id) => !this.arms.byId.has(id))
    const unpriced = named
      .map((arm) => armName(arm))
      .filter((id) => this.arms.byId.has(id) && this.arms.byId.get(id)?.card.priceOf === undefined)
    return [
      ...missing.map((id) => `routing.arms: "${id}" needs a model that nobody serves, so it is never picked.`),
      ...unpriced.map(
        (id) =>
          `routing.arms: the price of "${id}" is unknown, so it is never preferred where dollars count, and never picked where they are limited.`,
      ),
      ...(this.arms.arms.length === 1 ? [`routing: "${this.arms.arms[0]?.id}" is the only arm, so there is nothing to pick.`] : []),
    ]
  }

  /** Names that callers may give instead of a model's. */
  names(): readonly string[] {
    const own = this.config.arms === undefined ? [] : this.arms.arms.map(({ id }) => id)
    return ['auto', ...Object.keys(this.objectives).map((name) => `auto:${name}`), ...own].filter((name) => this.decidesFor(name))
  }

  /** Whether this name is not that of a model, but asks for a choice or for an arm. Costs next to nothing for names of models. */
  decidesFor(model: string): boolean {
    if (this.standsInFor(model)) return true
    if (this.config.arms === undefined && !model.startsWith('auto') && model !== 'openrouter/auto') return false
    if (this.source.aliases.has(model)) return false
    if (isAuto(model)) return model !== 'openrouter/auto' || this.source.route(model) === undefined
    return this.config.arms !== undefined && this.source.route(model) === undefined && this.arms.byId.has(model)
  }

  /** Whether this is a model that the operator lets others answer for (`routing.instead_of`). */
  standsInFor(model: string): boolean {
    const { instead_of: models } = this.config
    return models.length > 0 && !isAuto(model) && allowsModel(models, model) && this.source.route(model) !== undefined
  }

  /** The arm that callers of this key would use without Bursar. Throws as `decide`. */
  referenceFor(key: Key, model = 'auto'): LiveArm {
    const own = this.standsInFor(model) ? this.ownArm(model) : undefined
    return own ?? this.reference(this.allowed(key, []), [])
  }

  /**
   * Decides. Throws `InvalidRequest` for wishes that can't be read or met, `model_not_allowed` where the key may name no arm, and
   * `BudgetExceeded` where no arm fits what may be spent. Any fault of predictors and policies is counted, and the reference answers.
   */
  async decide(question: Question): Promise<Routed> {
    const { request: asked, key, labels } = question
    const named = this.objectiveNameFor(key)
    const wishes = isAuto(asked.model)
      ? readWishes(asked, question.headers, this.objectives, named)
      : readWishes({ ...asked, model: 'auto' }, question.headers, this.objectives, named)
    const { request } = wishes
    const standsIn = this.standsInFor(asked.model)
    const arms = awake(
      standsIn
        ? this.insteadOf(key, asked.model, wishes)
        : isAuto(asked.model)
          ? this.allowed(key, this.wanted(wishes))
          : this.allowed(key, [this.armNamed(asked.model)]),
    )
    const reference = this.reference(arms, standsIn ? [asked.model] : isAuto(asked.model) ? wishes.models : [])
    const tenant = this.config.learning.shared ? '' : (key.organisation ?? '')
    const conversation = conversationOf(key.id, labels, request)
    const user = userOf(key.id, labels)
    const common = { request, reference, conversation, tenant, user }

    let features: Features
    try {
      features = await this.parts.understanding.of(request, question.signal)
    } catch (thrown) {
      if (question.signal.aborted) throw thrown
      return this.faulted('understanding', thrown, common, wishes.objective, undefined)
    }
    let learned: Belief
    try {
      learned = this.parts.about(
        tenant,
        features,
        arms.map(({ id }) => id),
        user,
      )
    } catch (thrown) {
      return this.faulted('predictor', thrown, common, wishes.objective, features)
    }
    const situation: Situation = {
      arms,
      estimates: expectations(arms, learned.estimates, learned.evidence, features, request),
      features,
      // While little was learned nothing is like anything seen; then the priors speak, which are as good for one request as another.
      familiarity: sumOf(learned.evidence) < ENOUGH_OUTCOMES ? 1 : learned.familiarity,
      reference: reference.id,
      objective: wishes.objective,
      budget: question.budget.remaining(),
      regime: question.budget.regime(),
      load: { inFlight: (arm) => inFlight(arms.find(({ id }) => id === arm)) },
      random: this.random,
      session: this.config.sticky && continues(labels, request) ? this.sessionOf(conversation, arms) : undefined,
      outputLimit: request.maxOutputTokens === undefined ? undefined : request.maxOutputTokens * (request.n ?? 1),
      conversation,
      tenant,
    }
    const backed = features.traits.toolLoop ? undefined : this.trials?.rolledBack(key.organisation)
    let decision: Decision
    let trial: TrialRecord | undefined
    try {
      const back = backed === undefined ? undefined : this.backToReference(situation, reference, backed)
      // What is rolled back draws nothing, also where the reference can't answer.
      decision =
        back ??
        this.policy.choose(backed === undefined ? situation : { ...situation, objective: { ...situation.objective, explore: false } })
      const assignment =
        backed === undefined && mayBeHeldOut(decision, situation)
          ? this.trials?.assign({ key, labels, request, toolLoop: features.traits.toolLoop })
          : undefined
      if (assignment) ({ decision, trial } = withHoldout(decision, situation, assignment, features.category?.name))
    } catch (thrown) {
      // Wishes and budgets that no arm meets are the caller's to hear of; a fault of ours is not.
      if (BursarError.is(thrown) && thrown.code !== 'internal_error') throw thrown
      return this.faulted('policy', thrown, common, wishes.objective, features)
    }
    const expected = learned.estimates.find(({ arm }) => arm === reference.id)
    return {
      ...common,
      decision,
      features,
      strategy: this.strategyFor(
        decision,
        reference,
        arms,
        tenant,
        wishes.objective.explore !== false && this.config.exploration.share > 0,
      ),
      weighed: weighedOf(decision, situation.familiarity, reference.id),
      trial,
      referenceOutputTokens: expected?.outputTokens ?? null,
    }
  }

  /** The reference as the only arm there is, so that limits hold as ever; `undefined` where it can't answer. */
  private backToReference(situation: Situation, reference: LiveArm, why: string): Decision | undefined {
    try {
      const own = this.policy.choose({
        ...situation,
        arms: [reference],
        estimates: situation.estimates.filter(({ arm }) => arm === reference.id),
        session: undefined,
      })
      return {
        ...own,
        alternatives: situation.estimates,
        policy: 'rolled-back',
        propensity: 1,
        propensities: undefined,
        explored: false,
        reason: `"${reference.id}" answers: ${why}.`,
      }
    } catch (thrown) {
      if (BursarError.is(thrown) && thrown.code !== 'internal_error') return undefined
      throw thrown
    }
  }

  /**
   * The arms of a request that named a model which others may answer for, that model's own first. Throws `model_not_allowed` where the
   * key may not name it.
   */
  private insteadOf(key: Key, model: string, wishes: Wishes): readonly [LiveArm, ...LiveArm[]] {
    requireModel(key, model)
    const named = this.ownArm(model)
    if (named === undefined) return this.allowed(key, this.wanted(wishes))
    const others = this.among(key, this.wanted(wishes)).filter(({ id }) => id !== named.id)
    return [named, ...others]
  }

  /** The plain call of a model as an arm, whether it is one of the configuration or not. */
  private ownArm(model: string): LiveArm | undefined {
    const known = this.arms.byId.get(model)
    if (known !== undefined && known.model === model) return known
    let own = this.ownArms.get(model)
    if (own === undefined && (own = buildArm({ model }, this.source))) {
      if (this.ownArms.size >= MOST_OWN_ARMS) this.ownArms.clear()
      this.ownArms.set(model, own)
    }
    return own
  }

  private objectiveNameFor(key: Key): { readonly name: string; readonly configured: boolean } {
    const name = key.objective ?? this.config.objective
    return { name, configured: Object.hasOwn(this.config.objectives, name) }
  }

  /** Arms that a request names by OpenRouter's fields; empty: all. */
  private wanted({ models, allowedModels }: Wishes): readonly LiveArm[] {
    if (models.length === 0 && allowedModels.length === 0) return []
    const named = models.slice(0, MOST_NAMED).flatMap((model) => {
      const known = this.arms.arms.filter((arm) => arm.id === model || arm.model === model)
      return known.length > 0 ? known : (buildArm({ model }, this.source) ?? [])
    })
    const among = (models.length > 0 ? [...new Map(named.map((arm) => [arm.id, arm])).values()] : this.arms.arms).filter((arm) =>
      isAllowedModel(arm.model, allowedModels),
    )
    if (among.length === 0) {
      const path = models.length > 0 ? 'models' : 'plugins'
      throw new BursarError(`${path}: none of these models exists here. GET /v1/models lists those that do.`, {
        code: 'model_not_found',
        status: 404,
        path,
      })
    }
    return among
  }

  private armNamed(name: string): LiveArm {
    const arm = this.arms.byId.get(name)
    if (arm) return arm
    throw new BursarError(`The model "${name}" doesn't exist here. GET /v1/models lists those that do.`, {
      code: 'model_not_found',
      status: 404,
      path: 'model',
    })
  }

  /** Of these arms (none: all) those that the key may use: an arm may call only models that the key may name. */
  private allowed(key: Key, among: readonly LiveArm[]): readonly [LiveArm, ...LiveArm[]] {
    const candidates = among.length > 0 ? among : this.arms.arms
    const [first, ...rest] = this.among(key, candidates)
    if (first) return [first, ...rest]
    if (candidates.length === 0)
      throw new BursarError('There is no model that answers in text, so nothing can be picked. Add a provider, or `routing.arms`.', {
        code: 'model_not_found',
        status: 404,
        path: 'model',
      })
    throw new BursarError(`The key "${key.name}" may use none of the models that could answer.`, {
      code: 'model_not_allowed',
      status: 403,
      path: 'model',
    })
  }

  private among(key: Key, among: readonly LiveArm[]): readonly LiveArm[] {
    return (among.length > 0 ? among : this.arms.arms).filter(
      (arm) => mayName(key, arm.id) || arm.strategy.plan.every(({ model }) => mayName(key, model)),
    )
  }

  private reference(arms: readonly [LiveArm, ...LiveArm[]], models: readonly string[]): LiveArm {
    const first = models.length === 0 ? undefined : arms.find(({ id, model }) => id === models[0] || model === models[0])
    const own = this.arms.reference
    return first ?? arms.find(({ id }) => id === own?.id) ?? dearestArm(arms) ?? arms[0]
  }

  private sessionOf(conversation: string, arms: readonly LiveArm[]): Session | undefined {
    const session = this.parts.conversations.session(conversation)
    return session && arms.some(({ id }) => id === session.arm) ? session : undefined
  }

  /** Falls back to the reference, where that may answer. */
  private strategyFor(
    { arm, excluded }: Decision,
    reference: LiveArm,
    arms: readonly LiveArm[],
    tenant: string,
    explore: boolean,
  ): Strategy {
    const strategy = arms.find(({ id }) => id === arm.id)?.strategyFor(tenant, explore) ?? arm.strategy
    if (arm.id === reference.id || excluded?.some((one) => one.arm === reference.id)) return strategy
    return fallback([strategy, reference.strategyFor(tenant, explore)])
  }

  private faulted(
    kind: RoutingFault,
    thrown: unknown,
    common: Pick<Routed, 'request' | 'reference' | 'conversation' | 'tenant' | 'user'>,
    objective: Objective,
    features: Features | undefined,
  ): Routed {
    this.parts.fault(kind, thrown)
    const { reference } = common
    const decision: Decision = {
      arm: reference,
      alternatives: [unknownEstimate(reference.id)],
      propensity: 1,
      policy: 'fault',
      reason: `"${reference.id}" answers: the ${kind} failed, and it is the reference arm.`,
      objective,
    }
    return {
      ...common,
      decision,
      features,
      strategy: reference.strategyFor(common.tenant),
      weighed: weighedOf(decision, 0, reference.id),
      referenceOutputTokens: null,
    }
  }
}

function sumOf(evidence: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const outcomes of evidence.values()) sum += outcomes
  return sum
}

function unknownEstimate(arm: string): Estimate {
  return { arm, quality: null, cost: { usd: null, seconds: 0, joules: null, gramsCO2e: null }, outputTokens: null, support: 0 }
}

/** Arms with a deployment for each model that they need, all of them where every arm lacks one. */
function awake(arms: readonly [LiveArm, ...LiveArm[]]): readonly [LiveArm, ...LiveArm[]] {
  const [first, ...rest] = arms.filter(({ routes }) => routes.every(answers))
  return first ? [first, ...rest] : arms
}

function answers({ deployments }: Route): boolean {
  return deployments.some((deployment) => deployment.state() !== 'resting')
}

function inFlight(arm: LiveArm | undefined): number {
  return (arm?.routes[0]?.deployments ?? []).reduce((sum, deployment) => sum + deployment.inFlight, 0)
}

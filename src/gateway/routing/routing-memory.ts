import { rename } from 'node:fs/promises'
import type { OutcomeRecord } from '../../ledger/index.js'
import { toDollars, totalInputTokens, totalOutputTokens, usd, type Clock } from '../../quantities/index.js'
import { learningBudget, type LearningBudget, type Observation, type PolicyMemory } from '../../routing/index.js'
import type { Answer, Step } from '../../strategies/index.js'
import type { Features, Understanding } from '../../understanding/index.js'
import type { RoutingConfig } from '../config/index.js'
import { learnedFileOf, PoisonBound, StrategyMemory, writeLearned, type GuideWanted, type LearnedState } from '../learning/index.js'
import { Beliefs, type Belief, type BeliefSettings, type LearnedOutcomes } from './beliefs.js'
import type { AuctionParts } from './auction-arm.js'
import { Conversations } from './conversations.js'
import { DecisionMemory, type RememberedDecision } from './decision-memory.js'
import type { Routed, RouterParts, RoutingFault } from './router.js'
import { writeStateFile, type Learned, type RoutingState } from './state-file.js'

/** How much it counts that a check was passed: what fails it is wrong, but not all that passes is right. */
const PASSED_WEIGHT = 0.25

export interface RoutingMemoryOptions {
  readonly understanding: Understanding
  readonly clock: Clock
  /** Told of each decision. */
  onDecision?(arm: string): void
  /** Told of each fault; the request or record it happened with is not affected. */
  onFault(kind: RoutingFault, thrown: unknown): void
  /** Told when a library's guide may be asked. */
  onGuideWanted?(wanted: GuideWanted): void
  /** Ends what learns in the background; before the last save. */
  close?(): Promise<void>
}

/**
 * Everything of routing that outlives a reload of the configuration: beliefs, conversations, and decisions whose outcomes may still
 * come.
 */
export class RoutingMemory implements RouterParts {
  readonly conversations: Conversations
  /** What strategies have learned. */
  readonly strategies: StrategyMemory
  private readonly decisions = new DecisionMemory()
  private beliefs: Beliefs | undefined
  private learning: RoutingConfig['learning'] | undefined
  private file: string | undefined
  private timer: NodeJS.Timeout | undefined
  private budget: LearningBudget | undefined
  private saving: Promise<void> = Promise.resolve()
  /** The policy that decides now, where it has a state of its own; and one that was kept and hasn't been used yet. */
  private policy: { readonly kind: string; readonly memory: PolicyMemory } | undefined
  private keptPolicy: LearnedState['policy']
  private policyChanged = false
  private bound: PoisonBound | undefined

  constructor(private readonly options: RoutingMemoryOptions) {
    this.conversations = new Conversations(() => options.clock.monotonic())
    this.strategies = new StrategyMemory({
      understanding: options.understanding,
      clock: options.clock,
      onGuideWanted: (wanted) => options.onGuideWanted?.(wanted),
    })
  }

  get clock(): Clock {
    return this.options.clock
  }

  /** What trying out may cost; the same object as long as the limit is. */
  allowance(usdPerDay: number): LearningBudget {
    const perDay = usd(usdPerDay)
    if (this.budget?.perDay !== perDay) this.budget = learningBudget(perDay, this.options.clock)
    return this.budget
  }

  /** What learning may cost in a day; absent before the first configuration. */
  get learningBudget(): LearningBudget | undefined {
    return this.budget
  }

  get understanding(): Understanding {
    return this.options.understanding
  }

  /**
   * Takes a configuration into use. `state` is what was read from the file, the first time. What was learned stays as long as the kind
   * of predictor does; another kind begins with `base`, or anew. Throws `invalid_configuration` for settings that the kind refuses.
   */
  configure(config: RoutingConfig, settings: BeliefSettings, state: RoutingState | undefined): void {
    if (this.beliefs === undefined) this.beliefs = new Beliefs(settings, state)
    else if (this.beliefs.kind === settings.kind.kind) this.beliefs.configure(settings)
    else this.beliefs.reset(settings, undefined)
    this.learning = config.learning
    const bounded = { cap: config.learning.max_influence, trusted: trustedSources(config.learning.trusted_keys) }
    this.strategies.configure(bounded)
    this.bound = new PoisonBound({ clock: this.clock, ...bounded })
    this.file = config.predictor.state
    clearInterval(this.timer)
    this.timer = this.file === undefined ? undefined : setInterval(() => void this.save(), config.predictor.save_seconds * 1000).unref()
  }

  /** Takes in what was kept of strategies and policies, before the first configuration. What can't be used of it is a fault, told by its part. */
  recall({ tenants, policy }: LearnedState): void {
    for (const [tenant, learned] of tenants)
      try {
        this.strategies.load(tenant, learned)
      } catch (thrown) {
        this.fault(
          'state',
          new Error(`what strategies of the organisation "${tenant}" had learned can't be used: they begin anew`, { cause: thrown }),
        )
      }
    this.keptPolicy = policy
  }

  /** Takes a policy into use. What one of its kind has learned, in this process or the one before, is handed on to it. */
  follow(kind: string, memory: PolicyMemory | undefined): void {
    const kept = this.policy === undefined ? this.keptPolicy : { kind: this.policy.kind, bytes: this.policy.memory.serialize() }
    this.policy = memory === undefined ? undefined : { kind, memory }
    this.keptPolicy = undefined
    if (memory === undefined || kept?.kind !== kind) return
    try {
      memory.load(kept.bytes)
    } catch (thrown) {
      this.fault('state', new Error(`what the policy "${kind}" had learned can't be used: it begins anew`, { cause: thrown }))
    }
  }

  /** What auctions of a tenant go by. Tasks are told apart by their words alone, so that nothing waits. */
  auctionsOf(tenant: string): AuctionParts {
    return {
      memory: this.strategies.auctionsOf(tenant),
      vectorOf: (request) => this.strategies.featuresNow(request).lexical,
      predicted: (arm, request) => this.about(tenant, this.strategies.featuresNow(request), [arm]).estimates[0]?.quality?.mean ?? null,
    }
  }

  /** What a strategy did for a decision, as long as it is remembered here. */
  stepsOf(decisionId: string): readonly Step[] | undefined {
    return this.decisions.get(decisionId)?.steps
  }

  /** Begins with what was trained beforehand, and with nothing else. Throws `invalid_configuration` for bytes of another kind. */
  begin(settings: BeliefSettings, base: Learned): void {
    this.beliefs?.reset(settings, base)
  }

  about(tenant: string, features: Features, arms: readonly string[], user?: string): Belief {
    if (this.beliefs === undefined) throw new Error('routing is not configured')
    return this.beliefs.about(tenant, features, arms, user)
  }

  /** What was learned so far, for those who operate the gateway. */
  learnedOutcomes(): LearnedOutcomes {
    return this.beliefs?.learnedOutcomes() ?? { trained: new Map(), tenants: new Map() }
  }

  fault(kind: RoutingFault, thrown: unknown): void {
    this.options.onFault(kind, thrown)
  }

  /** A decision that is about to be followed. */
  decided(decisionId: string, { decision, features, tenant, user }: Routed, key: string, run: string | undefined): void {
    this.options.onDecision?.(decision.arm.id)
    if (features) this.decisions.remember(decisionId, { decision, features, tenant, key, user, run, answeredBy: decision.arm.id })
  }

  /** Learns what an answer took, and what the strategy says of its quality. Gives the id of the arm that answered in the end. */
  answered(decisionId: string, routed: Routed, answer: Answer): string {
    const { decision, reference, conversation, features, tenant } = routed
    const instead = answer.fellBackFrom.includes(decision.arm.strategy.id)
    const arm = instead ? reference.id : decision.arm.id
    const { usage, cost, completion, evidence } = answer
    this.conversations.answered(conversation, winnerOf(answer) ?? arm, totalInputTokens(usage) + totalOutputTokens(usage))
    const source = `key:${this.decisions.get(decisionId)?.key ?? ''}`
    this.decisions.answered(decisionId, { answeredBy: arm, steps: answer.steps, lessons: this.lessonsOf(tenant, answer, source) })
    if (!features) return arm
    // What a failed arm took before the other answered is in the sums, and says nothing of either.
    const measured = instead || completion.usageEstimated
    const quality = this.learning?.agreement === true && !instead ? (evidence?.probability ?? undefined) : undefined
    if (!measured || quality !== undefined)
      this.learn(tenant, decision, {
        features,
        arm,
        ...(quality === undefined ? {} : { quality, source: `${evidence?.source ?? 'strategy'}:${arm}` }),
        ...(measured
          ? {}
          : {
              inputTokens: totalInputTokens(usage),
              outputTokens: totalOutputTokens(usage),
              ...(cost.usd === null ? {} : { usd: toDollars(cost.usd) }),
              ...(cost.seconds > 0 ? { seconds: cost.seconds } : {}),
              ...(cost.joules === null ? {} : { joules: cost.joules }),
            }),
      })
    return arm
  }

  private lessonsOf(tenant: string, answer: Answer, source: string): RememberedDecision['lessons'] {
    try {
      return this.strategies.answered(tenant, answer, source, this.learning?.agreement === true)
    } catch (thrown) {
      this.fault('learning', thrown)
      return undefined
    }
  }

  /** Learns from what was said of an answer: by a caller, a check, or the operator's judge. Never throws. */
  told(outcome: OutcomeRecord): void {
    const checked = outcome.source.startsWith('verifier:')
    if (this.learning === undefined || !(checked ? this.learning.verifiers : isOwnJudge(outcome) || this.learning.feedback)) return
    const about =
      outcome.decisionId !== undefined
        ? [this.decisions.get(outcome.decisionId)].flatMap((one) => one ?? [])
        : outcome.run === undefined
          ? []
          : this.decisions.ofRun(outcome.key, outcome.run)
    for (const remembered of about) this.learnQuality(remembered, outcome, checked, about.length)
  }

  private learnQuality(
    { decision, features, tenant, answeredBy, key, user, lessons }: RememberedDecision,
    outcome: OutcomeRecord,
    checked: boolean,
    among: number,
  ): void {
    const { score, arm = answeredBy, source } = outcome
    if (arm === undefined) return
    // Of a whole run each decision gets its share of the word. All that comes from one key is one source, whatever it calls itself.
    const weight = (checked && score === 1 ? PASSED_WEIGHT : 1) / among
    const judged = isOwnJudge(outcome)
    const from = judged ? source : `key:${key}`
    // What a check or a judge says is nobody's taste.
    const past = this.learn(tenant, decision, {
      features,
      arm,
      quality: score,
      weight,
      source: from,
      ...(checked || judged || user === undefined ? {} : { user }),
    })
    // What the predictor's guard holds back (of a source that flips, or says too much) teaches strategies nothing either.
    if (past?.quality === undefined || lessons === undefined || arm !== answeredBy) return
    try {
      this.strategies.told(tenant, lessons, { score, weight: past.weight ?? 1, source: from })
    } catch (thrown) {
      this.fault('learning', thrown)
    }
  }

  /** Gives what was let past the guard. */
  private learn(tenant: string, decision: RememberedDecision['decision'], observation: Observation): Observation | undefined {
    try {
      const past = this.beliefs?.learn(tenant, observation)
      if (past !== undefined) this.observed(decision, past)
      return past
    } catch (thrown) {
      this.fault('learning', thrown)
      return undefined
    }
  }

  /** A policy's own belief starts from fewer outcomes than a predictor's, so one source may have less in it. */
  private observed(decision: RememberedDecision['decision'], past: Observation): void {
    if (this.observe === undefined) return
    this.policyChanged = this.policy !== undefined
    const { quality, weight = 1, source, ...costs } = past
    if (quality === undefined || source === undefined || this.bound === undefined) return this.observe(decision, past)
    const granted = this.bound.grant(source, 'bandit', [`${decision.tenant ?? ''}\0${past.arm}`], weight)
    this.observe(decision, granted > 0 ? { ...past, weight: granted } : { ...costs, source })
  }

  /** Told of each observation after the predictor: for policies with a state of their own. */
  observe: ((decision: RememberedDecision['decision'], observation: Observation) => void) | undefined

  /** Writes what was learned since the last time. A file that can't be written is a fault, told and tried again later. */
  save(): Promise<void> {
    const { beliefs, file, strategies } = this
    if (beliefs === undefined || file === undefined) return this.saving
    if (beliefs.dirty) {
      const state = beliefs.state()
      this.keep(
        () => writeStateFile(file, state),
        () => beliefs.unsaved(),
      )
    }
    if (strategies.dirty || this.policyChanged) {
      this.policyChanged = false
      const policy = this.policy && { kind: this.policy.kind, bytes: this.policy.memory.serialize() }
      const learned = { tenants: strategies.state(), policy }
      this.keep(
        () => writeLearned(learnedFileOf(file), learned),
        () => strategies.unsaved(),
      )
    }
    return this.saving
  }

  private keep(write: () => Promise<void>, unsaved: () => void): void {
    this.saving = this.saving.then(write).catch((thrown: unknown) => {
      unsaved()
      this.fault('state', thrown)
    })
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.options.close?.()
    await this.save()
    await this.options.understanding.close()
  }
}

/** Who won an auction goes on with the conversation: its prompt is in that one's cache. */
function winnerOf({ lessons = [] }: Answer): string | undefined {
  for (const lesson of lessons) if (lesson.kind === 'auction') return lesson.winner
  return undefined
}

/** Sources without a bound. Where there are no keys the only caller is who runs it. The judge is the operator's own choice; it is watched all the same. */
export function trustedSources(keys: readonly string[]): (source: string) => boolean {
  const trusted = new Set(['anonymous', ...keys].map((name) => `key:${name}`))
  return (source) => trusted.has(source) || /^judge(-pair)?:/.test(source)
}

/** A word of the judge that the operator has configured: sought with a known probability, which no caller can say of its own. */
function isOwnJudge({ source, sought }: OutcomeRecord): boolean {
  return sought !== undefined && /^judge(-pair)?:/.test(source)
}

/** Puts a state file aside that can't be used, so that saving doesn't overwrite it. */
export async function setAside(file: string): Promise<string> {
  const name = `${file}.refused`
  await rename(file, name)
  return name
}

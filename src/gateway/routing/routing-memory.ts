import { rename } from 'node:fs/promises'
import type { OutcomeRecord } from '../../ledger/index.js'
import { toDollars, totalInputTokens, totalOutputTokens, usd, type Clock } from '../../quantities/index.js'
import { learningBudget, type LearningBudget, type Observation } from '../../routing/index.js'
import type { Answer } from '../../strategies/index.js'
import type { Features, Understanding } from '../../understanding/index.js'
import type { RoutingConfig } from '../config/index.js'
import { Beliefs, type Belief, type BeliefSettings, type LearnedOutcomes } from './beliefs.js'
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
}

/** Everything of routing that outlives a reload of the configuration: beliefs, conversations, and decisions whose outcomes may still come. */
export class RoutingMemory implements RouterParts {
  readonly conversations: Conversations
  private readonly decisions = new DecisionMemory()
  private beliefs: Beliefs | undefined
  private learning: RoutingConfig['learning'] | undefined
  private file: string | undefined
  private timer: NodeJS.Timeout | undefined
  private budget: LearningBudget | undefined
  private saving: Promise<void> = Promise.resolve()

  constructor(private readonly options: RoutingMemoryOptions) {
    this.conversations = new Conversations(() => options.clock.monotonic())
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

  get understanding(): Understanding {
    return this.options.understanding
  }

  /**
   * Takes a configuration into use. `state` is what was read from the file, the first time. What was learned stays as long as the kind of predictor
   * does; another kind begins with `base`, or anew. Throws `invalid_configuration` for settings that the kind refuses.
   */
  configure(config: RoutingConfig, settings: BeliefSettings, state: RoutingState | undefined): void {
    if (this.beliefs === undefined) this.beliefs = new Beliefs(settings, state)
    else if (this.beliefs.kind === settings.kind.kind) this.beliefs.configure(settings)
    else this.beliefs.reset(settings, undefined)
    this.learning = config.learning
    this.file = config.predictor.state
    clearInterval(this.timer)
    this.timer = this.file === undefined ? undefined : setInterval(() => void this.save(), config.predictor.save_seconds * 1000).unref()
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
    this.conversations.answered(conversation, arm, totalInputTokens(usage) + totalOutputTokens(usage))
    this.decisions.answered(decisionId, arm)
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

  /** Learns from what was said of an answer: by a caller, a check, or the operator's judge. Never throws. */
  told(outcome: OutcomeRecord): void {
    const checked = outcome.source.startsWith('verifier:')
    if (this.learning === undefined || !(checked ? this.learning.verifiers : isOwnJudge(outcome) || this.learning.feedback)) return
    const about =
      outcome.decisionId !== undefined ? [this.decisions.get(outcome.decisionId)].flatMap((one) => one ?? []) : outcome.run === undefined ? [] : this.decisions.ofRun(outcome.key, outcome.run)
    for (const remembered of about) this.learnQuality(remembered, outcome, checked, about.length)
  }

  private learnQuality({ decision, features, tenant, answeredBy, key, user }: RememberedDecision, outcome: OutcomeRecord, checked: boolean, among: number): void {
    const { score, arm = answeredBy, source } = outcome
    if (arm === undefined) return
    // Of a whole run each decision gets its share of the word. All that comes from one key is one source, whatever it calls itself.
    const weight = (checked && score === 1 ? PASSED_WEIGHT : 1) / among
    const judged = isOwnJudge(outcome)
    // What a check or a judge says is nobody's taste.
    this.learn(tenant, decision, { features, arm, quality: score, weight, source: judged ? source : `key:${key}`, ...(checked || judged || user === undefined ? {} : { user }) })
  }

  private learn(tenant: string, decision: RememberedDecision['decision'], observation: Observation): void {
    try {
      this.beliefs?.learn(tenant, observation)
      this.observe?.(decision, observation)
    } catch (thrown) {
      this.fault('learning', thrown)
    }
  }

  /** Told of each observation after the predictor: for policies with a state of their own. */
  observe: ((decision: RememberedDecision['decision'], observation: Observation) => void) | undefined

  /** Writes what was learned since the last time. A file that can't be written is a fault, told and tried again later. */
  save(): Promise<void> {
    const { beliefs, file } = this
    if (beliefs === undefined || file === undefined || !beliefs.dirty) return this.saving
    const state = beliefs.state()
    this.saving = this.saving
      .then(() => writeStateFile(file, state))
      .catch((thrown: unknown) => {
        beliefs.unsaved()
        this.fault('state', thrown)
      })
    return this.saving
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.save()
    await this.options.understanding.close()
  }
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

import type { Effort } from '../protocol/index.js'
import type { ModelId } from '../environment/index.js'
import type { Cost, Money, Regime, Remaining, Usage } from '../quantities/index.js'
import type { Random } from '../statistics/index.js'
import type { Strategy } from '../strategies/index.js'
import type { Features } from '../understanding/index.js'

export type ArmId = string

/** A strategy with its settings bound, that a policy may choose. */
export interface Arm {
  readonly id: ArmId
  readonly strategy: Strategy
  /** The model that answers in the usual case. */
  readonly model: ModelId
  readonly card: ArmCard
}

/** What is known of an arm without any outcome. Everything that is absent is unknown, and limits nothing. */
export interface ArmCard {
  /** Arms of a tier share what is known of the newest of them. By list price where the configuration doesn't say. */
  readonly tier?: 'small' | 'medium' | 'large' | undefined
  readonly mode?: 'instant' | 'reason' | 'agentic' | undefined
  /** Where it runs (150). */
  readonly place?: 'device' | 'edge' | 'cloud' | undefined
  readonly effort?: Effort | undefined
  /** Id of a prompt style (032). */
  readonly style?: string | undefined
  readonly contextTokens?: number | undefined
  readonly tools?: boolean | undefined
  readonly images?: boolean | undefined
  readonly structured?: boolean | undefined
  /** Dollars of a usage at this arm's list price; `null` where it isn't known. Absent: no price is known. */
  readonly priceOf?: ((usage: Usage) => Money | null) | undefined
  /** Measured lately: seconds to the first token, and output tokens a second. */
  readonly firstTokenSeconds?: number | undefined
  readonly tokensPerSecond?: number | undefined
}

/** What a predictor expects of an arm for a request. */
export interface Estimate {
  readonly arm: ArmId
  /** Expected quality in [0, 1] and the variance of that expectation (not of one outcome); `null` when nothing is known. */
  readonly quality: { readonly mean: number; readonly variance: number } | null
  readonly cost: Cost
  /** Output tokens expected, reasoning included; `null` when nothing is known. */
  readonly outputTokens: number | null
  /** Outcomes of this arm that the expectation rests on, weighted by how near they are. */
  readonly support: number
}

/** What happened once: a row of an outcome table, or an outcome of the ledger. What wasn't measured is absent. */
export interface Observation {
  readonly features: Features
  readonly arm: ArmId
  /** In [0, 1]. */
  readonly quality?: number | undefined
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  readonly usd?: number | undefined
  readonly seconds?: number | undefined
  readonly joules?: number | undefined
  /** How much it counts: 1, or one over the propensity with which the arm was chosen, clipped. */
  readonly weight?: number | undefined
  /** Who is behind the quality: so that no single source can move a predictor by more than a bound. */
  readonly source?: string | undefined
  readonly user?: string | undefined
}

/** Learned or fixed beliefs about arms. Every router, offloader and cascade shares these. Cheap: no call goes out, nothing waits. */
export interface Predictor {
  readonly id: string
  /** One estimate an arm, in the order of `arms`. An arm never seen gets what its tier is known for, or `quality: null`. `user`: for whom, where users differ (149). */
  predict(features: Features, arms: readonly ArmId[], user?: string): readonly Estimate[]
  /** In [0, 1]: how much the request is like what was learned from; near 0 the reference arm answers. */
  familiarity(features: Features): number
  /** Throws `RangeError` for a number that isn't finite or is out of its range, and learns nothing from it then. */
  update(observation: Observation): void
  /** The whole state: `load` of the same kind predicts the same. */
  serialize(): Uint8Array
}

/** A way to learn, registered once by its name. */
export interface PredictorKind<Settings = unknown> {
  readonly kind: string
  /** Trains from nothing on these. The same observations, settings and seed give the same predictor. */
  train(observations: Iterable<Observation>, arms: readonly ArmFacts[], settings: Settings, seed: number): Predictor
  /** Throws `BursarError` (`invalid_configuration`) for bytes that it did not write, or of another version. */
  load(bytes: Uint8Array, arms: readonly ArmFacts[], settings: Settings): Predictor
}

/** What a predictor must know of an arm to begin. */
export type ArmFacts = Pick<Arm, 'id' | 'card'>

/** What the caller wants: a price for quality, a floor on it, ceilings on cost or latency, or a mix. */
export interface Objective {
  /** As configuration, headers and `auto:<name>` call it. */
  readonly name?: string | undefined
  /** Dollars that a right answer is worth more than a wrong one (quality 1 instead of 0); `Infinity`: quality alone counts. */
  readonly lambda?: number | undefined
  /**
   * λ where no dollars are given: how many times the reference arm's expected dollars a right answer is worth more than a wrong one. So the same
   * name means the same trade-off whatever the requests' size.
   */
  readonly relativeLambda?: number | undefined
  /** Dollars a joule (κe) and a second (κt) are worth. */
  readonly usdPerJoule?: number | undefined
  readonly usdPerSecond?: number | undefined
  /** Least expected quality relative to the reference arm's: 0.95 is at most 5 % less. */
  readonly qualityFloor?: number | undefined
  readonly maxUsd?: Money | undefined
  readonly maxSeconds?: number | undefined
  readonly maxJoules?: number | undefined
  /** Relative effort in (0, 1] (077). */
  readonly effort?: number | undefined
  /** False: the caller is never used to learn something. */
  readonly explore?: boolean | undefined
  /** Highest list price that may be paid, in dollars a million tokens (OpenRouter's `provider.max_price`). */
  readonly maxPrice?: { readonly input?: number | undefined; readonly output?: number | undefined } | undefined
  /** True: only arms that run on the device may answer (150). */
  readonly private?: boolean | undefined
}

/** How busy an arm's deployments are. */
export interface Load {
  inFlight(arm: ArmId): number
}

/** What the conversation has done so far. */
export interface Session {
  /** The arm that answered last. */
  readonly arm: ArmId
  /** Input tokens that its provider most likely still has in its prompt cache. */
  readonly warmTokens: number
  readonly turns: number
}

export interface Situation {
  readonly arms: readonly [Arm, ...Arm[]]
  /** In the order of `arms`. */
  readonly estimates: readonly Estimate[]
  readonly features: Features
  /** See `Predictor.familiarity`. */
  readonly familiarity: number
  /** What the caller would have used without Bursar: one of `arms`. */
  readonly reference: ArmId
  readonly objective: Objective
  readonly budget: Remaining
  readonly load: Load
  readonly random: Random
  readonly session?: Session | undefined
  /** Most output tokens that the request lets a call produce; absent: it doesn't say. */
  readonly outputLimit?: number | undefined
  /** `ample` when absent. */
  readonly regime?: Regime | undefined
  /** True: there is no network, so only arms on the device can answer (150). */
  readonly offline?: boolean | undefined
  /** Names the conversation for policies that keep something of each (158). */
  readonly conversation?: string | undefined
  /** Whose requests learn from each other; absent: there is one tenant. */
  readonly tenant?: string | undefined
}

/** Pure: the same situation (with the same random numbers) gives the same decision. Learning hangs on `observe`, where a policy has any of its own. */
export interface Policy {
  readonly id: string
  choose(situation: Situation): Decision
  /** What came of a decision, for policies with a state of their own (dual prices, bandit posteriors). */
  observe?(decision: Decision, observation: Observation): void
  /** What it has learned, for policies with a state of their own. */
  readonly memory?: PolicyMemory | undefined
}

/** The state of a policy, as it is kept. */
export interface PolicyMemory {
  serialize(): Uint8Array
  /** Takes the place of what is there. Throws `BursarError` (`invalid_configuration`), and changes nothing, for bytes that no such policy serialised. */
  load(bytes: Uint8Array): void
}

/** The chosen arm, the alternatives, how probable the choice was, and why. */
export interface Decision {
  readonly arm: Arm
  readonly alternatives: readonly Estimate[]
  /** Probability with which this arm was chosen, in (0, 1]. */
  readonly propensity: number
  readonly policy: string
  /** One plain sentence. */
  readonly reason: string
  /** What was expected of the chosen arm, and of the reference arm. */
  readonly expected?: Estimate | undefined
  readonly reference?: Estimate | undefined
  readonly objective?: Objective | undefined
  /** Arms that could not be chosen, and why; the reasons are plain clauses without content. */
  readonly excluded?: readonly Exclusion[] | undefined
  /** Probability of every arm, in the order of `Situation.arms`, from policies that draw; sums to one. `propensity` is the chosen arm's. */
  readonly propensities?: readonly number[] | undefined
  /** True where the arm was drawn in order to learn, and isn't the one that the objective would have had. */
  readonly explored?: boolean | undefined
  /** The situation's. */
  readonly conversation?: string | undefined
  readonly tenant?: string | undefined
}

export interface Exclusion {
  readonly arm: ArmId
  readonly why: string
}

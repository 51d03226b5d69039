import type { Cost, Money, Usage } from '../quantities/index.js'

/** How a call ended. `lost`: nobody could tell, because the process that made it died; its cost is what was reserved for it. */
export type CallEnd = 'complete' | 'failed' | 'cancelled' | 'truncated' | 'lost'

/** Whom a call is for. Each level may be absent but the key. */
export interface Attribution {
  readonly organisation?: string | undefined
  readonly team?: string | undefined
  readonly user?: string | undefined
  /** Name of the key. */
  readonly key: string
  /** Id of the agent run that the caller named, unique within the key. */
  readonly run?: string | undefined
  readonly session?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** Where the input tokens of one call in an agent run come from: estimates from lengths, never content (paper 203). */
export interface InputComposition {
  readonly systemTokens: number
  readonly toolSchemaTokens: number
  /** Results of tools. */
  readonly observationTokens: number
  /** What the model said before, its tool calls included. */
  readonly assistantTokens: number
  readonly userTokens: number
  /** Tokens of the above that the call before in this run had sent already. */
  readonly repeatedTokens: number
}

/** What is known of a call before it is made. */
export interface PlannedCall extends Attribution {
  readonly callId: string
  readonly requestId: string
  readonly decisionId: string
  /** Unix seconds. */
  readonly at: number
  /** The model the caller named. */
  readonly requestedModel: string
  readonly provider: string
  readonly deployment: string
  /** The provider's own name of the model that was asked. */
  readonly model: string
  readonly operation: 'generate' | 'embed'
  readonly stream: boolean
  readonly attempt: number
}

/**
 * All fields of a record, also those that may be absent: what is made field by field must name each, so that a new one isn't forgotten.
 * Records of calls are made so because a copy (`...plan`) that gets further fields takes several times as long.
 */
export type Whole<Fields> = { readonly [Field in keyof Required<Fields>]: Fields[Field] }

/** Written before a call is sent: it becomes a `lost` call of this usage and cost if its end is never recorded. */
export interface IntentRecord extends PlannedCall {
  /** An upper bound. */
  readonly usage: Usage
  readonly cost: Cost
  /** What was reserved on which counter, in grains; a transient line is given back with the holder. */
  readonly held: readonly { readonly counter: string; readonly amount: bigint; readonly transient?: boolean | undefined }[]
}

/** One call of one model at one provider: every attempt has its own record, since every attempt may be billed. */
export interface CallRecord extends PlannedCall {
  readonly end: CallEnd
  /** Upstream HTTP status, 0 when there was none. */
  readonly status: number
  readonly errorCode?: string | undefined
  readonly usage: Usage
  /** True when the provider didn't report a usage and it was estimated from what was seen (never below it). */
  readonly usageEstimated: boolean
  readonly cost: Cost
  readonly serviceTier?: string | undefined
  readonly priceSource?: string | undefined
  /** Seconds to the first token, where there was one. */
  readonly firstTokenSeconds?: number | undefined
  /** Dollars less than the same tokens would have cost without any prompt cache; negative where writing to it cost more. */
  readonly cacheSavings?: Money | null | undefined
  readonly composition?: InputComposition | undefined
  /** What each counter of the intent is settled to, in the order of `held`. Absent for a call without an intent. */
  readonly settled?: readonly bigint[] | undefined
}

/** One decision of a policy. */
export interface DecisionRecord {
  readonly decisionId: string
  readonly requestId: string
  readonly at: number
  readonly key: string
  readonly requestedModel: string
  readonly arm: string
  readonly policy: string
  readonly propensity: number
  readonly reason: string
  /** What was weighed. Absent where nothing was: the caller named the model. */
  readonly weighed?: Weighed | undefined
  /** Absent where the decision is no part of the live proof. */
  readonly trial?: TrialRecord | undefined
}

/** A decision's part in the live proof: a random share is held out to the reference arm, all others get what the policy chose. */
export interface TrialRecord {
  readonly heldOut: boolean
  /** Probability with which this request was to be held out, fixed before it was drawn; in (0, 1). */
  readonly holdout: number
  /** The arm that the policy would have had, whatever was drawn. */
  readonly policyArm: string
  /** Requests of one stratum (category, route) share a baseline. A name of ours or of the configuration, never content. */
  readonly stratum?: string | undefined
  /** Requests that were drawn as one, such as those of a conversation, have the same text: an id of ours. Absent: this request was drawn alone. */
  readonly unit?: string | undefined
}

/** What a policy had before it: expectations, never content. Plain numbers and texts, which JSON keeps as they are. */
export interface Weighed {
  /** What the caller wanted, by the names of the objective's fields; a λ without end is the text `infinite`. */
  readonly objective: Readonly<Record<string, string | number | boolean>>
  /** The arm that the caller would have had without Bursar. */
  readonly reference: string
  /** In [0, 1]: how much the request was like what had been learned from. */
  readonly familiarity: number
  /** True where the arm was drawn in order to learn. */
  readonly explored: boolean
  /** The chosen arm among them. */
  readonly arms: readonly WeighedArm[]
  /** Arms that could not be chosen, and why. */
  readonly excluded: readonly { readonly arm: string; readonly why: string }[]
}

/** What was expected of an arm; unknown is `null`. */
export interface WeighedArm {
  readonly arm: string
  /** In [0, 1], and the standard deviation of that expectation. */
  readonly quality: number | null
  readonly qualityDeviation: number | null
  /** Dollars; an expectation, so no exact money. */
  readonly usd: number | null
  readonly outputTokens: number | null
  readonly seconds: number | null
  readonly joules: number | null
  /** Outcomes that the expectation rests on. */
  readonly support: number
}

/** Evidence of an answer's quality, told after it: by a person, a verifier or a judge. */
export interface OutcomeRecord {
  readonly outcomeId: string
  /** Unix seconds. */
  readonly at: number
  /** Of one decision, or of a whole agent run; at least one of them. */
  readonly decisionId?: string | undefined
  readonly run?: string | undefined
  readonly key: string
  /** Who says so: `user`, `verifier:json_schema`, `verifier:tool_call`, `judge:<name>` … */
  readonly source: string
  /** 0 (useless) to 1 (right). */
  readonly score: number
  /**
   * Probability with which this word was sought, known before, in (0, 1]: a judge's sampling share, a person's. Of all answers of a trial, not only of
   * those that somebody else looked at: where people are asked about a share p of what a judge grades with share s, it is s·p. Absent: it came by
   * itself, as users' feedback does.
   */
  readonly sought?: number | undefined
  /** Arm that the word is about, where it isn't the answering one: a shadow call of the reference, whose answer nobody was given. */
  readonly arm?: string | undefined
  readonly comment?: string | undefined
}

/**
 * Takes something back that an earlier record said: the reconciliation of a lost call with what the provider really billed.
 * Sums add these amounts, so they are usually negative.
 */
export interface CorrectionRecord {
  readonly correctionId: string
  readonly at: number
  readonly callId: string
  readonly usage: Usage
  readonly cost: Cost
  readonly reason: string
}

/** What goes into the journal, in the order in which it happened. */
export type LedgerRecord =
  | { readonly type: 'decision'; readonly record: DecisionRecord }
  | { readonly type: 'intent'; readonly record: IntentRecord }
  | { readonly type: 'call'; readonly record: CallRecord }
  | { readonly type: 'outcome'; readonly record: OutcomeRecord }
  | { readonly type: 'correction'; readonly record: CorrectionRecord }

export interface LedgerTotals {
  readonly calls: number
  readonly usage: Usage
  readonly cost: Cost
  /** Calls whose price is unknown: their dollars are in no total. */
  readonly unpriced: number
}

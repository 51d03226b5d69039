import type { BursarError } from '../../errors/index.js'
import type { Attribution, CallBound, CallBudget, CallRecord, InputComposition, Ledger } from '../../ledger/index.js'
import type { CostReport, EmbeddingRequest, ReportedUsage, Request } from '../../protocol/index.js'
import type { Clock, Money, Usage } from '../../quantities/index.js'
import type { Random } from '../../statistics/index.js'
import type { Cancellation } from '../cancellation.js'
import type { ModelId } from '../environment.js'
import type { Balance, Deployment } from './deployment.js'

/** The deployments that serve one model. */
export interface Route {
  readonly model: ModelId
  readonly deployments: readonly Deployment[]
  readonly balance: Balance
}

export interface RetrySettings {
  /** Further attempts after the first, while nothing has gone out to the caller. */
  readonly attempts: number
  readonly baseSeconds: number
  /** The longest wait for one retry; a provider that asks for more gets none, and the caller its `Retry-After`. */
  readonly maxWaitSeconds: number
}

/** Told of what happens, for metrics, traces and logs. Never sees content. */
export interface CallObserver {
  callEnded(record: CallRecord): void
  retried(deployment: Deployment, failure: BursarError): void
  rested(deployment: Deployment, failure: BursarError): void
  /** The ledger could not take a record. The call is over and paid, so its answer goes out all the same. */
  unrecorded(record: CallRecord, fault: unknown): void
}

/** What all requests share. */
export interface LiveWorld {
  route(model: ModelId): Route | undefined
  /**
   * The price of a usage at a deployment; never guessed low, `null` dollars when unknown. `call`: what it was for and since when (epoch
   * seconds), where that is known: prices may have changed on the way, and providers bill some work beside tokens.
   */
  price(
    deployment: Deployment,
    reported: ReportedUsage,
    call?: { readonly since: number; readonly request: Request | EmbeddingRequest },
  ): { readonly report: CostReport; readonly warning?: string | undefined; readonly source?: string | undefined }
  /** An upper bound for one call, to reserve before it; without looking closely, since every call pays for it. */
  bound(deployment: Deployment, request: Request | EmbeddingRequest): CallBound
  /**
   * Bounds that are closer, in the order in which to try them when a budget has no room for the first: with the input counted by the
   * model's tokenizer, and with the output limited to what answers of this kind hardly ever exceed (only where the caller set no limit).
   */
  closerBounds(deployment: Deployment, request: Request | EmbeddingRequest): Promise<readonly CloserBound[]>
  /** Input tokens of a request that no provider exceeds: for calls whose usage the provider never told. Counts where the vocabulary is known. */
  inputTokens(deployment: Deployment, request: Request | EmbeddingRequest): Promise<number>
  /** Told of each answer that ended well, so that output lengths can be learned. `outputLimit`: a limit that the caller did not set; tokens. */
  learn(deployment: Deployment, request: Request | EmbeddingRequest, usage: Usage, outputLimit: number | undefined): void
  /** What the same tokens would have cost more without any prompt cache; `null` when that isn't known. */
  cacheSavings(deployment: Deployment, reported: ReportedUsage, paid: Money | null): Money | null
  /** Where the input of a call in an agent run comes from. */
  compose(attribution: Attribution, request: Request): InputComposition | undefined
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
  readonly retries: RetrySettings
  readonly observer: CallObserver
}

export interface CloserBound {
  readonly bound: CallBound
  /** Limit on the output that this bound needs; tokens. */
  readonly outputLimit?: number | undefined
}

/** The attempt that is being made for a request. */
export interface Serving {
  readonly deployment: string
  readonly model: string
  readonly attempts: number
  readonly warnings: readonly string[]
}

/** What belongs to one request. */
export interface CallScope {
  /** What the ids of this request's calls begin with; a number follows. */
  readonly callIds: string
  readonly requestId: string
  readonly decisionId: string
  readonly attribution: Attribution
  readonly requestedModel: string
  readonly budget: CallBudget
  readonly cancellation: Cancellation
  readonly headers: Readonly<Record<string, string>>
  readonly streamUsage: 'asked' | 'always' | 'never'
  readonly dropUnsupported: boolean | readonly string[]
}

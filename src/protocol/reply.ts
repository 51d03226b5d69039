import type { Money, Usage } from '../quantities/index.js'
import type { Part, WireFormat } from './conversation.js'

export type FinishReason =
  | 'stop'
  | 'stop_sequence'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'refusal'
  /** The provider paused a long turn and expects the conversation back (Anthropic's `pause_turn`). */
  | 'pause'

export interface TokenLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[] | null
  readonly top: readonly { readonly token: string; readonly logprob: number; readonly bytes: readonly number[] | null }[]
}

/** One answer of a model (there are several where the caller asked for `n` > 1). */
export interface Choice {
  readonly parts: readonly Part[]
  readonly finish: FinishReason
  /** The stop sequence that ended the answer, where the provider says which. */
  readonly stopSequence?: string | undefined
  readonly logprobs?: readonly TokenLogprob[] | undefined
}

/** What a provider reported about its own usage: our buckets, and its words kept for the record. */
export interface ReportedUsage {
  readonly usage: Usage
  /** The service tier that the provider says it used. */
  readonly serviceTier?: string | undefined
  /** What the provider says it bills for this call, where it says so (OpenRouter's `usage.cost`): then it is the price. */
  readonly billedUsd?: Money | undefined
  /** Work of other models that the provider did for this call and bills at their prices (Anthropic's advisor); not in `usage`. */
  readonly also?: readonly { readonly model: string; readonly usage: Usage }[] | undefined
}

/** A whole answer in canonical form. */
export interface Reply {
  readonly id: string
  /** The model name the provider says answered. */
  readonly model: string
  /** Unix seconds. */
  readonly created: number
  readonly choices: readonly Choice[]
  /** `undefined` when the provider reported none. */
  readonly reported: ReportedUsage | undefined
  readonly systemFingerprint?: string | undefined
}

/**
 * One step of a streamed answer. `choice` is the index of the answer it belongs to, `part` the index of the part within
 * the answer (parts arrive in order; parallel tool calls have a part each and may interleave).
 */
export type Delta =
  | { readonly type: 'start'; readonly id: string; readonly model: string; readonly created: number }
  | {
      readonly type: 'text'
      readonly choice: number
      readonly part: number
      readonly text: string
      readonly logprobs?: readonly TokenLogprob[] | undefined
    }
  | { readonly type: 'refusal'; readonly choice: number; readonly part: number; readonly text: string }
  | { readonly type: 'reasoning'; readonly choice: number; readonly part: number; readonly text: string }
  | {
      /** Closes a reasoning part with its seal. */
      readonly type: 'reasoning_signature'
      readonly choice: number
      readonly part: number
      readonly signature: string
      readonly signatureFormat: WireFormat
      readonly redacted?: boolean | undefined
      readonly id?: string | undefined
    }
  | {
      readonly type: 'tool_call'
      readonly choice: number
      readonly part: number
      readonly id: string
      readonly name: string
      readonly signature?: string | undefined
    }
  | { readonly type: 'tool_arguments'; readonly choice: number; readonly part: number; readonly json: string }
  /** A whole block of one format's own kind. */
  | {
      readonly type: 'native'
      readonly choice: number
      readonly part: number
      readonly format: WireFormat
      readonly value: Readonly<Record<string, unknown>>
    }
  | { readonly type: 'finish'; readonly choice: number; readonly reason: FinishReason; readonly stopSequence?: string | undefined }
  | { readonly type: 'usage'; readonly reported: ReportedUsage }
  /** Whole server-sent events in the caller's own format, untouched: only where provider and caller speak the same. */
  | { readonly type: 'wire'; readonly bytes: Uint8Array }

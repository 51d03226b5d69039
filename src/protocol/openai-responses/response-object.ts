import type { Usage } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import type { Request } from '../conversation.js'
import type { FinishReason, TokenLogprob } from '../reply.js'
import { echoedSettings } from './encode-request.js'
import { usageFields } from './usage-fields.js'

export type Item = Record<string, unknown>

/** What identifies an answer. */
export interface ResponseHead {
  readonly id: string
  readonly model: string
  readonly created: number
}

/** How an answer ended; `undefined` while it goes on. */
export interface ResponseEnd {
  readonly finish: FinishReason
  /** Whether the model said in so many words that it declines. */
  readonly refused: boolean
  readonly usage: Usage
  readonly cost: CostReport
  readonly serviceTier: string | undefined
}

/** The `response` object, whole or (without an end) in progress. The caller's settings are echoed, as OpenAI does. */
export function responseObject(request: Request, head: ResponseHead, output: readonly Item[], end: ResponseEnd | undefined): Item {
  const reason = end && incompleteReason(end.finish, end.refused)
  return {
    id: head.id,
    object: 'response',
    created_at: head.created,
    status: end === undefined ? 'in_progress' : reason === undefined ? 'completed' : 'incomplete',
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    model: head.model,
    output,
    ...echoedSettings(request),
    service_tier: end?.serviceTier ?? request.serviceTier ?? 'auto',
    usage: end === undefined ? null : usageFields(end.usage, end.cost),
  }
}

/** Why an answer is not whole; `undefined` when it is. A refusal that is said is a whole answer. */
export function incompleteReason(finish: FinishReason, refused: boolean): 'max_output_tokens' | 'content_filter' | undefined {
  if (finish === 'length') return 'max_output_tokens'
  if (finish === 'content_filter' || (finish === 'refusal' && !refused)) return 'content_filter'
  return undefined
}

/** Makes the ids of items: stable for an answer, and different within it. */
export function itemIds(responseId: string): (prefix: 'msg' | 'rs' | 'fc') => string {
  const tail = responseId.replace(/[^a-zA-Z0-9]/g, '').slice(-32)
  let count = 0
  return (prefix) => `${prefix}_${tail}${(count++).toString(36).padStart(3, '0')}`
}

export function encodeLogprobs(logprobs: readonly TokenLogprob[]): unknown[] {
  return logprobs.map(({ token, logprob, bytes, top }) => ({
    token,
    logprob,
    bytes: bytes ?? [],
    top_logprobs: top.map((other) => ({ token: other.token, logprob: other.logprob, bytes: other.bytes ?? [] })),
  }))
}

export function textContent(text: string, logprobs: readonly unknown[]): Item {
  return { type: 'output_text', text, annotations: [], logprobs }
}
export function refusalContent(refusal: string): Item {
  return { type: 'refusal', refusal }
}
export function messageItem(id: string, status: string, content: readonly Item[]): Item {
  return { id, type: 'message', status, role: 'assistant', content }
}
export function reasoningItem(id: string, text: string, sealed: string | undefined): Item {
  return {
    id,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(sealed === undefined ? undefined : { encrypted_content: sealed }),
  }
}
export function callItem(id: string, status: string, call: { readonly id: string; readonly name: string }, json: string): Item {
  return { id, type: 'function_call', status, call_id: call.id, name: call.name, arguments: json }
}

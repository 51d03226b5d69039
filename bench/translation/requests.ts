import { UnsupportedParameter } from '../../src/errors/index.js'
import {
  edit,
  inboundCodec,
  outboundCodec,
  type InboundCodec,
  stringifyExact,
  type OutboundCodec,
  type Request,
} from '../../src/protocol/index.js'
import { refusing } from '../../src/protocol/fixtures/drop-policies.js'
import type { RecordedConversation } from '../data/conversation.js'
import { difference, saidIn, type Format } from './said.js'

export const formats: readonly Format[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']

/** Models that take everything that their format can say. */
export const models: Readonly<Record<Format, string>> = {
  'openai-chat': 'gpt-4.1',
  'openai-responses': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
}

export type Verdict =
  { readonly kind: 'same' } | { readonly kind: 'refused'; readonly reason: string } | { readonly kind: 'lost'; readonly what: string }

export function inbound(format: Format): InboundCodec {
  const codec = inboundCodec(format)
  if (codec === undefined) throw new Error(`${format} has no caller's side`)
  return codec
}
export function outbound(format: Format): OutboundCodec {
  const codec = outboundCodec(format)
  if (codec === undefined) throw new Error(`${format} has no provider's side`)
  return codec
}

/** A recorded conversation as the body of a chat completion. */
export function chatBody(conversation: RecordedConversation): Record<string, unknown> {
  return { model: 'asked', ...conversation.body }
}

/** The request as it goes to a provider: always written anew, never passed through. Throws `UnsupportedParameter`. */
export function writtenText(request: Request, target: Format): string {
  return stringifyExact(outbound(target).encodeRequest(request.wire === undefined ? request : edit(request, {}), models[target], refusing))
}

/** The same as the provider reads it. */
export function written(request: Request, target: Format): Record<string, unknown> {
  const body: unknown = JSON.parse(writtenText(request, target))
  if (typeof body !== 'object' || body === null) throw new Error('an encoder wrote no object')
  return { ...body }
}

/** Whether a conversation says the same to a provider of this format, and again when it comes back from it as a caller's request. */
export function checkRequest(conversation: RecordedConversation, target: Format): Verdict {
  const body = chatBody(conversation)
  const expected = saidIn('openai-chat', body)
  let there: Record<string, unknown>
  try {
    there = written(inbound('openai-chat').decodeRequest(body), target)
  } catch (thrown) {
    return refusal(thrown, body)
  }
  const lost = difference(expected, saidIn(target, there))
  if (lost !== undefined) return { kind: 'lost', what: `there: ${lost}` }
  if (target === 'gemini') return { kind: 'same' }
  const back = difference(expected, saidIn('openai-chat', written(inbound(target).decodeRequest(there), 'openai-chat')))
  return back === undefined ? { kind: 'same' } : { kind: 'lost', what: `and back: ${back}` }
}

/** A refusal counts as one only when its path leads to something in the caller's own body. */
function refusal(thrown: unknown, body: Readonly<Record<string, unknown>>): Verdict {
  if (!(thrown instanceof UnsupportedParameter))
    return { kind: 'lost', what: `threw ${thrown instanceof Error ? thrown.message : String(thrown)}` }
  const path = thrown.path ?? ''
  if (valueAt(body, path) === undefined) return { kind: 'lost', what: `refused by the path "${path}", which leads nowhere` }
  return { kind: 'refused', reason: thrown.message.replace(/\[\d+\]/g, '[…]') }
}

/** The value at a path such as `messages[2].content[0].text`. */
export function valueAt(body: unknown, path: string): unknown {
  let value = body
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    const found: unknown = Object.entries(value).find(([name]) => name === step)?.[1]
    value = found
  }
  return value
}

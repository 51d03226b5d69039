import type { EncodeContext } from '../codec.js'
import type { Part, ReasoningPart } from '../conversation.js'
import { parseExact } from '../exact-numbers.js'
import { isObject } from '../json-value.js'
import type { Choice, Reply } from '../reply.js'
import type { Block } from './encode-content.js'
import { writeForeignSeal } from './foreign-seal.js'
import { stopReason } from './stop-reason.js'
import { encodeUsage } from './usage-out.js'

/** Writes an answer as Anthropic does, with `cost` and `cost_details` in its usage. The format holds one choice: the first. */
export function encodeMessagesReply(reply: Reply, context: EncodeContext): Record<string, unknown> {
  const choice = reply.choices[0]
  return {
    ...messageHead(reply.id === '' ? context.id : reply.id, reply.model === '' ? context.request.model : reply.model),
    content: choice === undefined ? [] : encodeReplyParts(choice.parts),
    ...messageEnd(choice?.finish ?? 'stop', choice?.stopSequence),
    usage: encodeUsage(context.usage, context.cost),
  }
}

/** What stands before the content. */
export function messageHead(id: string, model: string): Record<string, unknown> {
  return { id, type: 'message', role: 'assistant', model, container: null }
}

/** What is known only when the answer has ended. */
export function messageEnd(finish: Choice['finish'], stopSequence: string | undefined): Record<string, unknown> {
  return { stop_reason: stopReason(finish), stop_sequence: finish === 'stop_sequence' ? (stopSequence ?? null) : null, stop_details: null }
}

/** Parts that the format can't show in an answer (media, blocks of other providers) are left out. */
function encodeReplyParts(parts: readonly Part[]): Block[] {
  const blocks: Block[] = []
  for (const part of parts) {
    switch (part.type) {
      case 'text':
      case 'refusal':
        if (part.text !== '') blocks.push({ type: 'text', text: part.text })
        break
      case 'reasoning':
        if (part.text !== '' || part.signature !== undefined) blocks.push(reasoningBlock(part))
        break
      case 'tool_call':
        if (part.signature !== undefined) blocks.push(callSealBlock(part.signature))
        blocks.push({ type: 'tool_use', id: part.id, name: part.name, input: toolInput(part.arguments) })
        break
      case 'native':
        if (part.format === 'anthropic-messages') blocks.push({ ...part.value })
        break
      case 'image':
      case 'audio':
      case 'file':
      case 'tool_result':
        break
    }
  }
  return blocks
}

function reasoningBlock(part: ReasoningPart): Block {
  if (part.redacted === true) return { type: 'redacted_thinking', data: sealText(part) }
  return { type: 'thinking', thinking: part.text, signature: part.signature === undefined ? '' : sealText(part) }
}

/** The seal as this format carries it: Anthropic's own as it is, another family's marked. */
export function sealText(part: Pick<ReasoningPart, 'signature' | 'signatureFormat' | 'id'>): string {
  const seal = part.signature ?? ''
  const format = part.signatureFormat ?? 'anthropic-messages'
  return format === 'anthropic-messages' ? seal : writeForeignSeal({ kind: 'reasoning', format, id: part.id, seal })
}

/** Gemini's signature of a tool call, in a block of its own in front of it (see foreign-seal.ts). */
export function callSealBlock(signature: string): Block {
  return { type: 'redacted_thinking', data: writeForeignSeal({ kind: 'tool_call', format: 'gemini', id: undefined, seal: signature }) }
}

/** Arguments that are no JSON object are handed on in one that says so, the way Anthropic asks for broken JSON to be sent back. */
function toolInput(text: string): Record<string, unknown> {
  if (text.trim() === '') return {}
  try {
    const value = parseExact(text)
    if (isObject(value)) return { ...value }
  } catch {
    // Told below.
  }
  return { INVALID_JSON: text }
}

import type { ReasoningPart, WireFormat } from '../conversation.js'
import { arrayOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'

/**
 * OpenRouter's `reasoning_details`: the one form in which a chat completion can carry sealed reasoning of any family, so
 * that a tool loop can send it back unchanged. Each entry names its family in `format`.
 */

const formatNames: Readonly<Partial<Record<WireFormat, string>>> = {
  'anthropic-messages': 'anthropic-claude-v1',
  'openai-responses': 'openai-responses-v1',
  gemini: 'google-gemini-v1',
}
const formatsByName: ReadonlyMap<string, WireFormat> = new Map([
  ['anthropic-claude-v1', 'anthropic-messages'],
  ['openai-responses-v1', 'openai-responses'],
  ['google-gemini-v1', 'gemini'],
])

/** One thing that a detail entry says, in order. */
export type ReasoningStep =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'seal'
      readonly signature: string
      readonly format: WireFormat
      readonly id: string | undefined
      readonly redacted: boolean
    }

/** Reads entries of any origin; unknown kinds are left out. `hasOpenPart`: whether a reasoning part without a seal precedes. */
export function reasoningSteps(details: unknown, hasOpenPart: boolean): ReasoningStep[] {
  const steps: ReasoningStep[] = []
  let open = hasOpenPart
  for (const entry of arrayOf(details)) {
    const detail = objectOf(entry)
    if (!detail) continue
    const format = formatsByName.get(stringOf(detail['format']) ?? '') ?? 'openai-chat'
    const id = textOf(detail['id'])
    const text =
      detail['type'] === 'reasoning.summary'
        ? textOf(detail['summary'])
        : detail['type'] === 'reasoning.text'
          ? textOf(detail['text'])
          : undefined
    if (text !== undefined) {
      steps.push({ kind: 'text', text })
      open = true
    }
    const signature = detail['type'] === 'reasoning.encrypted' ? textOf(detail['data']) : textOf(detail['signature'])
    if (signature === undefined) continue
    // OpenAI and Gemini seal the reasoning whose text came before; Anthropic's sealed entries stand for themselves.
    const redacted = detail['type'] === 'reasoning.encrypted' && (!open || sealsText(format))
    steps.push({ kind: 'seal', signature, format, id, redacted })
    open = false
  }
  return steps
}

/** The reasoning of an assistant message, in whichever of the three ways it was written. */
export function reasoningParts(message: JsonObject, at: string): ReasoningPart[] {
  const field = textOf(message['reasoning_content']) === undefined ? 'reasoning' : 'reasoning_content'
  const plain = textOf(message[field])
  const steps = reasoningSteps(message['reasoning_details'], plain !== undefined)
  if (steps.length === 0) return plain === undefined ? [] : [{ type: 'reasoning', text: plain, at: `${at}.${field}` }]
  // The details say the same text again; some clients keep only their seals.
  if (plain !== undefined && !steps.some((step) => step.kind === 'text')) steps.unshift({ kind: 'text', text: plain })
  const parts: ReasoningPart[] = []
  const path = `${at}.reasoning_details`
  let text: string | undefined
  for (const step of steps) {
    if (step.kind === 'text') {
      text = (text ?? '') + step.text
      continue
    }
    if (step.redacted && text !== undefined) {
      parts.push({ type: 'reasoning', text, at: path })
      text = undefined
    }
    parts.push({
      type: 'reasoning',
      text: text ?? '',
      signature: step.signature,
      signatureFormat: step.format,
      at: path,
      ...(step.redacted ? { redacted: true } : undefined),
      ...(step.id === undefined ? undefined : { id: step.id }),
    })
    text = undefined
  }
  if (text !== undefined) parts.push({ type: 'reasoning', text, at: path })
  return parts
}

/** Entries for reasoning parts, numbered as OpenRouter numbers them. Parts without a seal are text only. */
export function reasoningDetails(parts: readonly ReasoningPart[]): JsonObject[] {
  const details: JsonObject[] = []
  for (const part of parts) {
    const { signature, signatureFormat, id } = part
    const beside = sealsText(signatureFormat)
    if (!part.redacted && (part.text !== '' || (beside && signature !== undefined))) details.push(textDetail(part, details.length))
    if (signature !== undefined && (part.redacted || !beside)) details.push(sealDetail(signature, signatureFormat, id, details.length))
  }
  return details
}

function textDetail(part: ReasoningPart, index: number): JsonObject {
  if (part.signatureFormat === 'openai-responses')
    return { type: 'reasoning.summary', summary: part.text, ...identity(part.signatureFormat, part.id), index }
  const signature = part.signature !== undefined && sealsText(part.signatureFormat) ? { signature: part.signature } : undefined
  return { type: 'reasoning.text', text: part.text, ...signature, ...identity(part.signatureFormat, part.id), index }
}

/** Whether a family's signature stands beside its text (Anthropic) rather than in an entry of its own. */
function sealsText(format: WireFormat | undefined): boolean {
  return format !== 'openai-responses' && format !== 'gemini'
}

/** An entry that holds a seal alone. */
export function sealDetail(signature: string, format: WireFormat | undefined, id: string | undefined, index: number): JsonObject {
  return { type: 'reasoning.encrypted', data: signature, ...identity(format, id), index }
}

/** An entry that seals the text that came before it in a stream. */
export function signatureDetail(signature: string, format: WireFormat, id: string | undefined, index: number): JsonObject {
  return { type: 'reasoning.text', signature, ...identity(format, id), index }
}

function identity(format: WireFormat | undefined, id: string | undefined): JsonObject {
  const name = format === undefined ? undefined : formatNames[format]
  return { ...(name === undefined ? undefined : { format: name }), ...(id === undefined ? undefined : { id }) }
}

import { readForeignSeal, writeForeignSeal, type ForeignSeal } from '../anthropic-messages/foreign-seal.js'
import type { ReasoningPart } from '../conversation.js'

/**
 * `encrypted_content` is this format's one place for a seal of reasoning. OpenAI's own goes there as it is; that of another
 * family goes there marked with its format and id, so that a client that sends its reasoning items back brings it home.
 */
export function encryptedContent(part: Pick<ReasoningPart, 'signature' | 'signatureFormat' | 'id' | 'redacted'>): string | undefined {
  if (part.signature === undefined) return undefined
  const format = part.signatureFormat ?? 'openai-responses'
  // One that is marked already came from another Bursar behind this one: marked again, only our own mark is taken off later.
  if (format === 'openai-responses' && readForeignSeal(part.signature) === undefined) return part.signature
  return writeForeignSeal({
    kind: 'reasoning',
    format,
    id: part.id,
    seal: part.redacted === true ? `${redactedMark}${part.signature}` : part.signature,
  })
}

/** Gemini's signature of a tool call, in a reasoning item of its own in front of the call. */
export function callSeal(signature: string): string {
  return writeForeignSeal({ kind: 'tool_call', format: 'gemini', id: undefined, seal: signature })
}

/** What an `encrypted_content` seals, when it is one of ours. */
export function readEncryptedContent(text: string): (ForeignSeal & { readonly redacted: boolean }) | undefined {
  const seal = readForeignSeal(text)
  if (seal === undefined) return undefined
  const redacted = seal.seal.startsWith(redactedMark)
  return { ...seal, seal: redacted ? seal.seal.slice(redactedMark.length) : seal.seal, redacted }
}

/** Reasoning of which the provider gave only the sealed form; Anthropic must get it back as such. No seal begins so. */
const redactedMark = '~'

import { complete, dataEvent, type Answer, type FullAnswer } from './answer.js'
import type { Behaviour, Bill } from './behaviour.js'

type Json = Record<string, unknown>
const finishReasons = { stop: 'STOP', length: 'MAX_TOKENS', tools: 'STOP', filter: 'SAFETY' } as const

/** A whole `generateContent` answer. */
export function geminiReply(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  const parts = [
    ...(full.reasoningPieces.length > 0 ? [{ text: full.reasoningPieces.join(''), thought: true }] : []),
    ...(full.textPieces.length > 0 ? [{ text: full.textPieces.join('') }] : []),
    ...callParts(full),
  ]
  return { body: response(full, parts, true, full.usage), ...(full.usage && { bill: full.usage }) }
}

/** A `streamGenerateContent?alt=sse` answer: each event a whole response with the new parts; the last has the finish reason and usage. */
export function geminiStream(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  const pieces: Json[][] = [
    ...full.reasoningPieces.map((text) => [{ text, thought: true }]),
    ...full.textPieces.map((text) => [{ text }]),
    // Gemini sends a function call whole, never in pieces.
    ...callParts(full).map((part) => [part]),
  ]
  const events = pieces.map((parts, index) => {
    const last = full.properEnd && index === pieces.length - 1
    return dataEvent(response(full, parts, last, last ? full.usage : undefined))
  })
  return { events, ...(full.usage && { bill: full.usage }) }
}

/** Gemini counts thoughts apart from candidates, and cached tokens inside the prompt. */
export function geminiUsage(bill: Bill): Json {
  const thoughts = bill.reasoning ?? 0
  return {
    promptTokenCount: bill.input,
    candidatesTokenCount: bill.output - thoughts,
    ...(thoughts > 0 && { thoughtsTokenCount: thoughts }),
    ...(bill.cached !== undefined && { cachedContentTokenCount: bill.cached }),
    totalTokenCount: bill.input + bill.output,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: bill.input }],
  }
}

/** An error body as Google writes it. */
export function geminiError(status: number, message: string, reason: string, headers: Behaviour['headers'] = {}): Behaviour {
  return { status, headers, body: { error: { code: status, message, status: reason } } }
}

function callParts(full: FullAnswer): Json[] {
  return full.toolCalls.map((call) => {
    const args: unknown = JSON.parse(call.pieces.join('') || '{}')
    return { functionCall: { name: call.name, args, id: call.id } }
  })
}

function response(full: FullAnswer, parts: readonly Json[], last: boolean, usage: Bill | undefined): Json {
  return {
    candidates: [{ content: { role: 'model', parts }, index: 0, ...(last && { finishReason: finishReasons[full.finish] }) }],
    ...(usage && { usageMetadata: geminiUsage(usage) }),
    modelVersion: full.model,
    responseId: full.id,
  }
}

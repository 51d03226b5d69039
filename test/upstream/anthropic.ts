import { complete, namedEvent, type Answer, type FullAnswer } from './answer.js'
import type { Behaviour, Bill } from './behaviour.js'

const stopReasons = { stop: 'end_turn', length: 'max_tokens', tools: 'tool_use', filter: 'refusal' } as const

/** A whole message. Anthropic counts cached tokens apart from `input_tokens`. */
export function messagesReply(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  return {
    headers: { 'request-id': `req_${full.id}` },
    body: {
      ...messageBase(full),
      content: [
        ...(full.reasoningPieces.length > 0 ? [{ type: 'thinking', thinking: full.reasoningPieces.join(''), signature: 'c2lnbmVk' }] : []),
        ...(full.textPieces.length > 0 ? [{ type: 'text', text: full.textPieces.join('') }] : []),
        ...full.toolCalls.map((call) => ({ type: 'tool_use', id: call.id, name: call.name, input: parsed(call.pieces.join('')) })),
      ],
      stop_reason: stopReasons[full.finish],
      usage: messagesUsage(full.usage ?? { input: 0, output: 0 }),
    },
    ...(full.usage && { bill: full.usage }),
  }
}

/** A streamed message: `message_start`, the blocks, `message_delta` with the final usage, `message_stop`; one `ping` after the start. */
export function messagesStream(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  const usage = full.usage ?? { input: 0, output: 0 }
  const events = [
    namedEvent('message_start', {
      type: 'message_start',
      message: { ...messageBase(full), content: [], stop_reason: null, usage: messagesUsage({ ...usage, output: 1 }) },
    }),
    namedEvent('ping', { type: 'ping' }),
  ]
  let index = 0
  const block = (start: Record<string, unknown>, deltas: readonly Record<string, unknown>[]) => {
    events.push(namedEvent('content_block_start', { type: 'content_block_start', index, content_block: start }))
    for (const delta of deltas) events.push(namedEvent('content_block_delta', { type: 'content_block_delta', index, delta }))
    events.push(namedEvent('content_block_stop', { type: 'content_block_stop', index }))
    index++
  }
  if (full.reasoningPieces.length > 0)
    block({ type: 'thinking', thinking: '', signature: '' }, [
      ...full.reasoningPieces.map((thinking) => ({ type: 'thinking_delta', thinking })),
      { type: 'signature_delta', signature: 'c2lnbmVk' },
    ])
  if (full.textPieces.length > 0)
    block(
      { type: 'text', text: '' },
      full.textPieces.map((text) => ({ type: 'text_delta', text })),
    )
  for (const call of full.toolCalls)
    block(
      { type: 'tool_use', id: call.id, name: call.name, input: {} },
      call.pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece })),
    )
  if (full.properEnd) {
    events.push(
      namedEvent('message_delta', {
        type: 'message_delta',
        delta: { stop_reason: stopReasons[full.finish], stop_sequence: null },
        usage: { output_tokens: usage.output },
      }),
      namedEvent('message_stop', { type: 'message_stop' }),
    )
  }
  return { headers: { 'request-id': `req_${full.id}` }, events, ...(full.usage && { bill: full.usage }) }
}

export function countTokensReply(inputTokens: number): Behaviour {
  return { body: { input_tokens: inputTokens } }
}

export function messagesUsage(bill: Bill): Record<string, unknown> {
  const cached = bill.cached ?? 0
  const written = bill.cacheWrite ?? 0
  return {
    input_tokens: bill.input - cached - written,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: written,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    output_tokens: bill.output,
    service_tier: 'standard',
  }
}

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

/** An error body as Anthropic writes it. */
export function anthropicError(status: number, message: string, headers: Behaviour['headers'] = {}): Behaviour {
  return {
    status,
    headers,
    body: { type: 'error', error: { type: errorTypes[status] ?? 'api_error', message }, request_id: 'req_upstream' },
  }
}

/** An error event inside a stream. */
export function anthropicErrorEvent(type: string, message: string): string {
  return namedEvent('error', { type: 'error', error: { type, message } })
}

function messageBase(full: FullAnswer): Record<string, unknown> {
  return { id: `msg_${full.id}`, type: 'message', role: 'assistant', model: full.model, stop_sequence: null }
}

function parsed(json: string): unknown {
  const value: unknown = JSON.parse(json === '' ? '{}' : json)
  return value
}

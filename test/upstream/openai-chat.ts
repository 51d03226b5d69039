import { complete, created, dataEvent, type Answer, type FullAnswer } from './answer.js'
import type { Behaviour, Bill } from './behaviour.js'

const finishReasons = { stop: 'stop', length: 'length', tools: 'tool_calls', filter: 'content_filter' } as const

/** A whole chat completion. */
export function chatReply(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  return {
    body: {
      id: `chatcmpl-${full.id}`,
      object: 'chat.completion',
      created,
      model: full.model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: full.textPieces.length === 0 ? null : full.textPieces.join(''),
            refusal: null,
            ...(full.reasoningPieces.length > 0 && { reasoning_content: full.reasoningPieces.join('') }),
            ...(full.toolCalls.length > 0 && {
              tool_calls: full.toolCalls.map((call) => ({
                id: call.id,
                type: 'function',
                function: { name: call.name, arguments: call.pieces.join('') },
              })),
            }),
          },
          logprobs: null,
          finish_reason: finishReasons[full.finish],
        },
      ],
      ...(full.usage && { usage: chatUsage(full.usage) }),
      system_fingerprint: 'fp_upstream',
    },
    ...(full.usage && { bill: full.usage }),
  }
}

/** A streamed chat completion: an opening chunk with the role, one chunk a piece, the finish reason, usage, `[DONE]`. */
export function chatStream(answer: Answer & { readonly usageIn?: 'finish' | 'own-chunk' } = {}): Behaviour {
  const full = complete(answer)
  const ownChunk = (answer.usageIn ?? 'own-chunk') === 'own-chunk'
  const events = [chunk(full, { role: 'assistant', content: '' }, null)]
  for (const piece of full.reasoningPieces) events.push(chunk(full, { reasoning_content: piece }, null))
  for (const piece of full.textPieces) events.push(chunk(full, { content: piece }, null))
  full.toolCalls.forEach((call, index) => {
    events.push(chunk(full, { tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] }, null))
    for (const piece of call.pieces) events.push(chunk(full, { tool_calls: [{ index, function: { arguments: piece } }] }, null))
  })
  if (full.properEnd) {
    events.push(chunk(full, {}, finishReasons[full.finish], ownChunk ? undefined : full.usage))
    if (ownChunk && full.usage) events.push(dataEvent({ ...chunkBase(full), choices: [], usage: chatUsage(full.usage) }))
    events.push('data: [DONE]\n\n')
  }
  return { events, ...(full.usage && { bill: full.usage }) }
}

export function chatUsage(bill: Bill): Record<string, unknown> {
  return {
    prompt_tokens: bill.input,
    completion_tokens: bill.output,
    total_tokens: bill.input + bill.output,
    prompt_tokens_details: { cached_tokens: bill.cached ?? 0 },
    completion_tokens_details: { reasoning_tokens: bill.reasoning ?? 0 },
  }
}

/** An error body as OpenAI writes it. */
export function openaiError(status: number, message: string, code: string | null = null, headers: Behaviour['headers'] = {}): Behaviour {
  return {
    status,
    headers,
    body: {
      error: { message, type: status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error', param: null, code },
    },
  }
}

function chunkBase(full: FullAnswer): Record<string, unknown> {
  return { id: `chatcmpl-${full.id}`, object: 'chat.completion.chunk', created, model: full.model, system_fingerprint: 'fp_upstream' }
}

function chunk(full: FullAnswer, delta: Record<string, unknown>, finish: string | null, usage?: Bill): string {
  return dataEvent({
    ...chunkBase(full),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(usage && { usage: chatUsage(usage) }),
  })
}

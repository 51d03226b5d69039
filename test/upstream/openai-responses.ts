import { complete, created, namedEvent, type Answer, type FullAnswer } from './answer.js'
import type { Behaviour, Bill } from './behaviour.js'

type Json = Record<string, unknown>

/** A whole response of the Responses API. */
export function responsesReply(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  return { body: responseObject(full, 'completed', items(full)), ...(full.usage && { bill: full.usage }) }
}

/** A streamed response, event by event as the Responses API numbers them. */
export function responsesStream(answer: Answer = {}): Behaviour {
  const full = complete(answer)
  const events: string[] = []
  let sequence = 0
  const emit = (type: string, data: Json) => events.push(namedEvent(type, { type, sequence_number: sequence++, ...data }))
  emit('response.created', { response: responseObject(full, 'in_progress', []) })
  emit('response.in_progress', { response: responseObject(full, 'in_progress', []) })
  items(full).forEach((item, output_index) => {
    const id = item['id']
    if (item['type'] === 'reasoning') {
      const text = full.reasoningPieces.join('')
      const at = { item_id: id, output_index, summary_index: 0 }
      emit('response.output_item.added', { output_index, item: { ...item, summary: [] } })
      emit('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } })
      for (const delta of full.reasoningPieces) emit('response.reasoning_summary_text.delta', { ...at, delta })
      emit('response.reasoning_summary_text.done', { ...at, text })
      emit('response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text } })
    } else if (item['type'] === 'message') {
      const text = full.textPieces.join('')
      const at = { item_id: id, output_index, content_index: 0 }
      emit('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } })
      emit('response.content_part.added', { ...at, part: { type: 'output_text', text: '', annotations: [] } })
      for (const delta of full.textPieces) emit('response.output_text.delta', { ...at, delta, logprobs: [] })
      emit('response.output_text.done', { ...at, text, logprobs: [] })
      emit('response.content_part.done', { ...at, part: { type: 'output_text', text, annotations: [] } })
    } else {
      const call = full.toolCalls.find((one) => one.id === item['call_id'])
      emit('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } })
      for (const delta of call?.pieces ?? []) emit('response.function_call_arguments.delta', { item_id: id, output_index, delta })
      emit('response.function_call_arguments.done', { item_id: id, output_index, arguments: item['arguments'] })
    }
    emit('response.output_item.done', { output_index, item })
  })
  if (full.properEnd) {
    const incomplete = full.finish === 'length' || full.finish === 'filter'
    emit(incomplete ? 'response.incomplete' : 'response.completed', { response: responseObject(full, 'completed', items(full)) })
  }
  return { events, ...(full.usage && { bill: full.usage }) }
}

export function responsesUsage(bill: Bill): Json {
  return {
    input_tokens: bill.input,
    input_tokens_details: { cached_tokens: bill.cached ?? 0 },
    output_tokens: bill.output,
    output_tokens_details: { reasoning_tokens: bill.reasoning ?? 0 },
    total_tokens: bill.input + bill.output,
  }
}

function items(full: FullAnswer): readonly Json[] {
  return [
    ...(full.reasoningPieces.length > 0
      ? [{ id: `rs_${full.id}`, type: 'reasoning', summary: [{ type: 'summary_text', text: full.reasoningPieces.join('') }] }]
      : []),
    ...(full.textPieces.length > 0
      ? [
          {
            id: `msg_${full.id}`,
            type: 'message',
            status: 'completed',
            role: 'assistant',
            content: [{ type: 'output_text', text: full.textPieces.join(''), annotations: [], logprobs: [] }],
          },
        ]
      : []),
    ...full.toolCalls.map((call) => ({
      id: `fc_${call.id}`,
      type: 'function_call',
      status: 'completed',
      call_id: call.id,
      name: call.name,
      arguments: call.pieces.join(''),
    })),
  ]
}

function responseObject(full: FullAnswer, status: 'in_progress' | 'completed', output: readonly Json[]): Json {
  const incomplete = status === 'completed' && (full.finish === 'length' || full.finish === 'filter')
  return {
    id: `resp_${full.id}`,
    object: 'response',
    created_at: created,
    status: incomplete ? 'incomplete' : status,
    error: null,
    incomplete_details: incomplete ? { reason: full.finish === 'length' ? 'max_output_tokens' : 'content_filter' } : null,
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model: full.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    truncation: 'disabled',
    usage: status === 'completed' && full.usage ? responsesUsage(full.usage) : null,
  }
}

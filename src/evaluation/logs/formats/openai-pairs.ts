import { askedRequest } from '../asked-request.js'
import type { LogFormat } from '../format.js'
import { amountIn, FieldFault, isRecord, jsonIn, textIn, type LogRecord } from '../record-fields.js'
import { answered } from './openai-bodies.js'

const requestFields = ['request', 'request_body', 'req', 'prompt_body']
const responseFields = ['response', 'response_body', 'res', 'completion']

/**
 * Requests with their responses as people log them around an OpenAI (or Anthropic) client: a record with both bodies, `request` and `response` by whatever usual
 * name, and maybe `id`, `usd` or `cost`, `seconds` or `latency_ms`, `quality` or `score`. Names of the bodies' fields are from the providers' API references.
 */
export const openaiPairs: LogFormat = {
  id: 'openai-pairs',
  title: 'request and response pairs',
  recognises: ({ records }) => records.some((record) => isRecord(first(record, requestFields)) && isRecord(first(record, responseFields))),
  entries: async () => (record) => {
    const request = first(record, requestFields)
    const response = first(record, responseFields)
    if (!isRecord(request)) throw new FieldFault('request', 'an object was expected')
    if (!isRecord(response)) throw new FieldFault('response', 'an object was expected')
    const body = isRecord(response['body']) ? response['body'] : response
    if ('error' in body && body['error'] !== null) return []
    const asked = isRecord(request['body']) ? request['body'] : request
    const { model: answeredBy, ...told } = answered(body)
    const model = answeredBy ?? textIn(asked, 'model') ?? textIn(record, 'model')
    if (model === undefined) throw new FieldFault('response.model', 'is missing')
    const milliseconds = amountIn(record, 'latency_ms', 'duration_ms', 'delay_ms')
    const quality = amountIn(record, 'quality', 'score')
    if (quality !== undefined && quality > 1) throw new FieldFault('quality', `a number in [0, 1] was expected, not ${quality}`)
    return [
      {
        id: textIn(record, 'id', 'request_id') ?? textIn(body, 'id'),
        model,
        request: askedRequest(asked),
        category: textIn(record, 'category'),
        usd: amountIn(record, 'usd', 'cost', 'cost_usd') ?? amountIn(body, 'usage.cost'),
        seconds: amountIn(record, 'seconds', 'latency_seconds') ?? (milliseconds === undefined ? undefined : milliseconds / 1000),
        quality,
        ...told,
      },
    ]
  },
}

function first(record: LogRecord, fields: readonly string[]): unknown {
  for (const field of fields) {
    const value = jsonIn(record, field)
    if (value !== undefined) return value
  }
  return undefined
}

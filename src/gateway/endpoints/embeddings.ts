import { openaiEmbeddings } from '../../protocol/index.js'
import type { GatewayState } from '../state.js'
import type { CallerExchange } from './exchange.js'
import { bursarHeaders } from './generate.js'
import { decideFor, openRequest } from './opening.js'

/** Answers a request for embeddings, in OpenAI's format. */
export async function handleEmbeddings(exchange: CallerExchange, state: GatewayState): Promise<void> {
  const { key, request } = await openRequest(exchange, 'openai-embeddings', state, openaiEmbeddings.decodeRequest)
  const { decision, env } = await decideFor(exchange, key, request, 'never', state)
  const completion = await env.embed(decision.arm.model, request)
  if (completion.answer.kind !== 'wire') throw new Error('embeddings come as bytes')
  exchange.sendJson(200, completion.answer.bytes, {
    ...completion.headers,
    ...bursarHeaders(completion, decision, exchange.decisionId, [], exchange.budget?.warnings()),
  })
}

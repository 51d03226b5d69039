import { LiveEnvironment } from '../../environment/index.js'
import { openaiEmbeddings, parseBody } from '../../protocol/index.js'
import { readBody, requireJson } from '../http/body.js'
import { requireModel } from '../keys.js'
import type { GatewayState } from '../state.js'
import type { CallerExchange } from './exchange.js'
import { bursarHeaders, recordDecision } from './generate.js'

/** Answers a request for embeddings, in OpenAI's format. */
export async function handleEmbeddings(exchange: CallerExchange, state: GatewayState): Promise<void> {
  const { req } = exchange
  const key = (exchange.key = state.keyring.authenticate(req.headers, state.clock.now()))
  requireJson(req)
  const body = await readBody(req, state.limits.bodyBytes)
  const parsed = parseBody(body, { maxDepth: state.limits.nesting })
  const request = openaiEmbeddings.decodeRequest(parsed.json, { format: 'openai-embeddings', ...parsed })
  exchange.model = request.model
  requireModel(key, request.model)
  const decision = state.decide(request.model, key)
  const { decisionId } = exchange
  await recordDecision(exchange, decision, state)
  const env = new LiveEnvironment(state.world, {
    callIds: exchange.callIds,
    requestId: exchange.requestId,
    decisionId,
    key: key.name,
    requestedModel: request.model,
    budget: key.budget,
    cancellation: exchange.cancellation,
    headers: state.outgoingHeaders(exchange),
    streamUsage: 'never',
    dropUnsupported: state.dropUnsupported,
    tags: key.tags,
  })
  const completion = await env.embed(decision.arm.model, request)
  if (completion.answer.kind !== 'wire') throw new Error('embeddings come as bytes')
  exchange.sendJson(200, completion.answer.bytes, { ...completion.headers, ...bursarHeaders(completion, decision, decisionId, []) })
}

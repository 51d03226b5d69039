import { decodeCountTokensRequest } from '../../protocol/index.js'
import { countRequestTokens } from '../../understanding/index.js'
import { UpstreamFailure } from '../../environment/index.js'
import type { GatewayState } from '../state.js'
import type { CallerExchange } from './exchange.js'
import { openRequest } from './opening.js'

/**
 * Counts the input tokens of an Anthropic-format request: at the provider where it offers that (free and exact), else with a
 * tokenizer here; `x-bursar-token-count` says which (`provider`, `exact` or `estimate`).
 */
export async function handleCountTokens(exchange: CallerExchange, state: GatewayState): Promise<void> {
  const { key, request, wire } = await openRequest(exchange, 'anthropic-messages', state, decodeCountTokensRequest)
  // Whatever is picked in the end, the reference is what would be asked without Bursar.
  const arm = state.router.decidesFor(request.model) ? state.router.referenceFor(key, request.model) : state.decide(request.model, key).arm
  const deployments = state.world.route(arm.model)?.deployments ?? []
  const deployment = deployments.find((candidate) => candidate.provider.countTokens !== undefined)
  if (deployment?.provider.countTokens) {
    const { model, limits } = deployment
    try {
      const counted = await deployment.provider.countTokens(
        { model, limits, cancellation: exchange.cancellation, headers: state.outgoingHeaders(exchange) },
        wire,
      )
      return exchange.sendJson(200, counted, { 'x-bursar-token-count': 'provider' })
    } catch (thrown) {
      // A provider that doesn't offer it, or can't now, is no reason to give no count.
      if (exchange.cancellation.cancelled || !(thrown instanceof UpstreamFailure) || !thrown.retryable) throw thrown
    }
  }
  // The caller's name for a model says nothing about its vocabulary; the provider's does.
  const { tokens, exact } = await countRequestTokens(request, deployments[0]?.model ?? arm.model)
  exchange.sendJson(200, JSON.stringify({ input_tokens: tokens }), { 'x-bursar-token-count': exact ? 'exact' : 'estimate' })
}

import { LiveEnvironment } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import type { CallBudget } from '../../ledger/index.js'
import { parseBody, type Request, type WireBody, type WireFormat } from '../../protocol/index.js'
import type { Decision } from '../../routing/index.js'
import { readBody, requireJson } from '../http/body.js'
import { labelsOf, type CallerLabels } from '../attribution.js'
import { requireEndpoint, requireModel, type Key } from '../keys.js'
import type { TrialPlan } from '../proof/index.js'
import type { Routed } from '../routing/index.js'
import type { GatewayState } from '../state.js'
import type { CallerExchange } from './exchange.js'

/**
 * What every endpoint begins with: the key, the body, and the model that the key must be allowed. `decode` throws
 * `InvalidRequest` with the field's path.
 */
export async function openRequest<R extends { readonly model: string }>(
  exchange: CallerExchange,
  format: WireFormat,
  state: GatewayState,
  decode: (json: WireBody['json'], wire: WireBody) => R,
): Promise<{ readonly key: Key; readonly request: R; readonly wire: WireBody }> {
  const { req } = exchange
  const key = (exchange.key = state.keyring.authenticate(req.headers, state.clock.now()))
  requireEndpoint(key, exchange.endpoint)
  requireJson(req)
  const body = await readBody(req, state.limits.bodyBytes)
  const wire: WireBody = { format, ...parseBody(body, { maxDepth: state.limits.nesting }) }
  const request = decode(wire.json, wire)
  exchange.model = request.model
  // Of arms each is held against the key's models by itself.
  if (!state.router.decidesFor(request.model) || state.router.standsInFor(request.model)) requireModel(key, request.model)
  else if (format === 'openai-embeddings')
    throw new InvalidRequest(`model: "${request.model}" picks among models that answer in text; name the embedding model.`, {
      path: 'model',
    })
  return { key, request, wire }
}

/**
 * Decides for a request whose model is named, notes the decision (durable with the first call's intent, before anything is spent), and
 * opens the environment that its strategy runs in.
 */
export async function decideFor(
  exchange: CallerExchange,
  key: Key,
  request: { readonly user?: string | undefined },
  streamUsage: 'asked' | 'always' | 'never',
  state: GatewayState,
): Promise<{ readonly decision: Decision; readonly env: LiveEnvironment }> {
  const decision = state.decide(exchange.model, key)
  const labels = labelsOf(exchange.req.headers, request.user)
  exchange.budget = state.budgetFor(key, labels, exchange)
  note(exchange, key, decision, state)
  return { decision, env: environmentFor(exchange, key, labels, exchange.budget, streamUsage, state) }
}

/** The same for a request that leaves the choice to Bursar. Throws as `Router.decide`. */
export async function routeFor(
  exchange: CallerExchange,
  key: Key,
  request: Request,
  streamUsage: 'asked' | 'always' | 'never',
  state: GatewayState,
): Promise<{ readonly routed: Routed; readonly plan: TrialPlan | undefined; readonly env: LiveEnvironment }> {
  const { headers } = exchange.req
  const labels = labelsOf(headers, request.user)
  const budget = (exchange.budget = state.budgetFor(key, labels, exchange))
  const routed = await state.router.decide({ request, headers, key, labels, budget, signal: exchange.cancellation.signal })
  note(exchange, key, routed.decision, state, routed)
  state.routing.decided(exchange.decisionId, routed, key.name, labels.run)
  const plan = state.proof?.began(exchange.decisionId, routed, key)
  return { routed, plan, env: environmentFor(exchange, key, labels, budget, streamUsage, state) }
}

function note(
  exchange: CallerExchange,
  key: Key,
  decision: Decision,
  state: GatewayState,
  { weighed, trial }: Partial<Pick<Routed, 'weighed' | 'trial'>> = {},
): void {
  state.ledger.recordDecision({
    decisionId: exchange.decisionId,
    requestId: exchange.requestId,
    at: state.clock.now(),
    key: key.name,
    requestedModel: exchange.model,
    arm: decision.arm.id,
    policy: decision.policy,
    propensity: decision.propensity,
    reason: decision.reason,
    ...(weighed === undefined ? {} : { weighed }),
    ...(trial === undefined ? {} : { trial }),
  })
}

function environmentFor(
  exchange: CallerExchange,
  key: Key,
  labels: CallerLabels,
  budget: CallBudget,
  streamUsage: 'asked' | 'always' | 'never',
  state: GatewayState,
): LiveEnvironment {
  return new LiveEnvironment(state.world, {
    callIds: exchange.callIds,
    requestId: exchange.requestId,
    decisionId: exchange.decisionId,
    attribution: {
      organisation: key.organisation,
      team: key.team,
      user: key.user ?? labels.user,
      key: key.name,
      run: labels.run,
      session: labels.session,
      tags: labels.tags === undefined ? key.tags : { ...labels.tags, ...key.tags },
    },
    requestedModel: exchange.model,
    budget,
    cancellation: exchange.cancellation,
    headers: state.outgoingHeaders(exchange),
    streamUsage,
    dropUnsupported: state.dropUnsupported,
  })
}

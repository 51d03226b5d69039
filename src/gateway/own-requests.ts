import { createHash, randomUUID } from 'node:crypto'
import { Cancellation, LiveEnvironment } from '../environment/index.js'
import type { BudgetRule, Weighed } from '../ledger/index.js'
import type { Request } from '../protocol/index.js'
import type { Decision } from '../routing/index.js'
import { canonical, single, type Strategy } from '../strategies/index.js'
import type { CallerLabels } from './attribution.js'
import type { Config } from './config/index.js'
import type { Key } from './keys.js'
import type { GatewayState } from './state.js'

/** In whose name requests of a command are made, and within what. */
export interface OwnCaller {
  /** The key's name in records and reports, such as `bursar evaluate`. */
  readonly key: string
  /** Names this run of the command: its limits hold for all of its requests together. */
  readonly run: string
  /** Hard limits of the run, reserved before each call as those of any key. */
  readonly limits: readonly BudgetRule[]
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** A request that is about to be answered in this process. */
export interface OwnRequest {
  readonly environment: LiveEnvironment
  readonly strategy: Strategy
  /** As routing leaves it: without the fields that were wishes. */
  readonly request: Request
}

/**
 * Requests of Bursar's own commands, answered by a gateway's world without HTTP: the same providers, prices, retries, routing and
 * ledger. Nothing is learned from them. Not meant to outlive a reload of the configuration.
 */
export interface OwnRequests {
  /**
   * A model that is named is asked itself, without the fallbacks of its entry, so that what is measured is that model; `auto` and arms
   * are decided as for callers. Throws `model_not_found`, `InvalidRequest`, `BudgetExceeded`.
   */
  open(request: Request, signal: AbortSignal): Promise<OwnRequest>
  /** Whether this name is not that of a model, but leaves the choice to routing. */
  decides(model: string): boolean
  /** For calls of any model, such as a judge's. */
  environment(model: string, signal: AbortSignal): LiveEnvironment
  /** Names what stands behind a model's name: deployments and their providers' addresses, or the whole routing; no secret. */
  identityOf(model: string): string
}

export function createOwnRequests(config: Config, state: GatewayState, caller: OwnCaller): OwnRequests {
  const key: Key = {
    id: caller.key.replace(/\W+/g, '-'),
    name: caller.key,
    source: 'none',
    modelLists: [],
    levels: [{ kind: 'key', id: caller.key.replace(/\W+/g, '-'), name: caller.key, rules: [] }],
    endUsers: [],
    runRules: [],
    requestRules: [],
  }
  const labels: CallerLabels = { run: caller.run, tags: caller.tags, runRules: caller.limits }
  // A model that somebody serves is measured itself, also where routing would answer instead of it.
  const decides = (model: string) =>
    state.router.decidesFor(model) && (/^(auto(:.*)?|openrouter\/auto)$/.test(model) || state.world.route(model) === undefined)
  const begin = (model: string, signal: AbortSignal) => {
    const id = randomUUID()
    const ids = { requestId: `req_${id}`, decisionId: `dec_${id}`, cancellation: Cancellation.following(signal) }
    const budget = state.budgetFor(key, labels, ids)
    const environment = new LiveEnvironment(state.world, {
      callIds: `call_${id}`,
      ...ids,
      attribution: { key: key.name, run: caller.run, tags: caller.tags },
      requestedModel: model,
      budget,
      headers: {},
      streamUsage: 'never',
      dropUnsupported: state.dropUnsupported,
    })
    return { ids, budget, environment }
  }
  const note = (
    { decisionId, requestId }: { readonly decisionId: string; readonly requestId: string },
    requestedModel: string,
    decision: Decision,
    weighed?: Weighed,
  ) =>
    state.ledger.recordDecision({
      decisionId,
      requestId,
      at: state.clock.now(),
      key: key.name,
      requestedModel,
      arm: decision.arm.id,
      policy: decision.policy,
      propensity: decision.propensity,
      reason: decision.reason,
      ...(weighed === undefined ? {} : { weighed }),
    })
  return {
    async open(request, signal) {
      const { ids, budget, environment } = begin(request.model, signal)
      if (!decides(request.model)) {
        const decision = state.decide(request.model, key)
        note(ids, request.model, decision)
        return { environment, strategy: single(request.model), request }
      }
      const routed = await state.router.decide({ request, headers: { 'x-bursar-explore': 'off' }, key, labels, budget, signal })
      note(ids, request.model, routed.decision, routed.weighed)
      return { environment, strategy: routed.strategy, request: routed.request }
    },
    decides,
    environment: (model, signal) => begin(model, signal).environment,
    identityOf(model) {
      if (decides(model)) return digest(['routing', config.routing, config.models, addressesOf(config)])
      const { deployments = [] } = state.world.route(model) ?? {}
      return digest(['model', deployments.map(({ id, provider, facts }) => [id, addressesOf(config)[provider.id], facts.id])])
    },
  }
}

/** Where providers are and what they are, without what is secret or only says how they are called. */
function addressesOf(config: Config): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config.providers).map(([id, provider]) => [
      id,
      {
        type: provider.type,
        at: 'base_url' in provider ? provider.base_url : undefined,
        file: 'file' in provider ? provider.file : undefined,
      },
    ]),
  )
}

function digest(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex')
}

import { createHash, randomUUID } from 'node:crypto'
import type { TrialLimits, TrialWorld } from '../../evaluation/index.js'
import { Gateway, parseConfig, type Config, type OwnRequests } from '../../gateway/index.js'
import { grainsOfLimit, systemClock, usd } from '../../quantities/index.js'
import { buildStrategy, canonical, modelsOf, strategyKinds } from '../../strategies/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { version } from '../version.js'

/** A world that has to be closed. */
export interface OpenedWorld {
  readonly world: TrialWorld
  close(): Promise<void>
}

/** In whose name calls are recorded. */
export const EVALUATE_KEY = 'bursar evaluate'

/** Where judges' calls stand in records, which name a model before it is known. */
const GRADING = 'grading'

/**
 * A gateway in this process, as `bursar serve` would build it from the configuration: every call is metered into its ledger under the
 * key "bursar evaluate", and the limits are reserved there before each call. Throws what `Gateway.create` throws: the ledger is held by
 * another process, a provider can't be made.
 */
export async function gatewayWorld(config: Config, limits: TrialLimits): Promise<OpenedWorld> {
  const gateway = await Gateway.create({ config: { ...config, log: { ...config.log, level: 'error', requests: false } }, version })
  const own = gateway.ownRequests({
    key: EVALUATE_KEY,
    run: `evaluate-${randomUUID()}`,
    limits: [
      ...(limits.usd === undefined ? [] : [{ unit: 'usd' as const, limit: usd(limits.usd), per: 'total' as const, hard: true }]),
      ...(limits.calls === undefined
        ? []
        : [{ unit: 'calls' as const, limit: grainsOfLimit('calls', limits.calls), per: 'total' as const, hard: true }]),
    ],
  })
  return { world: worldOf(own, (model) => own.identityOf(model)), close: () => gateway.close() }
}

/**
 * A gateway that runs elsewhere, over HTTP. It decides, meters and holds the limits, which go with each request as those of one run
 * (`x-bursar-run-budget`).
 */
export async function remoteWorld(url: string, key: string | undefined, limits: TrialLimits): Promise<OpenedWorld> {
  if (!URL.canParse(url)) throw new InvalidRequest(`--url: "${url}" is not an address such as http://127.0.0.1:8787.`, { path: 'url' })
  const budget = [
    ...(limits.usd === undefined ? [] : [`usd=${limits.usd}`]),
    ...(limits.calls === undefined ? [] : [`calls=${limits.calls}`]),
  ].join('; ')
  const headers = {
    'x-bursar-run': `evaluate-${randomUUID()}`,
    'x-bursar-explore': 'off',
    'x-bursar-tags': 'purpose=evaluate',
    ...(budget === '' ? {} : { 'x-bursar-run-budget': budget }),
  }
  const provider = {
    type: 'openai-compatible',
    base_url: `${url.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`,
    ...(key === undefined ? {} : { api_key: key }),
    headers,
  }
  const { config } = parseConfig(
    JSON.stringify({ providers: { gateway: provider }, ledger: { store: 'memory' }, retries: { attempts: 0 } }),
    {},
  )
  const gateway = await Gateway.create({ config: { ...config, log: { ...config.log, level: 'error', requests: false } }, version })
  const own = gateway.ownRequests({ key: EVALUATE_KEY, run: headers['x-bursar-run'], limits: [] })
  const there: OwnRequests = {
    ...own,
    // Whatever the name stands for is decided over there.
    open: (request, signal) => own.open({ ...request, model: `gateway/${request.model}` }, signal),
  }
  return {
    world: worldOf(
      there,
      (model) => `${url} ${model}`,
      (model) => `gateway/${model}`,
    ),
    close: () => gateway.close(),
  }
}

function worldOf(own: OwnRequests, identityOf: (model: string) => string, named: (model: string) => string = (model) => model): TrialWorld {
  const known = new Map<string, string>()
  const identity = (model: string) => {
    let found = known.get(model)
    if (found === undefined) known.set(model, (found = identityOf(model)))
    return found
  }
  return {
    clock: systemClock,
    keeps: true,
    identityOf(method, request) {
      if (method.strategy === undefined) return identity(request.model)
      const parts = modelsOf(buildStrategy(method.strategy, strategyKinds)).map((model) => [model, identity(model)])
      return createHash('sha256').update(canonical(parts)).digest('hex')
    },
    async open({ method, request, signal }) {
      if (method.strategy === undefined) return own.open(request, signal)
      const strategy = buildStrategy(method.strategy, strategyKinds)
      return { environment: renaming(own.environment(method.id, signal), named), strategy }
    },
    forGrading: (signal) => renaming(own.environment(GRADING, signal), named),
  }
}

/** The same environment, where models have other names in the world that is asked. */
function renaming(
  environment: ReturnType<OwnRequests['environment']>,
  named: (model: string) => string,
): ReturnType<TrialWorld['forGrading']> {
  return {
    call: (model, request, options) => environment.call(named(model), request, options),
    embed: (model, request) => environment.embed(named(model), request),
    budget: environment.budget,
    clock: environment.clock,
    random: environment.random,
    signal: environment.signal,
  }
}

import { priceReported } from '../../src/catalog/index.js'
import { BursarError } from '../../src/errors/index.js'
import {
  Cancellation,
  Deployment,
  LiveEnvironment,
  memoryBudget,
  recordedEnvironment,
  simulatedEnvironment,
  virtualClock,
  type Environment,
  type LiveWorld,
  type OutcomeRow,
  type OutcomeSample,
  type SimulatedModel,
  type Spent,
  type VirtualClock,
} from '../../src/environment/index.js'
import { createSandboxProvider } from '../../src/environment/providers/sandbox/index.js'
import { createBounds } from '../../src/gateway/bounds.js'
import { createCallBudget, createMemoryCounters, createMemoryLedger, SharedBudgets, type CallRecord } from '../../src/ledger/index.js'
import type { Request } from '../../src/protocol/index.js'
import { addCost, addUsage, noCost, noUsage } from '../../src/quantities/index.js'
import { seededRandom } from '../../src/statistics/index.js'
import { createOutputQuantile } from '../../src/understanding/index.js'

/**
 * What every world is asked, and its models: `small`, `medium`, `large`, `judge`, `planner` (writes plans in JSON) and `guide` (quotes
 * and concludes), which but for the live world know their trade, `rambler` (checks its answer over and over), and `broken`, which
 * always fails.
 */
export const question = 'What is 17 + 25? Think, then end with "The answer is" and the number.'
export const answer = '42'

export function asking(more: Partial<Request> = {}): Request {
  return {
    model: 'auto',
    messages: [{ role: 'user', parts: [{ type: 'text', text: question }] }],
    stream: true,
    paths: {},
    extra: [],
    ...more,
  }
}

const plan = JSON.stringify({
  level: 3,
  given: 'Two numbers.',
  steps: [
    { ask: 'What is 17 + 20?', task: 'Add 20 to 17.', credits: 40, difficulty: 0.2 },
    { ask: 'What is 5 more?', task: 'Add 5 to that.', credits: 60, difficulty: 0.7 },
  ],
  best: 1,
})
const rationale = '"17 + 25"\nSo: the sum of seventeen and twenty-five is asked for.'

const rambling = `17 + 25 = 42. The answer is 42.\n\n${'Wait, let me check that again. 17 + 25 = 42, so the answer is 42.\n\n'.repeat(20)}`

/** A world as a test sees it. All three have a virtual clock, the live one too: only its provider is none of the wire. */
export interface OpenWorld {
  readonly env: Environment
  readonly clock: VirtualClock
  /** Sums over all calls, and the models that were called, in order of their ends. */
  spent(): Spent & { readonly models: readonly string[] }
  /** Calls that have not ended. */
  inFlight(): number
  cancel(): void
}

export interface WorldOptions {
  /** Calls that may be made. */
  readonly calls?: number | undefined
  readonly seed?: number | undefined
}

const gone = () => new BursarError('The caller went away.', { code: 'client_closed_request', status: 499 })

/** The gateway's own environment, ledger, budgets, bounds and prices, before the sandbox provider. */
export function live({ calls, seed = 1 }: WorldOptions = {}): OpenWorld {
  const clock = virtualClock(1_750_000_000)
  const provider = createSandboxProvider({ seed, clock })
  const ledger = createMemoryLedger()
  const limits = { connectSeconds: 10, firstTokenSeconds: 60, idleSeconds: 60, totalSeconds: 600 }
  const deployments = Object.entries({
    small: 'small',
    medium: 'medium',
    large: 'large',
    judge: 'medium',
    planner: 'medium',
    guide: 'medium',
    rambler: 'medium',
    broken: 'small?status=503',
  }).map(([name, model]) => {
    const facts = provider.facts(model)
    if (!facts) throw new Error(`the sandbox has no ${model}`)
    return [name, new Deployment(name, provider, model, 1, facts, limits, { afterFaults: 1_000, seconds: 1 }, clock)] as const
  })
  const byModel = new Map(deployments)
  let usage = noUsage
  let cost = noCost
  const models: string[] = []
  const world: LiveWorld = {
    route(model) {
      const deployment = byModel.get(model)
      return deployment && { model, deployments: [deployment], balance: 'weighted' }
    },
    price: ({ facts }, reported) => priceReported(facts.prices, reported, clock.now()),
    ...createBounds(clock, createOutputQuantile()),
    cacheSavings: () => null,
    compose: () => undefined,
    ledger,
    clock,
    random: seededRandom(seed),
    retries: { attempts: 0, baseSeconds: 1, maxWaitSeconds: 1 },
    observer: {
      callEnded(record: CallRecord) {
        usage = addUsage(usage, record.usage)
        cost = addCost(cost, record.cost)
        models.push(record.deployment)
      },
      retried: () => undefined,
      rested: () => undefined,
      unrecorded(_record, fault) {
        throw fault
      },
    },
  }
  const cancellation = new Cancellation()
  const shared = new SharedBudgets({ counters: createMemoryCounters(), ledger, clock })
  const rules = calls === undefined ? [] : [{ unit: 'calls', limit: BigInt(calls), per: 'total', hard: true } as const]
  const env = new LiveEnvironment(world, {
    callIds: 'call',
    requestId: 'request',
    decisionId: 'decision',
    attribution: { key: 'k' },
    requestedModel: 'auto',
    budget: createCallBudget([{ kind: 'key', id: 'k', name: 'k', rules }], { shared, cancellation }),
    cancellation,
    headers: {},
    streamUsage: 'asked',
    dropUnsupported: true,
  })
  return {
    env,
    clock,
    spent: () => ({ usage, cost, calls: models.length, models }),
    inFlight: () => deployments.reduce((sum, [, { inFlight }]) => sum + inFlight, 0),
    cancel: () => cancellation.cancel(gone()),
  }
}

/** A row written for this suite: two of three answers of `small` are right. */
export function recorded({ calls, seed = 1 }: WorldOptions = {}): OpenWorld {
  const times = { inputTokens: 30, outputTokens: 12, seconds: 1, firstTokenSeconds: 0.3 }
  const samples = (usd: number, texts: readonly string[]): { readonly samples: OutcomeSample[] } => ({
    samples: Array.from({ length: 48 }, (_, index) => ({ ...times, usd, answer: texts[index % texts.length] ?? '' })),
  })
  const wrongly = 'Seventeen and twenty-five are nearly forty. The answer is 41.'
  const rightly = 'Seventeen and twenty-five are forty-two. The answer is 42.'
  const row: OutcomeRow = {
    id: 'sum',
    request: { messages: [{ role: 'user', content: question }] },
    outcomes: {
      small: samples(0.0001, [rightly, wrongly, rightly]),
      medium: samples(0.0005, [rightly, rightly, wrongly]),
      large: samples(0.002, [rightly]),
      judge: samples(0.0005, ['Score: 9', 'Score: 2']),
      planner: samples(0.0005, [plan]),
      guide: samples(0.0005, [rationale]),
      rambler: samples(0.0005, [rambling]),
      broken: { quality: 0 },
    },
  }
  const abort = new AbortController()
  const env = recordedEnvironment(row, { seed, budget: memoryBudget({ calls }), signal: abort.signal })
  return opened(env, abort)
}

/** Models that answer the same question by their parameters. */
export function simulated({ calls, seed = 1 }: WorldOptions = {}): OpenWorld {
  const times = { firstTokenSeconds: 0.3, tokensPerSecond: 100, tokens: { median: 40, sigma: 0.4 } }
  const models: Readonly<Record<string, SimulatedModel>> = {
    small: { ...times, success: 0.6, price: { input: 0.1, output: 0.4 } },
    medium: { ...times, success: 0.8, price: { input: 1, output: 4 } },
    large: { ...times, success: 0.95, price: { input: 5, output: 20 } },
    judge: { ...times, success: 0.9, price: { input: 1, output: 4 }, judge: { sensitivity: 0.9, specificity: 0.8 } },
    planner: { ...times, success: 1, price: { input: 1, output: 4 }, text: () => plan },
    guide: { ...times, success: 1, price: { input: 1, output: 4 }, text: () => rationale },
    rambler: { ...times, success: 1, price: { input: 1, output: 4 }, text: () => rambling },
    broken: { success: 1, failureRate: 1 },
  }
  const abort = new AbortController()
  const env = simulatedEnvironment({
    models,
    question: { id: 'sum', truth: answer },
    seed,
    budget: memoryBudget({ calls }),
    signal: abort.signal,
  })
  return opened(env, abort)
}

function opened(inner: Environment & { readonly clock: VirtualClock; spent(): Spent }, abort: AbortController): OpenWorld {
  const models: string[] = []
  let inFlight = 0
  const env: Environment = {
    ...inner,
    async *call(model, request, options) {
      const before = inner.spent().calls
      inFlight++
      try {
        return yield* inner.call(model, request, options)
      } finally {
        inFlight--
        if (inner.spent().calls > before) models.push(model)
      }
    },
  }
  return {
    env,
    clock: inner.clock,
    spent: () => ({ ...inner.spent(), models }),
    inFlight: () => inFlight,
    cancel: () => abort.abort(gone()),
  }
}

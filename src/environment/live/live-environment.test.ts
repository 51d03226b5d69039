import { Cancellation } from '../cancellation.js'
import { beforeEach, describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import {
  createCallBudget,
  createMemoryCounters,
  createMemoryLedger,
  SharedBudgets,
  type CallBound,
  type CallBudget,
  type CallRecord,
} from '../../ledger/index.js'
import type { Delta, Reply } from '../../protocol/index.js'
import { noUsage, picoUsd, totalOutputTokens } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import type { Provider, ProviderCall, ProviderResult } from '../provider.js'
import { asking } from '../providers/fixtures/provider-call.js'
import { UpstreamFailure } from '../upstream-failure.js'
import { Deployment } from './deployment.js'
import { LiveEnvironment } from './live-environment.js'
import type { LiveWorld } from './live-world.js'

type Play = (call: ProviderCall) => AsyncGenerator<Delta, ProviderResult>

let now = 0
const clock = {
  now: () => now,
  monotonic: () => now,
  sleep: (seconds: number, signal?: AbortSignal) => {
    now += seconds
    return signal?.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve()
  },
}
const limits = { connectSeconds: 1, firstTokenSeconds: 10, idleSeconds: 10, totalSeconds: 100 }
const request = asking('x')
const reply: Reply = { id: 'r', model: 'm', created: 0, choices: [], reported: undefined }
const usage = { ...noUsage, inputTokens: 3, outputTokens: 2 }
const done: ProviderResult = { answer: { kind: 'reply', reply }, reported: { usage }, estimatedOutputTokens: 0, headers: {} }
const text = (words: string): Delta => ({ type: 'text', choice: 0, part: 0, text: words })
const start: Delta = { type: 'start', id: 'x', model: 'm', created: 0 }
const failure = (more: Partial<ConstructorParameters<typeof UpstreamFailure>[1]> = {}) =>
  new UpstreamFailure('failed', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request', ...more })

let plays: Play[] = []
let open = 0
const provider: Provider = {
  id: 'p',
  kind: 'test',
  speaks: () => false,
  async *generate(call) {
    open++
    try {
      const play = plays.shift()
      if (!play) throw new Error('no play left')
      return yield* play(call)
    } finally {
      open--
    }
  },
  embed: () => Promise.reject(new Error('unused')),
  facts: () => undefined,
  check: () => Promise.resolve({ ok: true, message: '' }),
  close: () => Promise.resolve(),
}

let ledger = createMemoryLedger()
let deployments: Deployment[] = []
let told: string[] = []
let learned: number[] = []
beforeEach(() => {
  now = 0
  plays = []
  open = 0
  told = []
  learned = []
  closer = []
  ledger = createMemoryLedger()
  deployments = [deployment('a')]
})

function deployment(id: string): Deployment {
  return new Deployment(id, provider, 'm', 1, { id: 'm', provider: 'p', capabilities: {} }, limits, { afterFaults: 2, seconds: 50 }, clock)
}

let bound: CallBound = {
  usage: { ...noUsage, inputTokens: 4, outputTokens: 6 },
  cost: { usd: picoUsd(10n), seconds: 100, joules: null, gramsCO2e: null },
  likelyTokens: 5,
}
/** Bounds that a closer look finds. */
let closer: Awaited<ReturnType<LiveWorld['closerBounds']>> = []

/** A key that may spend so many picodollars. */
function limited(limit: bigint): CallBudget {
  const counters = createMemoryCounters()
  const shared = new SharedBudgets({ counters, ledger, clock })
  const rule = { unit: 'usd', limit, per: 'total', hard: true } as const
  return createCallBudget([{ kind: 'key', id: 'k', name: 'k', rules: [rule] }], { shared })
}

function environment(
  cancellation = new Cancellation(),
  budget: CallBudget = createCallBudget([], { shared: new SharedBudgets({ counters: createMemoryCounters(), ledger, clock }) }),
): LiveEnvironment {
  const world: LiveWorld = {
    route: (model) => ({ model, deployments, balance: 'weighted' }),
    // A picodollar for each token out.
    price: (_, reported) => ({ report: { usd: picoUsd(totalOutputTokens(reported.usage)), details: {} } }),
    bound: () => bound,
    closerBounds: () => Promise.resolve(closer),
    inputTokens: () => Promise.resolve(7),
    learn: (_, __, { outputTokens }) => void learned.push(outputTokens),
    cacheSavings: () => null,
    compose: () => undefined,
    ledger,
    clock,
    random: seededRandom(1),
    retries: { attempts: 2, baseSeconds: 1, maxWaitSeconds: 30 },
    observer: {
      callEnded: (record: CallRecord) => void told.push(record.end),
      retried: () => void told.push('retried'),
      rested: () => void told.push('rested'),
      unrecorded: () => void told.push('unrecorded'),
    },
  }
  return new LiveEnvironment(world, {
    callIds: 'call',
    requestId: 'req',
    decisionId: 'dec',
    attribution: { key: 'k' },
    requestedModel: 'm',
    budget,
    cancellation,
    headers: {},
    streamUsage: 'never',
    dropUnsupported: false,
  })
}

async function read(running: AsyncGenerator<Delta, unknown>): Promise<Delta[]> {
  const deltas: Delta[] = []
  for (;;) {
    const step = await running.next()
    if (step.done) return deltas
    deltas.push(step.value)
  }
}

describe('the note of a call that is on its way to the disk', () => {
  /** A budget whose notes become durable when it is told. */
  function noting(): { readonly budget: CallBudget; readonly end: (fault?: BursarError) => void } {
    let end: (fault?: BursarError) => void = () => undefined
    const durable = new Promise<void>((resolve, reject) => (end = (fault) => (fault ? reject(fault) : resolve())))
    const noted = Promise.resolve({ durable: () => durable })
    const shared = new SharedBudgets({ counters: createMemoryCounters(), ledger: { recordIntent: () => noted }, clock })
    return { budget: createCallBudget([], { shared }), end }
  }
  const speaking: Play = async function* () {
    await Promise.resolve()
    yield start
    yield text('Hello')
    return done
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('is waited for before the first content is passed on, and not before the call is sent', async () => {
    plays = [speaking]
    const { budget, end } = noting()
    const shown: unknown[] = []
    const running = environment(undefined, budget).call('m', request)
    const first = running.next().then(({ value }) => shown.push(value))
    await turn()
    expect([open, shown]).toEqual([1, []])
    end()
    await first
    expect(shown).toEqual([start])
    expect(await read(running)).toEqual([text('Hello')])
  })

  it('ends the call when it can not be kept, with nothing shown and the call recorded as sent', async () => {
    plays = [speaking]
    const { budget, end } = noting()
    const running = environment(undefined, budget).call('m', request)
    end(new BursarError('no disk', { code: 'ledger_unavailable', status: 503 }))
    await expect(running.next()).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect([open, told]).toEqual([0, ['failed']])
    expect(await ledger.calls({ limit: 1 })).toMatchObject([{ end: 'failed', errorCode: 'ledger_unavailable' }])
  })
})
const records = async () => (await ledger.calls({ limit: 100 })).toReversed()
const say = (...deltas: readonly Delta[]): Play =>
  async function* ({ progress }) {
    progress.sent = true
    yield* deltas
    return done
  }
const fail = (thrown: unknown, ...before: readonly Delta[]): Play =>
  async function* ({ progress }) {
    progress.sent = true
    yield* before
    throw thrown
  }

describe('one call', () => {
  it('is recorded once, and its place and its reservation are given back, however it ends', async () => {
    const endings: [Play, string, boolean][] = [
      [say(start, text('x')), 'complete', false],
      [fail(failure({ retryable: false }), start), 'failed', true],
      [fail(failure(), start, text('x')), 'truncated', true],
      [fail(new TypeError('a fault of the provider’s code')), 'failed', true],
      [fail(new BursarError('no', { code: 'unsupported_parameter', status: 400 })), 'failed', true],
    ]
    for (const [play, end, throws] of endings) {
      ledger = createMemoryLedger()
      plays = [play]
      const budget = limited(100n)
      const running = read(environment(undefined, budget).call('m', request))
      if (throws) await expect(running).rejects.toBeInstanceOf(BursarError)
      else await running
      expect((await records()).map((record) => record.end)).toEqual([end])
      expect(deployments[0]?.inFlight).toBe(0)
      expect(open).toBe(0)
      // What is not left was spent: nothing stays reserved.
      const spent = (await records()).reduce((sum, { cost }) => sum + (cost.usd ?? 0n), 0n)
      expect(budget.remaining().usd).toBe(100n - spent)
    }
  })

  it('whose code is at fault is a failure of ours, not a caller that left', async () => {
    plays = [fail(new TypeError('oops'))]
    await expect(read(environment().call('m', request))).rejects.toMatchObject({ code: 'internal_error' })
    expect(await records()).toMatchObject([{ end: 'failed', errorCode: 'internal_error' }])
  })

  it('that nobody reads to the end is cancelled and billed for what was seen', async () => {
    plays = [say(start, text('x'), text('y'))]
    const budget = limited(100n)
    const running = environment(undefined, budget).call('m', request)
    await running.next()
    await running.next()
    await running.return(undefined as never)
    expect(open).toBe(0)
    expect(await records()).toMatchObject([{ end: 'cancelled', usageEstimated: true, usage: { inputTokens: 7 } }])
    expect(deployments[0]?.inFlight).toBe(0)
    expect(budget.remaining().usd).toBeLessThan(100n)
  })

  it('that begins after its caller has left is not made', async () => {
    const left = new BursarError('left', { code: 'client_closed_request', status: 499 })
    await expect(read(environment(Cancellation.following(AbortSignal.abort(left))).call('m', request))).rejects.toBe(left)
    expect(await records()).toEqual([])
    expect(deployments[0]?.inFlight).toBe(0)
  })

  it('holds back what is no content, so that another attempt stays possible; and gives it all the same', async () => {
    const told: Delta = { type: 'usage', reported: { usage } }
    plays = [fail(failure(), start, told), say(start, told, text('x'))]
    expect(await read(environment().call('m', request))).toEqual([start, told, text('x')])
    expect((await records()).map((record) => record.end)).toEqual(['failed', 'complete'])
    plays = [say(start, told)]
    expect(await read(environment().call('m', request))).toEqual([start, told])
  })

  it('that the budget refuses is neither made nor recorded, and takes no place', async () => {
    await expect(read(environment(undefined, limited(9n)).call('m', request))).rejects.toMatchObject({ code: 'budget_exceeded' })
    expect(await records()).toEqual([])
    expect(deployments[0]?.inFlight).toBe(0)
    expect(deployments[0]?.state()).toBe('ready')
  })

  it('is over when the ledger fails: answered, told of, and not recorded as something else', async () => {
    ledger.recordCall = () => Promise.reject(new BursarError('full', { code: 'internal_error', status: 500 }))
    plays = [say(text('x'))]
    expect(await read(environment().call('m', request))).toEqual([text('x')])
    expect(told).toEqual(['complete', 'unrecorded'])
  })
})

describe('a call that ends in some other way', () => {
  const seen: Play = async function* ({ progress }) {
    progress.sent = true
    yield text('x')
    progress.outputTokens = 2
    yield text('y')
    now += 10
    throw failure({ upstreamStatus: 200, phase: 'stream' })
  }

  it('is settled at all that was reserved when nobody knows what was made of it', async () => {
    plays = [fail(failure({ retryable: false, upstreamStatus: 200 }))]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    expect(await records()).toMatchObject([{ end: 'failed', usage: { outputTokens: 6 }, usageEstimated: true }])
  })

  it('is settled at what was seen of a stream and what may be under way, never beyond what was reserved', async () => {
    plays = [seen]
    await expect(read(environment().call('m', { ...request, stream: true }))).rejects.toBeInstanceOf(UpstreamFailure)
    expect(await records()).toMatchObject([{ end: 'truncated', usage: { outputTokens: 6 } }])
  })

  it('counts what was seen at no more than the limit that the request was sent with, and at all of it where there was none', async () => {
    const long: Play = async function* ({ progress }) {
      progress.sent = true
      progress.outputTokens = 40
      yield text('x')
      throw failure({ upstreamStatus: 200, phase: 'stream' })
    }
    plays = [long, long]
    await expect(read(environment().call('m', { ...request, stream: true, maxOutputTokens: 3, n: 3 }))).rejects.toBeInstanceOf(
      UpstreamFailure,
    )
    await expect(read(environment().call('m', { ...request, stream: true }))).rejects.toBeInstanceOf(UpstreamFailure)
    expect(await records()).toMatchObject([{ usage: { outputTokens: 9 } }, { usage: { outputTokens: 40 } }])
  })

  it('counts what a silent provider may have written since it was last heard of', async () => {
    const roomy: CallBound = { ...bound, usage: { ...bound.usage, outputTokens: 5000 }, cost: { ...bound.cost, usd: picoUsd(5000n) } }
    plays = [
      async function* ({ progress }) {
        progress.sent = true
        progress.outputTokens = 1
        yield text('x')
        now += 1
        progress.outputTokens = 100
        yield text('y')
        now += 10
        throw failure({ upstreamStatus: 200, phase: 'stream' })
      },
    ]
    const usual = bound
    bound = roomy
    try {
      await expect(read(environment().call('m', { ...request, stream: true }))).rejects.toBeInstanceOf(UpstreamFailure)
    } finally {
      bound = usual
    }
    // A hundred a second: ten seconds of silence are a thousand more.
    const [record] = await records()
    expect(record?.usage.outputTokens).toBeGreaterThanOrEqual(1100)
    expect(record?.usage.outputTokens).toBeLessThan(1300)
  })

  it('is settled at what was reserved when a proxy gave up waiting for the provider', async () => {
    for (const upstreamStatus of [408, 504, 524]) {
      ledger = createMemoryLedger()
      plays = [fail(failure({ retryable: false, upstreamStatus }))]
      await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
      expect(await records()).toMatchObject([{ end: 'failed', status: upstreamStatus, usage: { outputTokens: 6 }, usageEstimated: true }])
    }
  })

  it('costs what was reserved when nobody said how its input was billed', async () => {
    plays = [fail(failure({ retryable: false, upstreamStatus: 200 }))]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    // The price of six tokens out is 6; the bound has room for input that was written to a cache.
    expect(await records()).toMatchObject([{ cost: { usd: 10n } }])
  })

  it('is settled at nothing when the provider refused it, or never got it', async () => {
    plays = [fail(failure({ retryable: false, upstreamStatus: 400 }))]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    plays = [fail(failure({ retryable: false, upstreamStatus: 0, phase: 'connect' }))]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    for (const record of await records()) expect(record).toMatchObject({ end: 'failed', usage: noUsage, cost: { usd: 0n } })
  })
})

describe('an answer whose usage the provider never told', () => {
  it('has the output that was seen, and all that was reserved where the model may have reasoned unseen', async () => {
    const silent: Play = async function* ({ progress }) {
      progress.sent = true
      yield text('x')
      return { ...done, reported: undefined, estimatedOutputTokens: 2 }
    }
    plays = [silent, silent]
    await read(environment().call('m', request))
    deployments = [
      new Deployment(
        'r',
        provider,
        'm',
        1,
        { id: 'm', provider: 'p', capabilities: { reasoning: true } },
        limits,
        { afterFaults: 2, seconds: 50 },
        clock,
      ),
    ]
    await read(environment().call('m', request))
    expect(await records()).toMatchObject([
      { end: 'complete', usageEstimated: true, usage: { outputTokens: 2 } },
      { end: 'complete', usageEstimated: true, usage: { outputTokens: 6 } },
    ])
  })
})

describe('a budget without room for the bound', () => {
  it('has room for a closer one, and the output is limited where that needs it', async () => {
    const less: CallBound = { ...bound, cost: { ...bound.cost, usd: picoUsd(8n) } }
    const least: CallBound = { ...bound, usage: { ...bound.usage, outputTokens: 3 }, cost: { ...bound.cost, usd: picoUsd(7n) } }
    closer = [{ bound: less }, { bound: least, outputLimit: 3 }]
    const limits: (number | undefined)[] = []
    const play: Play = async function* (call) {
      limits.push(call.request.maxOutputTokens, call.outputLimit)
      yield* say(text('x'))(call)
      return done
    }
    plays = [play]
    await read(environment(undefined, limited(8n)).call('m', request))
    expect(limits).toEqual([undefined, undefined])
    plays = [play]
    const running = environment(undefined, limited(7n)).call('m', request)
    await running.next()
    const end = await running.next()
    expect(limits.slice(2)).toEqual([3, 3])
    expect(end).toMatchObject({ done: true, value: { warnings: [expect.stringContaining('3 output tokens')] } })
    expect(learned).toEqual([2, 2])
  })

  it('refuses when no bound fits, and looks no closer once nothing is left', async () => {
    closer = [{ bound: { ...bound, cost: { ...bound.cost, usd: picoUsd(8n) } } }]
    await expect(read(environment(undefined, limited(7n)).call('m', request))).rejects.toMatchObject({ code: 'budget_exceeded' })
    const empty = limited(0n)
    let looked = false
    closer = new Proxy(closer, { get: (target, name, self): unknown => ((looked = true), Reflect.get(target, name, self)) })
    await expect(read(environment(undefined, empty).call('m', request))).rejects.toMatchObject({ code: 'budget_exceeded' })
    expect(looked).toBe(false)
  })
})

describe('a deployment that has rested', () => {
  const rest = async () => {
    plays = [fail(failure({ retryable: true })), fail(failure())]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    expect(deployments[0]?.state()).toBe('resting')
    now += 51
    expect(deployments[0]?.state()).toBe('probe')
    told = []
  }

  it('is probed by one call, however many come at once', async () => {
    await rest()
    let proceed = () => {}
    const gate = new Promise<void>((resolve) => (proceed = resolve))
    plays = [
      async function* ({ progress }) {
        progress.sent = true
        await gate
        yield text('x')
        return done
      },
    ]
    const budget = () => limited(1000n)
    const calls = Array.from({ length: 5 }, () =>
      read(environment(undefined, budget()).call('m', request)).then(
        () => 'ok',
        (thrown: BursarError) => thrown.code,
      ),
    )
    await new Promise((resolve) => setImmediate(resolve))
    proceed()
    expect((await Promise.all(calls)).toSorted()).toEqual([...Array.from({ length: 4 }, () => 'no_deployment_available'), 'ok'])
    expect(deployments[0]?.state()).toBe('ready')
  })

  it('is probed again when the caller of the probe left', async () => {
    await rest()
    plays = [say(text('x'), text('y'))]
    const cancellation = new Cancellation()
    const running = environment(cancellation).call('m', { ...request })
    const first = deployments[0]
    const pending = running.next()
    cancellation.cancel(new BursarError('left', { code: 'client_closed_request', status: 499 }))
    await pending
    await running.return(undefined as never)
    expect(first?.inFlight).toBe(0)
    expect(['probe', 'ready']).toContain(first?.state())
  })

  it('serves others as soon as the probe is answered, before it is over', async () => {
    await rest()
    plays = [say(text('x'), text('y')), say(text('z'))]
    const probe = environment().call('m', request)
    await probe.next()
    expect(await read(environment().call('m', request))).toEqual([text('z')])
    await read(probe)
  })

  it('rests again when the probe fails, and is told of once', async () => {
    await rest()
    plays = [fail(failure())]
    await expect(read(environment().call('m', request))).rejects.toBeInstanceOf(UpstreamFailure)
    expect(deployments[0]?.state()).toBe('resting')
    expect(told).toEqual(['rested', 'failed'])
  })
})

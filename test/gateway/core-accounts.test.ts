import { afterEach, describe, expect, it } from 'vitest'
import { Gateway, parseConfig } from '../../src/gateway/index.js'
import { createMemoryLedger, type Ledger } from '../../src/ledger/index.js'
import { createLogger } from '../../src/gateway/telemetry/log.js'
import { chatReply, chatStream, countTokensReply, embeddingsReply, openaiError, startUpstream } from '../upstream/index.js'
import { baseConfig, chat, dataOf, KEY, startBench, type Bench } from './harness.js'
import { openConnection, postBytes } from './raw.js'

let bench: Bench
afterEach(() => bench.close())

const records = async () => (await bench.gateway.ledger.calls({ limit: 1000 })).toReversed()
const ends = async () => (await records()).map((record) => record.end)
const budget = (usd: number) => (config: Record<string, unknown>) => void (config['keys'] = [{ name: 'test', key: KEY, budget_usd: usd }])

describe('timeouts.total_seconds', () => {
  it('bounds the whole request: attempts and waits together', async () => {
    bench = await startBench((config) => {
      config['timeouts'] = { total_seconds: 0.6, first_token_seconds: 0.25 }
      config['retries'] = { attempts: 10, base_seconds: 0.01 }
      config['cooldown'] = { after_faults: 100 }
    })
    bench.upstream.enqueue({ neverAnswer: true, times: 20 })
    const started = performance.now()
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(504)
    expect(performance.now() - started).toBeLessThan(1500)
    expect((await records()).length).toBeLessThanOrEqual(4)
  })

  it('is not waited for in vain: a wait that can’t end in time isn’t begun', async () => {
    bench = await startBench((config) => void (config['timeouts'] = { total_seconds: 1 }))
    bench.upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '2' }))
    const started = performance.now()
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(performance.now() - started).toBeLessThan(700)
  })

  it('bounds fallbacks too', async () => {
    bench = await startBench((config) => {
      config['timeouts'] = { total_seconds: 0.5, first_token_seconds: 0.3 }
      config['retries'] = { attempts: 0 }
      config['models'] = { first: { deployments: ['up/one'], fallbacks: ['second', 'third'] }, second: 'up/two', third: 'up/three' }
    })
    bench.upstream.enqueue({ neverAnswer: true, times: 5 })
    const started = performance.now()
    expect((await bench.post('/v1/chat/completions', chat('first'))).status).toBe(504)
    expect(performance.now() - started).toBeLessThan(1200)
    expect(await ends()).toEqual(['failed', 'failed'])
  })
})

describe('a caller that leaves', () => {
  const leaveWhen = async (moment: () => Promise<unknown>, body: unknown = chat('fast'), path = '/v1/chat/completions') => {
    const connection = openConnection(bench)
    connection.send(postBytes(body, { path }))
    await moment()
    connection.socket.destroy()
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
  }
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

  it('while a retry is waited for: nothing more is sent', async () => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 3, base_seconds: 5, max_wait_seconds: 30 }))
    bench.upstream.enqueue({ status: 500, body: {}, times: 5 })
    const started = performance.now()
    await leaveWhen(async () => (await bench.upstream.received(1), await pause(100)))
    expect(performance.now() - started).toBeLessThan(2000)
    expect(await ends()).toEqual(['failed'])
    expect(bench.upstream.requests.length).toBe(1)
  })

  it('while the body of an error is read', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ status: 500, body: {}, contentLength: 100, stallAfter: 1 })
    await leaveWhen(async () => (await bench.upstream.received(1), await pause(50)))
    expect(await ends()).toEqual(['cancelled'])
    // The provider had refused, so nothing is owed.
    expect((await records())[0]).toMatchObject({ cost: { usd: 0n } })
  })

  it('before the head, and in the middle of a whole answer: what was asked is billed', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ neverAnswer: true })
    await leaveWhen(() => bench.upstream.received(1))
    bench.upstream.enqueue({ ...chatReply(), chunking: 20, stallAfter: 2 })
    await leaveWhen(async () => (await bench.upstream.received(2), await pause(50)))
    await bench.upstream.aborted(2)
    expect(await ends()).toEqual(['cancelled', 'cancelled'])
    for (const { cost, usageEstimated } of await records()) {
      expect(usageEstimated).toBe(true)
      expect(cost.usd).toBeGreaterThan(0n)
    }
  })

  it('from embeddings: what was asked is billed', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ neverAnswer: true })
    await leaveWhen(() => bench.upstream.received(1), { model: 'fast', input: 'Rivers run.' }, '/v1/embeddings')
    const [record] = await records()
    expect(record).toMatchObject({ end: 'cancelled', operation: 'embed', usageEstimated: true })
    expect(record?.usage.inputTokens).toBeGreaterThan(0)
    expect(record?.cost.usd).toBeGreaterThan(0n)
  })

  it('in the middle of a count of tokens', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ neverAnswer: true })
    await leaveWhen(
      () => bench.upstream.received(1),
      { model: 'claude', messages: [{ role: 'user', content: 'x' }] },
      '/v1/messages/count_tokens',
    )
    await bench.upstream.aborted(1)
  })

  it('before its body was read', async () => {
    bench = await startBench()
    for (let index = 0; index < 30; index++) {
      const connection = openConnection(bench)
      connection.send(postBytes(chat('fast')))
      // The same tick, the next, and a few later.
      if (index % 3 === 1) await pause(0)
      if (index % 3 === 2) await pause(index / 10)
      connection.socket.destroy()
    }
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
    await expect.poll(async () => (await records()).length).toBe(bench.upstream.requests.length)
  })
})

describe('a ledger that can’t take a record', () => {
  it('costs no answer that is paid for, and the fault is told', async () => {
    const upstream = await startUpstream()
    const memory = createMemoryLedger()
    let refused = 0
    // What the memory ledger does, but for the records of calls.
    const ledger: Ledger = Object.assign(Object.create(memory) as typeof memory, {
      recordCall: () => Promise.reject(new Error(`disk full ${++refused}`)),
    })
    const log: string[] = []
    const gateway = await Gateway.create({
      config: parseConfig(JSON.stringify(baseConfig(upstream.url)), {}).config,
      version: 'test',
      ledger,
      log: createLogger({ level: 'debug', destination: { write: (line: string) => void log.push(line) } }),
    })
    const { url } = await gateway.listen()
    bench = {
      upstream,
      gateway,
      url,
      log,
      post: () => Promise.reject(new Error('unused')),
      close: async () => (await gateway.close(), await upstream.close()),
    }
    const post = (stream: boolean) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
        body: JSON.stringify(chat('fast', { stream })),
      })
    expect((await post(false)).status).toBe(200)
    expect(dataOf(await (await post(true)).text()).at(-1)).toBe('[DONE]')
    expect(refused).toBe(2)
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/bursar_ledger_faults_total\{operation="call"\} 2/)
    expect(log.join('')).toContain('could not take')
  })
})

describe('budgets', () => {
  it('hold under many calls at once, and what was reserved comes back', async () => {
    // 16 tokens of output at $4 a million and some input at $1: at most a handful fit at once.
    bench = await startBench(budget(0.002))
    const pass = Array.from({ length: 100 }, () => bench.post('/v1/chat/completions', chat('fast', { max_tokens: 100 })))
    const statuses = (await Promise.all(pass)).map((answer) => answer.status)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    const spent = (await bench.gateway.ledger.totals({ key: 'test' })).cost.usd ?? 0n
    expect(spent).toBeLessThanOrEqual(2_000_000_000n)
    expect((await records()).length).toBe(statuses.filter((status) => status === 200).length)
    expect(bench.upstream.requests.length).toBe((await records()).length)
  })

  it('refuse a model whose price is unknown, but not one that is free, even when they are used up', async () => {
    bench = await startBench((config) => {
      budget(0.0003)(config)
      config['prices'] = { 'up/mock': { input: 1, output: 4 }, 'up/free': { input: 0, output: 0 } }
    })
    expect((await bench.post('/v1/chat/completions', chat('up/unknown'))).status).toBe(429)
    expect(bench.upstream.requests.length).toBe(0)
    // The provider reports far more than was asked for: the budget is overrun.
    bench.upstream.enqueue(chatReply({ usage: { input: 10, output: 1_000_000 } }))
    expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 5 }))).status).toBe(200)
    expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 5 }))).status).toBe(429)
    expect((await bench.post('/v1/chat/completions', chat('up/free', { max_tokens: 5 }))).status).toBe(200)
  })

  it('get back what failed, left and retried calls did not use', async () => {
    bench = await startBench((config) => {
      budget(0.0009)(config)
      config['cooldown'] = { after_faults: 1000 }
    })
    for (let index = 0; index < 30; index++) {
      bench.upstream.enqueue({ status: 500, body: {}, times: 3 })
      expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 100 }))).status).toBe(502)
    }
    expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 100 }))).status).toBe(200)
  })
})

describe('what can be asked afterwards', () => {
  it('a decision of embeddings too, by its own key only', async () => {
    bench = await startBench(
      (config) =>
        void (config['keys'] = [
          { name: 'test', key: KEY },
          { name: 'other', key: 'sk-other-0123456789ab' },
        ]),
    )
    bench.upstream.enqueue(embeddingsReply({ inputs: 1, base64: false, model: 'mock' }))
    const answer = await bench.post('/v1/embeddings', { model: 'fast', input: 'x' })
    const id = answer.headers.get('x-bursar-decision') ?? ''
    const ask = (key: string) => fetch(`${bench.url}/v1/decisions/${id}`, { headers: { authorization: `Bearer ${key}` } })
    const told = await ask(KEY)
    expect(told.status).toBe(200)
    expect(await told.json()).toMatchObject({ calls: [{ end: 'complete' }] })
    expect((await ask('sk-other-0123456789ab')).status).toBe(404)
  })

  it('by the request’s own id, whatever id the provider gave', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ ...chatReply(), headers: { 'x-request-id': 'req_of_the_provider' } })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    const [record] = await records()
    expect(answer.headers.get('x-request-id')).toBe(record?.requestId)
    expect(answer.headers.get('x-upstream-request-id')).toBe('req_of_the_provider')
  })
})

describe('a count of tokens', () => {
  it('is made here when the provider can’t', async () => {
    bench = await startBench()
    const body = { model: 'claude', messages: [{ role: 'user', content: 'Rivers run to the sea.' }] }
    bench.upstream.enqueue({ status: 404, body: { error: { message: 'no such path' } } })
    const own = await bench.post('/v1/messages/count_tokens', body)
    expect(own.status).toBe(200)
    expect(own.headers.get('x-bursar-token-count')).not.toBe('provider')
    expect(((await own.json()) as { input_tokens: number }).input_tokens).toBeGreaterThan(3)
    bench.upstream.enqueue(countTokensReply(77))
    expect(await (await bench.post('/v1/messages/count_tokens', body)).json()).toEqual({ input_tokens: 77 })
    bench.upstream.enqueue({ status: 400, body: { type: 'error', error: { type: 'invalid_request_error', message: 'bad' } } })
    expect((await bench.post('/v1/messages/count_tokens', body)).status).toBe(400)
  })
})

describe('a stream that ends early', () => {
  it('is recorded once, whatever ended it', async () => {
    bench = await startBench((config) => void (config['timeouts'] = { idle_seconds: 0.15 }))
    bench.upstream.enqueue({ ...chatStream(), destroyAfter: 5 })
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 5 })
    bench.upstream.enqueue({ events: [...(chatStream().events ?? []).slice(0, 4), 'data: {"error":{"message":"dead"}}\n\n'] })
    bench.upstream.enqueue(chatStream({ properEnd: false, finish: 'stop', usage: null }))
    for (let index = 0; index < 4; index++) {
      const connection = openConnection(bench)
      connection.send(postBytes(chat('fast', { stream: true }), { head: 'content-type: application/json\r\nconnection: close\r\n' }))
      await connection.rest()
    }
    expect(await ends()).toEqual(['truncated', 'truncated', 'truncated', 'truncated'])
  })
})

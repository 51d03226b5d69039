import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KEY, startBench, type Bench } from './harness.js'

const ADMIN = 'admin-0123456789abcdef'
const SLOW = 'sk-slow-0123456789abcdef'
const ask = { model: 'sandbox/small', max_tokens: 20, messages: [{ role: 'user' as const, content: 'What is 19 * 21?' }] }

let bench: Bench
beforeAll(async () => {
  bench = await startBench((config) => {
    config['providers'] = { sandbox: { type: 'sandbox', speed: 'instant' } }
    config['models'] = { capped: { deployments: [{ provider: 'sandbox', model: 'small' }], max_output_tokens: 10 } }
    config['prices'] = {}
    config['admin'] = { key: ADMIN }
    config['server'] = { port: 0, cors_origins: ['https://app.example'] }
    config['budgets'] = { queue_seconds: 0 }
    config['keys'] = [
      { name: 'test', key: KEY, budgets: [{ usd: 1 }] },
      { name: 'slow', key: SLOW, rates: { tokens_per_minute: 5 } },
    ]
  })
})
afterAll(() => bench.close())

/** A `fetch` that counts. */
function counting(): { fetch: typeof fetch; calls: () => number } {
  let calls = 0
  return { fetch: (...given) => (calls++, fetch(...given)), calls: () => calls }
}

describe('a call that no waiting helps', () => {
  it('is sent once by the OpenAI client, though that repeats what is answered with 429', async () => {
    const counted = counting()
    const client = new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: KEY, fetch: counted.fetch })
    const call = client.chat.completions.create(ask, { headers: { 'x-bursar-budget': 'usd=0.0000001' } })
    await expect(call).rejects.toMatchObject({ status: 429, code: 'budget_exceeded', type: 'insufficient_quota' })
    expect(counted.calls()).toBe(1)
  })

  it('is sent once by the Anthropic client', async () => {
    const counted = counting()
    const client = new Anthropic({ baseURL: bench.url, apiKey: KEY, fetch: counted.fetch })
    await expect(client.messages.create(ask, { headers: { 'x-bursar-budget': 'usd=0.0000001' } })).rejects.toBeInstanceOf(
      Anthropic.RateLimitError,
    )
    expect(counted.calls()).toBe(1)
  })

  it('says so when the call alone is more than its rate', async () => {
    const refused = await bench.post('/v1/chat/completions', ask, { authorization: `Bearer ${SLOW}` })
    expect([
      refused.status,
      refused.headers.get('x-bursar-error'),
      refused.headers.get('x-should-retry'),
      refused.headers.get('retry-after'),
    ]).toEqual([429, 'rate_limited', 'false', null])
  })
})

describe('what a web page may read', () => {
  it('are the headers of budgets and rates, too', async () => {
    const answer = await bench.post('/v1/chat/completions', ask, { origin: 'https://app.example' })
    const exposed = answer.headers.get('access-control-expose-headers')?.split(', ')
    for (const name of [
      'x-bursar-budget-remaining-usd',
      'x-bursar-budget-regime',
      'x-ratelimit-remaining-requests',
      'x-bursar-error',
      'retry-after',
    ])
      expect(exposed).toContain(name)
  })
})

describe('a decision', () => {
  it('is read by its key and by the admin key, by nobody else', async () => {
    const id = (await bench.post('/v1/chat/completions', ask)).headers.get('x-bursar-decision')
    const read = async (key: string) =>
      (await fetch(`${bench.url}/v1/decisions/${id}`, { headers: { authorization: `Bearer ${key}` } })).status
    expect([await read(KEY), await read(ADMIN), await read(SLOW), await read('sk-of-nobody-0123456789')]).toEqual([200, 200, 404, 401])
  })
})

describe('a largest output that the operator set below the model’s own', () => {
  it('makes no reservation smaller: the provider is not told of it, and bills what is written', async () => {
    const open = { model: 'capped', messages: ask.messages }
    const refused = await bench.post('/v1/chat/completions', open, { 'x-bursar-budget': 'tokens=5000' })
    expect([refused.status, refused.headers.get('x-bursar-error')]).toEqual([429, 'budget_exceeded'])
    const limited = await bench.post('/v1/chat/completions', { ...open, max_tokens: 10 }, { 'x-bursar-budget': 'tokens=5000' })
    expect(limited.status).toBe(200)
  })
})

import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KEY, startBench, type Bench } from './harness.js'

/** Beside the sandbox only: its models have three price tiers and no network. */
const OTHER_KEY = 'sk-test-other-0123456789'
const SMALL_KEY = 'sk-test-small-0123456789'
const POOR_KEY = 'sk-test-poor-0123456789'

async function start(
  routing: Record<string, unknown> | undefined,
  more: Record<string, unknown> = {},
): Promise<{ readonly bench: Bench; readonly client: OpenAI }> {
  const bench = await startBench((config) => {
    config['providers'] = { box: { type: 'sandbox', speed: 1000 } }
    config['models'] = {}
    config['prices'] = {}
    if (routing !== undefined) config['routing'] = { exploration: { share: 0 }, ...routing }
    config['keys'] = [
      { name: 'test', key: KEY },
      { name: 'other', key: OTHER_KEY },
      { name: 'small', key: SMALL_KEY, models: ['box/small'] },
      { name: 'poor', key: POOR_KEY, budgets: [{ usd: 0.002, per: 'total' }] },
    ]
    Object.assign(config, more)
  })
  return { bench, client: new OpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1`, maxRetries: 0 }) }
}

const question = (text = 'What is 17 * 23?') => [{ role: 'user' as const, content: text }]

/** The decision behind an answer, as `GET /v1/decisions/{id}` tells it. */
async function decisionOf(bench: Bench, response: Response, key = KEY): Promise<Record<string, unknown>> {
  const told = await fetch(`${bench.url}/v1/decisions/${response.headers.get('x-bursar-decision')}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  expect(told.status).toBe(200)
  return (await told.json()) as Record<string, unknown>
}

describe('auto', () => {
  let bench: Bench
  let client: OpenAI
  beforeAll(async () => {
    ;({ bench, client } = await start({ objectives: { support: { relative_lambda: 0.5 }, thrifty: { lambda: 0 } } }))
  })
  afterAll(() => bench.close())

  const armOf = async (model: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}) => {
    const response = await bench.post('/v1/chat/completions', { model, messages: question(), ...body }, headers)
    return { status: response.status, arm: response.headers.get('x-bursar-arm'), response }
  }

  it('picks by objective: the dearest for best, cheaper ones for less', async () => {
    const { data, response } = await client.chat.completions.create({ model: 'auto:best', messages: question() }).withResponse()
    expect(data.model).toBe('box/large')
    expect(response.headers.get('x-bursar-arm')).toBe('box/large')
    expect(response.headers.get('x-bursar-reference')).toBe('box/large')
    expect(response.headers.get('x-bursar-objective')).toBe('best')
    expect((await armOf('auto:cheap')).arm).toBe('box/medium')
    expect((await armOf('auto:support')).arm).toBe('box/small')
    expect((await armOf('auto:thrifty')).arm).toBe('box/small')
  })

  it('says in headers and body what answered, why, what it cost and what the reference would have', async () => {
    const { data, response } = await client.chat.completions.create({ model: 'auto:cheap', messages: question() }).withResponse()
    const note = (data as unknown as { bursar: Record<string, unknown> }).bursar
    const usage = data.usage as unknown as { cost: number; prompt_tokens: number; completion_tokens: number }
    expect(note).toMatchObject({ arm: 'box/medium', reference: 'box/large', cost: usage.cost })
    expect(note['reason']).toBe(response.headers.get('x-bursar-reason'))
    expect(Number(response.headers.get('x-bursar-reference-cost'))).toBeCloseTo(note['reference_cost'] as number, 9)
    // The same input at the dearest model's rates, and some output.
    expect(note['reference_cost']).toBeGreaterThan((usage.prompt_tokens * 5) / 1e6)
    expect(note['reference_cost']).toBeGreaterThan(usage.cost)
    expect(Number(response.headers.get('x-bursar-expected-quality'))).toBeGreaterThan(0.5)
    expect(response.headers.get('x-bursar-policy')).toContain('value-of-information')
  })

  it('streams, with the same in its headers', async () => {
    const stream = await client.chat.completions.create({ model: 'auto:cheap', messages: question(), stream: true }).withResponse()
    expect(stream.response.headers.get('x-bursar-arm')).toBe('box/medium')
    expect(Number(stream.response.headers.get('x-bursar-reference-cost'))).toBeGreaterThan(0)
    let text = ''
    for await (const chunk of stream.data) text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toContain('17 * 23')
  })

  it('reads wishes from headers, the body and OpenRouter’s fields, and sends none of them on', async () => {
    expect((await armOf('auto:best', {}, { 'x-bursar-max-cost': '0.00001' })).arm).toBe('box/small')
    expect((await armOf('auto', { bursar: { lambda: 0 } })).arm).toBe('box/small')
    expect((await armOf('auto', { bursar: { objective: 'cheap' } }, { 'x-bursar-objective': 'best' })).arm).toBe('box/medium')
    expect((await armOf('auto:best', { bursar: { objective: 'cheap' } })).arm).toBe('box/large')
    expect((await armOf('auto', { provider: { sort: 'price' } })).arm).toBe('box/small')
    expect((await armOf('auto:best', { provider: { max_price: { prompt: 1, completion: 4 } } })).arm).toBe('box/medium')
    expect((await armOf('auto:best', { models: ['box/small', 'box/medium'] })).arm).toBe('box/medium')
    expect((await armOf('auto', { plugins: [{ id: 'auto-router', cost_quality_tradeoff: 10 }] })).arm).toBe('box/small')
    expect((await armOf('openrouter/auto', { plugins: [{ id: 'auto-router', cost_quality_tradeoff: 0 }] })).arm).toBe('box/large')
  })

  it.each([
    ['an objective that there is not', { model: 'auto:chep' }, {}, 'model'],
    ['an objective in the body', { bursar: { objective: 'chep' } }, {}, 'bursar.objective'],
    ['a field that there is not', { bursar: { qualty_floor: 1 } }, {}, 'bursar.qualty_floor'],
    ['a share above one', {}, { 'x-bursar-quality-floor': '1.5' }, 'x-bursar-quality-floor'],
    ['an effort of none', {}, { 'x-bursar-effort': '0' }, 'x-bursar-effort'],
    ['no number', {}, { 'x-bursar-lambda': 'NaN' }, 'x-bursar-lambda'],
    ['a price that is none', { provider: { max_price: { prompt: 'cheap' } } }, {}, 'provider.max_price.prompt'],
    ['a trade-off out of range', { plugins: [{ id: 'auto-router', cost_quality_tradeoff: 11 }] }, {}, 'plugins[0].cost_quality_tradeoff'],
  ])('refuses %s, with its path', async (_, body, headers, path) => {
    const { status, response } = await armOf('auto', body, headers)
    expect(status).toBe(400)
    expect(((await response.json()) as { error: { param: string } }).error.param).toBe(path)
  })

  it('refuses with 404 models that are nowhere, and 400 embeddings', async () => {
    expect((await armOf('auto', { models: ['box/none'] })).status).toBe(404)
    const response = await bench.post('/v1/embeddings', { model: 'auto', input: 'x' })
    expect(response.status).toBe(400)
  })

  it('picks only what the key may use, and needs no leave for auto itself', async () => {
    expect((await armOf('auto:best', {}, { authorization: `Bearer ${SMALL_KEY}` })).arm).toBe('box/small')
    const refused = await armOf('auto', { models: ['box/large'] }, { authorization: `Bearer ${SMALL_KEY}` })
    expect(refused.status).toBe(403)
  })

  it('picks what still fits a budget near its end, and refuses when nothing does', async () => {
    const poor = { authorization: `Bearer ${POOR_KEY}` }
    // A long answer of the dearest model would not fit into $0.002; of the smallest it does.
    expect((await armOf('auto:best', { max_tokens: 1000 }, poor)).arm).toBe('box/small')
    const { status, response } = await armOf('auto:best', { max_tokens: 16_000 }, poor)
    expect(status).toBe(429)
    expect(response.headers.get('x-bursar-error')).toBe('budget_exceeded')
  })

  it('tells a decision in words, with what was expected and what came', async () => {
    const { response } = await armOf('auto:cheap')
    const decision = await decisionOf(bench, response)
    expect(decision).toMatchObject({
      arm: 'box/medium',
      reference: 'box/large',
      requested_model: 'auto:cheap',
      objective: { name: 'cheap' },
      explored: false,
      propensity: 1,
    })
    expect((decision['alternatives'] as { arm: string }[]).map(({ arm }) => arm).sort()).toEqual(['box/large', 'box/medium', 'box/small'])
    expect(decision['expected']).toMatchObject({ arm: 'box/medium', quality: 0.75 })
    expect(decision['explanation']).toContain('The reference "box/large" would have given')
    expect((decision['calls'] as unknown[]).length).toBe(1)
    expect(JSON.stringify(decision)).not.toContain('17 * 23')
  })

  it('leaves a named model as it was: nothing weighed, nothing said', async () => {
    const { response } = await armOf('box/small')
    expect(response.headers.get('x-bursar-arm')).toBeNull()
    expect(await response.json()).not.toHaveProperty('bursar')
    expect(await decisionOf(bench, response)).not.toHaveProperty('alternatives')
  })

  it('answers in the other formats too', async () => {
    const messages = await bench.post('/v1/messages', { model: 'auto:cheap', max_tokens: 100, messages: question() })
    expect(messages.headers.get('x-bursar-arm')).toBe('box/medium')
    const responses = await bench.post('/v1/responses', {
      model: 'auto:cheap',
      input: 'What is 17 * 23?',
      bursar: { lambda: 0, quality_floor: 0 },
    })
    expect(responses.status).toBe(200)
    const counted = await bench.post('/v1/messages/count_tokens', { model: 'auto', messages: question() })
    expect(counted.status).toBe(200)
  })
})

describe('arms of the configuration', () => {
  let bench: Bench
  beforeAll(async () => {
    ;({ bench } = await start({
      reference: 'thorough',
      arms: [
        'box/small',
        { name: 'thorough', model: 'box/large', effort: 'high', quality: 0.97 },
        { name: 'vote', strategy: { kind: 'self_consistency', model: 'box/small', most: 3 }, quality: 0.7 },
      ],
    }))
  })
  afterAll(() => bench.close())
  const armOf = async (model: string, body: Record<string, unknown> = {}) => {
    const response = await bench.post('/v1/chat/completions', { model, messages: question(), ...body })
    return {
      status: response.status,
      arm: response.headers.get('x-bursar-arm'),
      cost: Number(response.headers.get('x-bursar-cost')),
      response,
    }
  }

  it('are what is picked among, and can be named', async () => {
    expect((await armOf('auto:best')).arm).toBe('thorough')
    const vote = await armOf('vote')
    expect(vote).toMatchObject({ status: 200, arm: 'vote' })
    const decision = await decisionOf(bench, vote.response)
    const calls = decision['calls'] as { cost: number }[]
    expect(calls.length).toBeGreaterThan(1)
    // What the caller is told is the sum of all calls.
    expect(vote.cost).toBeCloseTo(
      calls.reduce((sum, { cost }) => sum + cost, 0),
      12,
    )
    expect(((await vote.response.json()) as { usage: { cost: number } }).usage.cost).toBeCloseTo(vote.cost, 12)
  })

  it('are listed nowhere else, and plain models go on as they were', async () => {
    const plain = await armOf('box/large')
    expect(plain).toMatchObject({ status: 200, arm: null })
    expect((await armOf('thorouh')).status).toBe(404)
  })
})

describe('a name of `models`', () => {
  it('counts before auto', async () => {
    const { bench, client } = await start(undefined, { models: { auto: 'box/small' } })
    const { data, response } = await client.chat.completions.create({ model: 'auto', messages: question() }).withResponse()
    expect(data.model).toContain('small')
    expect(response.headers.get('x-bursar-arm')).toBeNull()
    await bench.close()
  })
})

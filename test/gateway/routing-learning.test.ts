import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, describe, expect, it } from 'vitest'
import { chatReply } from '../upstream/index.js'
import { KEY, type Bench } from './harness.js'
import { ask, onlySandbox, openedBenches } from './opened-benches.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-routing-'))
afterAll(() => rmSync(folder, { recursive: true }))

const benches = openedBenches()
const start = (routing: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  benches.start(onlySandbox({ routing: { exploration: { share: 0 }, ...routing }, ...more }))

async function tell(bench: Bench, decisionId: string | null, score: number, headers: Record<string, string> = {}): Promise<void> {
  const response = await bench.post('/v1/feedback', { decision_id: decisionId, score }, headers)
  expect(response.status).toBe(201)
}

/** Asks for a choice that nothing is learned from, and gives what is expected of an arm. */
async function expected(bench: Bench, arm: string, text: string): Promise<number> {
  const response = await ask(bench, 'auto', text)
  const decision = (await (
    await fetch(`${bench.url}/v1/decisions/${response.headers.get('x-bursar-decision')}`, { headers: { authorization: `Bearer ${KEY}` } })
  ).json()) as {
    alternatives: { arm: string; quality: number }[]
  }
  return decision.alternatives.find((one) => one.arm === arm)?.quality ?? Number.NaN
}

const question = (index: number) => `Write a short poem about river number ${index}.`
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Lets one arm answer so many questions, and says of each answer how good it was. */
async function judged(bench: Bench, arm: string, count: number, score: number): Promise<void> {
  const answers = await Promise.all(
    numbers(count).map((index) => ask(bench, 'auto', question(index), {}, { models: [arm], bursar: { lambda: 0, quality_floor: 0 } })),
  )
  for (const answer of answers) expect(answer.headers.get('x-bursar-arm')).toBe(arm)
  await Promise.all(answers.map((answer) => tell(bench, answer.headers.get('x-bursar-decision'), score)))
}

describe('feedback', () => {
  it('of a trusted key moves choices', async () => {
    const bench = await start({ learning: { trusted_keys: ['test'] } })
    expect((await ask(bench, 'auto:balanced', question(100))).headers.get('x-bursar-arm')).toBe('box/large')
    // The small model turns out as good as any.
    await judged(bench, 'box/small', 30, 1)
    expect((await ask(bench, 'auto:balanced', question(101))).headers.get('x-bursar-arm')).toBe('box/small')
  })

  it('of one key moves what is expected by no more than its bound, however much there is', async () => {
    const bench = await start({ learning: { max_influence: 0.1 } })
    const before = await expected(bench, 'box/large', question(100))
    await judged(bench, 'box/large', 15, 0)
    const after = await expected(bench, 'box/large', question(101))
    expect(after).toBeLessThan(before)
    await judged(bench, 'box/large', 15, 0)
    expect(before - (await expected(bench, 'box/large', question(102)))).toBeLessThan(0.2)
  })

  it('is not learned from where that is turned off, and of what was said of named models nothing is', async () => {
    const bench = await start({ learning: { feedback: false, trusted_keys: ['test'] } })
    const before = await expected(bench, 'box/large', question(100))
    await judged(bench, 'box/large', 5, 0)
    await tell(bench, (await ask(bench, 'box/large', question(1))).headers.get('x-bursar-decision'), 0)
    expect(await expected(bench, 'box/large', question(101))).toBeCloseTo(before, 6)
  })

  it('of one organisation is nothing to another', async () => {
    const other = 'sk-test-other-0123456789'
    const bench = await start(
      { learning: { trusted_keys: ['test'] } },
      {
        organisations: { one: {}, two: {} },
        keys: [
          { name: 'test', key: KEY, organisation: 'one' },
          { name: 'other', key: other, organisation: 'two' },
        ],
      },
    )
    await judged(bench, 'box/large', 25, 0)
    expect((await ask(bench, 'auto:best', question(101))).headers.get('x-bursar-arm')).not.toBe('box/large')
    expect((await ask(bench, 'auto:best', question(101), { authorization: `Bearer ${other}` })).headers.get('x-bursar-arm')).toBe(
      'box/large',
    )
  })

  it('outlives the process', async () => {
    const state = join(folder, 'kept.routing')
    const first = await start({ learning: { trusted_keys: ['test'] }, predictor: { state } })
    await judged(first, 'box/large', 20, 0)
    const learned = await expected(first, 'box/large', question(101))
    await benches.close(first)
    const second = await start({ predictor: { state } })
    expect(await expected(second, 'box/large', question(101))).toBeCloseTo(learned, 2)
    expect(learned).toBeLessThan(0.7)
  })

  it('of a run is about each of its decisions', async () => {
    const bench = await start({ learning: { trusted_keys: ['test'] } })
    const before = await expected(bench, 'box/large', question(100))
    await Promise.all(
      numbers(20).map((index) =>
        ask(bench, 'auto:best', question(index), { 'x-bursar-run': `run-${index % 10}` }, { models: ['box/large'] }),
      ),
    )
    for (const run of numbers(10)) expect((await bench.post('/v1/feedback', { run_id: `run-${run}`, score: 0 })).status).toBe(201)
    expect(await expected(bench, 'box/large', question(101))).toBeLessThan(before - 0.05)
  })
})

describe('exploration', () => {
  const armsOf = async (bench: Bench, count: number, headers: Record<string, string> = {}) =>
    (await Promise.all(numbers(count).map((index) => ask(bench, 'auto:cheap', question(index), headers)))).map((response) =>
      response.headers.get('x-bursar-arm'),
    )

  it('takes its share, is told with its propensity, and lets those alone who don’t want it', async () => {
    const bench = await start({ exploration: { share: 0.5, usd_per_day: 1000 }, predictor: { seed: 7 } })
    const explored = (await armsOf(bench, 30)).filter((arm) => arm !== 'box/medium').length
    // Half of them are drawn, and a third of these is what would have been picked anyway.
    expect(explored).toBeGreaterThan(2)
    expect(explored).toBeLessThan(20)
    expect(new Set(await armsOf(bench, 15, { 'x-bursar-explore': 'off' }))).toEqual(new Set(['box/medium']))
    const drawn = await ask(bench, 'auto:cheap', question(1))
    const told = (await (
      await fetch(`${bench.url}/v1/decisions/${drawn.headers.get('x-bursar-decision')}`, { headers: { authorization: `Bearer ${KEY}` } })
    ).json()) as { propensity: number }
    expect(told.propensity).toBeGreaterThan(0)
    expect(told.propensity).toBeLessThan(1)
  })

  it('costs no more than it may', async () => {
    const bench = await start({ exploration: { share: 0.5, usd_per_day: 0 }, predictor: { seed: 7 } })
    // The cheaper one costs nothing beyond; the dearer one would.
    expect(await armsOf(bench, 15)).not.toContain('box/large')
  })
})

describe('a conversation', () => {
  it('keeps its arm inside a tool loop, whatever is aimed at', async () => {
    const bench = await start({})
    const client = new OpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1`, maxRetries: 0 })
    const tools: OpenAI.Chat.ChatCompletionFunctionTool[] = [
      {
        type: 'function',
        function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
      },
    ]
    const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Use get_weather for Oslo.' }]
    const first = await client.chat.completions.create({ model: 'auto:best', messages, tools }).withResponse()
    expect(first.response.headers.get('x-bursar-arm')).toBe('box/large')
    const message = first.data.choices[0]?.message
    const call = message?.tool_calls?.[0]
    if (!message || !call) throw new Error('no tool call')
    const looped: OpenAI.Chat.ChatCompletionMessageParam[] = [
      ...messages,
      message,
      { role: 'tool', tool_call_id: call.id, content: 'rain for three days' },
    ]
    const second = await client.chat.completions.create({ model: 'auto:cheap', messages: looped, tools }).withResponse()
    expect(second.response.headers.get('x-bursar-arm')).toBe('box/large')
    expect(second.response.headers.get('x-bursar-reason')).toContain('tool loop')
    const elsewhere = await client.chat.completions
      .create({ model: 'auto:cheap', messages: [{ role: 'user', content: 'What is 2 + 2?' }] })
      .withResponse()
    expect(elsewhere.response.headers.get('x-bursar-arm')).toBe('box/medium')
  })
})

describe('faults', () => {
  it('of a model that has vanished get the reference, before the first byte', async () => {
    const bench = await benches.start((config, upstream) => {
      config['providers'] = {
        box: { type: 'sandbox', speed: 1000 },
        up: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, api_key: 'k', formats: ['openai-chat'] },
      }
      config['models'] = { cheap: 'up/mock', large: 'box/large' }
      config['prices'] = { 'up/mock': { input: 0.01, output: 0.01 } }
      config['routing'] = { exploration: { share: 0 }, reference: 'large', arms: ['cheap', 'large'] }
    })
    bench.upstream.always('/v1/chat/completions', { status: 404, body: { error: { message: 'no such model' } } })
    const response = await ask(bench, 'auto', question(0), { 'x-bursar-lambda': '0' })
    expect(response.status).toBe(200)
    expect(response.headers.get('x-bursar-arm')).toBe('large')
    expect(response.headers.get('x-bursar-fell-back-from')).toContain('cheap')
  })

  it('of a state file put it aside, and routing begins anew', async () => {
    const state = join(folder, 'broken.routing')
    writeFileSync(state, 'not a state')
    const bench = await start({ predictor: { state } })
    expect((await ask(bench, 'auto:cheap', question(0))).status).toBe(200)
    expect(bench.log.join('\n')).toContain('broken.routing.refused')
  })

  it('in an outcome table are told by row and field, and nothing starts', async () => {
    const table = join(folder, 'table.jsonl')
    writeFileSync(
      table,
      '{"id": "1", "request": {"messages": [{"role": "user", "content": "x"}]}, "outcomes": {"box/small": {"quality": 1}}}\n{"id": "2", "request": {"messages": [{"role": "user", "content": "x"}]}, "outcomes": {"box/small": {"quality": 2}}}\n',
    )
    await expect(start({ predictor: { train: table } })).rejects.toThrow(/row 2.*quality/)
  })
})

describe('what was trained beforehand', () => {
  it('decides from the first request on', async () => {
    const table = join(folder, 'good.jsonl')
    const row = (index: number) => ({
      id: String(index),
      request: {
        messages: [
          {
            role: 'user',
            content: index % 2 === 0 ? `Prove theorem ${index} about modules over rings.` : `What is the capital of country ${index}?`,
          },
        ],
      },
      outcomes: { 'box/small': { quality: index % 2, outputTokens: 20 }, 'box/large': { quality: 1, outputTokens: 60 } },
    })
    writeFileSync(
      table,
      numbers(200)
        .map((index) => `${JSON.stringify(row(index))}\n`)
        .join(''),
    )
    const bench = await start({ arms: ['box/large', 'box/small'], predictor: { train: table } })
    expect((await ask(bench, 'auto:balanced', 'What is the capital of country 301?')).headers.get('x-bursar-arm')).toBe('box/small')
    expect((await ask(bench, 'auto:balanced', 'Prove theorem 300 about modules over rings.')).headers.get('x-bursar-arm')).toBe('box/large')
  })
})

describe('what goes to a provider', () => {
  it('holds nothing that was said to Bursar', async () => {
    const bench = await benches.start((config) => {
      config['models'] = { fast: 'up/mock' }
      config['routing'] = { exploration: { share: 0 } }
    })
    bench.upstream.always('/v1/chat/completions', chatReply({ text: 'ok' }))
    const response = await ask(
      bench,
      'auto',
      question(0),
      {},
      { bursar: { explore: false }, models: ['fast'], provider: { sort: 'price' }, plugins: [{ id: 'auto-router' }], temperature: 0.5 },
    )
    expect(response.status).toBe(200)
    const sent = bench.upstream.requests[0]?.json as Record<string, unknown>
    expect(sent).toMatchObject({ model: 'mock', temperature: 0.5 })
    for (const field of ['bursar', 'models', 'provider', 'plugins']) expect(sent).not.toHaveProperty(field)
    expect(await response.json()).toMatchObject({ bursar: { arm: 'fast' } })
  })
})

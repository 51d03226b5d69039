import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import { addMoney, toDollars, zeroMoney } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { asking, played, scriptedEnvironment, wordsOf } from '../planning/fixtures/scripted-environment.js'
import { answerBatch, batchQuota, bestBatchSize, createBatchSizes, tokensAQuestion, type BatchItem } from './index.js'

const item = (question: string, changes: Partial<BatchItem> = {}): BatchItem => ({ request: asking(question), tenant: 'acme', ...changes })
const use = { model: 'm' }

/** A model that answers `a` + the number in each question, packed or alone; what `spoil` says of a number in a packed call instead. */
function answering(spoil: (number: string) => unknown = (number) => `a${number}`, options: Parameters<typeof scriptedEnvironment>[1] = {}) {
  return scriptedEnvironment(({ request }) => {
    const words = wordsOf(request)
    if (!words.includes('They have nothing to do with each other')) return `a${/q(\d+)/.exec(words)?.[1]}`
    const entries = [...words.matchAll(/\[(\d+)\]\nq(\d+)/g)].map((match) => [match[1], spoil(match[2] ?? '')])
    return `Here:\n${JSON.stringify(Object.fromEntries(entries))}`
  }, options)
}

describe('a batch', () => {
  it('puts short independent questions into common calls, and gives each its answer and its share', async () => {
    const env = answering()
    const answers = await answerBatch(
      Array.from({ length: 9 }, (_, index) => item(`q${index}`)),
      env,
      { use, sizes: createBatchSizes(3), parallel: 1 },
    )
    expect(answers.map(({ text }) => text)).toEqual(Array.from({ length: 9 }, (_, index) => `a${index}`))
    // 3, then 3 (3.5), then what is left of 4.
    expect(answers.map(({ together }) => together)).toEqual(Array.from({ length: 9 }, () => 3))
    expect(env.heard).toHaveLength(3)
    const usd = answers.reduce((sum, { cost }) => addMoney(sum, cost.usd ?? zeroMoney), zeroMoney)
    expect(toDollars(usd)).toBe(0.003)
    expect(answers.reduce((sum, { usage }) => sum + usage.inputTokens, 0)).toBe(30)
  })

  it.each([
    ['missing', () => undefined],
    ['unsure', () => null],
    ['empty', () => ' '],
    ['a question mark', () => '?'],
    ['no text', () => ({ no: 1 })],
  ])('asks a question again, alone, whose answer is %s', async (_what, spoilt) => {
    const env = answering((number) => (number === '1' ? spoilt() : `a${number}`))
    const answers = await answerBatch([item('q0'), item('q1'), item('q2')], env, { use })
    expect(answers.map(({ text, together }) => [text, together])).toEqual([
      ['a0', 3],
      ['a1', 1],
      ['a2', 3],
    ])
    expect(env.heard).toHaveLength(2)
    // It pays for both.
    expect(answers[1]?.cost.seconds).toBeCloseTo(1 + 1 / 3, 12)
  })

  it('asks all again where the common call fails, is cut, or what it gives can not be used', async () => {
    const failing = scriptedEnvironment(({ request, count }) =>
      count === 1
        ? new UpstreamFailure('down', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request' })
        : wordsOf(request),
    )
    expect((await answerBatch([item('q0'), item('q1')], failing, { use })).map(({ text }) => text)).toEqual(['q0', 'q1'])
    const cut = scriptedEnvironment(({ request, count }) =>
      count === 1 ? { text: '{"1": "x", "2": "y"}', finish: 'length' } : wordsOf(request),
    )
    expect((await answerBatch([item('q0'), item('q1')], cut, { use })).map(({ text }) => text)).toEqual(['q0', 'q1'])
    const env = answering((number) => `b${number}`)
    expect(
      (await answerBatch([item('q0'), item('q1')], env, { use, usable: (_request, text) => text.startsWith('a') })).map(({ text }) => text),
    ).toEqual(['a0', 'a1'])
  })

  it('never lets questions of two tenants meet', async () => {
    const env = answering()
    await expect(answerBatch([item('q0'), item('q1', { tenant: 'other' })], env, { use })).rejects.toMatchObject({
      code: 'invalid_request',
      path: 'items[1].tenant',
    })
    expect(env.heard).toHaveLength(0)
  })

  it('asks alone whatever streams, is hard, private in another way, of a conversation, or asked in another way', async () => {
    const env = answering()
    const odd = [
      item('q1', { request: asking('q1', { stream: true }) }),
      item('q2', { level: 4 }),
      item('q3', { privacy: 'health' }),
      item('q4', {
        request: asking('q4', {
          messages: [...asking('q4').messages, { role: 'assistant', parts: [{ type: 'text', text: 'hm' }] }, ...asking('q4').messages],
        }),
      }),
      item('q5', { request: asking('q5', { temperature: 0 }) }),
      item('q6', { request: asking('q6', { responseFormat: { type: 'json_object' } }) }),
      item('q7', {
        request: asking('q7', {
          messages: [{ role: 'system', parts: [{ type: 'text', text: 'Other rules.' }] }, ...asking('q7').messages],
        }),
      }),
      item(`q8 ${'x'.repeat(3000)}`),
    ]
    const answers = await answerBatch([item('q0'), ...odd], env, { use })
    expect(answers.map(({ text, together }) => [text, together])).toEqual(Array.from({ length: 9 }, (_, index) => [`a${index}`, 1]))
  })

  it('keeps the system prompt, and adds up limits', async () => {
    const env = answering()
    const system = { role: 'system', parts: [{ type: 'text', text: 'Be kind.' }] } as const
    const of = (question: string) =>
      item(question, { request: asking(question, { messages: [system, ...asking(question).messages], maxOutputTokens: 50 }) })
    await answerBatch([of('q0'), of('q1')], env, { use })
    expect(env.heard[0]?.request).toMatchObject({ maxOutputTokens: 140, stream: false })
    expect(env.heard[0]?.request.messages[0]).toEqual(system)
  })

  it('tells which questions a budget had no room for, and keeps the others', async () => {
    const answers = await answerBatch(
      [item('q0'), item('q1'), item('q2', { level: 5 }), item('q3', { level: 5 })],
      answering(undefined, { mostCalls: 2 }),
      { use, parallel: 1 },
    )
    expect(answers.map(({ text }) => text)).toEqual(['a0', 'a1', 'a2', null])
    expect(answers[3]?.fault).toMatchObject({ code: 'budget_exceeded' })
  })

  it('ends when it is cancelled, and is nothing without questions', async () => {
    const gone = new AbortController()
    const env = scriptedEnvironment(() => (gone.abort(new Error('gone')), 'x'), { signal: gone.signal })
    await expect(
      answerBatch(
        Array.from({ length: 50 }, (_, index) => item(`q${index}`, { level: 5 })),
        env,
        { use, parallel: 1 },
      ),
    ).rejects.toThrow('gone')
    expect(env.heard).toHaveLength(1)
    expect(await answerBatch([], answering(), { use })).toEqual([])
  })

  it('tells answers as they come, so that those before a cancel are not lost', async () => {
    const gone = new AbortController()
    let calls = 0
    const env = scriptedEnvironment(() => ((calls += 1) === 3 && gone.abort(new Error('gone')), 'x'), { signal: gone.signal })
    const told: [number, string | null][] = []
    const onAnswer = (index: number, { text }: { readonly text: string | null }) => void told.push([index, text])
    await expect(
      answerBatch(
        Array.from({ length: 9 }, (_, index) => item(`q${index}`, { level: 5 })),
        env,
        { use, parallel: 1, onAnswer },
      ),
    ).rejects.toThrow('gone')
    expect(told.slice(0, 2)).toEqual([
      [0, 'x'],
      [1, 'x'],
    ])
    expect(told.length).toBeLessThan(4)
  })

  it('tells each answer once, with all that it took', async () => {
    const told = new Map<number, unknown>()
    const onAnswer = (index: number, answer: unknown) => {
      expect(told.has(index)).toBe(false)
      told.set(index, answer)
    }
    // Every third is missing from its shared call and asked again by itself.
    const answers = await answerBatch(
      Array.from({ length: 9 }, (_, index) => item(`q${index}`)),
      answering((number) => (Number(number) % 3 === 0 ? undefined : `a${number}`)),
      { use, sizes: createBatchSizes(3), parallel: 1, onAnswer },
    )
    expect(answers.map((_, index) => told.get(index))).toEqual(answers)
  })

  it('answers every question once, whatever models say', async () => {
    const random = seededRandom(5)
    for (let run = 0; run < 60; run++) {
      const env = answering((number) => (random.next() < 0.4 ? [undefined, null, 7, ''][Math.floor(random.next() * 4)] : `a${number}`))
      const count = Math.floor(random.next() * 12)
      const answers = await answerBatch(
        Array.from({ length: count }, (_, index) => item(`q${index}`)),
        env,
        { use, parallel: 1 + Math.floor(random.next() * 4) },
      )
      expect(answers.every(({ text }, index) => text === `a${index}` || text === '7')).toBe(true)
      expect(answers.reduce((sum, { cost }) => sum + toDollars(cost.usd ?? zeroMoney), 0)).toBeCloseTo(env.heard.length * 0.001, 9)
    }
  })
})

it('learns how many questions share a call', () => {
  const sizes = createBatchSizes(3)
  for (let batch = 0; batch < 10; batch++) sizes.observe('maths', true)
  expect(sizes.size('maths')).toBe(5)
  sizes.observe('maths', false)
  expect(sizes.size('maths')).toBe(2)
  sizes.observe('maths', false)
  expect(sizes.size('maths')).toBe(1)
  for (let one = 0; one < 10; one++) sizes.answeredAlone('maths')
  expect(sizes.size('maths')).toBe(2)
  expect(sizes.size('law')).toBe(3)
  expect(() => createBatchSizes(9)).toThrow(RangeError)
})

it('counts what sharing saves, and what cross-talk costs', () => {
  const tokens = { shared: 400, question: 60, answer: 120 }
  expect([1, 2, 5].map((size) => tokensAQuestion(tokens, size))).toEqual([580, 380, 260])
  expect(bestBatchSize(tokens, 0)).toBe(5)
  expect(bestBatchSize(tokens, 1)).toBe(1)
  let best = 5
  for (let crossTalk = 0; crossTalk <= 1; crossTalk += 0.01) {
    expect(bestBatchSize(tokens, crossTalk)).toBeLessThanOrEqual(best)
    best = bestBatchSize(tokens, crossTalk)
  }
  expect(() => tokensAQuestion(tokens, 0)).toThrow(RangeError)
  expect(() => tokensAQuestion(tokens, 2, Number.NaN)).toThrow(RangeError)
})

describe('a quota', () => {
  it('tells a single question that it shares an allowance, and streams', async () => {
    const env = scriptedEnvironment(() => 'Noon.')
    const { text } = await played(batchQuota({ use, questions: 5 }).run(asking('When?', { stream: true }), env))
    expect(text).toBe('Noon.')
    const [call] = env.heard
    expect(call === undefined ? '' : wordsOf(call.request)).toMatch(/^When\?[^]*first of 5 questions[^]*about 500 words/)
    expect(call?.request.maxOutputTokens).toBeUndefined()
  })

  it('leaves prescribed forms alone, and refuses odd numbers', async () => {
    const env = scriptedEnvironment(() => '{}')
    const request = asking('When?', { responseFormat: { type: 'json_object' } })
    await played(batchQuota({ use }).run(request, env))
    expect(env.heard[0]?.request).toBe(request)
    for (const options of [{ questions: 1 }, { questions: Number.NaN }, { words: 0 }, { words: Number.NaN }])
      expect(() => batchQuota({ use, ...options })).toThrow(/number from/)
  })
})

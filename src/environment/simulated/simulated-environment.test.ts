import { describe, expect, it } from 'vitest'
import { ReplyCollector, type Delta, type Request } from '../../protocol/index.js'
import { picoUsd } from '../../quantities/index.js'
import { mean, median, regularizedBeta } from '../../statistics/index.js'
import type { Completion, Environment } from '../environment.js'
import { asking } from '../providers/fixtures/provider-call.js'
import { memoryBudget } from './memory-budget.js'
import { simulatedEnvironment, type SimulatedOptions } from './simulated-environment.js'
import type { SimulatedModel } from './simulated-model.js'

const world = (model: SimulatedModel, more: Partial<SimulatedOptions> = {}) =>
  simulatedEnvironment({ models: { m: model }, question: { id: 'q' }, seed: 1, ...more })
async function ask(env: Environment, model = 'm', more: Partial<Request> = {}): Promise<Completion & { readonly text: string }> {
  const running = env.call(model, asking('What is it?', { stream: false, ...more }))
  for (;;) {
    const step = await running.next()
    if (step.done) return { ...step.value, text: textOf(step.value) }
  }
}
function textOf({ answer }: Completion): string {
  return answer.kind === 'reply'
    ? answer.reply.choices.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')).join('|')
    : ''
}
/** Completions of so many calls. */
async function many(env: Environment, calls: number, model = 'm'): Promise<(Completion & { readonly text: string })[]> {
  const all = []
  for (let call = 0; call < calls; call++) all.push(await ask(env, model))
  return all
}
/** Five standard errors of a share: a fault-free test fails once in two million seeds, and never with the same one. */
const within = (share: number, n: number) => 5 * Math.sqrt((share * (1 - share)) / n) + 1e-9

describe('simulated world', () => {
  it('answers right as often as declared', async () => {
    const env = world({ success: 0.7 })
    const answers = await many(env, 800)
    const right = mean(answers.map((completion) => env.qualityOf(completion) ?? NaN))
    expect(Math.abs(right - 0.7)).toBeLessThan(within(0.7, 800))
    expect(answers.every((completion) => env.isRight(completion.text) === (env.qualityOf(completion) === 1))).toBe(true)
    expect(env.successOf('m')).toBe(0.7)
  })

  it.each([
    ['Beta', { alpha: 2, beta: 3 }, 0.4, (p: number) => regularizedBeta(p, 2, 3)],
    ['Beta, partly unsolvable', { alpha: 2, beta: 3, solvable: 0.5 }, 0.2, (p: number) => 0.5 + 0.5 * regularizedBeta(p, 2, 3)],
    ['logistic', { skill: 0 }, 0.5, undefined],
  ] as const)('draws probabilities over questions: %s', (_name, success, wanted, distribution) => {
    const questions = 800
    const probabilities = Array.from({ length: questions }, (_, index) =>
      world({ success }, { question: { id: `q${index}` } }).successOf('m'),
    )
    expect(Math.abs(mean(probabilities) - wanted)).toBeLessThan(within(0.5, questions))
    // Kolmogorov's distance; 2 / √n is exceeded by 0.07 % of all seeds.
    const sorted = [...probabilities].sort((a, b) => a - b)
    for (const [index, p] of sorted.entries())
      if (distribution && p > 0) expect(Math.abs(distribution(p) - index / questions)).toBeLessThan(2 / Math.sqrt(questions))
  })

  it('a harder question is answered right less often', () => {
    const at = (difficulty: number) => world({ success: { skill: 1, slope: 2 } }, { question: { id: 'q', difficulty } }).successOf('m')
    expect(at(1)).toBe(0.5)
    expect(at(2)).toBeCloseTo(1 / (1 + Math.exp(2)), 12)
  })

  it('wrong answers spread by Zipf', async () => {
    const wrong = ['a', 'b', 'c', 'd']
    const env = world({ success: 0, wrong: { distinct: 3, exponent: 1 } }, { question: { id: 'q', truth: 'z', wrong }, sharedMistakes: 1 })
    const answers = (await many(env, 900)).map(({ text }) => env.question.answerOf(text))
    for (const [rank, answer] of wrong.entries()) {
      const share = rank < 3 ? 1 / (rank + 1) / (1 + 1 / 2 + 1 / 3) : 0
      expect(Math.abs(answers.filter((given) => given === answer).length / 900 - share)).toBeLessThan(within(share, 900))
    }
  })

  it('models share what is hard and which mistakes tempt as far as declared', () => {
    const success = { alpha: 2, beta: 2 }
    const correlationAt = (correlation: number) => {
      const pairs = Array.from({ length: 400 }, (_, index) => {
        const env = simulatedEnvironment({
          models: { a: { success }, b: { success } },
          question: { id: `q${index}` },
          seed: 3,
          correlation,
        })
        return [env.successOf('a'), env.successOf('b')] as const
      })
      const [a, b] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))]
      const sum = (of: (x: number, y: number) => number) => mean(pairs.map(([x, y]) => of(x - a, y - b)))
      return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_x, y) => y * y))
    }
    expect(Math.abs(correlationAt(0))).toBeLessThan(0.2)
    expect(correlationAt(0.6)).toBeGreaterThan(0.4)
    expect(correlationAt(0.6)).toBeLessThan(0.75)
    expect(correlationAt(1)).toBeCloseTo(1, 9)
  })

  it('the same mistakes tempt all models where that is declared', async () => {
    const model: SimulatedModel = { success: 0, wrong: { distinct: 8, exponent: 6 } }
    const agreement = async (sharedMistakes: number) => {
      let same = 0
      for (let index = 0; index < 150; index++) {
        const env = simulatedEnvironment({ models: { a: model, b: model }, question: { id: `q${index}` }, seed: 4, sharedMistakes })
        if ((await ask(env, 'a')).text === (await ask(env, 'b')).text) same++
      }
      return same / 150
    }
    expect(await agreement(1)).toBeGreaterThan(0.9)
    expect(await agreement(0)).toBeLessThan(0.3)
  })

  it('gives the same by seed, whatever the order of the calls', async () => {
    const models: Record<string, SimulatedModel> = {
      a: { success: { alpha: 1, beta: 1 }, tokens: { median: 50, sigma: 1 }, tokensPerSecond: 10 },
      b: { success: 0.5, failureRate: 0.3, tokens: { median: 50, sigma: 1 } },
    }
    const run = async (order: string, seed = 7) => {
      const env = simulatedEnvironment({ models, question: { id: 'q' }, seed })
      const seen: Record<string, string[]> = { a: [], b: [] }
      for (const model of order) {
        const told = await ask(env, model).then(
          ({ text, usage }) => `${text} ${usage.outputTokens}`,
          (thrown: Error) => thrown.message,
        )
        seen[model]?.push(told)
      }
      return seen
    }
    const inTurn = await run('ababababab')
    expect(await run('aaaaabbbbb')).toEqual(inTurn)
    expect(await run('bbbbbaaaaa')).toEqual(inTurn)
    expect(await run('bbbbbaaaaa', 8)).not.toEqual(inTurn)
    const env = simulatedEnvironment({ models, question: { id: 'q' }, seed: 7 })
    const together = await Promise.all(Array.from({ length: 5 }, () => ask(env, 'a')))
    expect(together.map(({ text, usage }) => `${text} ${usage.outputTokens}`)).toEqual(inTurn.a)
    const spans = together.map(({ cost }) => cost.seconds)
    expect(env.clock.monotonic()).toBeCloseTo(Math.max(...spans), 12)
    expect(env.spent().cost.seconds).toBeCloseTo(
      spans.reduce((sum, seconds) => sum + seconds, 0),
      12,
    )
  })

  it('at temperature 0 the same words get the same answer, and others another', async () => {
    const env = world({ success: 0.5, tokens: { median: 100, sigma: 1 } })
    const seen = async (words: (call: number) => string) => {
      const answers = new Set<string>()
      for (let call = 0; call < 8; call++) {
        const { text, usage } = await ask(env, 'm', asking(words(call), { stream: false, temperature: 0 }))
        answers.add(`${text} ${usage.outputTokens}`)
      }
      return answers.size
    }
    expect(await seen(() => 'What is it?')).toBe(1)
    expect(await seen((call) => `What is it? (${call})`)).toBeGreaterThan(4)
  })

  it('takes tokens, time and dollars as declared', async () => {
    const env = world({
      success: 1,
      tokens: { median: 80, sigma: 0.5 },
      reasoningTokens: { median: 20, sigma: 0 },
      firstTokenSeconds: 1,
      tokensPerSecond: 50,
      price: { input: 1, output: 4 },
    })
    const answers = await many(env, 300)
    const visible = answers.map(({ usage }) => usage.outputTokens)
    expect(Math.abs(median(visible) - 80)).toBeLessThan(80 * 5 * 0.5 * Math.sqrt(Math.PI / 2 / 300))
    for (const { usage, cost } of answers) {
      expect(usage.reasoningTokens).toBe(20)
      expect(cost.seconds).toBeCloseTo(1 + (usage.outputTokens + 20) / 50, 12)
      expect(cost.usd).toBe(BigInt(usage.inputTokens) * 1_000_000n + BigInt(usage.outputTokens + 20) * 4_000_000n)
    }
    expect((await ask(world({ success: 1 }))).cost).toMatchObject({ usd: null, seconds: 0 })
  })

  it('streams with the times of the tokens', async () => {
    const env = world({
      success: 1,
      reasoningTokens: { median: 30, sigma: 0 },
      tokens: { median: 70, sigma: 0 },
      tokensPerSecond: 10,
      text: (answer) => `${'and so on, '.repeat(20)}the answer is ${answer}.`,
    })
    const collector = new ReplyCollector()
    const times: number[] = []
    const running = env.call('m', asking('q'))
    for (;;) {
      const step = await running.next()
      if (step.done) {
        expect(step.value.answer).toEqual({ kind: 'reply', reply: collector.reply() })
        break
      }
      const delta: Delta = step.value
      collector.push(delta)
      if (delta.type === 'text') times.push(env.clock.monotonic())
    }
    expect([times[0], times.at(-1)]).toEqual([3, 10])
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it('streams reasoning that is shown first, and bills what of it went out', async () => {
    const model: SimulatedModel = {
      success: 1,
      reasoningTokens: { median: 90, sigma: 0 },
      tokens: { median: 10, sigma: 0 },
      tokensPerSecond: 10,
      reasoning: () => 'thinking '.repeat(40),
    }
    const env = world(model)
    const seen: { readonly type: string; readonly at: number }[] = []
    for await (const { type } of env.call('m', asking('q'))) seen.push({ type, at: env.clock.monotonic() })
    const [lastThought, firstWord] = [seen.findLast(({ type }) => type === 'reasoning'), seen.find(({ type }) => type === 'text')]
    expect(lastThought?.at).toBeGreaterThan(8)
    expect(firstWord?.at).toBeGreaterThan(lastThought?.at ?? NaN)
    const left = world(model)
    for await (const { type } of left.call('m', asking('q'))) if (type === 'reasoning' && left.clock.monotonic() > 3) break
    const { usage } = left.spent()
    expect(usage.outputTokens).toBe(0)
    expect(usage.reasoningTokens).toBeGreaterThan(30)
    expect(usage.reasoningTokens).toBeLessThan(50)
    const hidden = world({ ...model, reasoning: undefined })
    for await (const { type } of hidden.call('m', asking('q'))) if (type === 'start') break
    expect(hidden.spent().usage).toMatchObject({ outputTokens: 0, reasoningTokens: 90 })
  })

  it('cuts answers off at the limit on output, reasoning first', async () => {
    const model: SimulatedModel = { success: 1, tokens: { median: 100, sigma: 0 }, reasoningTokens: { median: 50, sigma: 0 } }
    const env = world(model)
    for (const [limit, visible, reasoning, quality] of [
      [150, 100, 50, 1],
      [149, 99, 50, 0],
      [60, 10, 50, 0],
      [40, 0, 40, 0],
    ] as const) {
      const completion = await ask(env, 'm', { maxOutputTokens: limit })
      expect(completion.usage).toMatchObject({ outputTokens: visible, reasoningTokens: reasoning })
      expect([env.qualityOf(completion), completion.answer]).toMatchObject([
        quality,
        { reply: { choices: [{ finish: quality === 1 ? 'stop' : 'length' }] } },
      ])
      expect(completion.text.length).toBeLessThanOrEqual('The answer is 1234.'.length * (visible / 100))
    }
  })

  it('fails as often as declared, at the price of a wait only', async () => {
    const env = world({ success: 1, failureRate: 0.25, firstTokenSeconds: 2 })
    let failures = 0
    for (let call = 0; call < 800; call++)
      await ask(env).catch((thrown: unknown) => {
        expect(thrown).toMatchObject({ name: 'UpstreamFailure', retryable: true })
        failures++
      })
    expect(Math.abs(failures / 800 - 0.25)).toBeLessThan(within(0.25, 800))
    expect(env.spent().calls).toBe(800)
    expect(env.spent().cost.seconds).toBeCloseTo(1_600, 6)
  })

  it('judges the answer in the last message as well as declared', async () => {
    const judge = { sensitivity: 0.9, specificity: 0.7, says: (right: boolean) => (right ? 'good' : 'bad') }
    const env = world({ success: 0, judge })
    for (const [answer, share] of [
      [env.truth, 0.9],
      [env.question.wrong(0), 0.3],
    ] as const) {
      let good = 0
      for (let call = 0; call < 800; call++)
        if (
          (
            await ask(
              env,
              'm',
              asking(`Question: what is 1 + 1?\nAnswer: it must be ${answer}.\nFrom 0 to 10, how good is it?`, { stream: false }),
            )
          ).text === 'good'
        )
          good++
      expect(Math.abs(good / 800 - share)).toBeLessThan(within(share, 800))
    }
    expect(env.isRight((await ask(env)).text)).toBe(false)
    expect((await ask(env)).text).toMatch(/^The answer is/)
  })

  it('a model may depend on the request', async () => {
    const env = simulatedEnvironment({
      models: { m: (request) => ({ success: request.reasoning?.effort === 'high' ? 1 : 0 }) },
      question: { id: 'q' },
      seed: 1,
    })
    expect(env.qualityOf(await ask(env))).toBe(0)
    expect(env.qualityOf(await ask(env, 'm', { reasoning: { effort: 'high' } }))).toBe(1)
    expect(() => env.successOf('m')).toThrow(/depend on the request/)
    expect(env.successOf('m', asking('q', { reasoning: { effort: 'high' } }))).toBe(1)
  })

  it('holds its budget, and pays for what went out of a stream', async () => {
    const budget = memoryBudget({ usd: 0.001 })
    const env = world(
      { success: 1, tokens: { median: 100, sigma: 0 }, price: { input: 0, output: 6 }, text: () => 'word '.repeat(100) },
      { budget },
    )
    for await (const delta of env.call('m', asking('q'))) if (delta.type === 'text') break
    const { cost, usage } = env.spent()
    expect(usage.outputTokens).toBeLessThan(30)
    expect(cost.usd).toBe(BigInt(usage.outputTokens) * 6_000_000n)
    await ask(env)
    await expect(ask(env)).rejects.toMatchObject({ code: 'budget_exceeded' })
    expect([env.spent().calls, budget.remaining().usd]).toEqual([
      2,
      picoUsd(1_000_000_000n - BigInt(usage.outputTokens + 100) * 6_000_000n),
    ])
  })

  it('stops when it is cancelled', async () => {
    const abort = new AbortController()
    const env = world({ success: 1, firstTokenSeconds: 60 }, { signal: abort.signal })
    const asked = ask(env)
    void env.clock.sleep(5).then(() => abort.abort(new Error('gone')))
    await expect(asked).rejects.toThrow('gone')
    expect(env.clock.monotonic()).toBe(5)
    await expect(ask(env)).rejects.toThrow('gone')
    expect(env.spent()).toMatchObject({ calls: 1, cost: { seconds: 5 } })
  })

  it.each<[string, Partial<SimulatedModel>]>([
    ['success', { success: 1.1 }],
    ['success', { success: NaN }],
    ['success.alpha', { success: { alpha: 0, beta: 1 } }],
    ['success.solvable', { success: { alpha: 1, beta: 1, solvable: 2 } }],
    ['success.skill', { success: { skill: Infinity } }],
    ['wrong.distinct', { wrong: { distinct: 0 } }],
    ['wrong.exponent', { wrong: { exponent: NaN } }],
    ['tokens.median', { tokens: { median: 0, sigma: 1 } }],
    ['reasoningTokens.sigma', { reasoningTokens: { median: 1, sigma: -1 } }],
    ['firstTokenSeconds', { firstTokenSeconds: Infinity }],
    ['tokensPerSecond', { tokensPerSecond: 0 }],
    ['price.output', { price: { input: 1, output: NaN } }],
    ['failureRate', { failureRate: -0.1 }],
    ['judge.specificity', { judge: { sensitivity: 1, specificity: 7 } }],
  ])('refuses a wrong %s', (path, model) => {
    expect(() => world({ success: 1, ...model })).toThrow(
      expect.objectContaining({ code: 'invalid_request', path: `models.m.${path}` }) as Error,
    )
  })

  it.each<[string, Partial<SimulatedOptions>]>([
    ['seed', { seed: 0.5 }],
    ['correlation', { correlation: NaN }],
    ['sharedMistakes', { sharedMistakes: 2 }],
    ['question.truth', { question: { id: 'q', truth: ' ' } }],
    ['question.wrong', { question: { id: 'q', truth: 'Paris' } }],
    ['question.wrong', { question: { id: 'q', truth: 'Paris', wrong: ['Rome', 'Paris'] } }],
    ['question.wrong', { question: { id: 'q', truth: 'Paris', wrong: [] } }],
    ['question.difficulty', { question: { id: 'q', difficulty: NaN } }],
  ])('refuses a wrong %s of the world', (path, more) => {
    expect(() => world({ success: 1 }, more)).toThrow(expect.objectContaining({ code: 'invalid_request', path }) as Error)
  })

  it.each<[string, Partial<Request>]>([
    ['n', { n: 0 }],
    ['n', { n: 1e9 }],
    ['max_tokens', { maxOutputTokens: NaN, paths: { maxOutputTokens: 'max_tokens' } }],
  ])('refuses a wrong %s of a request', async (path, more) => {
    await expect(ask(world({ success: 1 }), 'm', more)).rejects.toMatchObject({ code: 'invalid_request', path })
  })

  it('says which models there are', async () => {
    const env = world({ success: 1 })
    await expect(ask(env, 'x')).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining('There are m') as string,
    })
    await expect(ask(env, 'constructor')).rejects.toMatchObject({ code: 'model_not_found' })
    await expect(env.embed('m', { model: 'm', inputs: ['x'], encoding: 'float', extra: [] })).rejects.toMatchObject({
      code: 'unsupported_parameter',
    })
    expect(env.qualityOf({ callId: 'elsewhere' })).toBeNull()
  })
})

describe('the answer that a text names', () => {
  const { question } = simulatedEnvironment({ models: {}, question: { id: 'q', truth: '1234' }, seed: 1 })
  it.each([
    ['The answer is 1234.', '1234'],
    ['First 1235, no: 1234', '1234'],
    ['1234, or rather 1240', '1240'],
    ['\\boxed{1234}', '1234'],
    ['It is -1234', null],
    ['1000-1234', '1234'],
    ['21234 and 12345, 1234.5 or 0.1234, x1234', null],
    ['', null],
  ])('%j: %s', (text, answer) => expect(question.answerOf(text)).toBe(answer))

  it('takes letters and words', () => {
    const letters = simulatedEnvironment({ models: {}, question: { id: 'q', truth: 'B' }, seed: 1 }).question
    expect([letters.answerOf('(A) no, (B)'), letters.answerOf('Big'), letters.answerOf('It is C')]).toEqual(['B', null, 'C'])
    const words = simulatedEnvironment({ models: {}, question: { id: 'q', truth: 'York', wrong: ['New York', 'Rome'] }, seed: 1 }).question
    expect([words.answerOf('in New York'), words.answerOf('in York')]).toEqual(['New York', 'York'])
  })
})

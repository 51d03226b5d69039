import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import type { Budget } from '../../quantities/index.js'
import { textOf } from '../calls.js'
import { asking, played, scriptedEnvironment, wordsOf, type Said } from '../planning/fixtures/scripted-environment.js'
import { guided, guidingPays, type GuidedOptions } from './guided.js'
import { citeAlike, quotesHold, readRationale } from './rationale.js'

const question = 'Ada was born in London in 1815. She wrote to Babbage.\nWhere was Ada born?'
const rationale = '"Ada was born in London"\nSo: the answer is London.'
const failure = new UpstreamFailure('down', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request' })

type Script = Readonly<Record<string, readonly Said[]>>

async function run(
  options: Partial<GuidedOptions> & Pick<GuidedOptions, 'direction'>,
  script: Script,
  request = asking(question),
  environment: Parameters<typeof scriptedEnvironment>[1] = {},
) {
  const small = options.direction === 'small-plans'
  const env = scriptedEnvironment(
    ({ model, count }) => script[model]?.[count - 1] ?? new Error(`nothing left to say for ${model}`),
    environment,
  )
  const strategy = guided({ guide: { model: small ? 'small' : 'large' }, writer: { model: small ? 'large' : 'small' }, ...options })
  const { answer, text, starts, finishes } = await played(strategy.run(request, env))
  return {
    answer,
    text,
    starts,
    finishes,
    env,
    models: env.heard.map(({ model }) => model),
    notes: answer.steps?.flatMap(({ note }) => note ?? []) ?? [],
    told: (model: string, index = 0) => env.heard.filter((one) => one.model === model)[index]?.request,
  }
}

describe('small plans, large answers (063)', () => {
  it('passes a sound rationale on, asks for a short answer, and streams it', async () => {
    const { text, starts, models, notes, told } = await run(
      { direction: 'small-plans' },
      { small: [rationale, '“born in London in 1815”\nSo: the answer is London.'], large: ['The answer is London.'] },
      asking(question, { stream: true }),
    )
    expect(models).toEqual(['small', 'small', 'large'])
    expect([text, starts]).toEqual(['The answer is London.', 1])
    const asked = told('large')
    expect(asked === undefined ? '' : wordsOf(asked)).toMatch(/may be wrong[^]*at most 15 words/)
    expect(asked?.maxOutputTokens).toBe(62)
    expect(notes).toContain('was followed')
    expect(told('small')?.stream).toBe(false)
  })

  it('tells when the large model overrules it', async () => {
    const { notes } = await run({ direction: 'small-plans' }, { small: [rationale, rationale], large: ['The answer is Paris.'] })
    expect(notes).toContain('was overruled')
  })

  it.each([
    ['quotes what is not there', ['"Ada was born in Rome"\nSo: Rome.', rationale], 'quotes what is not there'],
    ['quotes nothing', ['London, I think.', rationale], 'quotes nothing'],
    ['differs between samples', [rationale, '"She wrote to Babbage"\nSo: the answer is Babbage.'], 'two samples cite different places'],
    ['fails once', [rationale, failure], 'failed'],
  ])('answers without a rationale that %s', async (_what, small, note) => {
    const { answer, notes, told } = await run({ direction: 'small-plans' }, { small, large: ['London'] })
    expect(textOf(answer.completion)).toBe('London')
    expect(notes).toContain(note)
    const asked = told('large')
    expect(asked === undefined ? '' : wordsOf(asked)).toBe(question)
    expect(asked?.maxOutputTokens).toBeUndefined()
  })

  it('is satisfied with one sample where nothing is to be checked', async () => {
    const { models } = await run({ direction: 'small-plans', verify: false }, { small: [rationale], large: ['London'] })
    expect(models).toEqual(['small', 'large'])
  })

  it('lets a thinking model think', async () => {
    const { told } = await run(
      { direction: 'small-plans', writer: { model: 'large', reasoning: { effort: 'high' } } },
      { small: [rationale, rationale], large: ['London'] },
    )
    expect(told('large')).toMatchObject({ reasoning: { effort: 'high' } })
    expect(told('large')?.maxOutputTokens).toBeUndefined()
  })
})

describe('large hints, small answers (167)', () => {
  const hints = '- birthplace is in the first sentence'

  it('gives out the small answer that two samples agree on, once', async () => {
    const { text, starts, finishes, answer, models, told, env } = await run(
      { direction: 'large-hints' },
      { large: [hints], small: ['The answer is London.', 'I say: the answer is London'] },
      asking(question, { stream: true }),
    )
    expect(models).toEqual(['large', 'small', 'small'])
    expect([text, starts, finishes]).toEqual(['The answer is London.', 1, 1])
    expect(answer.evidence).toEqual({ source: 'agreement', probability: null, signal: 1 })
    expect(answer.usage.inputTokens).toBe(30)
    const asked = told('small')
    expect(asked === undefined ? '' : wordsOf(asked)).toContain(hints)
    expect(told('large')?.maxOutputTokens).toBe(162)
    // Samples of one request must not come from a cache as the same answer.
    expect(env.heard.map(({ options }) => options?.sample)).toEqual([undefined, 0, 1])
  })

  it.each([
    ['disagree', ['The answer is London.', 'The answer is Rome.'], /disagree; finished/],
    [
      'can not be compared',
      ['The answer is London.', { text: 'It is a long', finish: 'length' } as const],
      /can not be compared; finished/,
    ],
    ['fail', [failure, failure], /can not be compared; finished/],
  ])('lets the large model finish where the samples %s', async (_what, small, note) => {
    const { text, starts, answer, notes } = await run(
      { direction: 'large-hints' },
      { large: [hints, 'It is London.'], small },
      asking(question, { stream: true }),
    )
    expect([text, starts]).toEqual(['It is London.', 1])
    expect(answer.completion.model).toBe('large')
    expect(notes.at(-1)).toMatch(note)
  })

  it('gives out the small answer, as uncertain, where the large model can not finish', async () => {
    for (const environment of [{ mostCalls: 3 }, {}]) {
      const { text, finishes, answer } = await run(
        { direction: 'large-hints' },
        { large: [hints, failure], small: ['The answer is London.', 'The answer is Rome.'] },
        asking(question, { stream: true }),
        environment,
      )
      expect([text, finishes]).toEqual(['The answer is London.', 1])
      expect(answer.evidence?.signal).toBe(0.5)
    }
  })

  it('streams the small model at once where nothing is to be checked, also without hints', async () => {
    const { text, models, notes } = await run(
      { direction: 'large-hints', verify: false },
      { large: [failure], small: ['London'] },
      asking(question, { stream: true }),
    )
    expect([text, models, notes]).toEqual(['London', ['large', 'small'], ['failed']])
  })
})

it('asks the large model alone where a guide does not pay, does not fit, or has no room', async () => {
  const tight: Budget = { name: 'b', remaining: () => ({}), regime: () => 'last_call' }
  for (const direction of ['small-plans', 'large-hints'] as const) {
    expect((await run({ direction, pays: () => false }, { large: ['London'] })).models).toEqual(['large'])
    expect(
      (await run({ direction }, { large: ['London'] }, asking(question, { tools: [{ type: 'function', name: 'f' }] }))).models,
    ).toEqual(['large'])
    expect((await run({ direction }, { large: ['London'] }, asking(question), { budget: tight })).models).toEqual(['large'])
  }
})

it('pays by the formula of the paper, and never on what is not known', () => {
  const prices = { largeInput: 1e-6, largeOutput: 10e-6 }
  // 10 µ$ · 100 = 1,000 µ$ against 80 µ$ + 100 µ$.
  expect(guidingPays(prices, 100, 80, 100e-6)).toBe(true)
  expect(guidingPays(prices, 17, 80, 100e-6)).toBe(false)
  expect(guidingPays(prices, Number.NaN, 80, 0)).toBe(false)
  expect(guidingPays({ ...prices, largeInput: Number.NaN }, 100, 80, 0)).toBe(false)
})

it('reads quotes and a conclusion, in bounded time', () => {
  expect(readRationale('1. "a b c"\n2. «d e f»\n- So: that is it')).toEqual({ spans: ['a b c', 'd e f'], inference: 'that is it' })
  expect(readRationale('"a b c"')).toBeNull()
  expect(readRationale('So: ')).toBeNull()
  expect(readRationale('"'.repeat(1e6))).toBeNull()
  expect(quotesHold({ spans: ['ADA  was born in London.'], inference: '' }, asking(question))).toBe(true)
  expect(citeAlike({ spans: ['ada was born'], inference: '' }, { spans: ['ada was born', 'wrote to babbage'], inference: '' })).toBe(false)
})

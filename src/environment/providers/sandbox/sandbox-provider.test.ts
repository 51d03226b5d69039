import { Cancellation } from '../../cancellation.js'
import { BursarError } from '../../../errors/index.js'
import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../upstream-failure.js'
import { ReplyCollector } from '../../../protocol/reply-collector.js'
import { totalInputTokens } from '../../../quantities/index.js'
import { instantClock } from '../fixtures/instant-clock.js'
import { asking, callOf, gather, generous, said, textOf } from '../fixtures/provider-call.js'
import { SANDBOX_MODELS } from './models.js'
import { createSandboxProvider } from './sandbox-provider.js'
import { countTokens } from './tokens.js'
import type { Delta, Request } from '../../../protocol/index.js'

const sandbox = (speed = 1, seed = 7) => {
  const clock = instantClock()
  return { clock, provider: createSandboxProvider({ seed, clock, speed }) }
}
const ask = async (text: string, more: Partial<Request> = {}, model = 'small') =>
  gather(sandbox().provider, callOf(model, asking(text, more)))
const choiceOf = (gathered: Awaited<ReturnType<typeof ask>>, index = 0) => {
  const { answer } = gathered.result
  if (answer.kind !== 'reply') throw new Error('expected a reply')
  const choice = answer.reply.choices[index]
  if (!choice) throw new Error('no such choice')
  return choice
}
const failureOf = async (work: Promise<unknown>): Promise<UpstreamFailure> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(UpstreamFailure)
  return thrown as UpstreamFailure
}

describe('sandbox answers', () => {
  it('says that it is a simulator wherever it can', async () => {
    const { provider } = sandbox()
    const gathered = await ask('Tell me about your day.')
    expect(gathered.text).toMatch(/simulates/)
    expect(gathered.result.headers).toEqual({ 'x-sandbox': 'simulated' })
    expect(gathered.result.answer).toMatchObject({
      kind: 'reply',
      reply: { model: 'sandbox/small', systemFingerprint: expect.stringContaining('simulator') as string },
    })
    for (const model of provider.models?.() ?? []) expect(provider.facts(model)?.name).toMatch(/simulated/)
    expect(await provider.check(new AbortController().signal)).toMatchObject({
      ok: true,
      message: expect.stringContaining('simulated') as string,
    })
  })

  it('gives in pieces what it gives as a whole, and the same again for the same seed', async () => {
    const request = { reasoning: { effort: 'low', visible: true }, n: 3, logprobs: { top: 2 } } as const
    const streamed = await ask('Write about rivers.', request)
    const collector = new ReplyCollector()
    for (const delta of streamed.deltas) collector.push(delta)
    const { answer } = streamed.result
    expect(answer.kind === 'reply' && { ...answer.reply, systemFingerprint: undefined }).toEqual({
      ...collector.reply(),
      systemFingerprint: undefined,
    })
    const whole = await ask('Write about rivers.', { ...request, stream: false })
    expect(whole.deltas).toEqual([])
    expect(choiceOf(whole, 2)).toEqual(choiceOf(streamed, 2))
    expect(new Set([0, 1, 2].map((index) => textOf(streamed.deltas, index))).size).toBe(3)
  })

  it('answers arithmetic exactly and small facts', async () => {
    const large = createSandboxProvider({
      seed: 3,
      clock: instantClock(),
      models: SANDBOX_MODELS.map((model) => ({ ...model, quality: 1 })),
    })
    const answer = async (text: string) => (await gather(large, callOf('large', asking(text)))).text
    expect(await answer('What is 17*23?')).toBe('17*23 = 391 (simulated)')
    expect(await answer('calculate 0.1 + 0.2')).toContain('= 0.3')
    expect(await answer('(3 + 4) * -2^3 / 7')).toContain('= -8')
    expect(await answer('what is 99999999999 × 99999999999?')).toContain('= 9999999999800000000001')
    expect(await answer('What is 12 times 12? Reply with only the number.')).toBe('144')
    expect(await answer('what is 1/3')).toContain('= 0.333333')
    expect(await answer('what is 5 / (3 - 3)?')).toContain('undefined')
    expect(await answer('What is the capital of the Netherlands?')).toBe('The capital of the Netherlands is Amsterdam. (simulated)')
    expect(await answer('Was it on 2024-05-01?')).toMatch(/simulates/)
    expect(await answer('what is (((((((((((((((((((((((((1+1?')).toMatch(/simulates/)
  })

  it('is right as often as declared, and larger models miss what smaller ones miss', async () => {
    const { provider } = sandbox(Infinity)
    const count = 600
    const right: Record<string, boolean[]> = {}
    for (const model of ['small', 'medium', 'large']) {
      right[model] = []
      for (let index = 0; index < count; index++) {
        const [a, b] = [11 + (index % 30), 13 + Math.floor(index / 30)]
        const { text } = await gather(provider, callOf(model, asking(`What is ${a} * ${b}?`)))
        right[model].push(text === `${a} * ${b} = ${a * b} (simulated)`)
      }
    }
    const share = (model: string) => (right[model] ?? []).filter(Boolean).length / count
    // Three standard errors of a share of 600.
    for (const { id, quality } of SANDBOX_MODELS.filter(({ embeddings }) => !embeddings))
      expect(Math.abs(share(id) - quality), id).toBeLessThan(3 * Math.sqrt((quality * (1 - quality)) / count))
    const missedBySmall = (right.medium ?? []).filter((_, index) => !right.small?.[index])
    expect(missedBySmall.filter(Boolean).length / missedBySmall.length).toBeLessThan(share('medium') - 0.05)
  })

  it('is surer of right answers than of wrong ones, and its log-probabilities are distributions', async () => {
    const { provider } = sandbox(Infinity)
    const sums = { right: [0, 0], wrong: [0, 0] } as const satisfies Record<string, number[]>
    for (let index = 0; index < 200; index++) {
      const [a, b] = [21 + index, 47]
      const gathered = await gather(provider, callOf('small', asking(`What is ${a} + ${b}?`, { logprobs: { top: 5 } })))
      const tokens = choiceOf(gathered).logprobs ?? []
      expect(tokens.map(({ token }) => token).join('')).toBe(gathered.text)
      for (const { top, token, logprob, bytes } of tokens) {
        expect(logprob).toBeLessThanOrEqual(0)
        expect(top).toHaveLength(5)
        expect(top.map((entry) => entry.token)).toContain(token)
        expect(top.reduce((sum, entry) => sum + Math.exp(entry.logprob), 0)).toBeLessThanOrEqual(1 + 1e-9)
        expect(Buffer.from(bytes ?? []).toString()).toBe(token)
      }
      const bucket = gathered.text.endsWith(`= ${a + b} (simulated)`) ? sums.right : sums.wrong
      const crux = tokens[tokens.findIndex(({ token }) => token === ' =') + 1]
      bucket[0] += crux?.logprob ?? 0
      bucket[1] += 1
    }
    expect(sums.right[1]).toBeGreaterThan(50)
    expect(sums.wrong[1]).toBeGreaterThan(20)
    expect(sums.right[0] / sums.right[1]).toBeGreaterThan(sums.wrong[0] / sums.wrong[1])
  })

  it('ends at stop sequences and at the limit of tokens, and says which', async () => {
    const free = await ask('Tell me about rivers.')
    const stop = free.text.slice(40, 48)
    const stopped = await ask('Tell me about rivers.', { stop: ['never said', stop] })
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)))
    expect(choiceOf(stopped)).toMatchObject({ finish: 'stop_sequence', stopSequence: stop })
    const short = await ask('Tell me about rivers.', { maxOutputTokens: 9 })
    expect(free.text.startsWith(short.text)).toBe(true)
    expect(short.deltas.at(-2)).toMatchObject({ type: 'finish', reason: 'length' })
    expect(short.result.reported?.usage.outputTokens).toBe(9)
    const exact = await ask('[[sandbox tokens=321]] go on')
    expect([countTokens(exact.text), exact.result.reported?.usage.outputTokens, choiceOf(exact).finish]).toEqual([321, 321, 'stop'])
  })

  it('spends reasoning tokens by effort, shows them when asked, and stops when they use up the limit', async () => {
    const hidden = await ask('Why?', { reasoning: { effort: 'high' } })
    const shown = await ask('Why?', { reasoning: { effort: 'high', visible: true } })
    const low = await ask('Why?', { reasoning: { effort: 'low' } })
    const reasoned = (gathered: typeof hidden) => gathered.result.reported?.usage.reasoningTokens ?? 0
    expect(reasoned(hidden)).toBe(reasoned(shown))
    expect(reasoned(hidden)).toBeGreaterThan(reasoned(low))
    expect(hidden.deltas.some(({ type }) => type === 'reasoning')).toBe(false)
    const thoughts = shown.deltas.map((delta) => (delta.type === 'reasoning' ? delta.text : '')).join('')
    expect(countTokens(thoughts)).toBe(reasoned(shown))
    expect((await ask('Why?')).result.reported?.usage.reasoningTokens).toBe(0)
    const starved = await ask('Why?', { reasoning: { effort: 'max' }, maxOutputTokens: 20 })
    expect(starved.text).toBe('')
    expect(choiceOf(starved).finish).toBe('length')
    expect(starved.result.reported?.usage).toMatchObject({ reasoningTokens: 20, outputTokens: 0 })
  })

  it('takes images and files and says so', async () => {
    const source = { kind: 'url', url: 'https://example.com/a.png' } as const
    const request = asking('', {
      messages: [
        {
          role: 'user',
          parts: [
            { type: 'text', text: 'What is this?' },
            { type: 'image', source },
            { type: 'image', source, detail: 'low' },
          ],
        },
      ],
    })
    const gathered = await gather(sandbox().provider, callOf('small', request))
    expect(gathered.text).toMatch(/2 images/)
    expect(gathered.result.reported?.usage.inputTokens).toBeGreaterThan(850)
  })

  it('writes as many words or sentences as asked for', async () => {
    expect((await ask('Write 80 words about tea.')).text.split(/\s+/)).toHaveLength(80)
    expect((await ask('Explain tides in two sentences.')).text.split('. ')).toHaveLength(2)
  })
})

describe('sandbox usage and timing', () => {
  const long = 'The quick brown fox jumps over the lazy dog. '.repeat(60)

  it('reads a repeated prefix from its cache, each model on its own, and forgets it in time', async () => {
    const { provider, clock } = sandbox()
    const usageOf = async (model: string, tail: string) =>
      (await gather(provider, callOf(model, asking(long + tail)))).result.reported?.usage
    const first = await usageOf('small', 'one')
    expect(first?.cacheReadTokens).toBe(0)
    const second = await usageOf('small', 'two')
    expect(second?.cacheReadTokens).toBeGreaterThan(400)
    expect(second && totalInputTokens(second)).toBe(first?.inputTokens)
    expect((await usageOf('medium', 'two'))?.cacheReadTokens).toBe(0)
    await clock.sleep(400)
    expect((await usageOf('small', 'three'))?.cacheReadTokens).toBe(0)
  })

  it('bills writing a marked prefix once, in the bucket of its lifetime', async () => {
    const { provider } = sandbox()
    const marked = (tail: string) =>
      asking('', { messages: [{ role: 'system', parts: [{ type: 'text', text: long, cache: { ttl: '1h' } }] }, said('user', tail)] })
    const first = (await gather(provider, callOf('small', marked('a')))).result.reported?.usage
    expect(first).toMatchObject({ cacheReadTokens: 0, cacheWrite5mTokens: 0 })
    expect(first?.cacheWrite1hTokens).toBeGreaterThan(500)
    const second = (await gather(provider, callOf('small', marked('bcd')))).result.reported?.usage
    expect(second).toMatchObject({ cacheReadTokens: first?.cacheWrite1hTokens, cacheWrite1hTokens: 0 })
    expect(second?.inputTokens).toBeGreaterThan(0)
  })

  it('takes about as long as declared, and no time at infinite speed', async () => {
    const model = SANDBOX_MODELS.find(({ id }) => id === 'large')
    const { provider, clock } = sandbox()
    const before = clock.monotonic()
    const gathered = await gather(provider, callOf('large', asking('[[sandbox tokens=2000]] x')))
    const took = clock.monotonic() - before
    const declared = 2000 / (model?.speed.tokensPerSecond ?? 1)
    expect(took).toBeGreaterThan(declared * 0.85)
    expect(took).toBeLessThan(declared * 1.15 + 2)
    expect(gathered.deltas.length).toBeGreaterThan(800)
    const { provider: fast, clock: unused } = sandbox(Infinity)
    await gather(fast, callOf('large', asking('hello')))
    expect(unused.sleeps).toEqual([])
  })

  it('says in the progress what a call that is cut short has taken', async () => {
    const call = callOf('small', asking('Tell me about rivers.'))
    const stream = sandbox().provider.generate(call)
    for (let pieces = 0; pieces < 6; pieces++) await stream.next()
    await stream.return(undefined as never)
    expect(call.progress.sent).toBe(true)
    expect(call.progress.outputTokens).toBeGreaterThanOrEqual(5)
    expect(call.progress.reported?.usage).toMatchObject({ outputTokens: 0 })
    expect(call.progress.reported?.usage.inputTokens).toBeGreaterThan(3)
  })

  it('stops with the reason of the caller who leaves', async () => {
    const cancellation = new Cancellation()
    const stream = sandbox().provider.generate(callOf('small', asking('Tell me about rivers.'), { cancellation }))
    await stream.next()
    await stream.next()
    const reason = new BursarError('gone', { code: 'client_closed_request', status: 499 })
    cancellation.cancel(reason)
    await expect(stream.next()).rejects.toBe(reason)
  })
})

describe('sandbox failures on demand', () => {
  const run = (text: string, more: Partial<Request> = {}, model = 'small', limits = generous) => {
    const { provider, clock } = sandbox()
    return { clock, done: gather(provider, callOf(model, asking(text, more), { limits })) }
  }

  it.each([
    ['the name of the model', () => run('hi', {}, 'small?status=429&retry_after=1.5')],
    ['metadata', () => run('hi', { metadata: { sandbox: 'status=429, retry_after=1.5' } })],
    ['the message', () => run('hi\n[[sandbox status=429 retry_after=1.5]]')],
  ])('fails with a status told in %s', async (_where, start) => {
    expect(await failureOf(start().done)).toMatchObject({
      code: 'upstream_rate_limited',
      status: 429,
      upstreamStatus: 429,
      retryable: true,
      retryAfterSeconds: 1.5,
      phase: 'request',
    })
  })

  it('fails the first calls only, counted by directive and message', async () => {
    const { provider } = sandbox(Infinity)
    const once = (text: string) => gather(provider, callOf('small?fail_first=2&status=503', asking(text)))
    expect(await failureOf(once('a'))).toMatchObject({ upstreamStatus: 503 })
    expect(await failureOf(once('a'))).toMatchObject({ upstreamStatus: 503 })
    expect((await once('a')).text).not.toBe('')
    expect(await failureOf(once('b'))).toMatchObject({ upstreamStatus: 503 })
  })

  it('stalls before the first token until the limit', async () => {
    const { clock, done } = run('[[sandbox stall=forever]] hi', {}, 'small', { ...generous, firstTokenSeconds: 30 })
    expect(await failureOf(done)).toMatchObject({ code: 'upstream_timeout', phase: 'first_token', retryable: true })
    expect(clock.monotonic() - 1_000).toBeCloseTo(30)
    expect((await run('[[sandbox stall=20]] hi', {}, 'small', { ...generous, firstTokenSeconds: 30 }).done).text).not.toBe('')
  })

  it('falls silent in the middle until the limit', async () => {
    const { provider } = sandbox()
    const deltas: Delta[] = []
    const collect = async () => {
      for await (const delta of provider.generate(
        callOf('small', asking('[[sandbox silence=forever silence_after=4]] hi'), { limits: { ...generous, idleSeconds: 10 } }),
      ))
        deltas.push(delta)
    }
    expect(await failureOf(collect())).toMatchObject({ code: 'upstream_timeout', phase: 'stream' })
    expect(deltas.filter(({ type }) => type === 'text')).toHaveLength(4)
  })

  it('dies in the middle of the stream', async () => {
    const { provider } = sandbox()
    const deltas: Delta[] = []
    const collect = async (text: string) => {
      for await (const delta of provider.generate(callOf('small', asking(text)))) deltas.push(delta)
    }
    expect(await failureOf(collect('[[sandbox die_after=7]] hi'))).toMatchObject({ code: 'stream_truncated', phase: 'stream' })
    expect(deltas.filter(({ type }) => type === 'text')).toHaveLength(7)
    expect(deltas.some(({ type }) => type === 'finish' || type === 'usage')).toBe(false)
    expect(await failureOf(collect('[[sandbox die_after=0]] hi'))).toMatchObject({ phase: 'first_token' })
    expect(await failureOf(run('[[sandbox die_after=7]] hi', { stream: false }).done)).toMatchObject({ phase: 'first_token' })
  })

  it('sends what can’t be read, refuses, and slows down', async () => {
    expect(await failureOf(run('[[sandbox malformed]] hi').done)).toMatchObject({ code: 'upstream_malformed' })
    const refused = await run('[[sandbox refuse]] hi').done
    expect(choiceOf(refused)).toMatchObject({ finish: 'refusal', parts: [{ type: 'refusal' }] })
    const timed = async (text: string) => {
      const { clock, done } = run(text)
      await done
      return clock.monotonic() - 1_000
    }
    // Timers are no finer than a millisecond, so the two schedules are alike but for that.
    expect((await timed('[[sandbox tokens=500 slow=10]] x')) / (await timed('[[sandbox tokens=500]] x'))).toBeCloseTo(10, 0)
  })

  it.each([
    ['an unknown directive', '[[sandbox explode=1]] hi', /no directive "explode".*status/],
    ['a status that is no failure', '[[sandbox status=200]] hi', /from 400 to 599/],
    ['a word where a number belongs', '[[sandbox die_after=soon]] hi', /whole number/],
  ])('refuses %s with the field', async (_what, text, message) => {
    await expect(run(text).done).rejects.toMatchObject({
      code: 'invalid_request',
      status: 400,
      path: 'messages[0]',
      message: expect.stringMatching(message) as string,
    })
  })

  it('fails as often as a model is declared to', async () => {
    const provider = createSandboxProvider({
      seed: 1,
      clock: instantClock(),
      speed: Infinity,
      models: SANDBOX_MODELS.map((model) => ({ ...model, failureRate: 0.3 })),
    })
    let failed = 0
    for (let index = 0; index < 400; index++) await gather(provider, callOf('small', asking('hi'))).catch(() => (failed += 1))
    expect(Math.abs(failed / 400 - 0.3)).toBeLessThan(3 * Math.sqrt((0.3 * 0.7) / 400))
  })
})

describe('sandbox limits', () => {
  it('refuses what it can’t take with the field, or notes it where that is allowed', async () => {
    const { provider } = sandbox()
    const request = asking('hi', { extra: [{ name: 'logit_wish', path: 'logit_wish', value: 1 }] })
    await expect(gather(provider, callOf('small', request))).rejects.toMatchObject({ code: 'unsupported_parameter', path: 'logit_wish' })
    const call = callOf('small', request, { dropUnsupported: ['logit_wish'] })
    await gather(provider, call)
    expect(call.progress.dropped).toEqual(['logit_wish'])
  })

  it('refuses unknown models, prompts beyond the context, and text from the embedding model', async () => {
    const tiny = createSandboxProvider({
      seed: 1,
      clock: instantClock(),
      models: SANDBOX_MODELS.map((model) => ({ ...model, contextTokens: 50 })),
    })
    await expect(gather(tiny, callOf('huge', asking('hi')))).rejects.toMatchObject({ code: 'model_not_found', status: 404 })
    await expect(gather(tiny, callOf('embed', asking('hi')))).rejects.toMatchObject({ code: 'invalid_request', path: 'model' })
    await expect(gather(tiny, callOf('small', asking('word '.repeat(80))))).rejects.toMatchObject({
      code: 'context_length_exceeded',
      status: 400,
      retryable: false,
    })
    await expect(gather(tiny, callOf('small', asking('x'.repeat(20_000_000))))).rejects.toMatchObject({
      code: 'context_length_exceeded',
      path: 'messages',
    })
    expect(tiny.facts('huge')).toBeUndefined()
    expect(tiny.facts('sandbox/small?status=500')?.id).toBe('small')
  })
})

describe('sandbox embeddings', () => {
  const embed = async (
    inputs: readonly (string | readonly number[])[],
    more: { dimensions?: number; encoding?: 'float' | 'base64' } = {},
  ) => {
    const { request: _unused, wire: _none, ...call } = callOf('embed', asking(''))
    const result = await sandbox().provider.embed({ ...call, request: { model: 'embed', inputs, encoding: 'float', extra: [], ...more } })
    if (result.answer.kind !== 'wire') throw new Error('expected bytes')
    return JSON.parse(Buffer.from(result.answer.bytes).toString()) as {
      data: { embedding: number[] | string; index: number }[]
      usage: { prompt_tokens: number }
    }
  }
  const cosine = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)

  it('puts like texts near each other, at length one', async () => {
    const { data, usage } = await embed([
      'How do I reset my password?',
      'How can I reset my password?',
      'Best pasta recipes of Italy',
      '',
      [1, 2, 3],
    ])
    const vectors = data.map(({ embedding }) => embedding as number[])
    for (const vector of vectors) expect(cosine(vector, vector)).toBeCloseTo(1, 5)
    const [a = [], b = [], c = []] = vectors
    expect(cosine(a, b)).toBeGreaterThan(0.6)
    expect(cosine(a, c)).toBeLessThan(0.3)
    expect(usage.prompt_tokens).toBe(
      countTokens('How do I reset my password?') +
        countTokens('How can I reset my password?') +
        countTokens('Best pasta recipes of Italy') +
        3,
    )
  })

  it('honours dimensions and base64, and refuses the impossible with the field', async () => {
    const float = await embed(['hello'], { dimensions: 12 })
    const base64 = await embed(['hello'], { dimensions: 12, encoding: 'base64' })
    const bytes = Buffer.from(base64.data[0]?.embedding as string, 'base64')
    const read = Array.from({ length: 12 }, (_, index) => bytes.readFloatLE(index * 4))
    expect(read).toEqual(float.data[0]?.embedding)
    await expect(embed(['x'], { dimensions: 0 })).rejects.toMatchObject({ path: 'dimensions' })
    await expect(embed([])).rejects.toMatchObject({ path: 'input' })
    await expect(embed(['fine', 'word '.repeat(9_000)])).rejects.toMatchObject({ path: 'input[1]', code: 'context_length_exceeded' })
  })
})

import { describe, expect, it } from 'vitest'
import { ReplyCollector, type Delta, type Request } from '../../protocol/index.js'
import { picoUsd, totalOutputTokens, usd } from '../../quantities/index.js'
import type { Completion, Environment } from '../environment.js'
import type { OutcomeRow } from '../outcome-table.js'
import { asking } from '../providers/fixtures/provider-call.js'
import { memoryBudget } from '../simulated/memory-budget.js'
import { recordedEnvironment } from './recorded-environment.js'

const row: OutcomeRow = {
  id: 'r1',
  request: { messages: [{ role: 'user', content: 'q' }] },
  outcomes: {
    big: {
      quality: 1,
      usd: 0.02,
      inputTokens: 100,
      cacheReadTokens: 40,
      outputTokens: 50,
      reasoningTokens: 7,
      seconds: 4,
      firstTokenSeconds: 1,
      answer: 'The answer is 42, as was to be shown at some length.',
    },
    small: {
      inputTokens: 100,
      samples: [
        { quality: 0, answer: 'a', outputTokens: 1, usd: 0.001, seconds: 1 },
        { quality: 1, answer: 'b', outputTokens: 2, usd: 0.002, seconds: 2 },
        { answer: 'c', outputTokens: 3, usd: 0.003, seconds: 3 },
      ],
    },
    bare: { quality: 0.5 },
    plain: { answer: 'word '.repeat(60) },
  },
}

async function ask(
  env: Environment,
  model: string,
  more: Partial<Request> = {},
): Promise<{ deltas: Delta[]; completion: Completion; text: string }> {
  const deltas: Delta[] = []
  const running = env.call(model, asking('q', more))
  for (;;) {
    const step = await running.next()
    if (!step.done) deltas.push(step.value)
    else return { deltas, completion: step.value, text: textOf(step.value) }
  }
}
function textOf({ answer }: Completion): string {
  return answer.kind === 'reply'
    ? answer.reply.choices.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')).join('|')
    : ''
}

describe('recorded world', () => {
  it('gives the recorded answer, counts, bill and times', async () => {
    const env = recordedEnvironment(row)
    const { deltas, completion, text } = await ask(env, 'big')
    expect(text).toBe('The answer is 42, as was to be shown at some length.')
    expect(completion).toMatchObject({
      model: 'big',
      provider: 'recorded',
      usage: { inputTokens: 60, cacheReadTokens: 40, outputTokens: 50, reasoningTokens: 7 },
      usageEstimated: false,
      cost: { usd: usd('0.02'), seconds: 4 },
    })
    const collector = new ReplyCollector()
    for (const delta of deltas) collector.push(delta)
    expect(completion.answer).toEqual({ kind: 'reply', reply: collector.reply() })
    expect(env.clock.monotonic()).toBe(4)
    expect(env.spent()).toEqual({ usage: completion.usage, cost: completion.cost, calls: 1 })
    expect([env.qualityOf(completion), env.sampleOf(completion)?.answer]).toEqual([1, text])
    expect(env.qualityOf({ callId: 'of another world' })).toBeNull()
  })

  it('does not stream what is not asked to', async () => {
    const { deltas, text } = await ask(recordedEnvironment(row), 'small', { stream: false })
    expect([deltas, text]).toEqual([[], 'a'])
  })

  it('the n-th call gets the n-th sample, and the one after the last fails', async () => {
    const env = recordedEnvironment(row)
    const texts: string[] = []
    for (let call = 0; call < 3; call++) texts.push((await ask(env, 'small')).text)
    expect(texts).toEqual(['a', 'b', 'c'])
    await expect(ask(env, 'small')).rejects.toMatchObject({
      code: 'no_deployment_available',
      retryable: false,
      message: expect.stringContaining('3 recorded answers of "small"') as string,
    })
    expect(env.spent()).toMatchObject({ calls: 3, usage: { inputTokens: 300, outputTokens: 6 }, cost: { usd: usd('0.006'), seconds: 6 } })
  })

  it('takes n samples at once, and pays the input once', async () => {
    const env = recordedEnvironment(row)
    const { completion, text, deltas } = await ask(env, 'small', { n: 2 })
    expect([text, completion.usage.inputTokens, completion.usage.outputTokens, env.qualityOf(completion, 1)]).toEqual(['a|b', 100, 3, 1])
    expect(deltas.filter(({ type }) => type === 'finish')).toHaveLength(2)
    await expect(ask(env, 'small', { n: 2 })).rejects.toMatchObject({ code: 'no_deployment_available' })
    expect((await ask(env, 'small')).text).toBe('c')
    await expect(ask(env, 'small', { n: 0 })).rejects.toMatchObject({ code: 'invalid_request', path: 'n' })
  })

  it('shuffles by seed and row, each order as often as any other', async () => {
    const orderOf = async (seed: number, id = 'r1') => {
      const env = recordedEnvironment({ ...row, id }, { seed, order: 'shuffled' })
      return (await ask(env, 'small', { n: 3 })).text
    }
    expect(await orderOf(5)).toBe(await orderOf(5))
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 300; seed++) {
      const order = await orderOf(seed)
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    // 50 expected; five standard deviations are 32, so further off than that has a probability below 1e-6 for any of the six.
    for (const count of counts.values()) expect(Math.abs(count - 50)).toBeLessThan(33)
  })

  it('calls at the same time take the longest of them', async () => {
    const env = recordedEnvironment(row)
    await Promise.all([ask(env, 'big'), ask(env, 'small', { stream: false }), ask(env, 'small')])
    expect(env.clock.monotonic()).toBe(4)
    expect(env.spent().cost.seconds).toBe(7)
  })

  it('says what is missing', async () => {
    const env = recordedEnvironment(row)
    await expect(ask(env, 'nobody')).rejects.toMatchObject({
      code: 'model_not_found',
      status: 404,
      message: expect.stringContaining('big, small, bare') as string,
    })
    await expect(ask(env, 'toString')).rejects.toMatchObject({ code: 'model_not_found' })
    await expect(ask(env, 'bare')).rejects.toMatchObject({
      code: 'no_deployment_available',
      message: expect.stringContaining('no recorded answer') as string,
    })
    await expect(env.embed('big', { model: 'big', inputs: ['x'], encoding: 'float', extra: [] })).rejects.toMatchObject({
      code: 'unsupported_parameter',
    })
    expect(env.spent().calls).toBe(0)
  })

  it('serves qualities without texts where that is asked for', async () => {
    const env = recordedEnvironment(row, { answerless: true })
    const { completion, text, deltas } = await ask(env, 'bare')
    expect([text, env.qualityOf(completion), deltas.map(({ type }) => type)]).toEqual(['', 0.5, ['start', 'finish', 'usage']])
    expect(completion.cost.usd).toBeNull()
  })

  it('estimates what was not recorded and says so', async () => {
    const price = (_model: string, usage: { inputTokens: number; outputTokens: number }) =>
      picoUsd(usage.inputTokens + 10 * usage.outputTokens)
    const env = recordedEnvironment(row, { price, tokensPerSecond: 50 })
    const { completion } = await ask(env, 'plain')
    expect(completion).toMatchObject({
      usage: { outputTokens: 100 },
      usageEstimated: true,
      cost: { seconds: 2 },
      warnings: [expect.stringContaining('estimated') as string],
    })
    expect(completion.cost.usd).toBe(BigInt(completion.usage.inputTokens + 1_000))
    await expect(ask(recordedEnvironment(row, { tokensPerSecond: 0 }), 'plain')).rejects.toMatchObject({ path: 'tokensPerSecond' })
  })

  it('refuses before it takes a sample where the budget has no room', async () => {
    const budget = memoryBudget({ usd: 0.0025 })
    const env = recordedEnvironment(row, { budget })
    await ask(env, 'small')
    await expect(ask(env, 'small')).rejects.toMatchObject({ code: 'budget_exceeded' })
    await expect(ask(env, 'plain')).rejects.toMatchObject({
      code: 'budget_exceeded',
      message: expect.stringContaining("isn't known") as string,
    })
    expect([env.spent().calls, budget.remaining().usd]).toEqual([1, usd('0.0015')])
  })

  it('bills a stream that is left for what went out of it', async () => {
    const price = (_model: string, usage: Parameters<typeof totalOutputTokens>[0]) => picoUsd(totalOutputTokens(usage))
    const budget = memoryBudget({ tokens: 1_000 })
    const env = recordedEnvironment(row, { price, budget })
    for await (const delta of env.call('plain', asking('q'))) if (delta.type === 'text') break
    const { usage, cost, calls } = env.spent()
    expect(usage.outputTokens).toBeGreaterThan(0)
    expect(usage.outputTokens).toBeLessThan(20)
    expect([cost.usd, calls, budget.remaining().tokens]).toEqual([
      BigInt(usage.outputTokens),
      1,
      1_000 - usage.inputTokens - usage.outputTokens,
    ])
  })

  it('bills a cut call whole where the parts have no price', async () => {
    const env = recordedEnvironment(row)
    for await (const delta of env.call('big', asking('q'))) if (delta.type === 'text') break
    expect(env.spent()).toMatchObject({ usage: { reasoningTokens: 7 }, cost: { usd: usd('0.02'), seconds: 1 } })
  })

  it('tells a reader that cuts a call what it took, and nobody of one that is cancelled', async () => {
    const told: string[] = []
    const onCut = ({ callId }: { readonly callId: string }) => void told.push(callId)
    const abort = new AbortController()
    const env = recordedEnvironment(row, { signal: abort.signal })
    for await (const delta of env.call('small', asking('q'), { onCut })) if (delta.type === 'text') break
    const cancelled = env.call('big', asking('q'), { onCut }).next()
    void env.clock.sleep(0.5).then(() => abort.abort(new Error('gone')))
    await expect(cancelled).rejects.toThrow('gone')
    expect([told, env.spent().calls]).toEqual([['rec-r1-small-0'], 2])
  })

  it('stops when it is cancelled', async () => {
    const abort = new AbortController()
    const env = recordedEnvironment(row, { signal: abort.signal })
    const [first, second] = [ask(env, 'big'), ask(env, 'small', { stream: false })]
    void env.clock.sleep(0.5).then(() => abort.abort(new Error('gone')))
    await expect(first).rejects.toThrow('gone')
    await expect(second).rejects.toThrow('gone')
    await expect(ask(env, 'small')).rejects.toThrow('gone')
    expect(env.spent().calls).toBe(2)
  })

  it.each(['seconds', 'outputTokens', 'usd', 'quality'] as const)('refuses a row with a %s that is none', async (field) => {
    const broken: OutcomeRow = { ...row, outcomes: { m: { samples: [{ answer: 'fine' }, { answer: 'a', [field]: NaN }] } } }
    await expect(ask(recordedEnvironment(broken), 'm')).rejects.toMatchObject({
      code: 'invalid_request',
      path: `outcomes.m.samples[1].${field}`,
    })
  })

  it('takes whole numbers for seeds', () => {
    for (const seed of [NaN, 1.5]) expect(() => recordedEnvironment(row, { seed })).toThrow(expect.objectContaining({ path: 'seed' }))
  })
})

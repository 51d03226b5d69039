import { describe, expect, it } from 'vitest'
import type { Completion, Environment, ModelId } from '../../environment/index.js'
import { BudgetExceeded, BursarError } from '../../errors/index.js'
import { deltasOf, type Delta, type Reply, type Request } from '../../protocol/index.js'
import { noUsage, unlimited, usd, type Budget } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { lexicalVectorOf } from './fixtures/vector.js'
import {
  auction,
  auctioned,
  auctionMemory,
  juryScores,
  learnWeights,
  minMax,
  initialWeights,
  planEntropy,
  settle,
  valueOfInformation,
  type AuctionRecord,
} from '../index.js'
import { featuresOf, priceOf, scene } from '../policies/fixtures/scene.js'

type Said = string | Error
interface Heard {
  readonly model: ModelId
  readonly text: string
}

/** A world whose agents say what a function says, at a dollar a thousand calls. */
function world(
  say: (heard: Heard) => Said,
  budget: Budget = unlimited,
  signal: AbortSignal = new AbortController().signal,
): Environment & { readonly heard: Heard[] } {
  const heard: Heard[] = []
  return {
    heard,
    budget,
    signal,
    clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
    random: seededRandom(1),
    embed: () => Promise.reject(new Error('no embeddings here')),
    async *call(model, request): AsyncGenerator<Delta, Completion> {
      await Promise.resolve()
      signal.throwIfAborted()
      const text = request.messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))).join('\n')
      heard.push({ model, text })
      const said = say({ model, text })
      if (said instanceof Error) throw said
      const reply: Reply = {
        id: 'r',
        model,
        created: 0,
        choices: [{ parts: [{ type: 'text', text: said }], finish: 'stop' }],
        reported: undefined,
      }
      if (request.stream) yield* deltasOf(reply)
      return {
        callId: `call-${heard.length}`,
        model,
        provider: 'p',
        deployment: 'd',
        answer: { kind: 'reply', reply },
        usage: { ...noUsage, inputTokens: 10, outputTokens: said.split(/\s+/).length },
        usageEstimated: false,
        cost: { usd: usd(0.001), seconds: 1, joules: null, gramsCO2e: null },
        costReport: { usd: usd(0.001), details: {} },
        attempts: 1,
        headers: {},
        warnings: [],
      }
    },
  }
}

const kindOf = ({ text }: Heard) =>
  text.startsWith('Several agents') ? 'plan' : text.startsWith('How likely') ? 'judge' : text.startsWith('You offered') ? 'refine' : 'work'
const asking = (text: string, changes: Partial<Request> = {}): Request => ({
  model: 'auto',
  messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
  stream: true,
  paths: {},
  extra: [],
  ...changes,
})
const agents = [
  { model: 'small', usdPerOutputToken: 1e-6 },
  { model: 'large', usdPerOutputToken: 1e-5 },
] as const

async function play(strategy: ReturnType<typeof auction>, env: Environment, request = asking('Fix the failing build of the parser')) {
  const running = strategy.run(request, env)
  let text = ''
  for (;;) {
    const step = await running.next()
    if (step.done) return { text, answer: step.value }
    if (step.value.type === 'text') text += step.value.text
  }
}

/** Plans of six different words; the jury prefers whom it is told to. */
const saying =
  (favourite: 'small' | 'large', refined?: 'small') =>
  (heard: Heard): Said => {
    const kind = kindOf(heard)
    if (kind === 'plan') return `${heard.model} reads logs then edits code`
    if (kind === 'refine') return `${heard.model} improved reads tests first carefully`
    // Plans come in the ranking's order when they are judged again, so a judge looks whose is whose.
    if (kind === 'judge')
      return JSON.stringify(
        heard.text
          .split(/Plan \d+:\n/)
          .slice(1)
          .map((plan) => (plan.includes('improved') && refined ? 10 : plan.startsWith(favourite) ? 9 : 2)),
      )
    return `done by ${heard.model}`
  }

describe('auction', () => {
  it("lets the cheapest do the work when plans are liked alike, and the jury's favourite when they are not", async () => {
    const three = [...agents, { model: 'middle', usdPerOutputToken: 3e-6 }] as const
    for (const [favourite, expected] of [
      ['small', 'small'],
      ['large', 'large'],
    ] as const) {
      const env = world(saying(favourite))
      const { text, answer } = await play(auction({ agents: three }), env)
      expect(text).toBe(`done by ${expected}`)
      expect(env.heard.map(kindOf)).toEqual(['plan', 'plan', 'plan', 'judge', 'judge', 'judge', 'work'])
      expect(answer.cost.usd).toBe(usd(0.007))
      expect(answer.steps).toHaveLength(7)
    }
    const env = world((heard) => (kindOf(heard) === 'judge' ? '[5,5,5]' : saying('small')(heard)))
    expect((await play(auction({ agents: three }), env)).text).toBe('done by small')
  })

  it('gives the winner its plan, and leaves the request alone where it is told to', async () => {
    const env = world(saying('small'))
    await play(auction({ agents }), env)
    expect(env.heard.at(-1)?.text).toContain('Work by this plan:\nsmall reads logs')
    const plain = world(saying('small'))
    await play(auction({ agents, handPlan: false }), plain)
    expect(plain.heard.at(-1)?.text).toBe('Fix the failing build of the parser')
  })

  it('remembers, and lets a cheaper agent win with what it learned', async () => {
    const memory = auctionMemory()
    const strategy = auction({
      agents: [...agents, { model: 'other', usdPerOutputToken: 9e-6 }],
      memory,
      vectorOf: () => lexicalVectorOf([1, 2, 3]),
    })
    const first = await play(strategy, world(saying('large')))
    expect(first.text).toBe('done by large')
    expect(memory.outcome(first.answer.completion.callId, true)).toBe(true)
    expect(memory.outcome(first.answer.completion.callId, true)).toBe(false)
    const env = world(saying('large', 'small'))
    const second = await play(strategy, env)
    expect(env.heard.filter((heard) => kindOf(heard) === 'refine').map(({ model }) => model)).toEqual(['small', 'other'])
    expect(env.heard.find((heard) => kindOf(heard) === 'refine')?.text).toContain('succeeded:\nlarge reads logs')
    expect(second.text).toBe('done by small')
  })

  it('goes on without bidders and judges that fail, and without an auction when nobody bids or the budget ends', async () => {
    const noPlan = world((heard) =>
      kindOf(heard) === 'plan' && heard.model === 'small' ? new BudgetExceeded('no') : saying('small')(heard),
    )
    expect((await play(auction({ agents }), noPlan)).text).toBe('done by large')
    const oddJudges = world((heard) => (kindOf(heard) === 'judge' ? 'I like them all' : saying('large')(heard)))
    expect((await play(auction({ agents }), oddJudges)).text).toBe('done by small')
    const silent = world((heard) => (kindOf(heard) === 'plan' ? ' ' : saying('large')(heard)))
    expect((await play(auction({ agents }), silent)).answer.steps?.at(-1)?.note).toContain('no auction')
    const last = world(saying('large'), { name: 'b', remaining: () => ({}), regime: () => 'last_call' })
    await play(auction({ agents }), last)
    expect(last.heard.map(kindOf)).toEqual(['work'])
    await expect(
      play(
        auction({ agents }),
        world((heard) => (kindOf(heard) === 'work' ? new BudgetExceeded('gone') : saying('small')(heard))),
      ),
    ).rejects.toThrow(BudgetExceeded)
  })

  it('stops when it is cancelled', async () => {
    const controller = new AbortController()
    const env = world(
      (heard) => {
        controller.abort(new Error('left'))
        return saying('small')(heard)
      },
      unlimited,
      controller.signal,
    )
    await expect(play(auction({ agents }), env)).rejects.toThrow('left')
    expect(env.heard.some((heard) => kindOf(heard) === 'work')).toBe(false)
  })

  it('refuses a price that is none', () => {
    for (const price of [NaN, -1, Infinity])
      expect(() => auction({ agents: [{ model: 'm', usdPerOutputToken: price }] })).toThrow(BursarError)
  })
})

describe('bids', () => {
  it('are scored as the paper has it, by hand', () => {
    const bids = [
      { agent: 0, plan: 'a b c d', cost: 1, predicted: null },
      { agent: 1, plan: 'a a a a', cost: 3, predicted: null },
    ]
    const [first, second] = settle(bids, [0.5, 0.9], { ...initialWeights, jury: 1, predicted: 0 })
    expect([first?.bid.agent, first?.score, second?.score]).toEqual([0, expect.closeTo(0 - 0.3 - 0.5, 12), expect.closeTo(1 - 0 - 0.9, 12)])
    expect(minMax([2, 4, 3])).toEqual([0, 1, 0.5])
    expect(minMax([7, 7])).toEqual([0, 0])
    expect([planEntropy(''), planEntropy('word'), planEntropy('one two three')]).toEqual([0, 0, 1])
    expect(planEntropy(`${'new words '.repeat(1000)}`)).toBeLessThan(0.2)
  })

  it("are judged without the judge's own, each judge on its own scale", () => {
    const bids = [{ agent: 0 }, { agent: 1 }, { agent: 2 }]
    const mild = juryScores(
      [
        [0, 8, 6],
        [9, 0, 7],
        [9, 8, 0],
      ],
      [0, 1, 2],
      bids,
    )
    const harsh = juryScores(
      [
        [10, 4, 3],
        [4.5, 10, 3.5],
        [4.5, 4, 10],
      ],
      [0, 1, 2],
      bids,
    )
    mild.forEach((score, index) => expect(score).toBeCloseTo(harsh[index] ?? NaN, 12))
    expect(mild[0]).toBeGreaterThan(mild[1] ?? 1)
    expect(juryScores([[null, null, null]], [0], bids)).toEqual([0.5, 0.5, 0.5])
    expect(juryScores([[5, NaN, 5]], [3], bids)).toEqual([0.5, 0.5, 0.5])
  })

  it('learn weights from what really succeeded', () => {
    const random = seededRandom(3)
    let weights = { ...initialWeights, jury: 1 }
    for (let round = 0; round < 4000; round++) {
      const signs = { entropy: random.next(), jury: random.next(), predicted: random.next() }
      weights = learnWeights(weights, signs, random.next() < signs.predicted)
    }
    expect(weights.predicted).toBeGreaterThan(1.5)
    expect(weights.jury).toBeLessThan(1)
    expect(weights.cost).toBe(1)
  })
})

describe('memory of auctions', () => {
  const record = (id: string, words: readonly number[]): AuctionRecord => ({
    id,
    task: lexicalVectorOf(words),
    bids: [{ agent: 'a', plan: 'p', score: 0 }],
    winner: 'a',
    signs: { entropy: 1, jury: 0.5, predicted: 0.5 },
    won: null,
  })

  it('is bounded, finds what is alike and settled, and is loaded as the same', () => {
    const memory = auctionMemory({ most: 3 })
    for (const [id, words] of [
      ['1', [1, 2]],
      ['2', [1, 3]],
      ['3', [8, 9]],
      ['4', [1, 2]],
    ] as const)
      memory.add(record(id, words))
    expect(memory.outcome('1', true)).toBe(false)
    for (const id of ['2', '3']) memory.outcome(id, id === '2')
    expect(memory.similar(lexicalVectorOf([1, 2]), 3).map(({ id }) => id)).toEqual(['2'])
    const loaded = auctionMemory({}, memory.serialize())
    expect(loaded.similar(lexicalVectorOf([1, 2]), 3)).toEqual(memory.similar(lexicalVectorOf([1, 2]), 3))
    expect(loaded.weights).toEqual(memory.weights)
    expect(() => auctionMemory({}, new Uint8Array([1, 2]))).toThrow(expect.objectContaining({ code: 'invalid_configuration' }))
  })
})

describe('auctioned', () => {
  const costs = priceOf(1e-7, 1e-6)
  const arms = [
    { id: 'large', quality: 0.8, variance: 0.02, usd: 0.1, priceOf: costs },
    { id: 'small', quality: 0.75, variance: 0.02, usd: 0.08, priceOf: costs },
    { id: 'auction', usd: 0.1, quality: 0.8 },
  ] as const
  const policy = auctioned(valueOfInformation(), { arm: 'auction', bidders: ['large', 'small'] })
  const chosen = (changed: readonly [(typeof arms)[0] | object, ...object[]] = arms, changes = {}) =>
    policy.choose(scene(changed as unknown as Parameters<typeof scene>[0], { objective: { lambda: 1 }, ...changes })).arm.id

  it('holds an auction only for dear work that nobody is sure of', () => {
    expect(chosen()).toBe('auction')
    const [large, small, sale] = arms
    expect(chosen([{ ...large, variance: 1e-6 }, { ...small, quality: 0.1, variance: 1e-6 }, sale])).toBe('large')
    expect(chosen([{ ...large, usd: 0.002 }, { ...small, usd: 0.001 }, sale])).toBe('large')
    expect(chosen([{ ...large, priceOf: undefined }, small, sale])).toBe('large')
    expect(chosen(arms, { features: featuresOf({ toolLoop: true }) })).toBe('large')
    expect(chosen([large, small, { ...sale, usd: null }], { budget: { usd: usd(5) } })).toBe('large')
    expect(chosen([large, small])).toBe('large')
  })
})

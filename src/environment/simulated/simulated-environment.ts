import { BursarError, InvalidRequest, UnsupportedParameter } from '../../errors/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { noUsage, type Usage } from '../../quantities/index.js'
import { childRandom, normalDraw, type Random } from '../../statistics/index.js'
import { likelyTokens } from '../../understanding/index.js'
import type { CallOptions, Completion, Environment, ModelId } from '../environment.js'
import { UpstreamFailure } from '../upstream-failure.js'
import { memoryBudget, type MemoryBudget } from './memory-budget.js'
import { checkLimits, Playback, wholeCharacters, type PlannedAnswer, type PlannedChoice, type Spent } from './playback.js'
import { checkModel, drawRank, drawTokens, priced, successProbability, type SimulatedModel, type SuccessLaw } from './simulated-model.js'
import { drawQuestion, type DrawnQuestion, type SimulatedQuestion } from './simulated-question.js'
import { virtualClock, type VirtualClock } from './virtual-clock.js'

/** A model, or what a model is for a request: so that an effort, a style or an earlier attempt can change its parameters. */
export type SimulatedModelOf = SimulatedModel | ((request: Request, question: DrawnQuestion) => SimulatedModel)

export interface SimulatedOptions {
  readonly models: Readonly<Record<ModelId, SimulatedModelOf>>
  readonly question: SimulatedQuestion
  /** The same seed and question: the same everything. */
  readonly seed: number
  /**
   * ρ in [0, 1] of the Gaussian copula between the models' Beta-drawn probabilities: 0 (when absent) independent, 1 the same questions
   * are easy for all.
   */
  readonly correlation?: number | undefined
  /** Share of wrong answers at which all models are tempted in the same order, in [0, 1]; 0 when absent: each in an order of its own. */
  readonly sharedMistakes?: number | undefined
  readonly budget?: MemoryBudget | undefined
  readonly signal?: AbortSignal | undefined
  /** One clock for several environments; absent: one of its own. */
  readonly clock?: VirtualClock | undefined
}

/** A world of samplers with known parameters, around one question. All but `Environment` is for whoever measures, never for a strategy. */
export interface SimulatedEnvironment extends Environment {
  readonly budget: MemoryBudget
  readonly clock: VirtualClock
  readonly question: DrawnQuestion
  readonly truth: string
  /** Whether the last answer that a text names is the right one. */
  isRight(text: string): boolean
  /** 1 or 0 by what was drawn for a completion (for its n-th choice); an answer that was cut off is 0; `null` for one of another world. */
  qualityOf(completion: Pick<Completion, 'callId'>, choice?: number): number | null
  /** p of a model on this question: of its static parameters, or of those for a request. Throws `BursarError` (`model_not_found`). */
  successOf(model: ModelId, request?: Request): number
  spent(): Spent
}

/**
 * The simulated world. Samples of a model are independent given the question; each has a random source of its own, by seed, question, model
 * and number of the sample, so the order in which models are called changes nothing. At temperature 0 all samples of
 * the same last message are the same one. `maxOutputTokens` cuts answers off. Nothing but the question and the models' parameters
 * decides what comes: prompts aren't read, except by judges. What was drawn is kept for `qualityOf`, so memory grows with the calls.
 *
 * Throws `InvalidRequest` that names a parameter out of its range. `call` throws `BursarError` (`model_not_found`), `UpstreamFailure`
 * (`upstream_error`, retryable) at the model's failure rate, `BudgetExceeded`, or the signal's reason.
 */
export function simulatedEnvironment(options: SimulatedOptions): SimulatedEnvironment {
  const { models, seed, correlation = 0, sharedMistakes = 0, signal, clock = virtualClock(), budget = memoryBudget() } = options
  if (!Number.isSafeInteger(seed)) throw new InvalidRequest(`A seed must be a whole number, not ${seed}.`, { path: 'seed' })
  for (const [name, share] of Object.entries({ correlation, sharedMistakes }))
    if (!(share >= 0 && share <= 1)) throw new InvalidRequest(`${name} must be in [0, 1], not ${share}.`, { path: name })
  for (const [id, model] of Object.entries(models)) if (typeof model !== 'function') checkModel(model, `models.${id}`)
  const question = drawQuestion(options.question, seed)
  const playback = new Playback(clock, budget, signal)
  const made = new Map<ModelId, number>()
  const given = new Map<string, readonly Sample[]>()
  const abilities = new Map<ModelId, Ability>()

  const modelOf = (id: ModelId, request: Request | undefined): SimulatedModel => {
    const model = Object.hasOwn(models, id) ? models[id] : undefined
    if (!model) {
      const message = `There is no simulated model "${id}". There are ${Object.keys(models).join(', ') || 'none'}.`
      throw new BursarError(message, { code: 'model_not_found', status: 404, path: 'model' })
    }
    if (typeof model !== 'function') return model
    if (!request) throw new InvalidRequest(`The parameters of "${id}" depend on the request.`, { path: 'request' })
    const resolved = model(request, question)
    checkModel(resolved, `models.${id}`)
    return resolved
  }
  const abilityOf = (id: ModelId): Ability => {
    let ability = abilities.get(id)
    if (!ability) abilities.set(id, (ability = new Ability(id, question, seed, correlation)))
    return ability
  }

  async function* call(id: ModelId, request: Request, callOptions?: CallOptions): AsyncGenerator<Delta, Completion> {
    playback.throwIfCancelled()
    const model = modelOf(id, request)
    const wanted = request.n ?? 1
    checkLimits(request)
    const first = made.get(id) ?? 0
    const name = `${question.id}\0${id}\0`
    if (model.failureRate !== undefined && childRandom(seed, `fault\0${name}${first}`).next() < model.failureRate) {
      made.set(id, first + wanted)
      return await playback.fail(failed(id, first), model.firstTokenSeconds ?? 0)
    }
    const ability = abilityOf(id)
    const samples = Array.from({ length: wanted }, (_, index) => {
      const number = request.temperature === 0 ? `greedy\0${lastText(request)}` : String(first + index)
      return sample(model, ability, request, sharedMistakes, childRandom(seed, `sample\0${name}${number}`))
    })
    const callId = `sim-${question.id}-${id}-${first}`
    const taken = () => {
      made.set(id, first + wanted)
      given.set(callId, samples)
    }
    return yield* playback.play(planned(callId, id, model, samples, request), request.stream, taken, callOptions)
  }

  return {
    call,
    embed: () => Promise.reject(new UnsupportedParameter('model: simulated models compute no embeddings.', 'model')),
    budget,
    clock,
    random: childRandom(seed, `strategy\0${question.id}`),
    signal: signal ?? new AbortController().signal,
    question,
    truth: question.truth,
    isRight: (text) => question.answerOf(text) === question.truth,
    qualityOf({ callId }, choice = 0) {
      const drawn = given.get(callId)?.[choice]
      return drawn ? Number(drawn.right) : null
    },
    successOf: (id, request) => abilityOf(id).success(modelOf(id, request).success),
    spent: () => playback.spent(),
  }
}

/** What a model can do on the question, and which wrong answers tempt it. */
class Ability {
  private readonly rank: number
  private readonly orders = new Map<number, readonly number[]>()
  private readonly known = new Map<SuccessLaw, number>()

  constructor(
    private readonly id: ModelId,
    readonly question: DrawnQuestion,
    private readonly seed: number,
    correlation: number,
  ) {
    const random = childRandom(seed, `ability\0${question.id}\0${id}`)
    this.rank = normalShare(Math.sqrt(correlation) * question.ease + Math.sqrt(1 - correlation) * normalDraw(random))
  }

  success(law: SuccessLaw): number {
    if (typeof law === 'number') return law
    let probability = this.known.get(law)
    if (probability === undefined) {
      probability = successProbability(law, this.question.difficulty, this.rank)
      if (this.known.size < MOST_LAWS) this.known.set(law, probability)
    }
    return probability
  }

  /** The wrong answer of this rank: in the order common to all, or in this model's own among the first `distinct`. */
  wrong(rank: number, distinct: number, common: boolean): string {
    return this.question.wrong(common ? rank : (this.order(distinct)[rank] ?? rank))
  }

  private order(distinct: number): readonly number[] {
    let order = this.orders.get(distinct)
    if (!order) {
      const random = childRandom(this.seed, `mistakes\0${this.question.id}\0${this.id}`)
      order = Array.from({ length: distinct }, (_, index) => ({ index, key: random.next() }))
        .sort((a, b) => a.key - b.key)
        .map(({ index }) => index)
      this.orders.set(distinct, order)
    }
    return order
  }
}

/** Laws whose probability is remembered a model: more than that are made anew for each request. */
const MOST_LAWS = 16

interface Sample {
  readonly right: boolean
  readonly choice: PlannedChoice
  readonly outputTokens: number
  readonly reasoningTokens: number
}

function sample(model: SimulatedModel, ability: Ability, request: Request, sharedMistakes: number, random: Random): Sample {
  const { question } = ability
  const verdict = model.judge && judged(request, question)
  const tokens = model.tokens && drawTokens(model.tokens, random)
  const reasoningTokens = model.reasoningTokens ? drawTokens(model.reasoningTokens, random) : 0
  if (model.judge && verdict) {
    const { sensitivity, specificity, says = defaultVerdict } = model.judge
    const believes = random.next() < (verdict.right ? sensitivity : 1 - specificity)
    return limited(
      { right: believes === verdict.right, tokens, reasoningTokens, text: says(believes, random), reasoning: undefined },
      request.maxOutputTokens,
    )
  }
  const right = random.next() < ability.success(model.success)
  const distinct = Math.min(model.wrong?.distinct ?? 4, question.mostWrong)
  const rank = drawRank(distinct, model.wrong?.exponent ?? 1, random)
  const common = random.next() < sharedMistakes
  const answer = right ? question.truth : ability.wrong(rank, distinct, common)
  const drawn = { right, tokens, reasoningTokens, random }
  const text = model.text ? model.text(answer, drawn) : `The answer is ${answer}.`
  return limited({ right, tokens, reasoningTokens, text, reasoning: model.reasoning?.(answer, drawn) }, request.maxOutputTokens)
}

const defaultVerdict = (believesRight: boolean) => (believesRight ? 'Score: 9' : 'Score: 2')

/** The answer that the last message holds, for a judge. */
function judged(request: Request, question: DrawnQuestion): { readonly right: boolean } | undefined {
  const answer = question.answerOf(lastText(request))
  return answer === null ? undefined : { right: answer === question.truth }
}

function lastText({ messages }: Request): string {
  return (messages.at(-1)?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n')
}

interface Unlimited {
  readonly right: boolean
  readonly tokens: number | undefined
  readonly reasoningTokens: number
  readonly text: string
  readonly reasoning: string | undefined
}

/** An answer within the limit on output tokens: reasoning comes first, and what no longer fits is cut off. */
function limited(whole: Unlimited, limit = Infinity): Sample {
  const { right, text, reasoning, reasoningTokens } = whole
  const tokens = whole.tokens ?? Math.max(1, Math.ceil(Buffer.byteLength(text) / 3))
  if (reasoningTokens + tokens <= limit)
    return { right, choice: { text, reasoning, finish: 'stop' }, outputTokens: tokens, reasoningTokens }
  const thought = Math.min(reasoningTokens, limit)
  const left = limit - thought
  const cut = (of: string, share: number) => of.slice(0, wholeCharacters(of, Math.floor(of.length * share)))
  const shown = reasoning === undefined ? undefined : cut(reasoning, reasoningTokens === 0 ? 1 : thought / reasoningTokens)
  return {
    right: false,
    choice: { text: cut(text, left / tokens), reasoning: shown, finish: 'length' },
    outputTokens: left,
    reasoningTokens: thought,
  }
}

function planned(callId: string, id: ModelId, model: SimulatedModel, samples: readonly Sample[], request: Request): PlannedAnswer {
  const usage: Usage = {
    ...noUsage,
    inputTokens: likelyTokens(request),
    outputTokens: samples.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    reasoningTokens: samples.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0),
  }
  const { firstTokenSeconds = 0, tokensPerSecond = Infinity } = model
  const writing = (tokens: number) => tokens / tokensPerSecond
  const unseen = model.reasoning ? 0 : Math.min(...samples.map(({ reasoningTokens }) => reasoningTokens))
  return {
    callId,
    model: id,
    world: 'simulated',
    choices: samples.map(({ choice }) => choice),
    usage,
    usageEstimated: false,
    priceOf: (part) => priced(model.price, part),
    firstTokenSeconds: firstTokenSeconds + writing(unseen),
    seconds: firstTokenSeconds + Math.max(...samples.map(({ outputTokens, reasoningTokens }) => writing(outputTokens + reasoningTokens))),
    warnings: [],
  }
}

/** Φ(z), by the complementary error function's Chebyshev fit (Numerical Recipes, 6.2; relative error below 1.2e-7). */
function normalShare(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.5 * x)
  const fit = COEFFICIENTS.reduceRight((sum, coefficient) => coefficient + t * sum, 0)
  const tail = 0.5 * t * Math.exp(-x * x + fit)
  return z < 0 ? tail : 1 - tail
}

const COEFFICIENTS = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
]

function failed(id: ModelId, call: number): UpstreamFailure {
  return new UpstreamFailure(`The simulated model "${id}" failed at its call ${call + 1}.`, {
    code: 'upstream_error',
    status: 502,
    upstreamStatus: 500,
    retryable: true,
    phase: 'request',
  })
}

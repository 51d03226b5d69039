import { BursarError, InvalidRequest, UnsupportedParameter } from '../../errors/index.js'
import type { Delta, EmbeddingRequest, Request } from '../../protocol/index.js'
import { addMoney, noUsage, usd, zeroMoney, type Money, type Usage } from '../../quantities/index.js'
import { childRandom, shuffled } from '../../statistics/index.js'
import { likelyTokens } from '../../understanding/index.js'
import type { CallOptions, Completion, Environment, ModelId } from '../environment.js'
import { recordedAnswers, type Outcome, type OutcomeRow, type OutcomeSample } from '../outcome-table.js'
import { memoryBudget, type MemoryBudget } from '../simulated/memory-budget.js'
import { checkLimits, Playback, type PlannedAnswer, type Spent } from '../simulated/playback.js'
import { virtualClock, type VirtualClock } from '../simulated/virtual-clock.js'
import { UpstreamFailure } from '../upstream-failure.js'

export interface RecordedOptions {
  /** Dollars of a usage, where a row has none. `null`: not known. */
  readonly price?: ((model: ModelId, usage: Usage) => Money | null) | undefined
  /** No limit when absent. */
  readonly budget?: MemoryBudget | undefined
  /** Of `shuffled` orders and of the strategy's own random numbers; 1 when absent. */
  readonly seed?: number | undefined
  /**
   * `drawn` (when absent): samples come as they were recorded. `shuffled`: in a random order of their own for each row and model, for
   * resampling.
   */
  readonly order?: 'drawn' | 'shuffled' | undefined
  /** Output tokens a second, where a row has no times; absent: such calls take no time. */
  readonly tokensPerSecond?: number | ((model: ModelId) => number) | undefined
  /** Also serves outcomes of which only the quality was recorded, with an empty text. */
  readonly answerless?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** One clock for several environments, to replay requests that overlap; absent: one of its own. */
  readonly clock?: VirtualClock | undefined
}

/** A world of recorded outcomes of one request. The last three are for whoever measures, never for a strategy. */
export interface RecordedEnvironment extends Environment {
  readonly budget: MemoryBudget
  readonly clock: VirtualClock
  /** What all calls took, those that were cut included. */
  spent(): Spent
  /** The recorded sample behind a completion (behind its n-th choice); `null` for a completion of another world. */
  sampleOf(completion: Pick<Completion, 'callId'>, choice?: number): OutcomeSample | null
  /** The recorded quality of what was answered, in [0, 1]; `null` where it wasn't recorded. */
  qualityOf(completion: Pick<Completion, 'callId'>, choice?: number): number | null
}

/**
 * The recorded world: the n-th call to a model gets the n-th answer that was recorded of it on this row, whatever the request says,
 * since what another prompt would have given isn't known. Model ids are the keys of `row.outcomes`. Streamed where the request asks for
 * it. Token counts that weren't recorded are estimated from the text (`usageEstimated`); dollars come from the row, else from `price`,
 * else are `null`; time is virtual. One environment a run of a strategy.
 *
 * `call` throws `BursarError` (`model_not_found`), `UpstreamFailure` (`no_deployment_available`) after the last sample, `BudgetExceeded`
 * before a sample is taken, `InvalidRequest` for a number in the row that is none, or the signal's reason. A call costs O(characters of
 * its answer).
 */
export function recordedEnvironment(row: OutcomeRow, options: RecordedOptions = {}): RecordedEnvironment {
  const { seed = 1, order = 'drawn', answerless = false, signal, clock = virtualClock(), budget = memoryBudget() } = options
  if (!Number.isSafeInteger(seed)) throw new InvalidRequest(`A seed must be a whole number, not ${seed}.`, { path: 'seed' })
  const playback = new Playback(clock, budget, signal)
  const queues = new Map<ModelId, { readonly samples: readonly OutcomeSample[]; next: number }>()
  const played = new Map<string, readonly OutcomeSample[]>()

  const queueOf = (model: ModelId) => {
    let queue = queues.get(model)
    if (queue) return queue
    const outcome = Object.hasOwn(row.outcomes, model) ? row.outcomes[model] : undefined
    if (!outcome) throw unknownModel(row, model)
    const samples = answerless ? everySample(outcome) : recordedAnswers(outcome)
    for (const [index, sample] of samples.entries()) checkSample(sample, `outcomes.${model}${outcome.samples ? `.samples[${index}]` : ''}`)
    queue = {
      samples: order === 'shuffled' ? inOrder(samples, shuffled(samples.length, childRandom(seed, `order\0${row.id}\0${model}`))) : samples,
      next: 0,
    }
    queues.set(model, queue)
    return queue
  }

  async function* call(model: ModelId, request: Request, callOptions?: CallOptions): AsyncGenerator<Delta, Completion> {
    playback.throwIfCancelled()
    const queue = queueOf(model)
    const wanted = request.n ?? 1
    checkLimits(request)
    const first = queue.next
    const samples = queue.samples.slice(first, first + wanted)
    if (samples.length < wanted) throw noMoreSamples(row, model, queue.samples.length, wanted)
    const callId = `rec-${row.id}-${model}-${first}`
    const taken = () => {
      queue.next = first + wanted
      played.set(callId, samples)
    }
    return yield* playback.play(planned(callId, model, samples, request, options), request.stream, taken, callOptions)
  }

  const sampleOf: RecordedEnvironment['sampleOf'] = ({ callId }, choice = 0) => played.get(callId)?.[choice] ?? null
  return {
    call,
    embed: (_model: ModelId, _request: EmbeddingRequest) =>
      Promise.reject(
        new UnsupportedParameter('model: recorded outcomes hold no embeddings. Compute features before, or with an encoder.', 'model'),
      ),
    budget,
    clock,
    random: childRandom(seed, `strategy\0${row.id}`),
    signal: signal ?? new AbortController().signal,
    spent: () => playback.spent(),
    sampleOf,
    qualityOf: (completion, choice) => sampleOf(completion, choice)?.quality ?? null,
  }
}

function planned(
  callId: string,
  model: ModelId,
  samples: readonly OutcomeSample[],
  request: Request,
  { price, tokensPerSecond }: RecordedOptions,
): PlannedAnswer {
  const [head = {}] = samples
  const estimated = samples.some(({ inputTokens, outputTokens }) => inputTokens === undefined || outputTokens === undefined)
  const inputTokens = head.inputTokens ?? likelyTokens(request)
  const cached = Math.min(inputTokens, head.cacheReadTokens ?? 0)
  const written = samples.map((sample) => ({
    visible: sample.outputTokens ?? tokensOf(sample.answer ?? ''),
    reasoning: sample.reasoningTokens ?? 0,
  }))
  const usage: Usage = {
    ...noUsage,
    inputTokens: inputTokens - cached,
    cacheReadTokens: cached,
    outputTokens: written.reduce((sum, { visible }) => sum + visible, 0),
    reasoningTokens: written.reduce((sum, { reasoning }) => sum + reasoning, 0),
  }
  const speed = typeof tokensPerSecond === 'function' ? tokensPerSecond(model) : tokensPerSecond
  if (speed !== undefined && !(speed > 0))
    throw new InvalidRequest(`tokensPerSecond must be above 0, not ${speed} (model "${model}").`, { path: 'tokensPerSecond' })
  const seconds = samples.map((sample, index) => {
    const tokens = (written[index]?.visible ?? 0) + (written[index]?.reasoning ?? 0)
    return sample.seconds ?? Math.max(sample.firstTokenSeconds ?? 0, speed === undefined ? 0 : tokens / speed)
  })
  return {
    callId,
    model,
    world: 'recorded',
    choices: samples.map(({ answer }) => ({ text: answer ?? '', finish: 'stop' })),
    usage,
    usageEstimated: estimated,
    priceOf: billing(model, samples, usage, price),
    firstTokenSeconds: Math.max(...samples.map(({ firstTokenSeconds }, index) => firstTokenSeconds ?? seconds[index] ?? 0)),
    seconds: Math.max(...seconds),
    warnings: estimated ? ['no token counts were recorded for this answer; they are estimated'] : [],
  }
}

/**
 * What a call or a part of it is billed. The recorded bill says nothing of its parts, so a cut call is priced where there is a price
 * (never above the recorded bill), and billed whole where there is none.
 */
function billing(
  model: ModelId,
  samples: readonly OutcomeSample[],
  whole: Usage,
  price: RecordedOptions['price'],
): (usage: Usage) => Money | null {
  const bills = samples.flatMap((sample) => (sample.usd === undefined ? [] : [usd(sample.usd)]))
  if (bills.length < samples.length) return (usage) => price?.(model, usage) ?? null
  const recorded = bills.reduce(addMoney, zeroMoney)
  return (usage) => {
    if (usage === whole) return recorded
    const part = price?.(model, usage) ?? recorded
    return part < recorded ? part : recorded
  }
}

/** Tables that were read have been checked; rows that a program made have not. */
function checkSample(sample: OutcomeSample, path: string): void {
  for (const [field, value] of Object.entries(sample))
    if (typeof value === 'number' && !(value >= 0 && value < Infinity))
      throw new InvalidRequest(`${path}.${field} must be 0 or more, not ${value}.`, { path: `${path}.${field}` })
}

/** About as many tokens as a text has, rather more: a third of its bytes, as `likelyTokens` counts. */
function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 3)
}

/** All runs, also those without a text. */
function everySample({ samples, ...whole }: Outcome): readonly OutcomeSample[] {
  if (!samples) return [whole]
  return samples.map((one) => ({
    ...one,
    inputTokens: one.inputTokens ?? whole.inputTokens,
    cacheReadTokens: one.cacheReadTokens ?? whole.cacheReadTokens,
  }))
}

/** Items by their places in an order. */
function inOrder<T>(items: readonly T[], order: Uint32Array): readonly T[] {
  return [...order].flatMap((place) => items.slice(place, place + 1))
}

function unknownModel(row: OutcomeRow, model: ModelId): BursarError {
  const names = Object.keys(row.outcomes)
  return new BursarError(
    `Row "${row.id}" has no outcome of "${model}". It has ${names.slice(0, 20).join(', ') || 'none'}${names.length > 20 ? ' …' : ''}.`,
    {
      code: 'model_not_found',
      status: 404,
      path: 'model',
    },
  )
}

function noMoreSamples(row: OutcomeRow, model: ModelId, had: number, wanted: number): UpstreamFailure {
  const what = had === 0 ? 'no recorded answer' : `${had} recorded ${had === 1 ? 'answer' : 'answers'}`
  return new UpstreamFailure(
    `Row "${row.id}" has ${what} of "${model}", and ${wanted === 1 ? 'another one is' : `${wanted} more are`} wanted.`,
    {
      code: 'no_deployment_available',
      status: 503,
      upstreamStatus: 0,
      retryable: false,
      phase: 'connect',
    },
  )
}

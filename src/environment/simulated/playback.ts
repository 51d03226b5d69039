import { InvalidRequest } from '../../errors/index.js'
import { deltasOf, type Choice, type Delta, type FinishReason, type Reply, type Request } from '../../protocol/index.js'
import {
  addCost,
  addUsage,
  noCost,
  noUsage,
  spendOf,
  zeroMoney,
  type Clock,
  type Cost,
  type Money,
  type Usage,
} from '../../quantities/index.js'
import type { CallOptions, Completion, ModelId } from '../environment.js'
import type { UpstreamFailure } from '../upstream-failure.js'
import type { MemoryBudget } from './memory-budget.js'

/** An answer that is known before it is given. */
export interface PlannedAnswer {
  readonly callId: string
  readonly model: ModelId
  /** `recorded` or `simulated`. */
  readonly world: string
  readonly choices: readonly PlannedChoice[]
  readonly usage: Usage
  readonly usageEstimated: boolean
  /** Dollars of a usage of this call: also of a part of it, when a stream is cut. `null` where no price is known. */
  priceOf(usage: Usage): Money | null
  readonly firstTokenSeconds: number
  /** Of the whole call. */
  readonly seconds: number
  readonly warnings: readonly string[]
}

export interface PlannedChoice {
  readonly text: string
  /** Reasoning that is shown. */
  readonly reasoning?: string | undefined
  readonly finish: FinishReason
}

/** Sums over all calls of an environment. */
export interface Spent {
  readonly usage: Usage
  /** `seconds` are those of the calls added up; what really passed is the clock's. */
  readonly cost: Cost
  /** Calls that were let through, those that failed or were cut included. */
  readonly calls: number
}

/** A stream's pieces: about this many characters, and no more than so many pieces. */
const PIECE_CHARACTERS = 24
const MOST_PIECES = 64

/** Choices of one request at the most, as with providers. */
const MOST_CHOICES = 128

/**
 * Throws `InvalidRequest` for a number of choices or a limit on the output that is none: requests that a program made have not been
 * checked.
 */
export function checkLimits({ n = 1, maxOutputTokens = 1, paths }: Request): void {
  if (!Number.isSafeInteger(n) || n < 1 || n > MOST_CHOICES)
    throw new InvalidRequest(`n must be a whole number from 1 to ${MOST_CHOICES}, not ${n}.`, { path: paths.n ?? 'n' })
  const path = paths.maxOutputTokens ?? 'maxOutputTokens'
  if (!(maxOutputTokens >= 0)) throw new InvalidRequest(`${path} must be 0 or more, not ${maxOutputTokens}.`, { path })
}

/** Gives known answers as a live call would: reserves, waits, streams, settles. Shared by the recorded and the simulated world. */
export class Playback {
  private usage = noUsage
  private cost = noCost
  private calls = 0

  constructor(
    private readonly clock: Clock,
    private readonly budget: MemoryBudget,
    /** Absent: never cancelled. */
    private readonly signal: AbortSignal | undefined,
  ) {}

  spent(): Spent {
    return { usage: this.usage, cost: this.cost, calls: this.calls }
  }

  /** Throws the signal's reason when the work is no longer wanted. */
  throwIfCancelled(): void {
    if (this.signal?.aborted) throw this.signal.reason as Error
  }

  /**
   * One call. Its exact spending is reserved, since it is known. `taken` is called once it is sure to be made: from then on it counts.
   * A stream that its reader leaves, or that is cancelled, is billed for its input and the shares of reasoning (all of it, where it
   * isn't shown) and text that went out; a call that is not streamed is billed whole then, since its provider would have written on.
   * Throws `BudgetExceeded` or the signal's reason.
   */
  async *play(
    answer: PlannedAnswer,
    stream: boolean,
    taken: () => void,
    { onCut }: Pick<CallOptions, 'onCut'> = {},
  ): AsyncGenerator<Delta, Completion> {
    this.throwIfCancelled()
    const { usage, seconds } = answer
    const whole: Cost = { usd: answer.priceOf(usage), seconds, joules: null, gramsCO2e: null }
    const reservation = this.budget.reserve(spendOf({ usage, cost: whole }))
    taken()
    const startedAt = this.clock.monotonic()
    const reply = replyOf(answer, this.clock.now())
    let out = stream ? nothingYet(answer) : everything
    let settled = false
    let failed = false
    const settle = (used: Usage, cost: Cost) => {
      settled = true
      reservation.settle(spendOf({ usage: used, cost }))
      this.count(used, cost)
    }
    try {
      if (stream) {
        for (const step of paced(reply, answer)) {
          const due = startedAt + step.at
          const wait = due - this.clock.monotonic()
          if (wait > 0) await this.clock.sleep(wait, this.signal)
          this.throwIfCancelled()
          out = step.out
          yield step.delta
        }
      } else if (seconds > 0) await this.clock.sleep(seconds, this.signal)
      this.throwIfCancelled()
      settle(usage, whole)
      return completionOf(answer, reply, whole)
    } catch (thrown) {
      failed = true
      throw thrown
    } finally {
      if (!settled) {
        const used = part(usage, out)
        const cost = { ...whole, usd: answer.priceOf(used), seconds: Math.min(seconds, this.clock.monotonic() - startedAt) }
        settle(used, cost)
        if (!failed) onCut?.({ callId: answer.callId, provider: answer.world, deployment: deploymentOf(answer), usage: used, cost })
      }
    }
  }

  /** A call that fails after some time without an answer: nothing is billed, but it counts as a call. */
  async fail(failure: UpstreamFailure, seconds: number): Promise<never> {
    this.throwIfCancelled()
    const startedAt = this.clock.monotonic()
    const cost = (): Cost => ({ ...noCost, usd: zeroMoney, seconds: this.clock.monotonic() - startedAt })
    const reservation = this.budget.reserve(spendOf({ usage: noUsage, cost: { ...noCost, seconds } }))
    try {
      if (seconds > 0) await this.clock.sleep(seconds, this.signal)
      throw failure
    } finally {
      reservation.settle(spendOf({ usage: noUsage, cost: cost() }))
      this.count(noUsage, cost())
    }
  }

  private count(usage: Usage, cost: Cost): void {
    this.usage = addUsage(this.usage, usage)
    this.cost = addCost(this.cost, cost)
    this.calls++
  }
}

/** Shares of an answer that have gone out. */
interface Shares {
  readonly reasoning: number
  readonly text: number
}

const everything: Shares = { reasoning: 1, text: 1 }

/** What a provider bills of a usage of which so much has gone out. All of it is the same object, which recorded bills know. */
function part(usage: Usage, out: Shares): Usage {
  if (out.text === 1 && out.reasoning === 1) return usage
  return {
    ...usage,
    outputTokens: Math.ceil(usage.outputTokens * out.text),
    reasoningTokens: Math.ceil(usage.reasoningTokens * out.reasoning),
  }
}

/** Reasoning that isn't shown has all been done before the first delta. */
function nothingYet({ choices }: PlannedAnswer): Shares {
  return { reasoning: choices.some(({ reasoning }) => reasoning !== undefined && reasoning !== '') ? 0 : 1, text: 0 }
}

interface Step {
  readonly delta: Delta
  /** Seconds after the beginning of the call. */
  readonly at: number
  /** What has gone out with it. */
  readonly out: Shares
}

/**
 * The deltas of an answer with the times at which they come: the first piece at the first token, the last at the end, as many tokens a
 * second all the way.
 */
function* paced(reply: Reply, answer: PlannedAnswer): Generator<Step> {
  const { firstTokenSeconds, seconds, usage } = answer
  const deltas = [...deltasOf(reply)].flatMap(inPieces)
  const first = Math.min(firstTokenSeconds, seconds)
  const before = nothingYet(answer)
  const all = { text: lengthOf(deltas, 'text'), reasoning: lengthOf(deltas, 'reasoning') }
  const sent = { text: 0, reasoning: 0 }
  const written = (out: Shares) => usage.outputTokens * out.text + usage.reasoningTokens * (out.reasoning - before.reasoning)
  const total = written(everything)
  let atFirst: number | undefined
  for (const delta of deltas) {
    if (isContent(delta)) sent[delta.type] += delta.text.length
    const closing = delta.type === 'finish' || delta.type === 'usage'
    const out: Shares = closing
      ? everything
      : {
          text: all.text === 0 ? 0 : sent.text / all.text,
          reasoning: all.reasoning === 0 ? before.reasoning : sent.reasoning / all.reasoning,
        }
    if (isContent(delta)) atFirst ??= written(out)
    const left = total - (atFirst ?? 0)
    const progress = closing ? 1 : left > 0 ? Math.max(0, written(out) - (atFirst ?? written(out))) / left : 0
    yield { delta, at: first + (seconds - first) * progress, out }
  }
}

function lengthOf(deltas: readonly Delta[], type: 'text' | 'reasoning'): number {
  return deltas.reduce((sum, delta) => sum + (delta.type === type ? delta.text.length : 0), 0)
}

function isContent(delta: Delta): delta is Extract<Delta, { type: 'text' | 'reasoning' }> {
  return delta.type === 'text' || delta.type === 'reasoning'
}

/** Cuts a text as a stream would, never within a character. */
function inPieces(delta: Delta): Delta[] {
  if (!isContent(delta)) return [delta]
  const { text } = delta
  const size = Math.max(PIECE_CHARACTERS, Math.ceil(text.length / MOST_PIECES))
  const pieces: Delta[] = []
  for (let at = 0; at < text.length;) {
    const end = wholeCharacters(text, at + size)
    pieces.push({ ...delta, text: text.slice(at, end) })
    at = end
  }
  return pieces
}

/** The nearest place at or after this one where a text may be cut. */
export function wholeCharacters(text: string, at: number): number {
  const unit = text.charCodeAt(at - 1)
  return Math.min(text.length, unit >= 0xd800 && unit < 0xdc00 ? at + 1 : at)
}

function replyOf({ callId, model, choices, usage }: PlannedAnswer, now: number): Reply {
  return { id: callId, model, created: Math.floor(now), choices: choices.map(choiceOf), reported: { usage } }
}

function choiceOf({ text, reasoning, finish }: PlannedChoice): Choice {
  const thought = reasoning === undefined || reasoning === '' ? [] : [{ type: 'reasoning' as const, text: reasoning }]
  return { parts: text === '' ? thought : [...thought, { type: 'text', text }], finish }
}

function deploymentOf({ world, model }: Pick<PlannedAnswer, 'world' | 'model'>): string {
  return `${world}/${model}`
}

function completionOf(answer: PlannedAnswer, reply: Reply, cost: Cost): Completion {
  const { callId, model, world, usage, usageEstimated, warnings } = answer
  return {
    callId,
    model,
    provider: world,
    deployment: deploymentOf(answer),
    answer: { kind: 'reply', reply },
    usage,
    usageEstimated,
    cost,
    costReport: { usd: cost.usd, details: {} },
    attempts: 1,
    headers: {},
    warnings,
  }
}

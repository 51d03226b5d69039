import type { CallOptions, Completion, Environment, ModelId } from '../environment/index.js'
import { deltasOf, edit, type Delta, type Message, type ReasoningSettings, type Request, type TextPart } from '../protocol/index.js'
import { addCost, addUsage, noCost, noUsage, type Cost, type Usage } from '../quantities/index.js'
import { lessonsOf, type Lesson } from './lessons.js'
import type { Answer, Evidence, Step } from './strategy.js'

/** A model with how much it shall think; a plain id leaves thinking to the caller's request. */
export interface ModelUse {
  readonly model: ModelId
  readonly reasoning?: ReasoningSettings | undefined
}

/** The request with the thinking that a use of a model prescribes; untouched (to the caller's bytes) where it prescribes none. */
export function withThinking(request: Request, use: ModelUse): Request {
  return use.reasoning === undefined ? request : edit(request, { reasoning: { ...request.reasoning, ...use.reasoning } })
}

/** Adds up what a strategy's calls took, in the order they ended, and notes what followed from each. O(1) a call. */
export class Tally {
  #usage: Usage = noUsage
  #cost: Cost = noCost
  readonly #steps: Step[] = []
  #lessons: readonly Lesson[] = []

  /** Counts a call. `note` is one plain clause without content. */
  add(name: string, completion: Pick<Completion, 'model' | 'usage' | 'cost'>, note?: string): void {
    const { model, usage, cost } = completion
    this.#usage = addUsage(this.#usage, usage)
    this.#cost = addCost(this.#cost, cost)
    this.#steps.push({ name, model, usage, cost, note })
  }

  /** Notes something that took no call of its own, such as a fall back to the plain question. */
  note(name: string, model: ModelId, note: string): void {
    this.#steps.push({ name, model, usage: noUsage, cost: noCost, note })
  }

  /** Keeps what an outcome of the answer can teach. */
  teach(lesson: Lesson): void {
    this.#lessons = lessonsOf(this.#lessons, [lesson])
  }

  /** Counts a whole answer of another strategy; its own steps stand before this one's, named `<name>: <step>`. */
  addAnswer(name: string, answer: Answer, note?: string): void {
    this.#lessons = lessonsOf(this.#lessons, answer.lessons)
    if (answer.steps === undefined || answer.steps.length === 0)
      return this.add(name, { model: answer.completion.model, usage: answer.usage, cost: answer.cost }, note)
    this.#usage = addUsage(this.#usage, answer.usage)
    this.#cost = addCost(this.#cost, answer.cost)
    for (const [index, step] of answer.steps.entries()) {
      const last = index === answer.steps.length - 1
      const said = last && note !== undefined ? [step.note, note].filter((text) => text !== undefined).join('; ') : step.note
      this.#steps.push({ ...step, name: `${name}: ${step.name}`, note: said })
    }
  }

  get usage(): Usage {
    return this.#usage
  }
  get cost(): Cost {
    return this.#cost
  }

  /** The answer of a strategy: this completion, with the sums and steps so far. */
  answer(
    completion: Completion,
    more: { readonly evidence?: Evidence | undefined; readonly fellBackFrom?: readonly ModelId[] } = {},
  ): Answer {
    return {
      completion,
      usage: this.#usage,
      cost: this.#cost,
      fellBackFrom: more.fellBackFrom ?? [],
      evidence: more.evidence,
      steps: [...this.#steps],
      ...(this.#lessons.length === 0 ? {} : { lessons: this.#lessons }),
    }
  }
}

/** Runs a call (or a strategy) to its end without showing its deltas. Throws what it throws; a run that is given up is cancelled. */
export async function finish<Result>(running: AsyncGenerator<Delta, Result>): Promise<Result> {
  try {
    for (;;) {
      const step = await running.next()
      if (step.done) return step.value
    }
  } finally {
    await running.return(undefined as never)
  }
}

/** One call whose answer is for the strategy itself, not for the caller: whole, one choice, without tools, formats or streams. */
export function ask(
  env: Environment,
  use: ModelUse,
  request: Request,
  changes: { readonly messages: readonly Message[]; readonly maxOutputTokens: number; readonly temperature?: number | undefined },
  options?: CallOptions,
): Promise<Completion> {
  const { temperature } = changes
  return finish(
    env.call(
      use.model,
      edit(request, {
        messages: changes.messages,
        maxOutputTokens: changes.maxOutputTokens,
        ...(temperature === undefined ? {} : { temperature }),
        stream: false,
        streamUsage: undefined,
        tools: undefined,
        toolChoice: undefined,
        parallelToolCalls: undefined,
        responseFormat: undefined,
        stop: undefined,
        n: undefined,
        logprobs: undefined,
        logitBias: undefined,
        seed: undefined,
        verbosity: undefined,
        reasoning: use.reasoning,
        extra: [],
      }),
      options,
    ),
  )
}

/** The visible text of an answer's first choice; `''` where it says nothing in words (or went out as bytes). O(length). */
export function textOf(completion: Pick<Completion, 'answer'>): string {
  if (completion.answer.kind !== 'reply') return ''
  const parts = completion.answer.reply.choices[0]?.parts ?? []
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
}

/** Whether a limit on the output cut the answer's first choice. */
export function isCut(completion: Pick<Completion, 'answer'>): boolean {
  return completion.answer.kind === 'reply' && completion.answer.reply.choices[0]?.finish === 'length'
}

/** Gives an answer that was held back to the caller: as the deltas of a stream where one was asked for, else not at all. */
export function* handOut(completion: Completion, request: Request): Generator<Delta> {
  if (request.stream && completion.answer.kind === 'reply') yield* deltasOf(completion.answer.reply)
}

/**
 * The conversation with something said after the last user message, in a part of its own: whatever stands before stays the same to the
 * byte, so a provider's prompt cache still holds (spec. 0.4). A conversation that doesn't end with the user gets a message more.
 */
export function saidAfter(messages: readonly Message[], text: string): readonly Message[] {
  const part: TextPart = { type: 'text', text }
  const last = messages.at(-1)
  if (last === undefined || last.role !== 'user') return [...messages, { role: 'user', parts: [part] }]
  return [...messages.slice(0, -1), { ...last, parts: [...last.parts, { ...part, text: `\n\n${text}` }] }]
}

/** The text of the last user message: what is being asked. */
export function questionOf(request: Request): string {
  const asked = request.messages.findLast((message) => message.role === 'user')
  return asked?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n') ?? ''
}

/**
 * Why a strategy that rewrites the question in words must leave this request as it is; `undefined` where it need not. Tools,
 * prescribed formats, several choices and log-probabilities would come back as something else than what was asked for.
 */
export function whyPlain(request: Request): string | undefined {
  if (request.tools !== undefined && request.tools.length > 0) return 'the request offers tools'
  if (request.responseFormat !== undefined && request.responseFormat.type !== 'text') return 'the request prescribes the form of the answer'
  if ((request.n ?? 1) > 1) return 'the request wants several choices'
  if (request.logprobs !== undefined) return 'the request wants log-probabilities'
  if (request.messages.at(-1)?.role !== 'user') return 'the conversation does not end with a question'
  if (questionOf(request).trim() === '') return 'the request asks nothing in words'
  return undefined
}

/**
 * The first JSON object or array in a model's text, whatever stands around it (fences, a sentence before); `undefined` where there is
 * none. Looks at the first 100,000 characters and at most 20 beginnings, so its time is bounded.
 */
export function jsonIn(text: string): unknown {
  const seen = text.slice(0, 100_000)
  let from = 0
  for (let tries = 0; tries < 20; tries++) {
    const start = seen.slice(from).search(/[[{]/)
    if (start < 0) return undefined
    const end = closing(seen, from + start)
    if (end > 0) {
      try {
        return JSON.parse(seen.slice(from + start, end)) as unknown
      } catch {
        // Braces in prose: what is meant may come later.
      }
    }
    from += start + 1
  }
  return undefined
}

/** Where the bracket that opens at `start` closes, one past it; -1 where it doesn't. */
function closing(text: string, start: number): number {
  let depth = 0
  let quoted = false
  for (let at = start; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '\\') at++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1
  }
  return -1
}

/** Samples that one of several samples may draw itself without sharing a number with another's. */
const SAMPLES_WITHIN = 64

/**
 * What a call is told that is one of several alike (its `index`), or belongs to a strategy that is: a number of its own, so that no cache answers
 * it with another's answer (spec. 0.4). Nothing else of the strategy's own options: `wire` bytes are for calls that answer the caller as it asked.
 */
export function asSample(options: CallOptions | undefined, index?: number): CallOptions | undefined {
  const whole = options?.sample
  return whole === undefined && index === undefined ? undefined : { sample: (whole ?? 0) * SAMPLES_WITHIN + (index ?? 0) }
}

/** Samples must be able to differ: the least temperature of calls whose agreement is looked at. */
export const SAMPLE_TEMPERATURE = 0.6

/**
 * The same request answered so many times at once, each answer whole and held back. A sample that fails is `null`. Throws only when the request
 * is cancelled. Each answer counts as one step named `name`.
 */
export async function samplesOf(
  env: Environment,
  use: ModelUse,
  request: Request,
  count: number,
  name: string,
  tally: Tally,
  options?: CallOptions,
): Promise<readonly (Completion | null)[]> {
  const asked = edit(withThinking(request, use), { temperature: Math.max(SAMPLE_TEMPERATURE, request.temperature ?? 1), seed: undefined })
  const settled = await Promise.allSettled(
    Array.from({ length: count }, (_, index) => finish(env.call(use.model, asked, asSample(options, index)))),
  )
  env.signal.throwIfAborted()
  return settled.map((one, index) => {
    if (one.status === 'fulfilled') tally.add(`${name} ${index + 1}`, one.value)
    else tally.note(`${name} ${index + 1}`, use.model, 'failed')
    return one.status === 'fulfilled' ? one.value : null
  })
}

/** `ask`, where a failure only means that the strategy goes on without: `null`, noted. Throws only when the request is cancelled. */
export async function askMaybe(
  env: Environment,
  use: ModelUse,
  request: Request,
  changes: Parameters<typeof ask>[3],
  name: string,
  tally: Tally,
  options?: CallOptions,
): Promise<Completion | null> {
  try {
    return await ask(env, use, request, changes, options)
  } catch (thrown) {
    if (env.signal.aborted) throw thrown
    tally.note(name, use.model, 'failed')
    return null
  }
}

import type { CallOptions, Completion, Environment } from '../../environment/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { answerKey, completionKey } from '../agreement/index.js'
import {
  askMaybe,
  asSample,
  handOut,
  isCut,
  SAMPLE_TEMPERATURE,
  saidAfter,
  samplesOf,
  Tally,
  textOf,
  whyPlain,
  withThinking,
  type ModelUse,
} from '../calls.js'
import { hardCap, tokensOfWords } from '../planning/allocation.js'
import { answerWithin } from '../planning/within-budget.js'
import type { Answer, PlannedUse, Strategy } from '../strategy.js'
import { adoptPrompt, citeAlike, quotesHold, RATIONALE_TOKENS, rationalePrompt, readRationale, type Rationale } from './rationale.js'

/** `small-plans` (063): a small model marks the evidence, a large one answers. `large-hints` (167): a large model gives hints, a small one writes. */
export type GuideDirection = 'small-plans' | 'large-hints'

export interface GuidedOptions {
  readonly direction: GuideDirection
  /** Speaks first: the small model of `small-plans`, the large one of `large-hints`. */
  readonly guide: ModelUse
  /** Answers. */
  readonly writer: ModelUse
  /** Words that the large model's part has: its answer in `small-plans` (15 when absent), its hints in `large-hints` (60 when absent). */
  readonly words?: number | ((request: Request) => number) | undefined
  /**
   * Whether the small model's part is checked by a second sample of it; true when absent. Without it `large-hints` streams the small model's answer at once; with it the
   * answer is held back until both samples agree, and the large model finishes (streaming) where they don't.
   */
  readonly verify?: boolean | undefined
  /** Whether guiding pays for a request (see `guidingPays`); absent: always. Where it doesn't, the large model answers alone. */
  readonly pays?: ((request: Request) => boolean) | undefined
}

/** Prices in dollars a token. */
export interface GuidePrices {
  readonly largeInput: number
  readonly largeOutput: number
}

/**
 * Whether a small model's rationale pays for itself (063): p_out,large · Δout > p_in,large · rationale + cost of the small calls. Tokens and dollars; false
 * where anything isn't known.
 */
export function guidingPays(prices: GuidePrices, outputSaved: number, rationaleTokens: number, smallCost: number): boolean {
  return prices.largeOutput * outputSaved > prices.largeInput * rationaleTokens + smallCost
}

/**
 * Two models in two stages, the first of which guides the second (063 and 167, roles swapped). `small-plans`: at most four calls (two rationales, the
 * answer, once more where it was cut); the rationale is passed on only when every quote stands in the conversation and both samples
 * cite the same places. `large-hints`: at most four calls (hints, two samples, the large model's own answer). Requests that a guide would change
 * (tools, prescribed formats …) get the large model's plain answer.
 */
export function guided(options: GuidedOptions): Strategy {
  const { direction, guide, writer, verify = true, pays = () => true } = options
  const small = direction === 'small-plans'
  const large = small ? writer : guide
  const wordsFor = (request: Request) => {
    const wanted = typeof options.words === 'function' ? options.words(request) : options.words
    return wanted !== undefined && wanted >= 1 && wanted < Infinity ? Math.floor(wanted) : small ? 15 : 60
  }
  return {
    id: `guided(${direction}, ${guide.model}, ${writer.model})`,
    plan: planOf(options),
    async *run(request: Request, env: Environment, callOptions?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const why =
        whyPlain(request) ??
        (pays(request) ? undefined : 'a guide would cost more than it saves') ??
        (env.budget.regime() === 'last_call' ? 'the budget has room for one call' : undefined)
      if (why !== undefined) {
        const completion = yield* env.call(large.model, withThinking(request, large), callOptions)
        tally.add('answer', completion, `answered without a guide: ${why}`)
        return tally.answer(completion)
      }
      const guidedRun = { guide, writer, request, words: wordsFor(request), verify, env, tally, options: callOptions }
      return yield* small ? withRationale(guidedRun) : withHints(guidedRun)
    },
  }
}

function planOf({ direction, guide, writer, verify = true }: GuidedOptions): readonly PlannedUse[] {
  if (direction === 'small-plans') {
    const samples = verify ? 2 : 1
    return [
      { model: guide.model, expected: samples, most: samples, outputRatio: 0.4 },
      { model: writer.model, expected: 1, most: 2, outputRatio: 0.3 },
    ]
  }
  return [
    { model: guide.model, expected: verify ? 1.3 : 1, most: verify ? 2 : 1, outputRatio: 0.35 },
    { model: writer.model, expected: verify ? 2 : 1, most: verify ? 2 : 1 },
  ]
}

/** One request that is answered under guidance. */
interface GuidedRun {
  readonly guide: ModelUse
  readonly writer: ModelUse
  readonly request: Request
  /** Of the answer (063) or of the hints (167). */
  readonly words: number
  readonly verify: boolean
  readonly env: Environment
  readonly tally: Tally
  readonly options: CallOptions | undefined
}

/** 063: the small model marks, the large one answers shortly. Streams. */
async function* withRationale(run: GuidedRun): AsyncGenerator<Delta, Answer> {
  const { guide, writer, request, words, env, tally, options } = run
  const rationale = await rationaleFor(run)
  if (rationale === null) {
    const completion = yield* env.call(writer.model, edit(withThinking(request, writer), {}), asSample(options))
    tally.add('answer', completion, 'without a rationale')
    return tally.answer(completion)
  }
  const soft = edit(request, { messages: saidAfter(request.messages, adoptPrompt(rationale, words)) })
  // A model that thinks first may need more than a short answer's cap for that.
  const thinks = writer.reasoning !== undefined || request.reasoning !== undefined
  const completion = yield* answerWithin(
    env,
    writer,
    { plain: request, soft, cap: thinks ? null : hardCap(words) + 20 },
    'answer',
    tally,
    asSample(options),
  )
  const concluded = answerKey(rationale.inference)
  const answered = answerKey(textOf(completion))
  tally.note(
    'rationale',
    guide.model,
    concluded === null || answered === null ? 'was passed on' : concluded === answered ? 'was followed' : 'was overruled',
  )
  return tally.answer(completion)
}

/** A rationale that may be passed on; `null` where none stood the checks. */
async function rationaleFor({ guide, request, verify, env, tally, options }: GuidedRun): Promise<Rationale | null> {
  const changes = {
    messages: saidAfter(request.messages, rationalePrompt),
    maxOutputTokens: RATIONALE_TOKENS,
    temperature: verify ? SAMPLE_TEMPERATURE : undefined,
  }
  const asked = await Promise.all(
    Array.from({ length: verify ? 2 : 1 }, (_, index) =>
      askMaybe(env, guide, request, changes, `rationale ${index + 1}`, tally, asSample(options, verify ? index : undefined)),
    ),
  )
  const read = asked.map((completion, index) => {
    if (completion === null) return null
    const rationale = readRationale(textOf(completion))
    const sound = rationale !== null && quotesHold(rationale, request) ? rationale : null
    tally.add(
      `rationale ${index + 1}`,
      completion,
      rationale === null ? 'quotes nothing' : sound === null ? 'quotes what is not there' : undefined,
    )
    return sound
  })
  const [first = null, second = null] = read
  if (!verify || first === null || second === null) return verify ? null : first
  if (citeAlike(first, second)) return first
  tally.note('rationale', guide.model, 'two samples cite different places')
  return null
}

/** 167: the large model hints, the small one writes; where two samples of it disagree, the large one finishes. */
async function* withHints(run: GuidedRun): AsyncGenerator<Delta, Answer> {
  const { guide, writer, request, words, verify, env, tally, options } = run
  const asked = await askMaybe(
    env,
    guide,
    request,
    { messages: saidAfter(request.messages, hintPrompt(words)), maxOutputTokens: 2 * tokensOfWords(words) },
    'hints',
    tally,
    asSample(options),
  )
  // Hints that were cut are hints all the same.
  const hints = asked === null ? '' : textOf(asked).trim()
  if (asked !== null) tally.add('hints', asked, hints === '' ? 'were empty' : isCut(asked) ? 'were cut' : undefined)
  const guidedRequest = edit(
    request,
    hints === '' ? {} : { messages: saidAfter(request.messages, `Hints from an expert:\n${hints}\nFollow them unless they are wrong.`) },
  )
  if (!verify) {
    const completion = yield* env.call(writer.model, withThinking(guidedRequest, writer), asSample(options))
    tally.add('answer', completion)
    return tally.answer(completion)
  }
  const [first = null, second = null] = await samplesOf(env, writer, guidedRequest, 2, 'sample', tally, options)
  const [key, other] = [first, second].map((completion) => (completion === null || isCut(completion) ? null : completionKey(completion)))
  if (first !== null && key !== null && key === other) {
    yield* handOut(first, request)
    return tally.answer(first, { evidence: { source: 'agreement', probability: null, signal: 1 } })
  }
  const note =
    key === null || other === null
      ? 'the samples can not be compared; finished by the guide'
      : 'the samples disagree; finished by the guide'
  return yield* finishedBy(guide, guidedRequest, first ?? second, note, env, tally, options)
}

/** The large model's own answer; where it can't be had, the small one's, which says that it is uncertain. */
async function* finishedBy(
  large: ModelUse,
  request: Request,
  best: Completion | null,
  note: string,
  env: Environment,
  tally: Tally,
  options: CallOptions | undefined,
): AsyncGenerator<Delta, Answer> {
  const doubt = { source: 'agreement', probability: null, signal: 0.5 } as const
  if (best !== null && env.budget.regime() === 'last_call') {
    tally.note('answer', best.model, 'the samples disagree, and the budget has no room for the guide')
    yield* handOut(best, request)
    return tally.answer(best, { evidence: doubt })
  }
  const running = env.call(large.model, withThinking(request, large), asSample(options))
  let begun = false
  try {
    for (;;) {
      const step = await running.next()
      if (step.done) {
        tally.add('answer', step.value, note)
        return tally.answer(step.value)
      }
      begun = true
      yield step.value
    }
  } catch (thrown) {
    if (best === null || begun || env.signal.aborted) throw thrown
    tally.note('answer', large.model, 'the guide could not finish; the first sample goes out')
    yield* handOut(best, request)
    return tally.answer(best, { evidence: doubt })
  } finally {
    await running.return(undefined as never)
  }
}

function hintPrompt(words: number): string {
  return `Don't answer this yourself. Give the fewest hints that a junior colleague needs to get it right: key facts, the way to go, the traps. At most ${words} words, no prose, no final answer.`
}

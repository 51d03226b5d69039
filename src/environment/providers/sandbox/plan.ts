import { InvalidRequest } from '../../../errors/index.js'
import type { Choice, Effort, FinishReason, Part, ReasoningSettings, Request, TokenLogprob } from '../../../protocol/index.js'
import { childRandom, type Random } from '../../../statistics/index.js'
import type { Directives } from './directives.js'
import { spread } from './draws.js'
import { findHints } from './hints.js'
import { tokenLogprobs, type Crux } from './logprobs.js'
import type { SandboxModel } from './models.js'
import type { Prompt } from './prompt.js'
import { filler, prose, proseAboutResults } from './prose.js'
import { attempt, findQuestion } from './questions.js'
import { valueForSchema } from './schema-values.js'
import { planToolCalls } from './tool-calls.js'
import { countTokens, tokenise } from './tokens.js'

/** One part of an answer, cut into the tokens that it is streamed in. */
export type PlannedPart =
  | {
      readonly type: 'text' | 'reasoning' | 'refusal'
      readonly tokens: readonly string[]
      readonly logprobs?: readonly TokenLogprob[] | undefined
    }
  | {
      readonly type: 'tool_call'
      readonly id: string
      readonly name: string
      readonly nameTokens: number
      readonly tokens: readonly string[]
    }

/** One answer as the model will give it. */
export interface PlannedChoice {
  /** Reasoning tokens that are billed and not shown. */
  readonly hiddenTokens: number
  readonly parts: readonly PlannedPart[]
  readonly finish: FinishReason
  readonly stopSequence: string | undefined
  readonly reasoningTokens: number
  readonly outputTokens: number
}

const REASONING_TOKENS: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 16,
  low: 64,
  medium: 192,
  high: 512,
  xhigh: 1_024,
  max: 2_048,
}

/**
 * Decides the whole answer before its first token is sent. The same seed, model and last message give the same answer; a
 * request's own `seed` (unless its temperature is 0) and the number of the choice give another draw.
 */
export function planChoice(
  request: Request,
  prompt: Prompt,
  model: SandboxModel,
  name: string,
  directives: Directives,
  seed: number,
  index: number,
  newId: () => string,
): PlannedChoice {
  const draw = `${request.temperature === 0 ? '' : (request.seed ?? '')}/${index}`
  const random = childRandom(seed, `answer\0${model.id}\0${draw}\0${prompt.text}`)
  const limit = Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens)
  const effort = effortOf(request.reasoning)
  const thought = reasoning(request.reasoning, effort, limit, random)
  const answer = compose(request, prompt, model, name, directives, effort, seed, draw, random, newId)
  return limited(request, answer, thought, limit, random)
}

interface ComposedAnswer {
  readonly text?: string
  readonly refusal?: string
  readonly calls?: readonly { readonly id: string; readonly name: string; readonly arguments: string }[]
  readonly crux?: Crux | undefined
}

function compose(
  request: Request,
  prompt: Prompt,
  model: SandboxModel,
  name: string,
  directives: Directives,
  effort: Effort | undefined,
  seed: number,
  draw: string,
  random: Random,
  newId: () => string,
): ComposedAnswer {
  if (directives.refuse) return { refusal: `The sandbox was told to refuse: ${name} gives no answer.` }
  const forced = request.toolChoice === 'required' || typeof request.toolChoice === 'object'
  if (forced || prompt.results.length === 0) {
    const calls = planToolCalls(request, prompt.text, random)
    if (calls.length > 0) return { calls: calls.map((call) => ({ id: `call_${newId()}`, ...call })) }
  }
  const question = findQuestion(prompt.text)
  const attempted = question && attempt(question, model, effort, seed, prompt.text, draw)
  const format = request.responseFormat?.type ?? 'text'
  if (format !== 'text') return { text: json(request, prompt, attempted?.answer, random) }
  if (prompt.results.length > 0) return { text: proseAboutResults(name, prompt.results) }
  if (question && attempted && directives.tokens === undefined)
    return {
      text: wantsAnswerAlone(prompt.text) ? attempted.answer : `${question.sentence(attempted.answer)} (simulated)`,
      crux: { answer: attempted.answer, confidence: attempted.confidence },
    }
  return {
    text: prose(
      {
        model: name,
        text: prompt.text,
        images: prompt.images,
        files: prompt.files,
        meanTokens: model.answerTokens,
        tokens: directives.tokens,
        verbosity: request.verbosity,
      },
      random,
    ),
  }
}

function json(request: Request, prompt: Prompt, answer: string | undefined, random: Random): string {
  const format = request.responseFormat
  if (format?.type !== 'json_schema')
    return JSON.stringify({ answer: answer ?? 'simulated', simulated: true, question: [...prompt.text].slice(0, 200).join('') })
  const path = request.paths.responseFormat ?? 'response_format'
  const found = findHints(prompt.results[0]?.text ?? prompt.text)
  const hints =
    answer === undefined
      ? found
      : { ...found, answer, numbers: Number.isFinite(Number(answer)) ? [Number(answer), ...found.numbers] : found.numbers }
  return JSON.stringify(valueForSchema(format.schema, hints, random, path))
}

function wantsAnswerAlone(text: string): boolean {
  return /\b(?:only|just)\b.{0,30}\b(?:number|answer|result|name|word|value|symbol|city)\b|\b(?:number|answer|result|name|word|value) only\b|\bnothing else\b|\bno (?:explanation|other)\b/i.test(
    text,
  )
}

function effortOf(settings: ReasoningSettings | undefined): Effort | undefined {
  if (!settings) return undefined
  if (settings.effort !== undefined) return settings.effort
  return (settings.maxTokens ?? 0) > 0 || settings.visible === true ? 'medium' : undefined
}

function reasoning(
  settings: ReasoningSettings | undefined,
  effort: Effort | undefined,
  limit: number,
  random: Random,
): { tokens: number; visible: boolean } {
  if (effort === undefined || effort === 'none') return { tokens: 0, visible: false }
  const wanted = Math.max(1, Math.round(REASONING_TOKENS[effort] * spread(random, 0.35)))
  // Where the caller left it open: a budget for thinking is how the formats that show it by default ask for it.
  const visible = settings?.visible ?? (settings?.summary !== undefined || settings?.maxTokens !== undefined)
  return { tokens: Math.min(wanted, settings?.maxTokens ?? Infinity, limit), visible }
}

/** Holds an answer to its stop sequences and its limit of tokens, as a model server does: wherever it stands, it ends there. */
function limited(
  request: Request,
  answer: ComposedAnswer,
  thought: { tokens: number; visible: boolean },
  limit: number,
  random: Random,
): PlannedChoice {
  const parts: PlannedPart[] = []
  let left = limit - thought.tokens
  if (thought.visible && thought.tokens > 0)
    parts.push({ type: 'reasoning', tokens: tokenise(filler(thought.tokens, random, 'Simulated reasoning.')).slice(0, thought.tokens) })
  const hiddenTokens = thought.visible ? 0 : thought.tokens
  let finish: FinishReason = answer.calls ? 'tool_calls' : answer.refusal === undefined ? 'stop' : 'refusal'
  let stopSequence: string | undefined
  let outputTokens = 0

  for (const call of answer.calls ?? []) {
    const tokens = tokenise(call.arguments)
    const nameTokens = countTokens(call.name)
    if (left < nameTokens + tokens.length) finish = 'length'
    if (left <= nameTokens) {
      outputTokens += left
      left = 0
      break
    }
    const kept = tokens.slice(0, left - nameTokens)
    parts.push({ type: 'tool_call', id: call.id, name: call.name, nameTokens, tokens: kept })
    outputTokens += nameTokens + kept.length
    left -= nameTokens + kept.length
  }
  const whole = answer.text ?? answer.refusal
  if (whole !== undefined) {
    const stopped = answer.refusal === undefined ? cutAtStop(whole, request.stop) : { text: whole, stop: undefined }
    const tokens = tokenise(stopped.text)
    const kept = tokens.slice(0, Math.max(0, left))
    if (kept.length < tokens.length) finish = 'length'
    else if (stopped.stop !== undefined) {
      finish = 'stop_sequence'
      stopSequence = stopped.stop
    }
    const logprobs =
      request.logprobs && answer.refusal === undefined ? tokenLogprobs(kept, request.logprobs.top, answer.crux, random) : undefined
    if (kept.length > 0)
      parts.push({ type: answer.refusal === undefined ? 'text' : 'refusal', tokens: kept, ...(logprobs === undefined ? {} : { logprobs }) })
    outputTokens += kept.length
  }
  return { hiddenTokens, parts, finish, stopSequence, reasoningTokens: thought.tokens, outputTokens }
}

function cutAtStop(text: string, stops: readonly string[] | undefined): { text: string; stop: string | undefined } {
  let at = text.length
  let stop: string | undefined
  for (const candidate of stops ?? []) {
    const found = candidate === '' ? -1 : text.indexOf(candidate)
    if (found >= 0 && found < at) {
      at = found
      stop = candidate
    }
  }
  return { text: text.slice(0, at), stop }
}

/** The answer in one piece. */
export function wholeChoice(plan: PlannedChoice): Choice {
  const logprobs = plan.parts.flatMap((part) => (part.type === 'text' ? (part.logprobs ?? []) : []))
  return {
    parts: plan.parts.map((part): Part => {
      const text = part.tokens.join('')
      return part.type === 'tool_call' ? { type: 'tool_call', id: part.id, name: part.name, arguments: text } : { type: part.type, text }
    }),
    finish: plan.finish,
    ...(plan.stopSequence === undefined ? {} : { stopSequence: plan.stopSequence }),
    ...(logprobs.length === 0 ? {} : { logprobs }),
  }
}

/** Throws `InvalidRequest` for a number of answers that nobody means. */
export function choicesWanted(request: Request): number {
  const wanted = request.n ?? 1
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= 128) return wanted
  const path = request.paths.n ?? 'n'
  throw new InvalidRequest(`${path}: expected a whole number from 1 to 128, not ${wanted}.`, { path })
}

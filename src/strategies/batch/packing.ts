import { edit, type Message, type Request } from '../../protocol/index.js'
import { jsonIn, questionOf, whyPlain } from '../calls.js'

/** Questions longer than this are asked alone: long ones gain little, and disturb the others. Characters. */
const LONGEST_QUESTION = 2000

/** Why a request must be asked alone; `undefined` where it may share a call: one short question in words, not streamed. */
export function whyAlone(request: Request): string | undefined {
  if (request.stream) return 'it streams'
  const plain = whyPlain(request)
  if (plain !== undefined) return plain
  const turns = request.messages.filter(({ role }) => role !== 'system' && role !== 'developer')
  if (turns.length !== 1) return 'it belongs to a conversation'
  if (turns[0]?.parts.some((part) => part.type !== 'text') === true) return 'it holds more than text'
  if (request.stop !== undefined && request.stop.length > 0) return 'it has stop sequences'
  if (request.extra.length > 0) return 'it has fields that are not known'
  if (questionOf(request).length > LONGEST_QUESTION) return 'it is long'
  return undefined
}

/** Equal for requests that may share a call: the same instructions and settings. */
export function settingsKey(request: Request): string {
  const { temperature, topP, topK, reasoning, verbosity, serviceTier, user, frequencyPenalty, presencePenalty, logitBias } = request
  return JSON.stringify(
    [
      sharedMessages(request),
      temperature,
      topP,
      topK,
      reasoning,
      verbosity,
      serviceTier,
      user,
      frequencyPenalty,
      presencePenalty,
      logitBias,
    ],
    (key, value: unknown) => (key === 'at' || key === 'cache' ? undefined : value),
  )
}

function sharedMessages(request: Request): readonly Message[] {
  return request.messages.filter(({ role }) => role === 'system' || role === 'developer')
}

/** One request for all questions of a batch, numbered from 1. */
export function packed(requests: readonly [Request, ...Request[]]): Request {
  const [first] = requests
  const questions = requests.map((request, index) => `[${index + 1}]\n${questionOf(request).trim()}`).join('\n\n')
  const form = `{${requests.map((_, index) => `"${index + 1}": "…"`).join(', ')}}`
  const text = `Here are ${requests.length} questions. They have nothing to do with each other: answer each by itself, as if it were the only one. They share one allowance, so think briefly and keep answers as short as they can be while complete. Where you are not sure of an answer, put null.

${questions}

Reply with JSON only, with the number of each question: ${form}`
  const limits = requests.map(({ maxOutputTokens }) => maxOutputTokens)
  return edit(first, {
    messages: [...sharedMessages(first), { role: 'user', parts: [{ type: 'text', text }] }],
    // A limit holds for the whole only where each has one.
    maxOutputTokens: limits.every((limit) => limit !== undefined)
      ? limits.reduce<number>((sum, limit) => sum + (limit ?? 0) + 10, 20)
      : undefined,
    seed: undefined,
  })
}

/** The answers by question; `null` where one is missing, empty, unsure or no text. Bounded by the text's first 100,000 characters. */
export function unpacked(said: string, count: number): readonly (string | null)[] {
  const value = jsonIn(said)
  const found = (index: number): unknown =>
    typeof value !== 'object' || value === null
      ? undefined
      : Array.isArray(value)
        ? value.length === count
          ? value[index]
          : undefined
        : Reflect.get(value, String(index + 1))
  return Array.from({ length: count }, (_, index) => {
    const answer = found(index)
    const text =
      typeof answer === 'string'
        ? answer.trim()
        : typeof answer === 'number' && Number.isFinite(answer)
          ? String(answer)
          : typeof answer === 'boolean'
            ? String(answer)
            : ''
    return text === '' || /^(\?+|…|\.\.\.|unsure|not sure|unknown|null)\.?$/i.test(text) ? null : text
  })
}

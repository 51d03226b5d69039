import { isDeepStrictEqual } from 'node:util'
import { noUsage, usd } from '../../src/quantities/index.js'
import { deltasOf, ReplyCollector, SseParser, stringifyExact, type Delta, type Reply, type Request } from '../../src/protocol/index.js'
import type { Random } from '../../src/statistics/index.js'
import type { RecordedAnswer } from '../data/conversation.js'
import { inbound, outbound, type Verdict } from './requests.js'
import { argumentsOf, shown, type Format } from './said.js'

/** What an answer says, whatever it was cut into. */
interface AnswerSaid {
  readonly text: string
  readonly calls: readonly (readonly [id: string, name: string, given: unknown])[]
  readonly finish: string
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
}

const tokens = { input: 321, output: 45 }
const usage = { ...noUsage, inputTokens: tokens.input, outputTokens: tokens.output }
const cost = { usd: usd('0.0042'), details: { input: usd('0.0032'), output: usd('0.001') } }

function expectedOf(answer: RecordedAnswer): AnswerSaid {
  return {
    text: answer.text ?? '',
    calls: answer.calls.map((call) => [call.id, call.name, argumentsOf(call.arguments)]),
    finish: answer.calls.length > 0 ? 'tool_calls' : 'stop',
    inputTokens: tokens.input,
    outputTokens: tokens.output,
  }
}

function saidBy(reply: Reply): AnswerSaid {
  const choice = reply.choices[0]
  const parts = choice?.parts ?? []
  return {
    text: parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    calls: parts.flatMap((part) => (part.type === 'tool_call' ? [[part.id, part.name, argumentsOf(part.arguments)] as const] : [])),
    finish: choice?.finish ?? 'none',
    inputTokens: reply.reported?.usage.inputTokens,
    outputTokens: reply.reported?.usage.outputTokens,
  }
}

function compare(where: string, expected: AnswerSaid, reply: Reply): Verdict {
  const got = saidBy(reply)
  for (const name of ['text', 'calls', 'finish', 'inputTokens', 'outputTokens'] as const)
    if (!isDeepStrictEqual(expected[name], got[name]))
      return { kind: 'lost', what: `${where}, ${name}: ${shown(expected[name])} became ${shown(got[name])}` }
  return { kind: 'same' }
}

/**
 * The answer as a provider of this format would send it whole, written by the maker's documentation; only where it has a body of its
 * own here.
 */
function providerBody(answer: RecordedAnswer, format: 'openai-chat' | 'gemini'): Record<string, unknown> {
  if (format === 'openai-chat')
    return {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'm',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: answer.text ?? null,
            tool_calls: answer.calls.map((call) => ({
              id: call.id,
              type: 'function',
              function: { name: call.name, arguments: call.arguments },
            })),
          },
          finish_reason: answer.calls.length > 0 ? 'tool_calls' : 'stop',
        },
      ],
      usage: { prompt_tokens: tokens.input, completion_tokens: tokens.output, total_tokens: tokens.input + tokens.output },
    }
  return {
    responseId: 'r-1',
    modelVersion: 'm',
    candidates: [
      {
        content: {
          role: 'model',
          parts: [
            ...(answer.text === undefined ? [] : [{ text: answer.text }]),
            ...answer.calls.map((call) => ({ functionCall: { id: call.id, name: call.name, args: argumentsOf(call.arguments) } })),
          ],
        },
        finishReason: 'STOP',
      },
    ],
    usageMetadata: { promptTokenCount: tokens.input, candidatesTokenCount: tokens.output, totalTokenCount: tokens.input + tokens.output },
  }
}

/**
 * Whether an answer arrives at a caller of this format: from a provider that speaks chat completions and from one that speaks Gemini,
 * whole and streamed, cut at random into deltas and bytes. For `gemini`, which no caller speaks: read whole.
 */
export function checkAnswer(answer: RecordedAnswer, caller: Format, random: Random): Verdict {
  const expected = expectedOf(answer)
  for (const provider of ['openai-chat', 'gemini'] as const) {
    const reply = outbound(provider).decodeReply(providerBody(answer, provider))
    const read = compare(`read from ${provider}`, expected, reply)
    if (read.kind !== 'same' || caller === 'gemini') return read
    const whole: unknown = JSON.parse(stringifyExact(inbound(caller).encodeReply(reply, { request: asked, usage, cost, id: 'x-1' })))
    const body = compare(`${provider} to ${caller}, whole`, expected, outbound(caller).decodeReply(whole))
    if (body.kind !== 'same') return body
    const streamed = compare(`${provider} to ${caller}, streamed`, expected, throughStream(cutDeltas(reply, random), caller, random))
    if (streamed.kind !== 'same') return streamed
  }
  return { kind: 'same' }
}

const asked: Request = { model: 'asked', messages: [], stream: true, streamUsage: true, paths: {}, extra: [] }

function throughStream(deltas: Iterable<Delta>, format: Format, random: Random): Reply {
  const encoder = inbound(format).createStreamEncoder(asked, 'x-1')
  let text = ''
  for (const delta of deltas) text += encoder.push(delta)
  text += encoder.end({ usage, cost })
  const bytes = Buffer.from(text)
  const parser = new SseParser()
  const decoder = outbound(format).createStreamDecoder()
  const collector = new ReplyCollector()
  for (let at = 0; at < bytes.length;) {
    const next = Math.min(bytes.length, at + 1 + Math.floor(random.next() ** 3 * 4000))
    for (const event of parser.push(bytes.subarray(at, next))) for (const delta of decoder.push(event)) collector.push(delta)
    at = next
  }
  for (const event of parser.end()) for (const delta of decoder.push(event)) collector.push(delta)
  if (!decoder.complete()) throw new Error('the stream has no proper end')
  return collector.reply()
}

/** The deltas of a reply with texts and arguments in random pieces, never through a surrogate pair, as models stream them. */
function* cutDeltas(reply: Reply, random: Random): Generator<Delta> {
  for (const delta of deltasOf(reply)) {
    if (delta.type === 'text') for (const text of pieces(delta.text, random)) yield { ...delta, text }
    else if (delta.type === 'tool_arguments') for (const json of pieces(delta.json, random)) yield { ...delta, json }
    else yield delta
  }
}

export function pieces(text: string, random: Random): string[] {
  const cut: string[] = []
  for (let at = 0; at < text.length;) {
    let next = Math.min(text.length, at + 1 + Math.floor(random.next() * 24))
    const code = text.charCodeAt(next - 1)
    if (next < text.length && code >= 0xd800 && code < 0xdc00) next++
    cut.push(text.slice(at, next))
    at = next
  }
  return cut
}

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { isDeepStrictEqual } from 'node:util'
import { Gateway, parseConfig } from '../../src/gateway/index.js'
import { createLogger } from '../../src/gateway/telemetry/log.js'
import { UnsupportedParameter } from '../../src/errors/index.js'
import type { WireFormat } from '../../src/protocol/index.js'
import type { Random } from '../../src/statistics/index.js'
import {
  chatReply,
  chatStream,
  geminiReply,
  geminiStream,
  messagesReply,
  messagesStream,
  responsesReply,
  responsesStream,
  startUpstream,
  type Answer,
  type Behaviour,
  type Upstream,
} from '../../test/upstream/index.js'
import type { RecordedAnswer, RecordedConversation } from '../data/conversation.js'
import { pieces } from './answers.js'
import { chatBody, inbound, models, written, type Verdict } from './requests.js'
import { argumentsOf, difference, json, saidIn, shown, type Format } from './said.js'

export type Caller = Exclude<Format, 'gemini'>
export const callers: readonly Caller[] = ['openai-chat', 'openai-responses', 'anthropic-messages']

const KEY = 'sk-bench-translation'
const tokens = { input: 321, output: 45 }

interface Played {
  readonly whole: (answer: Answer) => Behaviour
  readonly streamed: (answer: Answer) => Behaviour
}
const upstreams: Readonly<Record<Format, Played>> = {
  'openai-chat': { whole: chatReply, streamed: chatStream },
  'openai-responses': { whole: responsesReply, streamed: responsesStream },
  'anthropic-messages': { whole: messagesReply, streamed: messagesStream },
  gemini: { whole: geminiReply, streamed: geminiStream },
}

/** What an official client says that it got. */
interface Got {
  readonly text: string
  readonly calls: readonly (readonly [id: string, name: string, given: unknown])[]
}

/** A running gateway in front of an upstream that plays every format, called by the official clients. */
export interface GatewayBench {
  /**
   * Sends a conversation in one format to a provider of another, and reads the answer with the caller's official client. `undefined`
   * for a conversation that no client of the caller's format could have written.
   */
  check(
    conversation: RecordedConversation,
    answer: RecordedAnswer,
    caller: Caller,
    target: Format,
    stream: boolean,
    random: Random,
  ): Promise<Verdict | undefined>
  close(): Promise<void>
}

export async function startGatewayBench(): Promise<GatewayBench> {
  const upstream = await startUpstream()
  const log = createLogger({ level: 'error', destination: process.stderr })
  const gateway = await Gateway.create({ config: parseConfig(JSON.stringify(configFor(upstream)), {}).config, version: 'bench', log })
  const { url } = await gateway.listen()
  const openai = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 })
  const anthropic = new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0 })

  const check: GatewayBench['check'] = async (conversation, answer, caller, target, stream, random) => {
    const body = callersBody(conversation, caller)
    if (body === undefined) return undefined
    const expected = saidIn(caller, body)
    upstream.reset()
    const cut = (text: string): string | readonly string[] => (stream ? pieces(text, random) : text)
    const script: Answer = {
      ...(answer.text === undefined ? {} : { text: cut(answer.text) }),
      toolCalls: answer.calls.map((call) => ({ id: call.id, name: call.name, arguments: cut(call.arguments) })),
      usage: tokens,
    }
    const behaviour = stream ? upstreams[target].streamed(script) : upstreams[target].whole(script)
    upstream.enqueue(stream ? { ...behaviour, chunking: 1 + Math.floor(random.next() * 3000) } : behaviour)
    let got: Got
    try {
      got = await ask(openai, anthropic, caller, { ...body, model: `to-${target}` }, stream)
    } catch (thrown) {
      const refused = refusal(thrown)
      return (
        refused ?? {
          kind: 'lost',
          what: `${caller} to ${target}${stream ? ', streamed' : ''}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
        }
      )
    }
    const where = `${caller} to ${target}${stream ? ', streamed' : ''}`
    const arrived = difference(expected, saidIn(target, json(upstream.last.json)))
    if (arrived !== undefined) return { kind: 'lost', what: `${where}, request: ${arrived}` }
    const wanted: Got = { text: answer.text ?? '', calls: answer.calls.map((call) => [call.id, call.name, argumentsOf(call.arguments)]) }
    return isDeepStrictEqual(wanted, got)
      ? { kind: 'same' }
      : { kind: 'lost', what: `${where}, answer: ${shown(wanted)} became ${shown(got)}` }
  }

  return {
    check,
    async close() {
      await gateway.close()
      await upstream.close()
    },
  }
}

/** What a client of this format would have written. */
function callersBody(conversation: RecordedConversation, caller: Caller): Record<string, unknown> | undefined {
  const body = chatBody(conversation)
  if (caller === 'openai-chat') return body
  try {
    return written(inbound('openai-chat').decodeRequest(body), caller)
  } catch (thrown) {
    if (thrown instanceof UnsupportedParameter) return undefined
    throw thrown
  }
}

function configFor(upstream: Upstream): Record<string, unknown> {
  const compatible = (format: WireFormat): Record<string, unknown> => ({
    type: 'openai-compatible',
    base_url: `${upstream.url}/v1`,
    api_key: 'sk-up',
    formats: [format],
  })
  return {
    server: { port: 0, host: '127.0.0.1' },
    ledger: { store: 'memory' },
    keys: [{ name: 'bench', key: KEY }],
    retries: { attempts: 1 },
    providers: {
      'openai-chat': compatible('openai-chat'),
      'openai-responses': compatible('openai-responses'),
      'anthropic-messages': { type: 'anthropic', base_url: upstream.url, api_key: 'sk-up' },
      gemini: { type: 'gemini', base_url: `${upstream.url}/v1beta`, api_key: 'sk-up' },
    },
    models: Object.fromEntries(Object.entries(models).map(([format, model]) => [`to-${format}`, `${format}/${model}`])),
  }
}

/** The gateway's own refusal names the field; anything else is a loss. */
function refusal(thrown: unknown): Verdict | undefined {
  if (!(thrown instanceof OpenAI.APIError || thrown instanceof Anthropic.APIError) || thrown.status !== 400) return undefined
  const body = json(thrown.error)
  const error = json(body['error'] ?? body)
  return error['code'] === 'unsupported_parameter'
    ? { kind: 'refused', reason: String(error['message']).replace(/\[\d+\]/g, '[…]') }
    : undefined
}

async function ask(openai: OpenAI, anthropic: Anthropic, caller: Caller, body: Record<string, unknown>, stream: boolean): Promise<Got> {
  switch (caller) {
    case 'openai-chat': {
      const client = openai.chat.completions
      const sent = asParams<OpenAI.ChatCompletionCreateParamsNonStreaming>(body)
      const completion = stream ? await client.stream({ ...sent, stream: true }).finalChatCompletion() : await client.create(sent)
      const message = completion.choices[0]?.message
      return {
        text: message?.content ?? '',
        calls: (message?.tool_calls ?? []).flatMap((call) =>
          call.type === 'function' ? [[call.id, call.function.name, argumentsOf(call.function.arguments)] as const] : [],
        ),
      }
    }
    case 'openai-responses': {
      const sent = asParams<OpenAI.Responses.ResponseCreateParamsNonStreaming>(body)
      const response = stream
        ? await openai.responses.stream({ ...sent, stream: true }).finalResponse()
        : await openai.responses.create(sent)
      return {
        text: response.output
          .flatMap((item) => (item.type === 'message' ? item.content.map((part) => (part.type === 'output_text' ? part.text : '')) : []))
          .join(''),
        calls: response.output.flatMap((item) =>
          item.type === 'function_call' ? [[item.call_id, item.name, argumentsOf(item.arguments)] as const] : [],
        ),
      }
    }
    case 'anthropic-messages': {
      const sent = asParams<Anthropic.MessageCreateParamsNonStreaming>(body)
      const message = stream
        ? await anthropic.messages.stream({ ...sent, stream: true }).finalMessage()
        : await anthropic.messages.create(sent)
      return {
        text: message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
        calls: message.content.flatMap((block) => (block.type === 'tool_use' ? [[block.id, block.name, block.input] as const] : [])),
      }
    }
  }
}

/** The clients check nothing of what they send: a recorded body is whatever the data says. */
function asParams<Params>(body: Record<string, unknown>): Params {
  return body as Params
}

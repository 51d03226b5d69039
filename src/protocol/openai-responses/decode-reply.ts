import { BursarError } from '../../errors/index.js'
import type { Part } from '../conversation.js'
import { arrayOf, isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import { decodeError, malformed } from '../openai-chat/decode-reply.js'
import type { Choice, FinishReason, Reply, ReportedUsage, TokenLogprob } from '../reply.js'
import { responsesUsage, withSearches } from '../usage.js'
import { reasoningText } from './decode-input.js'

/** Reads a whole response. Throws `BursarError`: `upstream_malformed`, or what the response says went wrong. */
export function decodeReply(json: unknown): Reply {
  const body = objectOf(json)
  if (!body) throw malformed('its answer is no JSON object')
  if (!Array.isArray(body['output'])) {
    if (isObject(body['error'])) throw failure(body)
    throw malformed('its answer has no `output`')
  }
  throwIfFailed(body)
  return {
    id: stringOf(body['id']) ?? '',
    model: stringOf(body['model']) ?? '',
    created: createdAt(body),
    choices: [readOutput(body)],
    reported: usageOf(body),
  }
}

export function createdAt(response: JsonObject): number {
  return Math.floor(numberOf(response['created_at']) ?? 0)
}

/** Usage of a whole response, or of the one inside an event, with the service tier that stands beside it. */
export function usageOf(json: unknown): ReportedUsage | undefined {
  const outer = objectOf(json)
  const body = objectOf(outer?.['response']) ?? outer
  if (!body) return undefined
  const told = responsesUsage(body['usage'])
  const reported = told && withSearches(told, body['output'])
  const tier = textOf(body['service_tier'])
  // `auto` is a wish, not what was used.
  return reported && tier !== undefined && tier !== 'auto' ? { ...reported, serviceTier: tier } : reported
}

/** Throws when the response says that it failed, or that it isn't there yet. */
export function throwIfFailed(response: JsonObject): void {
  const status = response['status']
  if (status === 'failed' || isObject(response['error'])) throw failure(response)
  if (status === 'cancelled') throw new BursarError('The provider cancelled the answer.', { code: 'upstream_error', status: 502 })
  if (status === 'queued' || status === 'in_progress')
    throw malformed(`its answer is still ${status === 'queued' ? 'waiting' : 'being written'}`)
}

/** The error that a provider sent inside an answer with status 200. */
export function failure(json: unknown): BursarError {
  const { message, code } = decodeError(json)
  const text = `The provider reported an error${code === undefined ? '' : ` (${code})`}: ${message}`
  if (code === 'rate_limit_exceeded') return new BursarError(text, { code: 'upstream_rate_limited', status: 429 })
  if (code !== undefined && /^(?:invalid_|image_|unsupported_image|empty_image|failed_to_download_image)/.test(code))
    return new BursarError(text, { code: 'upstream_rejected', status: 400 })
  return new BursarError(text, { code: 'upstream_error', status: 502 })
}

export function readOutput(response: JsonObject): Choice {
  const parts: Part[] = []
  const logprobs: TokenLogprob[] = []
  for (const value of arrayOf(response['output'])) {
    const item = objectOf(value)
    if (!item) throw malformed('an output item is no object')
    readItem(item, parts, logprobs)
  }
  return { parts, finish: finishReason(response, parts.some(isCall)), ...(logprobs.length > 0 ? { logprobs } : undefined) }
}

function readItem(item: JsonObject, parts: Part[], logprobs: TokenLogprob[]): void {
  switch (item['type']) {
    case 'message':
      for (const value of arrayOf(item['content'])) {
        const content = objectOf(value)
        if (!content) continue
        if (content['type'] === 'refusal') parts.push({ type: 'refusal', text: stringOf(content['refusal']) ?? '' })
        else if (content['type'] === 'output_text') {
          const text = stringOf(content['text']) ?? ''
          if (text !== '') parts.push({ type: 'text', text })
          logprobs.push(...readLogprobs(content['logprobs']))
        } else parts.push({ type: 'native', format: 'openai-responses', value: content })
      }
      return
    case 'function_call':
      parts.push({ type: 'tool_call', id: callId(item), name: callName(item), arguments: stringOf(item['arguments']) ?? '' })
      return
    case 'reasoning': {
      const text = itemReasoning(item)
      const seal = textOf(item['encrypted_content'])
      const id = textOf(item['id'])
      // Without text or seal there is nothing to keep.
      if (text === '' && seal === undefined) return
      parts.push({
        type: 'reasoning',
        text,
        ...(seal === undefined ? undefined : { signature: seal, signatureFormat: 'openai-responses' }),
        ...(seal !== undefined && text === '' ? { redacted: true } : undefined),
        ...(id === undefined ? undefined : { id }),
      })
      return
    }
    default:
      parts.push({ type: 'native', format: 'openai-responses', value: item })
  }
}

/** The text of a reasoning item: its summary, or the reasoning itself. */
export function itemReasoning(item: JsonObject): string {
  const texts = (value: unknown): { readonly text: string | undefined }[] =>
    arrayOf(value).map((part) => ({ text: stringOf(objectOf(part)?.['text']) }))
  return reasoningText({ summary: texts(item['summary']), content: texts(item['content']) })
}

export function callId(item: JsonObject): string {
  const id = textOf(item['call_id']) ?? textOf(item['id'])
  if (id === undefined) throw malformed('a function call has no id')
  return id
}

export function callName(item: JsonObject): string {
  const name = textOf(item['name'])
  if (name === undefined) throw malformed('a function call has no name')
  return name
}

/** Whether the caller must answer this part before the model goes on. */
function isCall(part: Part): boolean {
  return part.type === 'tool_call' || (part.type === 'native' && isCallItem(part.value))
}

/** Calls of tools that run on the caller's side. */
export function isCallItem(item: JsonObject): boolean {
  switch (item['type']) {
    case 'custom_tool_call':
    case 'computer_call':
    case 'local_shell_call':
    case 'shell_call':
    case 'apply_patch_call':
    case 'mcp_approval_request':
      return true
    default:
      return false
  }
}

export function finishReason(response: JsonObject, called: boolean): FinishReason {
  if (response['status'] === 'incomplete')
    return objectOf(response['incomplete_details'])?.['reason'] === 'content_filter' ? 'content_filter' : 'length'
  // A refusal that is said is a whole answer: OpenAI ends it like any other.
  return called ? 'tool_calls' : 'stop'
}

export function readLogprobs(value: unknown): TokenLogprob[] {
  return arrayOf(value).flatMap((entry): TokenLogprob[] => {
    const token = readToken(entry)
    if (!token) return []
    return [{ ...token, top: arrayOf(objectOf(entry)?.['top_logprobs']).flatMap((alternative) => readToken(alternative) ?? []) }]
  })
}

function readToken(value: unknown): Omit<TokenLogprob, 'top'> | undefined {
  const entry = objectOf(value)
  const token = stringOf(entry?.['token'])
  if (!entry || token === undefined) return undefined
  const bytes = arrayOf(entry['bytes']).filter((byte): byte is number => typeof byte === 'number')
  return { token, logprob: numberOf(entry['logprob']) ?? -9999, bytes: bytes.length > 0 ? bytes : null }
}

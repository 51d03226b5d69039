import type { EncodeContext } from '../codec.js'
import type { Part, ReasoningPart, Request } from '../conversation.js'
import { isObject } from '../json-value.js'
import type { FinishReason, Reply, TokenLogprob } from '../reply.js'
import { reasoningDetails } from './reasoning-details.js'
import { usageFields } from './usage-fields.js'

/**
 * Writes a whole chat completion. Texts of one choice are joined, since a message has one `content`; blocks that only another
 * format knows are left out.
 */
export function encodeReply(reply: Reply, context: EncodeContext): Record<string, unknown> {
  const tier = reply.reported?.serviceTier
  return {
    id: reply.id === '' ? context.id : reply.id,
    object: 'chat.completion',
    created: reply.created,
    model: reply.model === '' ? context.request.model : reply.model,
    choices: reply.choices.map((choice, index) => ({
      index,
      message: encodeMessage(choice.parts, context.request),
      logprobs: choice.logprobs ? encodeLogprobs(choice.logprobs) : null,
      finish_reason: finishName(choice.finish, context.request),
    })),
    usage: usageFields(context.usage, context.cost),
    ...(tier === undefined ? undefined : { service_tier: tier }),
    ...(reply.systemFingerprint === undefined ? undefined : { system_fingerprint: reply.systemFingerprint }),
  }
}

/**
 * How this caller is used to reading reasoning: OpenRouter's callers, who send a `reasoning` object, as `reasoning`; all others as
 * `reasoning_content`.
 */
export function reasoningField(request: Request): 'reasoning' | 'reasoning_content' {
  return request.paths['reasoning'] === 'reasoning' ? 'reasoning' : 'reasoning_content'
}

/** Whether the caller wants the reasoning: unless it said no. */
export function showsReasoning(request: Request): boolean {
  return request.reasoning?.visible !== false
}

/** Whether the caller writes the older `functions`, and reads answers in that style. */
export function usesFunctions(request: Request): boolean {
  return request.paths['tools'] === 'functions'
}

export function finishName(reason: FinishReason, request: Request): string {
  switch (reason) {
    case 'stop':
    case 'stop_sequence':
    case 'pause':
      return 'stop'
    case 'tool_calls':
      return usesFunctions(request) ? 'function_call' : 'tool_calls'
    case 'content_filter':
    case 'refusal':
      return 'content_filter'
    case 'length':
      return 'length'
  }
}

export function encodeLogprobs(logprobs: readonly TokenLogprob[]): Record<string, unknown> {
  return { content: logprobs.map(({ token, logprob, bytes, top }) => ({ token, logprob, bytes, top_logprobs: top })), refusal: null }
}

function encodeMessage(parts: readonly Part[], request: Request): Record<string, unknown> {
  const texts: string[] = []
  const refusals: string[] = []
  const reasoning: ReasoningPart[] = []
  const calls: Record<string, unknown>[] = []
  const images: unknown[] = []
  const natives: Record<string, unknown> = {}
  for (const part of parts) {
    if (part.type === 'text') texts.push(part.text)
    else if (part.type === 'refusal') refusals.push(part.text)
    else if (part.type === 'reasoning') reasoning.push(part)
    else if (part.type === 'tool_call')
      calls.push({
        id: part.id,
        type: 'function',
        function: { name: part.name, arguments: argumentsText(part.arguments) },
        ...thought(part.signature),
      })
    else if (part.type === 'native' && part.format === 'openai-chat') {
      if (part.value['type'] === 'custom') calls.push(part.value)
      else if (part.value['type'] === 'image_url') images.push(part.value)
      else Object.assign(natives, nativeFields(part.value))
    }
  }
  const shown = showsReasoning(request) ? reasoning : []
  const thoughts = shown.map((part) => part.text).join('')
  const sealed = shown.some((part) => part.signature !== undefined)
  const legacy = usesFunctions(request) ? calls[0]?.['function'] : undefined
  return {
    role: 'assistant',
    content: texts.length > 0 ? texts.join('') : calls.length > 0 || refusals.length > 0 || 'audio' in natives ? null : '',
    refusal: refusals.length > 0 ? refusals.join('') : null,
    ...(thoughts === '' ? undefined : { [reasoningField(request)]: thoughts }),
    ...(sealed ? { reasoning_details: reasoningDetails(shown) } : undefined),
    ...(legacy !== undefined ? { function_call: legacy } : calls.length > 0 ? { tool_calls: calls } : undefined),
    ...(images.length > 0 ? { images } : undefined),
    ...natives,
  }
}

/** Clients parse this text without looking; no arguments are an empty object. */
function argumentsText(json: string): string {
  return json === '' ? '{}' : json
}

/** Gemini's signature of a call, where Google's own chat endpoint puts it: clients must send it back. */
export function thought(signature: string | undefined): { readonly extra_content: unknown } | undefined {
  return signature === undefined ? undefined : { extra_content: { google: { thought_signature: signature } } }
}

/** Spoken answers and citations: what stands beside the content of a message. */
export function nativeFields(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (value['type'] === 'audio' && isObject(value['audio'])) return { audio: value['audio'] }
  if (value['type'] === 'annotations' && Array.isArray(value['annotations'])) return { annotations: value['annotations'] }
  return {}
}

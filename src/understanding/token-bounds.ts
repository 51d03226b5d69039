import type { Part, Request } from '../protocol/index.js'
import { mostImageTokens } from './image-tokens.js'

/**
 * Bounds of a request's input tokens without a tokenizer: two loops over its parts, for the hot path.
 */

/**
 * A number of input tokens that no provider exceeds: every vocabulary in use falls back to single bytes, so each token of a
 * text covers at least one byte of its UTF-8. Tools and schemas count by their JSON; what isn't text at the largest figure
 * that providers document (`mediaBound`). A file by URL, and a conversation that the provider keeps, can't be seen: they count as 200,000.
 */
export function sureTokenBound(request: Request): number {
  let tokens = requestOverhead + jsonBytes(request)
  for (const { name, value } of request.extra)
    tokens += elsewhere.has(name)
      ? unknownContext
      : typeof value === 'object' && value !== null
        ? remembered(value)
        : String(value).length * 3
  for (const message of request.messages) {
    tokens += messageOverhead
    if (message.name !== undefined) tokens += message.name.length * 3
    for (const part of message.parts) tokens += partOverhead + textBytes(part) + mediaBound(part, request.model)
  }
  return tokens
}

/**
 * About as many input tokens as the request has, rather more: a third of its bytes. English has 4 to 5 bytes a token, code
 * and JSON 3 to 4, Chinese and Japanese 3 to 4 (a character or a little more). Not a bound: base64 and random letters have about 2.
 */
export function likelyTokens(request: Request): number {
  let bytes = jsonBytes(request)
  let tokens = 3
  for (const message of request.messages) {
    tokens += 4
    for (const part of message.parts) {
      bytes += textBytes(part)
      tokens += likelyMedia(part)
    }
  }
  return tokens + Math.ceil(bytes / 3)
}

/** What templates put around the whole, and around each message and part. */
const requestOverhead = 32
const messageOverhead = 12
const partOverhead = 4
/** Anthropic's own instructions for tools (up to 530 tokens by its documentation), and the wrapping of each tool. */
const toolsOverhead = 600
const toolOverhead = 24

/** Tools and output schema, whose size is remembered as long as they live. */
export function jsonBytes(request: Request): number {
  let bytes = 0
  const { tools, responseFormat } = request
  if (tools !== undefined && tools.length > 0) bytes += toolsOverhead + tools.length * toolOverhead + remembered(tools)
  if (responseFormat?.type === 'json_schema') bytes += remembered(responseFormat)
  return bytes
}

const sizes = new WeakMap<object, number>()

function remembered(value: object): number {
  let size = sizes.get(value)
  if (size === undefined) sizes.set(value, (size = Buffer.byteLength(JSON.stringify(value))))
  return size
}

/** UTF-8 bytes of what a part says in words. */
export function textBytes(part: Part): number {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return Buffer.byteLength(part.text)
    case 'reasoning':
      // A seal stands for reasoning that is counted where the provider opens it; its base64 is longer than what it seals.
      return Buffer.byteLength(part.text) + (part.signature?.length ?? 0)
    case 'tool_call':
      return Buffer.byteLength(part.name) + Buffer.byteLength(part.arguments) + part.id.length
    case 'tool_result': {
      let bytes = part.callId.length
      for (const inner of part.content) bytes += textBytes(inner)
      return bytes
    }
    case 'native':
      return remembered(part.value)
    case 'image':
    case 'audio':
    case 'file':
      return 0
  }
}

/** Fields by which the provider adds a conversation or prompt that it keeps itself. */
const elsewhere: ReadonlySet<string> = new Set(['previous_response_id', 'conversation', 'prompt', 'cachedContent', 'container'])
/** What the provider adds: about the largest context that models have had for long. */
const unknownContext = 200_000
/** A file of unknown size. */
const unknownFile = 200_000
/** A minute of sound. */
const unknownAudio = 1920

function mediaBound(part: Part, model: string): number {
  switch (part.type) {
    case 'image':
      return mostImageTokens(model)
    case 'audio':
      // 32 tokens a second (Gemini; others have fewer), and a second is at least a kilobyte (8 kbit/s).
      return part.source.kind === 'base64' ? Math.ceil(part.source.data.length * 0.75 * 0.032) + 32 : unknownAudio * 60
    case 'file':
      // Text in a PDF is packed, and each page is also looked at as an image: a token a byte of base64 covers both.
      return part.source.kind === 'base64' ? part.source.data.length + mostImageTokens(model) : unknownFile
    case 'tool_result': {
      let tokens = 0
      for (const inner of part.content) tokens += partOverhead + mediaBound(inner, model)
      return tokens
    }
    case 'text':
    case 'refusal':
    case 'reasoning':
    case 'tool_call':
    case 'native':
      return 0
  }
}

/** Tokens of what isn't text, as a guess without a look inside. */
export function likelyMedia(part: Part): number {
  switch (part.type) {
    case 'image':
      return part.detail === 'low' ? 85 : 1600
    case 'audio':
      // 16 kHz of 16 bits, or a lower rate packed: about 4 kB a second at the least.
      return part.source.kind === 'base64' ? Math.ceil((part.source.data.length * 0.75 * 32) / 4000) : unknownAudio
    case 'file':
      return part.source.kind === 'base64' ? Math.ceil(part.source.data.length / 6) : 10_000
    case 'tool_result':
      return part.content.reduce((sum, inner) => sum + likelyMedia(inner), 0)
    case 'text':
    case 'refusal':
    case 'reasoning':
    case 'tool_call':
    case 'native':
      return 0
  }
}

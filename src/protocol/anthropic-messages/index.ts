import type { InboundCodec, OutboundCodec } from '../codec.js'
import { isObject } from '../json-value.js'
import { anthropicUsage } from '../usage.js'
import { decodeMessagesReply } from './decode-reply.js'
import { decodeMessagesRequest } from './decode-request.js'
import { encodeMessagesReply } from './encode-reply.js'
import { encodeMessagesRequest, type EncodeOptions } from './encode-request.js'
import { decodeMessagesError, encodeMessagesError, encodeMessagesStreamError } from './errors.js'
import { MessagesStreamDecoder } from './stream-decoder.js'
import { MessagesStreamEncoder } from './stream-encoder.js'

export { messagesRequestSchema, countTokensRequestSchema } from './schema.js'
export { decodeCountTokensRequest } from './decode-request.js'

export interface AnthropicMessagesOptions extends EncodeOptions {
  /** Unix seconds, for answers: Anthropic's name no time. */
  readonly now?: (() => number) | undefined
}

/** Anthropic's messages format, both sides. */
export function createAnthropicMessages(options: AnthropicMessagesOptions = {}): InboundCodec & OutboundCodec {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  return {
    format: 'anthropic-messages',
    decodeRequest: decodeMessagesRequest,
    encodeReply: encodeMessagesReply,
    createStreamEncoder: (request, id) => new MessagesStreamEncoder(request, id),
    encodeError: encodeMessagesError,
    encodeStreamError: encodeMessagesStreamError,
    keepAlive: 'event: ping\ndata: {"type":"ping"}\n\n',
    encodeRequest: (request, model, drop) => encodeMessagesRequest(request, model, drop, options),
    decodeReply: (json, text) => decodeMessagesReply(json, now(), text),
    createStreamDecoder: () => new MessagesStreamDecoder(now),
    usageOf: (json) => (isObject(json) ? anthropicUsage(json['usage']) : undefined),
    decodeError: decodeMessagesError,
  }
}

/** The codec with its defaults: 4096 output tokens (and room for thinking) where the caller gives no maximum. */
export const anthropicMessages: InboundCodec & OutboundCodec = createAnthropicMessages()

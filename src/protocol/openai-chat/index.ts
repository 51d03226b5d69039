import type { InboundCodec, OutboundCodec } from '../codec.js'
import { decodeRequest } from './decode-request.js'
import { ChatStreamDecoder, decodeError, decodeReply, usageOf } from './decode-reply.js'
import { encodeError, encodeStreamError } from './encode-error.js'
import { encodeReply } from './encode-reply.js'
import { encodeRequest, maxTokensField } from './encode-request.js'
import type { OpenAiChatOptions } from './options.js'
import { ChatStreamEncoder } from './stream-encoder.js'

export { chatRequestSchema } from './schema.js'
export type { OpenAiChatOptions } from './options.js'

/** OpenAI's chat completions, both sides, for a server that differs from OpenAI as the options say. */
export function createOpenAiChat(options: OpenAiChatOptions = {}): InboundCodec & OutboundCodec {
  return {
    format: 'openai-chat',
    decodeRequest,
    encodeReply,
    createStreamEncoder: (request, id) => new ChatStreamEncoder(request, id),
    encodeError: (error) => encodeError(error),
    encodeStreamError,
    keepAlive: ': keep-alive\n\n',
    encodeRequest: (request, model, drop) => encodeRequest(request, model, drop, options),
    outputLimitField: (request) => maxTokensField(request, options),
    decodeReply,
    createStreamDecoder: () => new ChatStreamDecoder(),
    usageOf,
    decodeError,
  }
}

/** OpenAI's chat completions as OpenAI speaks them. */
export const openaiChat: InboundCodec & OutboundCodec = createOpenAiChat()

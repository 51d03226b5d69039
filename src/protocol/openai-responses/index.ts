import type { InboundCodec, OutboundCodec } from '../codec.js'
import { decodeError } from '../openai-chat/decode-reply.js'
import { encodeError } from '../openai-chat/encode-error.js'
import { decodeReply, usageOf } from './decode-reply.js'
import { decodeRequest } from './decode-request.js'
import { encodeStreamError } from './encode-error.js'
import { encodeReply } from './encode-reply.js'
import { encodeRequest } from './encode-request.js'
import { ResponsesStreamDecoder } from './stream-decoder.js'
import { ResponsesStreamEncoder } from './stream-encoder.js'

export { responsesRequestSchema } from './schema.js'

/** OpenAI's Responses API, both sides. */
export const openaiResponses: InboundCodec & OutboundCodec = {
  format: 'openai-responses',
  decodeRequest,
  encodeReply,
  createStreamEncoder: (request, id) => new ResponsesStreamEncoder(request, id),
  encodeError: (error) => encodeError(error),
  encodeStreamError,
  keepAlive: ': keep-alive\n\n',
  encodeRequest,
  outputLimitField: () => 'max_output_tokens',
  decodeReply,
  createStreamDecoder: () => new ResponsesStreamDecoder(),
  usageOf,
  decodeError,
}

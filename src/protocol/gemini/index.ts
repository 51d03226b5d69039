import { randomUUID } from 'node:crypto'
import type { OutboundCodec } from '../codec.js'
import { isObject } from '../json-value.js'
import { ReplyCollector } from '../reply-collector.js'
import type { Reply } from '../reply.js'
import { geminiUsage } from '../usage.js'
import { encodeGeminiRequest } from './encode-request.js'
import { decodeGeminiError, malformed } from './errors.js'
import { GeminiStreamDecoder, type DecoderOptions } from './stream-decoder.js'

/**
 * Google's Gemini format, the provider's side: `generateContent` and `streamGenerateContent?alt=sse`. `options` replace
 * the clock and the source of names, for tests.
 */
export function createGemini(options: Partial<DecoderOptions> = {}): OutboundCodec {
  const decoding: DecoderOptions = {
    now: options.now ?? (() => Math.floor(Date.now() / 1000)),
    newId: options.newId ?? randomUUID,
  }
  return {
    format: 'gemini',
    encodeRequest: encodeGeminiRequest,
    decodeReply: (json, text) => decodeReply(json, text, decoding),
    createStreamDecoder: () => new GeminiStreamDecoder(decoding),
    usageOf: (json) => (isObject(json) && json['usageMetadata'] != null ? geminiUsage(json['usageMetadata']) : undefined),
    decodeError: decodeGeminiError,
  }
}

export const gemini: OutboundCodec = createGemini()

/** A whole answer is a stream of one chunk. Throws `BursarError` `upstream_malformed` when it holds no answer. */
function decodeReply(json: unknown, text: string | undefined, options: DecoderOptions): Reply {
  const decoder = new GeminiStreamDecoder(options)
  const collector = new ReplyCollector()
  for (const delta of decoder.chunk(json, text)) collector.push(delta)
  if (!decoder.complete()) throw malformed('it holds no finished candidate')
  return collector.reply()
}

import { anthropicMessages } from './anthropic-messages/index.js'
import type { InboundCodec, OutboundCodec } from './codec.js'
import type { WireFormat } from './conversation.js'
import { gemini } from './gemini/index.js'
import { openaiChat } from './openai-chat/index.js'
import { openaiResponses } from './openai-responses/index.js'

const inbound: ReadonlyMap<WireFormat, InboundCodec> = new Map(
  [openaiChat, openaiResponses, anthropicMessages].map((codec) => [codec.format, codec]),
)
const outbound: ReadonlyMap<WireFormat, OutboundCodec> = new Map(
  [openaiChat, openaiResponses, anthropicMessages, gemini].map((codec) => [codec.format, codec]),
)

/** The caller's side of a format; `undefined` where callers can't use it. A new format is its folder and its place in these lists. */
export function inboundCodec(format: WireFormat): InboundCodec | undefined {
  return inbound.get(format)
}

/** The provider's side of a format, as its own maker speaks it; `undefined` where providers can't be reached by it. */
export function outboundCodec(format: WireFormat): OutboundCodec | undefined {
  return outbound.get(format)
}

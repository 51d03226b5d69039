import { outboundCodec, ReplyCollector, SseParser, type Reply, type WireFormat } from '../../protocol/index.js'

/** Reads an answer that went through as bytes. `undefined` when it isn't a whole answer of the format. */
export function readReply(format: WireFormat, body: Uint8Array, streamed: boolean): Reply | undefined {
  const codec = outboundCodec(format)
  if (!codec) return undefined
  try {
    if (!streamed) {
      const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
      return codec.decodeReply(JSON.parse(text), text)
    }
    const decoder = codec.createStreamDecoder()
    const collector = new ReplyCollector()
    for (const event of new SseParser().push(body)) for (const delta of decoder.push(event)) collector.push(delta)
    return decoder.complete() ? collector.reply() : undefined
  } catch {
    // What a provider said may be anything: an answer that can't be read can't be judged.
    return undefined
  }
}

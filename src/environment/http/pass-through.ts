import { splice, type WireBody } from '../../protocol/index.js'

/**
 * The caller's bytes as they go to a provider of the same format: untouched but for the model's name where the provider
 * knows it by another, `stream_options.include_usage`, without which a chat stream can't be metered, and a limit on the output
 * where the caller's budget has room for no more.
 */
export function passThroughBody(
  wire: WireBody,
  model: string,
  injectStreamUsage: boolean,
  outputLimit?: { readonly field: string; readonly tokens: number },
): Uint8Array {
  const edits: { start: number; end: number; text: string }[] = []
  const named = wire.fields.get('model')
  if (named && wire.json['model'] !== model) edits.push({ ...named, text: JSON.stringify(model) })
  if (injectStreamUsage && wire.format === 'openai-chat') {
    const present = wire.fields.get('stream_options')
    if (present) {
      const options = wire.json['stream_options']
      const asked = typeof options === 'object' && options !== null ? options : {}
      edits.push({ ...present, text: JSON.stringify({ ...asked, include_usage: true }) })
    } else {
      const stream = wire.fields.get('stream')
      if (stream) edits.push({ start: stream.end, end: stream.end, text: ',"stream_options":{"include_usage":true}' })
    }
  }
  if (outputLimit) {
    const present = wire.fields.get(outputLimit.field)
    if (present) edits.push({ ...present, text: String(outputLimit.tokens) })
    else if (named) edits.push({ start: named.end, end: named.end, text: `,${JSON.stringify(outputLimit.field)}:${outputLimit.tokens}` })
  }
  if (edits.length === 0) return wire.bytes
  return splice(
    wire.bytes,
    edits.sort((a, b) => a.start - b.start),
  )
}

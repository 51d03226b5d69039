import type { WireFormat } from '../conversation.js'

/**
 * Anthropic's format has one place for a seal of reasoning. A seal of another family (Gemini's thought signature, OpenAI's
 * encrypted content) is put there with a mark in front, so that a client that sends its thinking blocks back unchanged,
 * as the format demands, brings it home: `bursar.<kind>.<format>.<id>.<seal>`. Anthropic's own seals are base64 and never
 * begin so. A `tool_call` seal stands in a `redacted_thinking` block before the tool call that it belongs to.
 */
export interface ForeignSeal {
  readonly kind: 'reasoning' | 'tool_call'
  readonly format: WireFormat
  readonly id: string | undefined
  readonly seal: string
}

const mark = 'bursar.'
const formats: ReadonlySet<string> = new Set<WireFormat>([
  'openai-chat',
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'openai-embeddings',
])

export function writeForeignSeal({ kind, format, id, seal }: ForeignSeal): string {
  return `${mark}${kind}.${format}.${id === undefined ? '' : Buffer.from(id).toString('base64url')}.${seal}`
}

/** `undefined` when the text is Anthropic's own seal. */
export function readForeignSeal(text: string): ForeignSeal | undefined {
  if (!text.startsWith(mark)) return undefined
  const match = /^bursar\.(reasoning|tool_call)\.([a-z-]+)\.([A-Za-z0-9_-]*)\.([\s\S]*)$/.exec(text)
  if (match === null) return undefined
  const [, kind, format, id, seal] = match
  if (format === undefined || !isFormat(format) || seal === undefined) return undefined
  return {
    kind: kind === 'tool_call' ? 'tool_call' : 'reasoning',
    format,
    id: id === undefined || id === '' ? undefined : Buffer.from(id, 'base64url').toString(),
    seal,
  }
}

function isFormat(text: string): text is WireFormat {
  return formats.has(text)
}

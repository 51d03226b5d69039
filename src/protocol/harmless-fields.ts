import type { DropPolicy } from './codec.js'
import type { ExtraField, WireFormat } from './conversation.js'

/**
 * Fields of one format that say nothing about the answer: features of one maker that save time or money, labels, and
 * permissions that another provider needs no leave for. Clients such as coding agents send some of them always. A target of
 * another format leaves them out and notes it; every other field that it doesn't know it refuses.
 */
interface HarmlessField {
  /** Matches the whole path. */
  readonly path: RegExp
  readonly why: string
  /** Values with which the field is harmless; all when absent. */
  readonly when?: (value: unknown) => boolean
}

const labels = 'labels for another provider; left out'
const caching = 'another provider caches its own way; left out'
const features = "names features of another provider's; left out"
const trimming = 'leave to shorten the conversation, which is sent whole'

const harmless: Readonly<Partial<Record<WireFormat, readonly HarmlessField[]>>> = {
  'anthropic-messages': [
    { path: /^(?:betas|anthropic_beta|anthropic_version)$/, why: features },
    { path: /^metadata\.\w+$/, why: labels },
    { path: /(?:^|\.)cache_control$/, why: caching },
    { path: /^context_management$/, why: trimming },
    { path: /^speed$/, why: 'a matter of speed and price alone; left out' },
    { path: /^tools\[\d+\]\.eager_input_streaming$/, why: 'a matter of how arguments are streamed; left out' },
    { path: /^tools\[\d+\]\.defer_loading$/, why: 'the tool is told at once' },
    {
      path: /^tools\[\d+\]\.allowed_callers$/,
      why: 'the model alone calls tools there',
      when: (value) => Array.isArray(value) && value.includes('direct'),
    },
    // On text of earlier answers; on a document it is the wish to be cited, an object.
    { path: /\.citations$/, why: 'sources of an earlier text; the text itself is sent', when: Array.isArray },
    { path: /^system\[0\]$/, why: 'a billing mark for Anthropic, other in every request; left out' },
  ],
  'openai-responses': [
    { path: /^(?:client_metadata|safety_identifier)$/, why: labels },
    { path: /^prompt_cache_(?:retention|options)$/, why: caching },
    { path: /^(?:truncation|context_management)$/, why: trimming },
    { path: /^max_tool_calls$/, why: "counts calls of the provider's own tools, of which there are none" },
    { path: /^include\[\d+\]$/, why: "asks for more about the provider's own tools, of which there are none" },
    { path: /^stream_options\.include_obfuscation$/, why: 'events are not padded' },
    { path: /^input\[\d+\]\.end_turn$/, why: 'says nothing to another model; left out' },
    { path: /\.detail$/, why: 'this level of detail has no counterpart; left out' },
  ],
  'openai-chat': [
    { path: /^(?:safety_identifier|session_id)$/, why: labels },
    { path: /^prompt_cache_(?:retention|options)$/, why: caching },
    { path: /^prediction$/, why: 'a matter of speed alone; left out' },
    { path: /^stream_options\.include_obfuscation$/, why: 'events are not padded' },
    // OpenRouter's old way to ask for what every answer here has.
    { path: /^usage$/, why: 'usage is always given' },
  ],
}

/** Tells of a field that a target of another format can't carry: noted where it is harmless, else `drop.unsupported`. */
export function tellForeign(field: ExtraField, drop: DropPolicy, why: string): void {
  const known =
    field.format === undefined
      ? undefined
      : harmless[field.format]?.find(({ path, when }) => path.test(field.path) && (when?.(field.value) ?? true))
  if (known === undefined) drop.unsupported(field.path, why)
  else drop.adjusted?.(field.path, known.why)
}

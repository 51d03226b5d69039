import { asBuffer } from './bytes.js'
import type { CostReport } from './codec.js'
import type { WireFormat } from './conversation.js'
import { costTexts } from './cost-fields.js'
import { BursarError } from '../errors/index.js'
import { scanTopLevel, splice, type Span, type Splice } from './json-scan.js'
import { isObject, objectOf, textOf, type JsonObject } from './json-value.js'
import { upstreamError } from './openai-chat/decode-reply.js'
import type { ReportedUsage } from './reply.js'
import { anthropicUsage, chatUsage, embeddingsUsage, responsesUsage, withSearches } from './usage.js'

/** A provider's own nesting is not ours to judge; the scan isn't recursive. */
const anyDepth = { maxDepth: Number.POSITIVE_INFINITY }

/**
 * Edits that write the cost into the `usage` object at `usage.start`..`usage.end`, in place of what the provider put under
 * the same names. Offsets are those of `bytes`; `json` is the object as parsed, which in the usual case tells that there is
 * nothing to replace.
 */
export function costEdits(bytes: Buffer, usage: Span, report: CostReport, json: unknown): Splice[] {
  const { cost, details } = costTexts(report)
  if (isObject(json) && !('cost' in json) && !('cost_details' in json)) {
    const end = usage.end - 1
    let only = true
    for (const _ in json) {
      only = false
      break
    }
    return [{ start: end, end, text: `${only ? '' : ','}"cost":${cost},"cost_details":${details}` }]
  }
  const fields = scanTopLevel(bytes.subarray(usage.start, usage.end), anyDepth)
  const edits: Splice[] = []
  let appended = ''
  for (const [name, text] of [
    ['cost', cost],
    ['cost_details', details],
  ] as const) {
    const span = fields.get(name)
    if (span) edits.push({ start: usage.start + span.start, end: usage.start + span.end, text })
    else appended += `,"${name}":${text}`
  }
  edits.sort((a, b) => a.start - b.start)
  if (appended !== '') edits.push({ start: usage.end - 1, end: usage.end - 1, text: appended })
  return edits
}

/** Spans of the fields of the object at `object`, in offsets of `bytes`. */
export function fieldsWithin(bytes: Buffer, object: Span): Map<string, Span> {
  const fields = scanTopLevel(bytes.subarray(object.start, object.end), anyDepth)
  for (const [name, { start, end }] of fields) fields.set(name, { start: object.start + start, end: object.start + end })
  return fields
}

/** Usage of a whole body or chunk in a format, from its usage object and the service tier beside it. */
export function reportedIn(format: WireFormat, usage: unknown, tier: unknown): ReportedUsage | undefined {
  const reported = usageReader(format)(usage)
  const name = textOf(tier)
  return reported && name !== undefined ? { ...reported, serviceTier: name } : reported
}

function usageReader(format: WireFormat): (usage: unknown) => ReportedUsage | undefined {
  switch (format) {
    case 'openai-chat':
      return chatUsage
    case 'openai-responses':
      return responsesUsage
    case 'anthropic-messages':
      return anthropicUsage
    case 'openai-embeddings':
      return embeddingsUsage
    case 'gemini':
      throw new RangeError('answers in Gemini format are never passed through')
  }
}

/**
 * Writes the cost into a whole answer that is passed through, and reads its usage; every other byte stays. Without usage
 * the bytes are returned as they came. Throws `BursarError`: `upstream_malformed` when the body is no JSON object,
 * `upstream_error` when a chat completion is only an error.
 */
export function spliceReplyCost(
  format: WireFormat,
  body: Uint8Array,
  price: (reported: ReportedUsage) => CostReport,
): { readonly bytes: Uint8Array; readonly reported: ReportedUsage | undefined } {
  const bytes = asBuffer(body)
  let fields: ReadonlyMap<string, Span>
  try {
    fields = scanTopLevel(bytes, anyDepth)
  } catch (thrown) {
    return { bytes: body, reported: usageOfOddBody(format, bytes, thrown) }
  }
  const value = (name: string): unknown => {
    const span = fields.get(name)
    return span === undefined ? undefined : parse(bytes, span)
  }
  if (format === 'openai-chat' && !fields.has('choices') && isObject(value('error'))) throw upstreamError({ error: value('error') })
  const usage = fields.get('usage')
  if (!usage || bytes[usage.start] !== 0x7b) return { bytes: body, reported: undefined }
  const json = parse(bytes, usage)
  const told = reportedIn(format, json, value('service_tier'))
  if (!told) return { bytes: body, reported: undefined }
  const reported = format === 'openai-responses' ? withSearches(told, value('output')) : told
  return { bytes: splice(bytes, costEdits(bytes, usage, price(reported), json)), reported }
}

function parse(bytes: Buffer, span: Span): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', span.start, span.end))
  } catch (cause) {
    throw malformed(cause)
  }
}

/** A body with a field twice is still an answer: it is metered, and forwarded as it is. */
function usageOfOddBody(format: WireFormat, bytes: Buffer, cause: unknown): ReportedUsage | undefined {
  let json: JsonObject | undefined
  try {
    json = objectOf(JSON.parse(bytes.toString('utf8')))
  } catch {
    throw malformed(cause)
  }
  if (!json) throw malformed(cause)
  const reported = reportedIn(format, json['usage'], json['service_tier'])
  return reported && format === 'openai-responses' ? withSearches(reported, json['output']) : reported
}

function malformed(cause: unknown): BursarError {
  return new BursarError("The provider's answer is not valid JSON.", { code: 'upstream_malformed', status: 502, cause })
}

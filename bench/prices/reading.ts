import type { Catalog, PricedUsage } from '../../src/catalog/index.js'
import { priceReported } from '../../src/catalog/index.js'
import {
  anthropicUsage,
  bedrockUsage,
  chatUsage,
  cohereUsage,
  embeddingsUsage,
  geminiUsage,
  responsesUsage,
  type ReportedUsage,
} from '../../src/protocol/index.js'
import { noUsage, picoUsd, totalInputTokens, totalOutputTokens, usd, type Money, type Usage } from '../../src/quantities/index.js'
import type { PriceCase } from '../data/prices.js'

/** One case as one provider bills it, with what is expected of it. */
export interface Entry {
  readonly row: PriceCase
  readonly provider: string
  readonly flavour: string
  /** The usage object inside the body. */
  readonly body: unknown
  readonly tokens: Readonly<Record<string, number>>
  /** `undefined` when no price is expected: then ours must be unknown. */
  readonly price: ExpectedPrice | undefined
}

export interface ExpectedPrice {
  readonly input: Money
  readonly output: Money
  readonly total: Money
}

/** Every pairing of a case with a provider that could have billed it. */
export function entriesOf(row: PriceCase): Entry[] {
  const { body } = row
  return row.extracted.flatMap((reading) =>
    reading.extractors.map((one) => ({
      row,
      provider: one.provider_id,
      flavour: one.api_flavor,
      body: body['usage'] ?? body['usageMetadata'] ?? body['meta'],
      tokens: reading.usage,
      price: expected(one.input_price, one.output_price, one.total_price),
    })),
  )
}

function expected(input?: string, output?: string, total?: string): ExpectedPrice | undefined {
  if (input === undefined || output === undefined) return undefined
  const sum = picoUsd(decimal(input) + decimal(output))
  return { input: decimal(input), output: decimal(output), total: total === undefined ? sum : decimal(total) }
}

/** `9E-7` and `0.0000009` alike. */
function decimal(text: string): Money {
  return usd(/e/i.test(text) ? Number(text) : text)
}

/** What our reader of the provider's format makes of the body. */
export function read(entry: Entry): ReportedUsage | undefined {
  const { provider, flavour, body } = entry
  if (provider === 'cohere') return cohereUsage(body)
  if (flavour === 'responses') return responsesUsage(body)
  if (flavour === 'embeddings') return embeddingsUsage(body)
  if (flavour === 'anthropic') return anthropicUsage(body)
  if (flavour === 'default') {
    if (provider === 'anthropic' || provider === 'minimax') return anthropicUsage(body)
    if (provider === 'google') return geminiUsage(body)
    if (provider === 'aws') return bedrockUsage(body)
  }
  return chatUsage(body)
}

/** Our price of an entry; the provider's own bill is left aside, since the computation is what is tested. */
export function price(catalog: Catalog, entry: Entry, reported: ReportedUsage | undefined, at: number): PricedUsage {
  const sheetOf = (model: string) => catalog.facts(entry.provider, model)?.prices
  const sheet = entry.row.model === undefined ? undefined : sheetOf(entry.row.model)
  return priceReported(sheet, { ...(reported ?? { usage: noUsage }), billedUsd: undefined }, at, sheetOf)
}

const inputBuckets = [
  'input',
  'input_audio',
  'input_image',
  'input_video',
  'cache_read',
  'cache_read_audio',
  'cache_write_5m',
  'cache_write_1h',
]
const outputBuckets = ['output', 'reasoning', 'output_audio', 'output_image']

/** Whether a price is the expected one: input, output and total, to the picodollar; or unknown where none is expected. */
export function samePrice({ report }: PricedUsage, want: ExpectedPrice | undefined): boolean {
  if (!want) return report.usd === null
  const sum = (names: readonly string[]) => names.reduce((all, name) => all + (report.details[name] ?? 0n), 0n)
  return report.usd === want.total && sum(inputBuckets) === want.input && sum(outputBuckets) === want.output
}

/** Names of the expected counts whose value isn't ours. Counts that have no bucket of their own (tool and text tokens) aren't compared. */
export function wrongTokens(entry: Entry, usage: Usage): string[] {
  const ours: Record<string, number> = {
    input_tokens: totalInputTokens(usage),
    output_tokens: totalOutputTokens(usage),
    cache_read_tokens: usage.cacheReadTokens + usage.cacheReadAudioTokens,
    cache_audio_read_tokens: usage.cacheReadAudioTokens,
    cache_write_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cache_write_5m_tokens: usage.cacheWrite5mTokens,
    cache_write_1h_tokens: usage.cacheWrite1hTokens,
    input_audio_tokens: usage.inputAudioTokens + usage.cacheReadAudioTokens,
    output_reasoning_tokens: usage.reasoningTokens,
    output_audio_tokens: usage.outputAudioTokens,
    output_image_tokens: usage.outputImageTokens,
    web_searches: usage.webSearches,
    // Pictures read from a cache are in the same bucket as text read from it: comparable only when nothing was.
    // Gemini's documents are billed as text, and the expected counts take them for pictures.
    ...(usage.cacheReadTokens === 0 ? { input_video_tokens: usage.inputVideoTokens } : {}),
  }
  return Object.entries(entry.tokens).flatMap(([name, tokens]) => (ours[name] === undefined || ours[name] === tokens ? [] : [name]))
}

import { picoUsd, usd, zeroMoney, type Money } from '../quantities/index.js'
import type { PriceChange, PriceSheet, Rate } from './model.js'
import type { ConditionalPrices, DataModel, DataPrices, DataRate } from './price-data.js'

/** Dollars a million tokens to picodollars a token; a finer price is rounded up, since money is never guessed low. */
export function picoPerToken(dollarsPerMillion: number): Money {
  // Twelve digits: what comes after them is noise of a division somebody did in floating point.
  const pico = usd(Number(dollarsPerMillion.toPrecision(12)))
  return picoUsd((pico + 999_999n) / 1_000_000n)
}

/** The sheet that holds at a time (Unix seconds). */
export function sheetAt(sheet: PriceSheet, at: number): PriceSheet {
  const { changes } = sheet
  if (!changes) return sheet
  for (let index = changes.length - 1; index >= 0; index--) {
    const change = changes[index]
    if (change && applies(change.when, at)) return change.sheet
  }
  return sheet
}

const secondsOfDay = 86_400

function applies(when: PriceChange['when'], at: number): boolean {
  if ('from' in when) return at >= when.from
  const second = ((at % secondsOfDay) + secondsOfDay) % secondsOfDay
  const { start, end } = when.daily
  return end < start ? second >= start || second < end : second >= start && second < end
}

/** Rates as people write them: dollars a million tokens. */
export interface PerMillionRates {
  readonly input?: number | undefined
  readonly output?: number | undefined
  readonly cache_read?: number | undefined
  readonly cache_write_5m?: number | undefined
  readonly cache_write_1h?: number | undefined
  readonly reasoning?: number | undefined
  readonly input_audio?: number | undefined
  readonly cache_read_audio?: number | undefined
  readonly output_audio?: number | undefined
  readonly input_image?: number | undefined
  readonly output_image?: number | undefined
  readonly input_video?: number | undefined
}

/** Prices as people write them. `web_search` and `call` are dollars for one. */
export interface PerMillion extends PerMillionRates {
  readonly web_search?: number | undefined
  readonly call?: number | undefined
  /** Rates for calls with more input tokens than `above_input_tokens`. */
  readonly tiers?: readonly ({ readonly above_input_tokens: number } & PerMillionRates)[] | undefined
  readonly service_tiers?: Readonly<Record<string, number>> | undefined
}

const rateNames = {
  input: 'input',
  output: 'output',
  cache_read: 'cacheRead',
  cache_write_5m: 'cacheWrite5m',
  cache_write_1h: 'cacheWrite1h',
  reasoning: 'reasoning',
  input_audio: 'inputAudio',
  cache_read_audio: 'cacheReadAudio',
  output_audio: 'outputAudio',
  input_image: 'inputImage',
  output_image: 'outputImage',
  input_video: 'inputVideo',
} as const satisfies Record<keyof PerMillionRates, keyof PriceSheet>

type RateName = (typeof rateNames)[keyof typeof rateNames]

/**
 * A sheet from prices in dollars a million tokens, such as `{ input: 0.15, output: 0.6 }`. Throws `RangeError` for an amount
 * that is negative or not finite, and for a rate that only a tier has (what would small calls cost?).
 */
export function priceSheetFromConfig(perMillion: PerMillion, source = 'configuration'): PriceSheet {
  const tiers = [...(perMillion.tiers ?? [])].sort((a, b) => a.above_input_tokens - b.above_input_tokens)
  const rates: Partial<Record<RateName, Rate>> = {}
  for (const [name, field] of Object.entries(rateNames) as [keyof PerMillionRates, RateName][]) {
    const base = perMillion[name]
    const higher = tiers.flatMap((tier) => {
      const dollars = tier[name]
      return dollars === undefined ? [] : [{ aboveInputTokens: tier.above_input_tokens, rate: checked(dollars, name) }]
    })
    if (base !== undefined) rates[field] = { base: checked(base, name), tiers: higher }
    else if (higher.length > 0) throw new RangeError(`the price "${name}" is given for a tier only; give it for all calls too`)
  }
  for (const [tier, multiplier] of Object.entries(perMillion.service_tiers ?? {}))
    if (!(multiplier >= 0) || !Number.isFinite(multiplier))
      throw new RangeError(`not a multiplier for the service tier "${tier}": ${multiplier}`)
  return {
    ...rates,
    webSearch: perMillion.web_search === undefined ? undefined : usd(perMillion.web_search),
    call: perMillion.call === undefined ? undefined : usd(perMillion.call),
    serviceTiers: perMillion.service_tiers,
    source,
  }
}

function checked(dollarsPerMillion: number, name: string): Money {
  if (!(dollarsPerMillion >= 0) || !Number.isFinite(dollarsPerMillion))
    throw new RangeError(`not a price for "${name}": ${dollarsPerMillion}`)
  return picoPerToken(dollarsPerMillion)
}

/** Sheet of a model of the price data; `undefined` when it holds no price that a usage could be multiplied with. */
export function priceSheetFromData(model: DataModel, serviceTiers: PriceSheet['serviceTiers'], source: string): PriceSheet | undefined {
  if (!isConditional(model.prices)) return sheetOf(model, model.prices, serviceTiers, source)
  // An entry without a condition hides those before it; when none applies the first one does.
  const all = model.prices
  const base = Math.max(
    0,
    all.findLastIndex((entry) => entry.constraint === undefined),
  )
  const sheets = all
    .slice(base)
    .map((entry) => ({ constraint: entry.constraint, sheet: sheetOf(model, entry.prices, serviceTiers, source) }))
  const [first, ...later] = sheets
  if (!first) return undefined
  const changes = later.map(({ constraint, sheet }) => ({ when: timeOf(constraint), sheet: sheet ?? { source } }))
  return { ...(first.sheet ?? { source }), ...(changes.length > 0 ? { changes } : {}) }
}

/** Models that take or make sound, whose data may hold the price of text only. */
const soundModels = /audio|realtime|voxtral|voice|transcri|live|omni/
/** Models that write text and draw at different prices, whose data may hold the price of text only. */
const drawingModels = /gpt-\d[\d.]*-image|realtime/

function sheetOf(model: DataModel, prices: DataPrices, serviceTiers: PriceSheet['serviceTiers'], source: string): PriceSheet | undefined {
  const id = model.id.toLowerCase()
  const keys = Object.keys(prices).filter((key) => prices[key] !== undefined)
  if (keys.length === 0) return isFree(id, model) ? freeSheet(source) : undefined
  const input = rate(prices['input_mtok'])
  const output = rate(prices['output_mtok'])
  if (!input && !output) return undefined
  const cacheRead = rate(prices['cache_read_mtok'])
  const ownAudio = rate(prices['input_audio_mtok'])
  // The data's rule: what has no rate of its own costs as much as what it is a kind of. That holds for sound and pictures
  // only where the data doesn't merely lack a rate that the provider does charge.
  const inputAudio = ownAudio ?? (soundModels.test(id) ? undefined : input)
  return {
    input,
    inputAudio,
    inputImage: rate(prices['input_image_mtok']),
    inputVideo: rate(prices['input_video_mtok']),
    cacheRead,
    cacheReadAudio: rate(prices['cache_audio_read_mtok']) ?? (ownAudio ? undefined : inputAudio && cacheRead),
    cacheWrite5m: rate(prices['cache_write_5m_mtok'] ?? prices['cache_write_mtok']),
    cacheWrite1h: rate(prices['cache_write_1h_mtok']),
    output,
    reasoning: rate(prices['output_reasoning_mtok']),
    outputAudio: rate(prices['output_audio_mtok']) ?? (soundModels.test(id) ? undefined : output),
    outputImage: rate(prices['output_image_mtok']) ?? (drawingModels.test(id) ? undefined : output),
    webSearch: eachOfThousand(prices['web_searches_kcount']),
    call: eachOfThousand(prices['requests_kcount']),
    serviceTiers,
    source,
  }
}

/** No prices at all mean free in the data only where the model says so; elsewhere they mean that nobody knows. */
function isFree(id: string, model: DataModel): boolean {
  return id.endsWith(':free') || /\bfree of charge\b/i.test(model.price_comments ?? '')
}

function freeSheet(source: string): PriceSheet {
  const nothing: Rate = { base: zeroMoney, tiers: [] }
  return {
    input: nothing,
    inputAudio: nothing,
    cacheRead: nothing,
    cacheReadAudio: nothing,
    cacheWrite5m: nothing,
    cacheWrite1h: nothing,
    output: nothing,
    outputAudio: nothing,
    outputImage: nothing,
    source,
  }
}

function rate(dollars: DataRate | undefined): Rate | undefined {
  if (dollars === undefined) return undefined
  if (typeof dollars === 'number') return { base: picoPerToken(dollars), tiers: [] }
  return {
    base: picoPerToken(dollars.base),
    tiers: dollars.tiers
      .map((tier) => ({ aboveInputTokens: tier.start, rate: picoPerToken(tier.price) }))
      .sort((a, b) => a.aboveInputTokens - b.aboveInputTokens),
  }
}

function eachOfThousand(dollars: DataRate | undefined): Money | undefined {
  return typeof dollars === 'number' ? picoUsd((usd(dollars) + 999n) / 1000n) : undefined
}

function timeOf(constraint: ConditionalPrices['constraint']): PriceChange['when'] {
  if (!constraint) return { from: -Infinity }
  if ('start_date' in constraint) return { from: Date.parse(`${constraint.start_date}T00:00:00Z`) / 1000 }
  return { daily: { start: secondOf(constraint.start_time), end: secondOf(constraint.end_time) } }
}

/** Second of the UTC day of `16:30:00Z` or `18:30:00+02:00`. */
function secondOf(time: string): number {
  const seconds = Date.parse(`1970-01-02T${time}`) / 1000
  if (Number.isNaN(seconds)) throw new RangeError(`not a time of day: ${time}`)
  return seconds % secondsOfDay
}

function isConditional(prices: DataModel['prices']): prices is readonly ConditionalPrices[] {
  return Array.isArray(prices)
}

import { z } from 'zod'
import type { PriceSheet, Rate } from '../../catalog/index.js'
import { usd, picoUsd, type Money } from '../../quantities/index.js'

const perMillion = (what: string) => z.number().nonnegative().max(1e6).optional().describe(`${what}; dollars a million tokens.`)

const rateFields = {
  input: perMillion('Fresh input'),
  output: perMillion('Output'),
  cache_read: perMillion("Input read from the provider's prompt cache"),
  cache_write_5m: perMillion("Input written to the provider's prompt cache for five minutes (or an unstated time)"),
  cache_write_1h: perMillion("Input written to the provider's prompt cache for an hour"),
  reasoning: perMillion('Reasoning, where it costs other than `output`'),
  input_audio: perMillion('Sound in'),
  cache_read_audio: perMillion('Sound read from the prompt cache'),
  output_audio: perMillion('Sound out'),
  input_image: perMillion('Images in, where they cost other than `input`'),
  output_image: perMillion('Images out'),
  input_video: perMillion('Video in, where it costs other than `input`'),
}

/** Prices of one model. A rate that is not given is unknown, never zero. */
export const pricesSchema = z
  .strictObject({
    ...rateFields,
    web_search: z.number().nonnegative().max(1e6).optional().describe('One search on the web by the provider; dollars.'),
    call: z.number().nonnegative().max(1e6).optional().describe('One call, whatever its size; dollars.'),
    tiers: z
      .array(
        z.strictObject({
          above_input_tokens: z
            .int()
            .positive()
            .describe('The tier holds for calls with more input tokens than this, for all their tokens; tokens.'),
          ...rateFields,
        }),
      )
      .optional()
      .describe('Other rates for calls with a long input.'),
    service_tiers: z
      .record(z.string().min(1), z.number().nonnegative())
      .optional()
      .describe(
        'What all rates are multiplied by at a service tier, such as `{ flex: 0.5, priority: 2 }`. A tier that is not named has no known price.',
      ),
  })
  .meta({ title: 'Prices' })

export type Prices = z.output<typeof pricesSchema>

type RateField = keyof typeof rateFields
const sheetFields = {
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
} as const satisfies Record<RateField, keyof PriceSheet>

const rateNames = Object.keys(rateFields) as RateField[]

/** Dollars a million tokens to picodollars a token, rounded up: money is never guessed low. */
function perToken(dollarsPerMillion: number): Money {
  const pico = usd(dollarsPerMillion)
  return picoUsd((pico + 999_999n) / 1_000_000n)
}

/** The catalog's form of prices that the configuration gives. Its source is `configuration`. */
export function priceSheetOf(prices: Prices): PriceSheet {
  const tiers = [...(prices.tiers ?? [])].sort((a, b) => a.above_input_tokens - b.above_input_tokens)
  const rates: Partial<Record<(typeof sheetFields)[RateField], Rate>> = {}
  for (const name of rateNames) {
    const base = prices[name]
    if (base === undefined) continue
    rates[sheetFields[name]] = {
      base: perToken(base),
      tiers: tiers.flatMap((tier) => {
        const rate = tier[name]
        return rate === undefined ? [] : [{ aboveInputTokens: tier.above_input_tokens, rate: perToken(rate) }]
      }),
    }
  }
  return {
    ...rates,
    ...(prices.web_search === undefined ? {} : { webSearch: usd(prices.web_search) }),
    ...(prices.call === undefined ? {} : { call: usd(prices.call) }),
    ...(prices.service_tiers === undefined ? {} : { serviceTiers: prices.service_tiers }),
    source: 'configuration',
  }
}

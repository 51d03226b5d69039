import { pricesSchema, type Prices } from './prices.js'

/** LiteLLM's price fields (dollars a token), and ours (dollars a million tokens). */
const fields: readonly (readonly [string, string])[] = [
  ['input_cost_per_token', 'input'],
  ['output_cost_per_token', 'output'],
  ['cache_read_input_token_cost', 'cache_read'],
  ['cache_creation_input_token_cost', 'cache_write_5m'],
  ['cache_creation_input_token_cost_above_1hr', 'cache_write_1h'],
  ['output_cost_per_reasoning_token', 'reasoning'],
  ['input_cost_per_audio_token', 'input_audio'],
  ['output_cost_per_audio_token', 'output_audio'],
]

/** Prices out of the fields of a LiteLLM model; `undefined` when there is none. */
export function importedPrices(from: Readonly<Record<string, unknown>>): Prices | undefined {
  const prices: Record<string, unknown> = {}
  for (const [theirs, ours] of fields) {
    const rate = perMillion(from[theirs])
    if (rate !== undefined) prices[ours] = rate
  }
  const tiers = new Map<number, Record<string, number>>()
  for (const name of Object.keys(from)) {
    const match = /^(.+)_above_(\d+)k_tokens$/.exec(name)
    const ours = fields.find(([theirs]) => theirs === match?.[1])?.[1]
    const rate = perMillion(from[name])
    if (match === null || ours === undefined || rate === undefined) continue
    const above = Number(match[2]) * 1000
    tiers.set(above, { ...tiers.get(above), [ours]: rate })
  }
  if (tiers.size > 0) prices.tiers = [...tiers].sort(([a], [b]) => a - b).map(([above, rates]) => ({ above_input_tokens: above, ...rates }))
  const checked = pricesSchema.safeParse(prices)
  return checked.success && Object.keys(prices).length > 0 ? checked.data : undefined
}

/** Dollars a token to dollars a million tokens, without the dust of binary fractions. YAML 1.2 reads `1e-6` as a number, 1.1 as text. */
function perMillion(value: unknown): number | undefined {
  const dollars = typeof value === 'string' && /^\d*\.?\d+(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value
  return typeof dollars === 'number' && Number.isFinite(dollars) && dollars >= 0 ? Number((dollars * 1e6).toPrecision(12)) : undefined
}

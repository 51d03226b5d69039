import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type * as GenaiPrices from '@pydantic/genai-prices'
import { dirname, join } from 'node:path'
import { z } from 'zod'

/** Which model names an entry of the price data is for. */
export type MatchLogic =
  | { readonly or: readonly MatchLogic[] }
  | { readonly and: readonly MatchLogic[] }
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }

/** Dollars a million tokens (or as the key says: a thousand requests or searches), maybe other above a count of input tokens. */
export type DataRate = number | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] }

export type DataPrices = Readonly<Record<string, DataRate | undefined>>

/** Prices that hold from a day on, or between two times of the day (`16:30:00Z`). */
export interface ConditionalPrices {
  readonly constraint?: { readonly start_date: string } | { readonly start_time: string; readonly end_time: string } | undefined
  readonly prices: DataPrices
}

export interface DataModel {
  readonly id: string
  readonly name?: string | undefined
  readonly match: MatchLogic
  readonly context_window?: number | undefined
  readonly deprecated?: boolean | undefined
  readonly price_comments?: string | undefined
  readonly prices: DataPrices | readonly ConditionalPrices[]
}

export interface DataProvider {
  readonly id: string
  readonly name?: string | undefined
  readonly provider_match?: MatchLogic | undefined
  /** Providers whose models this one serves too, at their prices. */
  readonly fallback_model_providers?: readonly string[] | undefined
  readonly models: readonly DataModel[]
}

/** Where a catalog gets its prices from. */
export interface PriceData {
  /** Names the data and its version; goes into every record that is priced with it. */
  readonly source: string
  provider(id: string): DataProvider | undefined
}

const require = createRequire(import.meta.url)

/** The data inside the installed @pydantic/genai-prices package: offline, and as old as the package. */
export function installedPriceData(): PriceData {
  // Loaded when a provider is first looked up: a gateway in front of own servers never needs the data in memory.
  let loaded: typeof GenaiPrices | undefined
  const data = () => (loaded ??= require('@pydantic/genai-prices') as typeof GenaiPrices)
  return { source: `genai-prices ${installedVersion()}`, provider: (id) => data().findProvider({ providerId: id }) }
}

const match: z.ZodType<MatchLogic> = z.lazy(() =>
  z.union([
    z.object({ or: z.array(match) }),
    z.object({ and: z.array(match) }),
    z.object({ equals: z.string() }),
    z.object({ starts_with: z.string() }),
    z.object({ ends_with: z.string() }),
    z.object({ contains: z.string() }),
    z.object({ regex: z.string() }),
  ]),
)

const amount = z.number().nonnegative()
const prices = z.record(
  z.string(),
  z.union([amount, z.object({ base: amount, tiers: z.array(z.object({ start: z.int().nonnegative(), price: amount })) })]),
)
const constraint = z.union([z.object({ start_date: z.iso.date() }), z.object({ start_time: z.string(), end_time: z.string() })])

const providers = z.array(
  z.object({
    id: z.string(),
    name: z.string().optional(),
    provider_match: match.optional(),
    fallback_model_providers: z.array(z.string()).optional(),
    models: z.array(
      z.object({
        id: z.string(),
        name: z.string().optional(),
        match,
        context_window: z.number().optional(),
        deprecated: z.boolean().optional(),
        price_comments: z.string().optional(),
        prices: z.union([z.array(z.object({ constraint: constraint.optional(), prices })), prices]),
      }),
    ),
  }),
)

/**
 * Price data from a file in the format of genai-prices (`prices/data.json` or `data_slim.json`). Throws a `ZodError` that says where it
 * isn't.
 */
export function readPriceData(json: unknown, source: string): PriceData {
  const byId = new Map(providers.parse(json).map((provider) => [provider.id, provider]))
  return { source, provider: (id) => byId.get(id) }
}

function installedVersion(): string {
  try {
    const entry = require.resolve('@pydantic/genai-prices')
    const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'))
    return z.object({ version: z.string() }).parse(manifest).version
  } catch {
    // A bundler may have moved the package; its prices are still there.
    return 'of an unknown version'
  }
}

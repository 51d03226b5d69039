import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { PriceSheet, Rate } from '../../../catalog/index.js'
import { BursarError } from '../../../errors/index.js'
import { usd } from '../../../quantities/index.js'

const dollars = z.union([z.number().nonnegative(), z.string().regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected dollars with at most six decimals')])
const pricesSchema = z.record(
  z.string().min(1),
  z.strictObject({
    input: dollars,
    output: dollars,
    cacheRead: dollars.optional(),
  }),
)

/** Where the prices of a table's arms stand: beside it, `answers.jsonl.gz` having `answers.prices.json`. */
export function pricesFileOf(table: string): string {
  return `${table.replace(/\.gz$/, '').replace(/\.jsonl?$/, '')}.prices.json`
}

/**
 * Reads prices of arms, in dollars per million tokens: `{"some-model": {"input": 0.5, "output": 1.5}}`. Empty when the file doesn't
 * exist; throws `BursarError` when it can't be understood.
 */
export async function readArmPrices(file: string): Promise<ReadonlyMap<string, PriceSheet>> {
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return new Map()
    throw wrong(file, thrown instanceof Error ? thrown.message : 'unreadable')
  }
  let json: unknown
  try {
    json = JSON.parse(content)
  } catch (thrown) {
    throw wrong(file, thrown instanceof Error ? thrown.message : 'no JSON')
  }
  const read = pricesSchema.safeParse(json)
  if (!read.success) {
    const issue = read.error.issues[0]
    throw wrong(file, `${issue?.path.join('.')}: ${issue?.message}`)
  }
  return new Map(Object.entries(read.data).map(([arm, prices]) => [arm, sheet(prices, file)]))
}

function sheet(prices: z.output<typeof pricesSchema>[string], source: string): PriceSheet {
  return {
    input: rate(prices.input),
    output: rate(prices.output),
    reasoning: rate(prices.output),
    ...(prices.cacheRead === undefined ? {} : { cacheRead: rate(prices.cacheRead) }),
    source,
  }
}

/** A millionth of a price with at most six decimals is a whole number of picodollars. */
function rate(perMillion: number | string): Rate {
  const exact = usd(perMillion)
  return { base: ((exact + 999_999n) / 1_000_000n) as Rate['base'], tiers: [] }
}

function wrong(file: string, what: string): BursarError {
  return new BursarError(
    `Prices ${file}: ${what}. Expected dollars per million tokens, such as {"some-model": {"input": 0.5, "output": 1.5}}.`,
    {
      code: 'invalid_configuration',
      status: 500,
    },
  )
}

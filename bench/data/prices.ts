import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'

/**
 * One reading of a case's usage, as the providers in `extractors` are said to bill it. Prices are decimal dollars; absent where none is
 * known.
 */
const reading = z.object({
  usage: z.record(z.string(), z.number()),
  extractors: z.array(
    z.object({
      provider_id: z.string(),
      api_flavor: z.string(),
      input_price: z.string().optional(),
      output_price: z.string().optional(),
      total_price: z.string().optional(),
    }),
  ),
})

const priceCase = z.object({
  id: z.number(),
  model: z.string().optional(),
  body: z.looseObject({}),
  extracted: z.array(reading),
})

/** A real response's usage with the price that each provider would have billed. */
export type PriceCase = z.infer<typeof priceCase>

export interface PriceCases {
  readonly file: string
  readonly rows: readonly PriceCase[]
}

/** Where the shared data lies: `$BURSAR_DATA`, or the folder beside the checkout. */
export function dataRoot(): string {
  return process.env['BURSAR_DATA'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
}

/**
 * Reads every `prices/usage_to_price_cases*.jsonl(.gz)` under a dataset root. Throws with the file, row number and field when a row has
 * another shape.
 */
export function loadPriceCases(root: string): readonly PriceCases[] {
  const files = find(root, /^usage_to_price_cases.*\.jsonl(\.gz)?$/)
  if (files.length === 0)
    throw new Error(`no usage_to_price_cases*.jsonl.gz in ${join(resolve(root), 'prices')}; set BURSAR_DATA or give --test DIR`)
  return files.map((file) => ({
    file,
    rows: readText(file)
      .split('\n')
      .flatMap((line, index) => (line.trim() === '' ? [] : [parseRow(line, `${file}, row ${index + 1}`)])),
  }))
}

/** The newest price table of genai-prices under a dataset root, if there is one. */
export function findPriceData(root: string): string | undefined {
  return find(root, /^genai_prices_data.*\.json(\.gz)?$/).at(-1)
}

/** A text file, unpacked when its name ends in `.gz`. */
export function readText(file: string): string {
  const bytes = readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}

function find(root: string, pattern: RegExp): string[] {
  const folder = join(root, 'prices')
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => pattern.test(name))
        .sort()
        .map((name) => join(folder, name))
    : []
}

function parseRow(line: string, where: string): PriceCase {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (error) {
    throw new Error(`${where}: not JSON`, { cause: error })
  }
  const row = priceCase.safeParse(json)
  if (row.success) return row.data
  const issue = row.error.issues[0]
  throw new Error(`${where}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'has another shape'}`)
}

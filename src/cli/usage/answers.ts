import { z } from 'zod'
import { BursarError } from '../../errors/index.js'

/** What the usage endpoints answer, as far as the commands print it. Checked: the gateway may be of another version. */
const money = z.string().regex(/^-?\d+(\.\d+)?$/)
const group = z.record(z.string(), z.string())
const period = { from: z.string(), to: z.string() }

const totals = z.object({
  usd: money,
  calls: z.number(),
  errors: z.number(),
  lost: z.number(),
  unpriced: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  tokens: z.object({ cache_read: z.number() }),
  cache_savings_usd: money,
  latency_seconds: z.object({ p50: z.number().nullable(), p95: z.number().nullable() }),
})
export type Totals = z.output<typeof totals>

export const usageAnswer = z.object({
  ...period,
  data: z.array(z.object({ group, ...totals.shape })),
  others: z.object({ groups: z.number(), ...totals.shape }),
  total: totals,
  notes: z.array(z.string()),
})
export type UsageAnswer = z.output<typeof usageAnswer>

export const forecastAnswer = z.object({
  ...period,
  data: z.array(
    z.object({
      group,
      spent_usd: money,
      total_usd: z.object({ value: money, low: money, high: money, level: z.number() }).nullable(),
      history_days: z.number(),
      weekdays: z.boolean(),
      notes: z.array(z.string()),
    }),
  ),
})
export type ForecastAnswer = z.output<typeof forecastAnswer>

export const anomaliesAnswer = z.object({
  ...period,
  data: z.array(z.object({ group, day: z.string(), usd: money, words: z.string() })),
  judged: z.object({ groups: z.number(), days: z.number(), too_young: z.number() }),
})
export type AnomaliesAnswer = z.output<typeof anomaliesAnswer>

const spread = z.object({ least: z.number(), p50: z.number(), p95: z.number(), most: z.number(), ratio: z.number().nullable() }).nullable()
export type SpreadAnswer = z.output<typeof spread>

const run = z.object({
  key: z.string(),
  run: z.string(),
  ...period,
  calls: z.number(),
  failed: z.number(),
  usd: money,
  unpriced: z.number(),
  models: z.array(z.string()),
  input_tokens: z.number(),
  output_tokens: z.number(),
  input_per_output: z.number().nullable(),
  steps: z.array(z.number()),
  growth_per_step: z.number().nullable(),
  input_from: z.record(z.string(), z.number()).nullable(),
  repeated_share: z.number().nullable(),
  multiplicity: z.number().nullable(),
  cache: z
    .object({ cacheable_share: z.number(), read_share: z.number(), missed_tokens: z.number(), missed_usd_at_most: money.nullable() })
    .nullable(),
  model_seconds: z.number(),
  other_seconds: z.number(),
  runaway: z.string().nullable(),
})
export type RunAnswer = z.output<typeof run>

export const runsAnswer = z.object({
  ...period,
  runs: z.number(),
  spread: z.object({ usd: spread, tokens: spread, calls: spread }),
  data: z.array(run),
})
export type RunsAnswer = z.output<typeof runsAnswer>

export const runAnswer = z.object({
  ...run.shape,
  outcomes: z.array(z.object({ at: z.string(), source: z.string(), score: z.number() })),
  complete: z.boolean(),
})

export const costOfPassAnswer = z.object({
  ...period,
  by: z.array(z.string()),
  data: z.array(
    z.object({
      group,
      attempts: z.number(),
      passed: z.number(),
      usd: money,
      unpriced: z.number(),
      usd_per_success: z.object({
        value: money.nullable(),
        low: money.nullable(),
        high: money.nullable(),
        n: z.number(),
        method: z.string(),
      }),
    }),
  ),
  forgotten: z.number(),
  notes: z.array(z.string()),
})
export type CostOfPassAnswer = z.output<typeof costOfPassAnswer>

/** Reads an answer. Throws `BursarError` when it isn't what this version understands. */
export async function readAnswer<Answer>(
  response: Response,
  schema: z.ZodType<Answer>,
): Promise<{ readonly answer: Answer; readonly json: unknown }> {
  let json: unknown
  try {
    json = await response.json()
  } catch (cause) {
    throw misread('is no JSON', cause)
  }
  const read = schema.safeParse(json)
  if (read.success) return { answer: read.data, json }
  const [issue] = read.error.issues
  throw misread(issue === undefined ? 'has another shape' : `${issue.path.join('.')}: ${issue.message}`, read.error)
}

function misread(what: string, cause: unknown): BursarError {
  return new BursarError(`The gateway's answer isn't one that this version of bursar understands (${what}). Is it of the same version?`, {
    code: 'upstream_malformed',
    status: 502,
    cause,
  })
}

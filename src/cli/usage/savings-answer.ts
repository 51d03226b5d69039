import { z } from 'zod'

/** What `GET /v1/usage/savings` answers. A bound that there is none of is `null`. */
const band = z.object({ value: z.number().nullable(), low: z.number().nullable(), high: z.number().nullable() })
export type BandAnswer = z.output<typeof band>

const saving = z.union([
  z.object({ saved: band, per_request: band, spent: z.number(), share: band.nullable(), not_saved_held_out: band }),
  z.object({ unknown_requests: z.number(), arms: z.array(z.string()) }),
])
export type SavingAnswer = z.output<typeof saving>

const kind = z.enum(['judge', 'pair', 'check', 'feedback'])
export type KindAnswer = z.output<typeof kind>

const quality = z.object({
  kind,
  difference: band,
  words: z.object({ held_out: z.number(), policy: z.number() }),
  labels: z.number(),
  p_inferior: z.number(),
  p_not_worse: z.number(),
  more: z.number().nullable(),
  method: z.string(),
})

const scope = {
  requests: z.number(),
  held_out: z.number(),
  units: z.number(),
  spent_usd: z.string(),
  usd: saving,
  seconds: saving,
  joules: saving,
  quality: z.array(quality),
  verdict: z.enum(['proven', 'not yet', 'worse', 'none']),
  evidence: kind.nullable(),
  more: z.number().nullable(),
}
const scopeShape = z.object(scope)
export type ScopeAnswer = z.output<typeof scopeShape>

export const savingsAnswer = z.object({
  from: z.string(),
  to: z.string(),
  key: z.string().nullable(),
  margin: z.number(),
  level: z.number(),
  all: scopeShape,
  learning: z
    .object({ usd: z.string(), judge_usd: z.string(), shadow_usd: z.string(), other_usd: z.string(), unpriced: z.number() })
    .nullable(),
  saved_in_the_end_usd: band.nullable(),
  scopes: z.array(
    z.object({
      dimension: z.enum(['route', 'key', 'category']),
      data: z.array(z.object({ name: z.string(), ...scope })),
      left: z.number(),
    }),
  ),
  timeline: z.array(z.object({ at: z.string(), requests: z.number(), saved_usd: band.nullable(), quality: band.nullable() })),
  calibration: z.array(z.object({ expected: z.number(), observed: band, answers: z.number() })),
  arms: z.array(z.object({ arm: z.string(), requests: z.number(), held_out: z.number(), usd: z.string() })),
  first: z.string().nullable(),
  last: z.string().nullable(),
  unusable_judgements: z.number(),
})
export type SavingsAnswer = z.output<typeof savingsAnswer>

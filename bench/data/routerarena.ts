import { z } from 'zod'
import { oneFile, readRows } from './source.js'
import type { RoutingProblem } from './routing-problem.js'

// A few scores lie below 0 (a text metric with a penalty); they count as 0, the least quality there is.
const outcome = z.looseObject({
  score: z
    .number()
    .min(-1)
    .max(1)
    .transform((score) => Math.max(0, score)),
  inference_cost_usd: z.number().nonnegative(),
  output_tokens: z.number().nonnegative(),
})
const schema = z.object({
  global_index: z.union([z.string(), z.number()]),
  dataset: z.string().min(1),
  question: z.string(),
  models: z.record(z.string(), outcome),
})

/** RouterArena's questions with two models and measured dollars and tokens. */
export function loadRouterArena(folder: string): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^claude.*gemini.*\.jsonl(\.gz)?$/), schema)
  const arms = [...new Set(rows.flatMap(({ models }) => Object.keys(models)))].sort()
  return {
    name: 'routerarena',
    arms,
    rows: rows
      .filter(({ models }) => arms.every((arm) => models[arm]))
      .map(({ global_index: id, question: text, dataset: category, models }) => ({
        id: String(id),
        text,
        category: category.split('_')[0] ?? category,
        outcomes: Object.fromEntries(
          Object.entries(models).map(([arm, { score, inference_cost_usd: usd, output_tokens: outputTokens }]) => [
            arm,
            { quality: score, usd, outputTokens },
          ]),
        ),
      })),
    sources: [source],
    notes: [],
  }
}

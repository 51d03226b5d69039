import { z } from 'zod'
import { oneFile, readRows } from './source.js'
import type { RoutingProblem } from './routing-problem.js'

const numbers = z.record(z.string(), z.number().nullable())
const schema = z.object({
  sample_id: z.string().min(1),
  eval_name: z.string().min(1),
  question: z.string(),
  score: numbers,
  total_cost_usd: numbers,
})

/** RouterBench's 0-shot rows of three tasks with eleven models and measured dollars. Rows without a model's score lack its outcome. */
export function loadRouterBench(folder: string): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^routerbench.*\.jsonl(\.gz)?$/), schema)
  const arms = [...new Set(rows.flatMap(({ score }) => Object.keys(score)))].sort()
  const kept = rows.map(({ sample_id: id, question: text, eval_name: category, score, total_cost_usd: cost }) => ({
    id,
    text,
    category,
    outcomes: Object.fromEntries(
      arms.flatMap((arm) => {
        const [quality, usd] = [score[arm], cost[arm]]
        return quality == null || usd == null || quality < 0 || quality > 1 ? [] : [[arm, { quality, usd }]]
      }),
    ),
  }))
  const whole = kept.filter(({ outcomes }) => Object.keys(outcomes).length === arms.length)
  return {
    name: 'routerbench',
    arms,
    rows: whole,
    sources: [source],
    notes: [`${kept.length - whole.length} rows left out that lack a model's score or cost`],
  }
}

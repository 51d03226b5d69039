import { z } from 'zod'
import { oneFile, readRows } from './source.js'
import type { RoutingProblem } from './routing-problem.js'

const linked = z.object({
  tables: z.array(z.object({ table: z.string(), columns: z.array(z.string()), primary_keys: z.array(z.string()).optional() })),
})
const schema = z.object({
  question_id: z.number(),
  db_id: z.string().min(1),
  question: z.string(),
  evidence: z.string().optional(),
  label: z.int().min(1).max(4),
  enhanced_linked_schema_wo_info: linked,
})

export const pipelines = ['basic', 'intermediate', 'advanced'] as const

/**
 * BIRD's questions with the cheapest of three text-to-SQL pipelines that solves each (4: none does). A pipeline is taken to solve what
 * a cheaper one solves. `costs` are the pipelines' tokens relative to the basic one. The text is the question, the evidence and the
 * linked schema, as a router sees them after schema linking.
 */
export function loadEllieSql(folder: string, costs: readonly [number, number, number]): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^bird_dev_pipeline_label.*\.jsonl(\.gz)?$/), schema)
  return {
    name: 'elliesql',
    arms: pipelines,
    rows: rows.map((row) => ({
      id: String(row.question_id),
      text: `${row.question}\n${row.evidence ?? ''}\n${row.enhanced_linked_schema_wo_info.tables.map(({ table, columns }) => `${table}(${columns.join(', ')})`).join('\n')}`,
      outcomes: Object.fromEntries(
        pipelines.map((arm, level) => [arm, { quality: row.label <= level + 1 ? 1 : 0, usd: costs[level] ?? 0 }]),
      ),
    })),
    sources: [source],
    notes: [
      `cost: tokens relative to the basic pipeline, ${costs.join(' : ')} (--pipeline-costs)`,
      'a pipeline is taken to solve what a cheaper one solves',
    ],
  }
}

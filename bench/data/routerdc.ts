import { z } from 'zod'
import { oneFile, readRows } from './source.js'
import { o200kTokens } from './tokens.js'
import type { RoutingProblem } from './routing-problem.js'

const schema = z.object({
  id: z.string().min(1),
  file: z.string().min(1),
  question: z.string(),
  scores: z.record(z.string(), z.number().min(0).max(1)),
})

/** Seven models of one size: there is no cheaper one, so quality alone is to be won. */
export function loadRouterDc(folder: string): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^seven_open_models_scores.*\.jsonl(\.gz)?$/), schema)
  return {
    name: 'routerdc',
    arms: [...new Set(rows.flatMap(({ scores }) => Object.keys(scores)))].sort(),
    rows: rows.map(({ id, question, file, scores }) => {
      const usd = (0.2 * o200kTokens(question)) / 1e6
      return {
        id,
        text: question,
        category: file.replace(/[-_](train|test)$/, ''),
        outcomes: Object.fromEntries(Object.entries(scores).map(([arm, quality]) => [arm, { quality, usd }])),
      }
    }),
    sources: [source],
    notes: ['every model at one price ($0.2 a million input tokens, declared)'],
  }
}

import { existsSync, readdirSync } from 'node:fs'
import { z } from 'zod'
import type { OutcomeRow } from '../../src/environment/index.js'
import { answerKey } from '../../src/strategies/index.js'
import type { DataSource } from '../report.js'
import { oneFile, readRows } from './source.js'

const result = z.union([z.string(), z.number(), z.boolean(), z.null()])
const schema = z.object({
  dataset: z.string(),
  index: z.union([z.number(), z.string()]),
  question: z.string(),
  answer: result,
  runs: z.record(z.string(), z.object({ results: z.array(result), generated_chars: z.array(z.number()).optional() })),
})

/** Rows of recorded answers, with where they came from. */
export interface LoadedRows {
  readonly name: string
  readonly rows: readonly OutcomeRow[]
  readonly source: DataSource
}

export const motNames = ['date', 'gsm', 'crepe', 'asdiv', 'tabmwp', 'navigate'] as const
export type MotName = (typeof motNames)[number]

/**
 * One task of the MoT-cascade outputs: an arm is `model/prompt` (such as `GPT3/pot1`), its samples are in the order drawn. An answer is
 * right where it normalises to the same key as the recorded solution. A sample whose program failed has an empty answer. Tokens: a
 * quarter of the recorded characters.
 */
export function loadMotCascade(folder: string, name: MotName): LoadedRows {
  const file = oneFile(folder, new RegExp(`^${name}\\b.*\\.jsonl(\\.gz)?$|^${name}_.*\\.jsonl(\\.gz)?$`))
  const { rows, source } = readRows(file, schema)
  return {
    name,
    source,
    rows: rows.map(({ index, question, answer, runs }) => {
      const solution = keyOf(answer)
      const outcomes = Object.entries(runs).flatMap(([arm, { results, generated_chars = [] }]) => {
        if (results.length === 0) return []
        const samples = results.map((one, at) => ({
          answer: one === null ? '' : String(one),
          quality: one !== null && keyOf(one) === solution ? 1 : 0,
          outputTokens: Math.ceil((generated_chars[at] ?? 0) / 4),
        }))
        return [[arm, { samples }] as const]
      })
      return {
        id: `${name}-${index}`,
        category: name,
        request: { messages: [{ role: 'user', content: question }] },
        outcomes: Object.fromEntries(outcomes),
      }
    }),
  }
}

/** Tasks that a folder has. */
export function motNamesIn(folder: string): readonly MotName[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder)
  return motNames.filter((name) => files.some((file) => file.startsWith(name)))
}

function keyOf(value: z.output<typeof result>): string {
  return answerKey(String(value)) ?? `raw:${String(value)}`
}

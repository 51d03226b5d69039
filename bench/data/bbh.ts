import { z } from 'zod'
import type { OutcomeRow } from '../../src/environment/index.js'
import type { LoadedTable } from './outcome-file.js'
import { oneFile, readRows } from './source.js'

const schema = z.object({
  task: z.string().min(1),
  item: z.int().nonnegative(),
  question: z.string().min(1),
  direct_answer: z.string(),
  direct_correct: z.boolean(),
  direct_output_chars: z.int().nonnegative(),
  direct_prompt_chars: z.int().nonnegative(),
  cot_correct: z.boolean(),
  cot_output: z.string(),
  cot_output_chars: z.int().nonnegative(),
  cot_prompt_chars: z.int().nonnegative(),
})

/** The two ways in which each question was answered. */
export const bbhArms = { instant: 'direct', reasoned: 'cot' } as const

/**
 * BIG-Bench-Hard with the direct and the chain-of-thought answers of code-davinci-002. `category` is the task. The data has no token
 * counts: a "token" here is a character, of prompts (their examples included) and of answers.
 */
export function loadBbh(folder: string): LoadedTable {
  const { rows: read, source } = readRows(oneFile(folder, /direct_vs_cot.*\.jsonl(\.gz)?$/), schema)
  return {
    name: 'bbh_direct_vs_cot',
    rows: read.map((row): OutcomeRow => ({
      id: `${row.task}-${row.item}`,
      request: { messages: [{ role: 'user', content: row.question }] },
      category: row.task,
      outcomes: {
        [bbhArms.instant]: {
          answer: row.direct_answer,
          quality: Number(row.direct_correct),
          inputTokens: row.direct_prompt_chars,
          outputTokens: row.direct_output_chars,
        },
        [bbhArms.reasoned]: {
          answer: row.cot_output,
          quality: Number(row.cot_correct),
          inputTokens: row.cot_prompt_chars,
          outputTokens: row.cot_output_chars,
        },
      },
    })),
    sources: [source],
    prices: {},
    notes: ['tokens are characters: the data has no token counts'],
  }
}

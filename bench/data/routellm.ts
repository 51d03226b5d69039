import { z } from 'zod'
import type { OutcomeRow } from '../../src/environment/index.js'
import type { LoadedTable } from './outcome-file.js'
import { oneFile, readRows } from './source.js'
import { o200kTokens } from './tokens.js'

const schema = z.object({
  id: z.string().min(1),
  prompt: z.string(),
  mixtral_8x7b_instruct_correct: z.boolean(),
  gpt4_1106_preview_correct: z.boolean(),
  mixtral_response: z.string(),
  gpt4_response: z.string(),
})

/**
 * RouteLLM's GSM8K outcomes as an outcome table: both models' recorded answers, quality 1 where the answer was right. Token counts are
 * those of o200k for both, since the data has none. Prices are near both models' list prices and declared for this benchmark.
 */
export function loadRouteLlmGsm8k(folder: string): LoadedTable {
  const { rows: read, source } = readRows(oneFile(folder, /^gsm8k_mixtral_vs_gpt4.*\.jsonl(\.gz)?$/), schema)

  function* rows(): Generator<OutcomeRow> {
    for (const row of read) {
      const inputTokens = o200kTokens(row.prompt)
      const outcome = (answer: string, right: boolean) => ({
        answer,
        inputTokens,
        outputTokens: o200kTokens(answer),
        quality: right ? 1 : 0,
      })
      yield {
        id: row.id,
        request: { messages: [{ role: 'user', content: row.prompt }] },
        category: 'gsm8k',
        outcomes: {
          'mixtral-8x7b-instruct': outcome(row.mixtral_response, row.mixtral_8x7b_instruct_correct),
          'gpt-4-1106-preview': outcome(row.gpt4_response, row.gpt4_1106_preview_correct),
        },
      }
    }
  }

  return {
    name: 'routellm_gsm8k',
    rows: rows(),
    sources: [source],
    prices: { 'mixtral-8x7b-instruct': { input: 0.24, output: 0.24 }, 'gpt-4-1106-preview': { input: 10, output: 30 } },
    notes: ['token counts: o200k (gpt-tokenizer), the data has none', 'prices: declared for this benchmark'],
  }
}

import { z } from 'zod'
import { oneFile, readRows } from './source.js'
import { o200kTokens } from './tokens.js'
import type { RoutingProblem } from './routing-problem.js'

const weak = 'mixtral-8x7b-instruct'
const strong = 'gpt-4-1106-preview'
const shared = {
  id: z.string().min(1),
  prompt: z.string(),
  mixtral_8x7b_instruct_correct: z.boolean(),
  gpt4_1106_preview_correct: z.boolean(),
  in_contaminated_list: z.boolean(),
}
const mmlu = z.object({ ...shared, subject: z.string().min(1) })
const gsm8k = z.object({ ...shared, mixtral_response: z.string(), gpt4_response: z.string() })

/** Dollars per million input tokens, declared: answers are a letter, so output isn't counted. */
const prices = { [weak]: 0.24, [strong]: 10 }

/** RouteLLM's MMLU outcomes of two models without the questions that its authors flagged as contaminated. The subject is the category. */
export function loadRouteLlmMmlu(folder: string): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^mmlu_mixtral_vs_gpt4.*\.jsonl(\.gz)?$/), mmlu)
  return {
    name: 'routellm-mmlu',
    arms: [weak, strong],
    pair: { weak, strong },
    rows: rows
      .filter((row) => !row.in_contaminated_list)
      .map((row) => {
        const millions = o200kTokens(row.prompt) / 1e6
        return {
          id: row.id,
          text: row.prompt,
          category: row.subject,
          outcomes: {
            [weak]: { quality: row.mixtral_8x7b_instruct_correct ? 1 : 0, usd: millions * prices[weak] },
            [strong]: { quality: row.gpt4_1106_preview_correct ? 1 : 0, usd: millions * prices[strong] },
          },
        }
      }),
    sources: [source],
    notes: ['without flagged rows', 'prices declared for the benchmark; measured by the share of strong calls'],
  }
}

/** The same of GSM8K, with the recorded answers' tokens. */
export function loadRouteLlmGsm8kRouting(folder: string): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^gsm8k_mixtral_vs_gpt4.*\.jsonl(\.gz)?$/), gsm8k)
  return {
    name: 'routellm-gsm8k',
    arms: [weak, strong],
    pair: { weak, strong },
    rows: rows
      .filter((row) => !row.in_contaminated_list)
      .map((row) => {
        const input = o200kTokens(row.prompt)
        const weakTokens = o200kTokens(row.mixtral_response)
        const strongTokens = o200kTokens(row.gpt4_response)
        return {
          id: row.id,
          text: row.prompt,
          outcomes: {
            [weak]: {
              quality: row.mixtral_8x7b_instruct_correct ? 1 : 0,
              usd: (0.24 * (input + weakTokens)) / 1e6,
              outputTokens: weakTokens,
            },
            [strong]: {
              quality: row.gpt4_1106_preview_correct ? 1 : 0,
              usd: (10 * input + 30 * strongTokens) / 1e6,
              outputTokens: strongTokens,
            },
          },
        }
      }),
    sources: [source],
    notes: ['without flagged rows', 'prices declared for the benchmark; measured by the share of strong calls'],
  }
}

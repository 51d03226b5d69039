import { z } from 'zod'
import type { LoadedRows } from './mot-cascade.js'
import { oneFile, readRows } from './source.js'

const schema = z.object({
  dataset: z.string(),
  question: z.string(),
  models: z.record(
    z.string(),
    z.object({ final_answer: z.union([z.string(), z.number(), z.null()]), correct: z.boolean().nullable(), response_chars: z.number() }),
  ),
})

/** One sample each of two models on four tasks, right as the source says, and of a third on three of them, whose answers nobody scored. */
export function loadModelSwitch(folder: string): LoadedRows {
  const { rows, source } = readRows(oneFile(folder, /^gpt4o_gemini15pro.*\.jsonl(\.gz)?$/), schema)
  return {
    name: 'modelswitch',
    source,
    rows: rows.map(({ dataset, question, models }, index) => ({
      id: `switch-${index}`,
      category: dataset,
      request: { messages: [{ role: 'user', content: question }] },
      outcomes: Object.fromEntries(
        Object.entries(models).map(([model, { final_answer, correct, response_chars }]) => [
          model,
          {
            answer:
              final_answer === null
                ? ''
                : String(final_answer).includes('\n')
                  ? String(final_answer)
                  : `The answer is \\boxed{${final_answer}}`,
            outputTokens: Math.ceil(response_chars / 4),
            ...(correct === null ? {} : { quality: correct ? 1 : 0 }),
          },
        ]),
      ),
    })),
  }
}

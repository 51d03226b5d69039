import { existsSync, readdirSync } from 'node:fs'
import { z } from 'zod'
import type { OutcomeRow } from '../../src/environment/index.js'
import type { DeclaredPrices, LoadedTable } from './outcome-file.js'
import { DataProblem, oneFile, readRows } from './source.js'
import { o200kTokens } from './tokens.js'

const instructionSchema = z.object({ instruction_id: z.int(), dataset: z.string(), instruction: z.string() })
const outputSchema = z.object({ instruction_id: z.int(), model: z.string().min(1), output: z.string() })
const scoreSchema = z.object({
  instruction_id: z.int(),
  model: z.string().min(1),
  preference_vs_gpt4_1106_preview: z.number().min(0).max(1),
})

/**
 * Dollars per million tokens, declared for this benchmark: the data has none. They are near list prices where a model was sold, and
 * otherwise made up by size, some with awkward decimals on purpose. What is measured is whether tokens × price comes out exactly.
 */
const DECLARED: DeclaredPrices = {
  gpt4_1106_preview: { input: 10, output: 30 },
  'claude-2.1': { input: 8, output: 24 },
  'claude-instant-1.2': { input: 0.8, output: 2.4 },
  'gpt-3.5-turbo-1106': { input: 1, output: 2 },
  'gpt-3.5-turbo-1106_concise': { input: 1, output: 2 },
  text_davinci_003: { input: 20, output: 20 },
  'Mixtral-8x7B-Instruct-v0.1_concise': { input: 0.6, output: 0.6 },
  'Qwen-14B-Chat': { input: 0.3, output: 0.3 },
  'gemma-2b-it': { input: 0.0375, output: 0.15 },
}
const OTHERS = { input: 0.071, output: 0.193 }

/**
 * AlpacaEval 2 as an outcome table: the recorded answers of every model in `outputs_*models*`, with the judge's preference as quality
 * where `scores_*` has it. Token counts are those of o200k, whatever tokenizer the model had, since the data has none.
 */
export function loadAlpacaEval(folder: string): LoadedTable {
  const instructions = readRows(oneFile(folder, /^instructions.*\.jsonl(\.gz)?$/), instructionSchema)
  const outputs = readRows(oneFile(folder, /^outputs_\d+_models.*\.jsonl(\.gz)?$/), outputSchema)
  const scored =
    existsSync(folder) && readdirSync(folder).some((name) => SCORES.test(name)) ? readRows(oneFile(folder, SCORES), scoreSchema) : undefined
  const quality = new Map(scored?.rows.map((row) => [`${row.instruction_id}\0${row.model}`, row.preference_vs_gpt4_1106_preview]))

  const answers = new Map<number, Map<string, string>>()
  outputs.rows.forEach(({ instruction_id: id, model, output }, index) => {
    let byModel = answers.get(id)
    if (!byModel) answers.set(id, (byModel = new Map()))
    if (byModel.has(model))
      throw new DataProblem(`${outputs.source.name}, row ${index + 1}, field model: "${model}" answers instruction ${id} twice.`)
    byModel.set(model, output)
  })
  const models = [...new Set(outputs.rows.map(({ model }) => model))]

  function* rows(): Generator<OutcomeRow> {
    for (const { instruction_id: id, dataset, instruction } of instructions.rows) {
      const inputTokens = o200kTokens(instruction)
      const outcomes: OutcomeRow['outcomes'] = {}
      for (const [model, answer] of answers.get(id) ?? []) {
        const preference = quality.get(`${id}\0${model}`)
        outcomes[model] = {
          answer,
          inputTokens,
          outputTokens: o200kTokens(answer),
          ...(preference === undefined ? {} : { quality: preference }),
        }
      }
      if (Object.keys(outcomes).length > 0)
        yield { id: `alpaca-${id}`, request: { messages: [{ role: 'user', content: instruction }] }, category: dataset, outcomes }
    }
  }

  return {
    name: 'alpaca_eval',
    rows: rows(),
    sources: [instructions.source, outputs.source, ...(scored ? [scored.source] : [])],
    prices: Object.fromEntries(models.map((model) => [model, DECLARED[model] ?? OTHERS])),
    notes: ['token counts: o200k (gpt-tokenizer), the data has none', 'prices: declared for this benchmark'],
  }
}

const SCORES = /^scores_\d+_models.*\.jsonl(\.gz)?$/

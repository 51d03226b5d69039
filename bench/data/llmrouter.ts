import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { DataProblem, oneFile, readRows } from './source.js'
import { o200kTokens } from './tokens.js'
import type { RoutingProblem } from './routing-problem.js'

const schema = z.object({
  id: z.string().min(1),
  task_name: z.string().min(1),
  question: z.string(),
  scores: z.record(z.string(), z.number().min(0).max(1)),
})
const priceSchema = z.record(z.string(), z.looseObject({ input_price: z.number().nonnegative(), output_price: z.number().nonnegative() }))

/** The data has no answers: every model is billed for as many output tokens. */
const assumedOutputTokens = 200

const priceName = /^model_descriptions_and_prices.*\.json$/

/** Nine models on fourteen tasks, prices from the file beside, else from the one in `otherPrices`. The task is the category. */
export function loadLlmRouter(folder: string, otherPrices = folder): RoutingProblem {
  const { rows, source } = readRows(oneFile(folder, /^nine_models_scores.*\.jsonl(\.gz)?$/), schema)
  const own = existsSync(folder) && readdirSync(folder).some((name) => priceName.test(name))
  const priceFile = oneFile(own ? folder : otherPrices, priceName)
  const prices = priceSchema.safeParse(JSON.parse(readFileSync(priceFile, 'utf8')))
  if (!prices.success) throw new DataProblem(`${priceFile}: ${prices.error.issues[0]?.path.join('.')}: ${prices.error.issues[0]?.message}.`)
  const arms = [...new Set(rows.flatMap(({ scores }) => Object.keys(scores)))].sort()
  for (const arm of arms) if (!prices.data[arm]) throw new DataProblem(`${priceFile}: has no price of ${arm}.`)
  return {
    name: 'llmrouter',
    arms,
    rows: rows.map(({ id, question, task_name, scores }) => {
      const input = o200kTokens(question)
      const usdOf = (arm: string) =>
        (input * (prices.data[arm]?.input_price ?? 0) + assumedOutputTokens * (prices.data[arm]?.output_price ?? 0)) / 1e6
      return {
        id,
        text: question,
        category: task_name,
        outcomes: Object.fromEntries(Object.entries(scores).map(([arm, quality]) => [arm, { quality, usd: usdOf(arm) }])),
      }
    }),
    sources: [source],
    notes: [
      `prices from ${priceFile.split('/').at(-1)}; ${assumedOutputTokens} output tokens assumed for every model, the data has no answers`,
    ],
  }
}

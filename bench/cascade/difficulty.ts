import type { OutcomeRow } from '../../src/environment/index.js'
import { byDifficulty, learnLoopTable, selfConsistency, type LoopOutcome, type Strategy } from '../../src/strategies/index.js'
import { createUnderstanding } from '../../src/understanding/index.js'
import { callsOf, folds, line, play, qualities, requestOf, type Line, type Played, type Section } from './world.js'

const MEASURED_ORDERS = 4
const FITTED_ORDERS = 2
/** Mean samples a question that may be spent. */
const BUDGETS = [1, 6, 10] as const
const LEAST_SAMPLES = 15

/** Compute-optimal choice (097) on a weak model's samples: how many by the question's lexical difficulty, against the same number for all. */
export async function difficultySection(
  label: string,
  train: readonly OutcomeRow[],
  test: readonly OutcomeRow[] | undefined,
  arm: string,
  seed: number,
): Promise<Section | null> {
  const usable = (rows: readonly OutcomeRow[]) => rows.filter(({ outcomes }) => (outcomes[arm]?.samples?.length ?? 0) >= LEAST_SAMPLES)
  const parts = folds(usable(train), test === undefined ? undefined : usable(test), seed)
  const all = parts.flatMap(({ measure }) => measure)
  if (all.length < 20) return null
  const understanding = createUnderstanding()
  const levels = new Map<string, LoopOutcome['level']>()
  for (const row of [...train, ...(test ?? [])]) levels.set(textOf(row), understanding.ofText(textOf(row)).difficulty.level)
  const loops: Readonly<Record<string, Strategy>> = {
    single: selfConsistency({ model: arm, most: 1 }),
    'beta 0.8 × 6': selfConsistency({ model: arm, most: 6, stop: { rule: 'beta', confidence: 0.8 } }),
    'beta 0.9 × 15': selfConsistency({ model: arm, most: 15, stop: { rule: 'beta', confidence: 0.9 } }),
    'beta 0.95 × 15': selfConsistency({ model: arm, most: 15 }),
  }
  const orders = (count: number, from: number) => Array.from({ length: count }, (_, index) => seed * 1000 + from + index)
  const baselines: Line[] = []
  for (const [name, loop] of Object.entries(loops))
    baselines.push(line(`all: ${name}`, await play(all, loop, orders(MEASURED_ORDERS, 500)), seed, { cheap: /./ }))
  const measured = new Map<number, Played[]>(BUDGETS.map((budget) => [budget, []]))
  const notes: string[] = [
    `questions by lexical level 1 … 5: ${[1, 2, 3, 4, 5].map((level) => all.filter((row) => levels.get(textOf(row)) === level).length).join(', ')}`,
  ]
  for (const [fold, { fit, measure }] of parts.entries()) {
    const outcomes: LoopOutcome[] = []
    for (const [loop, strategy] of Object.entries(loops)) {
      const played = await play(fit, strategy, orders(FITTED_ORDERS, 0))
      const [right, spent] = [qualities(played), callsOf(played, /./)]
      fit.forEach((row, index) =>
        outcomes.push({
          question: row.id,
          level: levels.get(textOf(row)) ?? 3,
          loop,
          spent: spent[index] ?? 0,
          quality: right[index] ?? 0,
        }),
      )
    }
    const table = learnLoopTable(outcomes, BUDGETS)
    for (const budget of BUDGETS) {
      const strategy = byDifficulty({
        loops,
        table,
        budget,
        otherwise: 'single',
        level: ({ messages }) => levels.get(messages[0]?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? '') ?? 3,
      })
      measured.get(budget)?.push(...(await play(measure, strategy, orders(MEASURED_ORDERS, 500))))
      if (fold === 0)
        notes.push(
          `at most ${budget} samples: ${table.cells[table.budgets.indexOf(budget)]?.map((cell, level) => `level ${level + 1} ${cell?.loop ?? 'nothing'}`).join(', ')}${parts.length > 1 ? ' (fold 1)' : ''}`,
        )
    }
  }
  return {
    name: `${label} (${all.length} questions with at least ${LEAST_SAMPLES} samples, ${MEASURED_ORDERS} orders each)`,
    baselines,
    results: BUDGETS.map((budget) =>
      line(`by difficulty, at most ${budget} samples on average`, measured.get(budget) ?? [], seed, { cheap: /./ }),
    ),
    notes,
  }
}

function textOf(row: OutcomeRow): string {
  return (
    requestOf(row)
      .messages[0]?.parts.map((part) => (part.type === 'text' ? part.text : ''))
      .join('') ?? ''
  )
}

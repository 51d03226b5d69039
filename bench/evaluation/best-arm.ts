import { searches, type Leader, type SearchName } from '../../src/evaluation/index.js'
import { childRandom, shareInterval } from '../../src/statistics/index.js'
import type { ScoreMatrix } from '../data/score-matrices.js'
import type { Estimate } from '../report.js'

/** Within so much of the best mean score a choice is as good as right. */
export const INDIFFERENCE = 0.005

export interface SearchResult {
  readonly data: string
  readonly way: SearchName
  readonly batch: number
  readonly share: number
  readonly cells: number
  /** Share of seeds in which the best of all was chosen. */
  readonly right: Estimate
  /** Share of seeds in which the chosen one's true mean is within INDIFFERENCE of the best. */
  readonly near: Estimate
  /** True mean of the best less the chosen one's, mean and largest over seeds. */
  readonly regret: number
  readonly worst: number
  /** What the search itself says on average; `null` where it says nothing. */
  readonly probability: number | null
}

/** Mean score of each method on all items. */
export function trueMeans({ scores, items }: ScoreMatrix): number[] {
  return scores.map((row) => row.reduce((sum, score) => sum + score, 0) / items)
}

/** Lets one search score `cells` cells of the matrix, `batch` at a time. */
export function searchOnce(
  { methods, items, scores, categoryOf }: ScoreMatrix,
  way: SearchName,
  cells: number,
  batch: number,
  seed: number,
): Leader {
  const search = searches[way].make({ methods: methods.length, items, categories: categoryOf, random: childRandom(seed, 'search') }, cells)
  for (let left = cells; left > 0;) {
    const asked = search.next(Math.min(batch, left))
    if (asked.length === 0) break
    left -= asked.length
    for (const cell of asked) search.observe(cell, scores[cell.method]?.[cell.item] ?? NaN)
  }
  return search.leader()
}

/** One way of searching over seeds. */
export function measureSearch(
  matrix: ScoreMatrix,
  {
    way,
    batch,
    share,
    seeds,
    seed,
  }: { readonly way: SearchName; readonly batch: number; readonly share: number; readonly seeds: number; readonly seed: number },
): SearchResult {
  const means = trueMeans(matrix)
  const most = Math.max(...means)
  const cells = Math.floor(share * matrix.methods.length * matrix.items)
  let [right, near, regret, worst, sure, told] = [0, 0, 0, 0, 0, 0]
  for (let run = 0; run < seeds; run++) {
    const { method, probability } = searchOnce(matrix, way, cells, batch, seed + run)
    const lost = most - (means[method] ?? NaN)
    if (lost === 0) right += 1
    if (lost <= INDIFFERENCE) near += 1
    regret += lost
    worst = Math.max(worst, lost)
    if (probability !== null) [sure, told] = [sure + probability, told + 1]
  }
  return {
    data: matrix.name,
    way,
    batch,
    share,
    cells,
    right: shareOf(right, seeds),
    near: shareOf(near, seeds),
    regret: regret / seeds,
    worst,
    probability: told > 0 ? sure / told : null,
  }
}

function shareOf(hits: number, trials: number): Estimate {
  return { value: hits / trials, ...shareInterval(hits, trials), n: trials, method: 'Clopper-Pearson, 95 %' }
}

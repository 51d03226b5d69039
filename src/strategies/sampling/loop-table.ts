import { BursarError } from '../../errors/index.js'
import type { Difficulty } from '../../understanding/index.js'

/** Difficulty, 1 (easy) to 5, as `Features.difficulty.level` has it. */
type Level = Difficulty['level']
const levels: readonly Level[] = [1, 2, 3, 4, 5]

/** One question answered by one way of spending. */
export interface LoopOutcome {
  readonly question: string
  readonly level: Level
  /** Id of the strategy. */
  readonly loop: string
  /** What it took, in the budgets' unit (samples, tokens or dollars). */
  readonly spent: number
  /** In [0, 1]. */
  readonly quality: number
}

export interface LoopCell {
  readonly loop: string
  readonly questions: number
  readonly quality: number
  readonly spent: number
}

/** The best way to spend at most so much on a question of each level. Plain data. */
export interface LoopTable {
  readonly version: 1
  /** Ascending. */
  readonly budgets: readonly number[]
  /** By budget, then by level. `null`: nothing that was tried fits. */
  readonly cells: readonly (readonly (LoopCell | null)[])[]
  /** Of the choice that either half of the questions makes for the other, by budget; and of the best single loop chosen the same way. */
  readonly crossValidated: readonly { readonly quality: number; readonly bestSingle: number }[]
}

/** Levels with fewer questions share their choice with a neighbour. */
const LEAST_QUESTIONS = 30

/** Where nothing was learned yet (097): plain or revised where it is easy, votes in the middle, search or many votes where it is hard, another model beyond. */
export const coldStartLoops: Readonly<Record<Level, 'single' | 'revise' | 'self_consistency_5' | 'self_consistency_15' | 'escalate'>> = {
  1: 'single',
  2: 'revise',
  3: 'self_consistency_5',
  4: 'self_consistency_15',
  5: 'escalate',
}

/**
 * Compute-optimal choice (097): for every budget and level the loop with the best mean quality among those whose mean spending fits. Neighbouring levels are
 * merged until each has 30 questions. How good the choice is on questions that it wasn't made on is found by two folds, of which either chooses for the other; questions
 * fall into folds by their names. Throws `RangeError` for outcomes or budgets that aren't finite. O(outcomes × budgets).
 */
export function learnLoopTable(outcomes: readonly LoopOutcome[], budgets: readonly number[]): LoopTable {
  for (const { quality, spent } of outcomes)
    if (!(quality >= 0 && quality <= 1 && spent >= 0 && spent < Infinity))
      throw new RangeError('a loop’s outcome has a quality in [0, 1] and finite spending')
  if (budgets.length === 0 || budgets.some((budget) => !(budget > 0))) throw new RangeError('a loop table needs budgets above 0')
  const ascending = [...new Set(budgets)].sort((a, b) => a - b)
  const folds = [0, 1].map((fold) => outcomes.filter(({ question }) => foldOf(question) === fold))
  const groups = mergedLevels(outcomes)
  const all = ascending.map((budget) => choose(outcomes, groups, budget))
  const crossValidated = ascending.map((budget) => {
    let [right, single, n] = [0, 0, 0]
    folds.forEach((own, fold) => {
      const other = folds[1 - fold] ?? []
      const chosen = choose(other, groups, budget)
      const best = choose(other, [levels], budget)[0]
      for (const level of levels) {
        const seen = own.filter((outcome) => outcome.level === level)
        const count = new Set(seen.map(({ question }) => question)).size
        const mean = (cell: LoopCell | null | undefined) =>
          average(seen.filter(({ loop }) => loop === cell?.loop).map(({ quality }) => quality))
        ;[right, single, n] = [right + count * mean(chosen[level - 1]), single + count * mean(best), n + count]
      }
    })
    return { quality: n === 0 ? 0 : right / n, bestSingle: n === 0 ? 0 : single / n }
  })
  return { version: 1, budgets: ascending, cells: all, crossValidated }
}

/** The loop for a question: that of the largest budget within what may be spent; `null` where none fits, or nothing was learned. */
export function loopFor(table: LoopTable, level: Level, maySpend: number): LoopCell | null {
  for (let index = table.budgets.length - 1; index >= 0; index--) {
    const budget = table.budgets[index]
    const cell = table.cells[index]?.[level - 1]
    if (budget !== undefined && budget <= maySpend && cell) return cell
  }
  return null
}

/** Reads a table that was saved as JSON. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function readLoopTable(saved: unknown): LoopTable {
  if (
    typeof saved === 'object' &&
    saved !== null &&
    'version' in saved &&
    saved.version === 1 &&
    'budgets' in saved &&
    'cells' in saved &&
    'crossValidated' in saved &&
    Array.isArray(saved.budgets) &&
    Array.isArray(saved.cells)
  ) {
    const cells: readonly unknown[] = saved.cells
    const good =
      saved.budgets.every((budget) => typeof budget === 'number' && budget > 0) &&
      cells.length === saved.budgets.length &&
      cells.every((row) => Array.isArray(row) && row.length === levels.length && row.every(isCell))
    if (good) return saved as LoopTable
  }
  throw new BursarError('This is no saved loop table of this version.', { code: 'invalid_configuration', status: 500 })
}

function isCell(value: unknown): value is LoopCell | null {
  return (
    value === null ||
    (typeof value === 'object' &&
      'loop' in value &&
      typeof value.loop === 'string' &&
      'quality' in value &&
      typeof value.quality === 'number' &&
      'spent' in value &&
      typeof value.spent === 'number')
  )
}

/** Levels in runs that have enough questions each. */
function mergedLevels(outcomes: readonly LoopOutcome[]): readonly (readonly Level[])[] {
  const count = (group: readonly Level[]) =>
    new Set(outcomes.filter(({ level }) => group.includes(level)).map(({ question }) => question)).size
  let groups: readonly (readonly Level[])[] = levels.map((level) => [level])
  for (;;) {
    const small = groups.findIndex((group) => count(group) < LEAST_QUESTIONS)
    if (small < 0 || groups.length === 1) return groups
    const [before, after] = [groups[small - 1], groups[small + 1]]
    const left = after === undefined || (before !== undefined && count(before) <= count(after))
    const from = left ? small - 1 : small
    groups = [...groups.slice(0, from), [...(groups[from] ?? []), ...(groups[from + 1] ?? [])], ...groups.slice(from + 2)]
  }
}

/** By level. */
function choose(outcomes: readonly LoopOutcome[], groups: readonly (readonly Level[])[], budget: number): readonly (LoopCell | null)[] {
  return levels.map((level) => {
    const group = groups.find((one) => one.includes(level)) ?? [level]
    const byLoop = new Map<string, LoopOutcome[]>()
    for (const outcome of outcomes) {
      if (!group.includes(outcome.level)) continue
      const list = byLoop.get(outcome.loop)
      if (list) list.push(outcome)
      else byLoop.set(outcome.loop, [outcome])
    }
    let best: LoopCell | null = null
    for (const [loop, list] of byLoop) {
      const cell = {
        loop,
        questions: new Set(list.map(({ question }) => question)).size,
        quality: average(list.map(({ quality }) => quality)),
        spent: average(list.map(({ spent }) => spent)),
      }
      // Of equally good ones the cheaper.
      if (
        cell.spent <= budget &&
        (best === null || cell.quality > best.quality || (cell.quality === best.quality && cell.spent < best.spent))
      )
        best = cell
    }
    return best
  })
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

function foldOf(question: string): 0 | 1 {
  let hash = 0x811c9dc5
  for (let index = 0; index < question.length; index++) hash = Math.imul(hash ^ question.charCodeAt(index), 0x01000193)
  return ((hash >>> 16) & 1) === 0 ? 0 : 1
}

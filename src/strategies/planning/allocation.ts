import type { Difficulty } from '../../understanding/index.js'

/**
 * How a budget of words is shared among the parts of a question (Plan-and-Budget, paper 037; its schedules also serve 046). Pure functions.
 */

export type Level = Difficulty['level']

/** B: words for a whole answer, by difficulty (037, as released). */
export const levelBudgets: Readonly<Record<Level, number>> = { 1: 200, 2: 250, 3: 350, 4: 450, 5: 600 }

/** Models are told words, which they can keep to; limits are tokens. The one place where the two meet: about this many tokens a word (037). */
export const TOKENS_PER_WORD = 1.35

/** Tokens that so many words take: at the most a fraction more. */
export function tokensOfWords(words: number): number {
  return Math.ceil(words * TOKENS_PER_WORD)
}

/** The hard limit beside a soft budget of words: twice as many tokens (spec. 0.4), so that only answers that ignore the budget are cut. */
export function hardCap(words: number): number {
  return 2 * tokensOfWords(words)
}

/** How much earlier parts count more than later ones, which are less uncertain (037). */
export const schedules = ['constant', 'linear', 'polynomial', 'exponential', 'cosine'] as const
export type Schedule = (typeof schedules)[number]

/**
 * w_j for j = 0 … N−1 (037): constant 1; linear N−j; polynomial (N−j)²; exponential 0.9^j; cosine 0.5·(1 + cos(πj/(N−1))) + 0.1, which
 * for N = 1 is its value at j = 0. Throws `RangeError` for an N that is no whole number above 0.
 */
export function scheduleWeights(schedule: Schedule, count: number): readonly number[] {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`not a number of parts: ${count}`)
  return Array.from({ length: count }, (_, j) => weight(schedule, j, count))
}

function weight(schedule: Schedule, j: number, count: number): number {
  switch (schedule) {
    case 'constant':
      return 1
    case 'linear':
      return count - j
    case 'polynomial':
      return (count - j) ** 2
    case 'exponential':
      return 0.9 ** j
    case 'cosine':
      return 0.5 * (1 + Math.cos(count === 1 ? 0 : (Math.PI * j) / (count - 1))) + 0.1
  }
}

/**
 * b_j ∝ credit_j · w_j (037): whole numbers that add up to `total` exactly. Each share is rounded down; what is left over goes to the largest
 * share, the first of several. Throws `RangeError` for a total that is no whole number, and for credits that are negative, not finite, none,
 * or all zero. O(N).
 */
export function allocate(total: number, credits: readonly number[], schedule: Schedule): readonly number[] {
  if (!Number.isSafeInteger(total) || total < 0) throw new RangeError(`not a budget: ${total}`)
  const weights = scheduleWeights(schedule, credits.length)
  const wanted = credits.map((credit, j) => {
    if (!(credit >= 0 && credit < Infinity)) throw new RangeError(`not an amount of credits: ${credit}`)
    return credit * (weights[j] ?? 0)
  })
  const sum = wanted.reduce((all, one) => all + one, 0)
  if (!(sum > 0 && sum < Infinity)) throw new RangeError('credits must add up to more than nothing')
  const shares = wanted.map((one) => Math.floor((one / sum) * total))
  const largest = wanted.indexOf(Math.max(...wanted))
  const left = total - shares.reduce((all, one) => all + one, 0)
  return shares.map((share, j) => (j === largest ? share + left : share))
}

/**
 * The split that uncertainty U(b) = Σ c_j / b_j^β is least at, for one β > 0 (037): b_j ∝ (c_j·β)^{1/(β+1)}, whole numbers that add up to
 * `total`. It is what the schedules approximate without knowing c.
 */
export function leastUncertain(total: number, c: readonly number[], beta: number): readonly number[] {
  if (!(beta > 0 && beta < Infinity)) throw new RangeError(`not an exponent: ${beta}`)
  return allocate(
    total,
    c.map((one) => (one * beta) ** (1 / (beta + 1))),
    'constant',
  )
}

/** E³ = A · (A / T) = A² / T (037): accuracy A in [0, 1] against T mean tokens, the planner's included. `null` where nothing was written. */
export function e3(accuracy: number, tokens: number): number | null {
  return tokens > 0 && Number.isFinite(accuracy) ? accuracy ** 2 / tokens : null
}

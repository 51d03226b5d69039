import { InvalidRequest } from '../../errors/index.js'
import { picoUsd, usd, type Money, type Usage } from '../../quantities/index.js'
import { betaQuantile, normalDraw, type Random } from '../../statistics/index.js'

/**
 * Probability p that a model answers a question right, the same for all its samples on it:
 * - a number: on every question;
 * - `alpha`, `beta`: drawn anew for each question from Beta(α, β) (002 TTSPM); only a share `solvable` (1 when absent) of the questions
 * has any p
 *   above 0, so that E[F(N)] = solvable·(1 − B(α, β+N)/B(α, β));
 * - `skill`: σ(slope·(skill − difficulty)) of the question's difficulty, which is standard normal unless given (two-parameter logistic item
 *   response; slope 1 when absent).
 */
export type SuccessLaw =
  | number
  | { readonly alpha: number; readonly beta: number; readonly solvable?: number | undefined }
  | { readonly skill: number; readonly slope?: number | undefined }

/** Log-normal: half of the draws are below the median, and `sigma` is the standard deviation of their logarithm. */
export interface LogNormal {
  readonly median: number
  readonly sigma: number
}

/** A sampler with declared parameters. Probabilities and shares are in [0, 1]. */
export interface SimulatedModel {
  readonly success: SuccessLaw
  /**
   * How wrong answers spread: `distinct` of them (4 when absent, never more than the question has), the k-th with a weight of
   * k^−exponent (1 when absent; 0: all alike).
   */
  readonly wrong?: { readonly distinct?: number | undefined; readonly exponent?: number | undefined } | undefined
  /** Visible output tokens; absent: counted from the text. */
  readonly tokens?: LogNormal | undefined
  /** Reasoning tokens before them; absent: none. */
  readonly reasoningTokens?: LogNormal | undefined
  readonly firstTokenSeconds?: number | undefined
  /** Absent: output takes no time. */
  readonly tokensPerSecond?: number | undefined
  /** Dollars per million tokens; absent: unknown. */
  readonly price?: { readonly input: number; readonly output: number } | undefined
  /** Share of calls that fail without an answer, in a way that may be tried again. */
  readonly failureRate?: number | undefined
  /** Judges an answer that stands in the last message instead of answering itself. */
  readonly judge?: SimulatedJudge | undefined
  /** How an answer is worded; `The answer is <answer>.` when absent. */
  readonly text?: ((answer: string, drawn: Drawn) => string) | undefined
  /** Reasoning that is shown, for models whose reasoning callers see. */
  readonly reasoning?: ((answer: string, drawn: Drawn) => string) | undefined
}

export interface SimulatedJudge {
  /** Probability that it holds a right answer to be right, and a wrong one to be wrong. */
  readonly sensitivity: number
  readonly specificity: number
  /** Its words; `Score: 9` or `Score: 2` when absent. */
  readonly says?: ((believesRight: boolean, random: Random) => string) | undefined
}

/** What was drawn beside the answer, for whoever words it. Tokens are `undefined` where they are counted from the text. */
export interface Drawn {
  readonly right: boolean
  readonly tokens: number | undefined
  readonly reasoningTokens: number
  readonly random: Random
}

/** Throws `InvalidRequest` that names the field of a parameter that is none. */
export function checkModel(model: SimulatedModel, path: string): void {
  const { success, wrong, tokens, reasoningTokens, firstTokenSeconds, tokensPerSecond, price, failureRate, judge } = model
  if (typeof success === 'number') check(isShare(success), success, `${path}.success`, 'in [0, 1]')
  else if ('skill' in success) {
    check(Number.isFinite(success.skill), success.skill, `${path}.success.skill`, 'finite')
    check(isAbove(success.slope ?? 1), success.slope, `${path}.success.slope`, 'above 0')
  } else {
    check(isAbove(success.alpha), success.alpha, `${path}.success.alpha`, 'above 0')
    check(isAbove(success.beta), success.beta, `${path}.success.beta`, 'above 0')
    check(isShare(success.solvable ?? 1), success.solvable, `${path}.success.solvable`, 'in [0, 1]')
  }
  check(
    Number.isSafeInteger(wrong?.distinct ?? 1) && (wrong?.distinct ?? 1) >= 1,
    wrong?.distinct,
    `${path}.wrong.distinct`,
    'a whole number above 0',
  )
  check(isAmount(wrong?.exponent ?? 0), wrong?.exponent, `${path}.wrong.exponent`, '0 or more')
  for (const [name, law] of [
    ['tokens', tokens],
    ['reasoningTokens', reasoningTokens],
  ] as const) {
    check(isAbove(law?.median ?? 1), law?.median, `${path}.${name}.median`, 'above 0')
    check(isAmount(law?.sigma ?? 0), law?.sigma, `${path}.${name}.sigma`, '0 or more')
  }
  check(isAmount(firstTokenSeconds ?? 0), firstTokenSeconds, `${path}.firstTokenSeconds`, '0 or more')
  check((tokensPerSecond ?? 1) >= 0.001, tokensPerSecond, `${path}.tokensPerSecond`, '0.001 or more')
  check(isAmount(price?.input ?? 0), price?.input, `${path}.price.input`, '0 or more')
  check(isAmount(price?.output ?? 0), price?.output, `${path}.price.output`, '0 or more')
  check(isShare(failureRate ?? 0), failureRate, `${path}.failureRate`, 'in [0, 1]')
  check(isShare(judge?.sensitivity ?? 0), judge?.sensitivity, `${path}.judge.sensitivity`, 'in [0, 1]')
  check(isShare(judge?.specificity ?? 0), judge?.specificity, `${path}.judge.specificity`, 'in [0, 1]')
}

function check(holds: boolean, value: unknown, path: string, wanted: string): void {
  if (!holds) throw new InvalidRequest(`${path} must be ${wanted}, not ${String(value)}.`, { path })
}
const isShare = (value: number) => value >= 0 && value <= 1
const isAmount = (value: number) => value >= 0 && value < Infinity
const isAbove = (value: number) => value > 0 && value < Infinity

/**
 * p of a law for the question of this difficulty; `rank`: where the question stands for this model among all, uniform in [0, 1], 1 the
 * easiest.
 */
export function successProbability(law: SuccessLaw, difficulty: number, rank: number): number {
  if (typeof law === 'number') return law
  if ('skill' in law) return 1 / (1 + Math.exp(-(law.slope ?? 1) * (law.skill - difficulty)))
  const { alpha, beta, solvable = 1 } = law
  const unsolvable = 1 - solvable
  if (rank < unsolvable || solvable === 0) return 0
  return betaQuantile(Math.min(1, (rank - unsolvable) / solvable), alpha, beta)
}

/** No answer is longer: a wide distribution has no end. */
const MOST_TOKENS = 10_000_000

/** A whole number of tokens, from 1 to ten million. */
export function drawTokens({ median, sigma }: LogNormal, random: Random): number {
  return Math.min(MOST_TOKENS, Math.max(1, Math.round(median * Math.exp(sigma * normalDraw(random)))))
}

/** Draws k in [0, n) with a weight of (k + 1)^−exponent. O(n). */
export function drawRank(n: number, exponent: number, random: Random): number {
  let total = 0
  for (let rank = 1; rank <= n; rank++) total += rank ** -exponent
  let left = random.next() * total
  for (let rank = 1; rank < n; rank++) {
    left -= rank ** -exponent
    if (left < 0) return rank - 1
  }
  return n - 1
}

const ratesOf = new WeakMap<NonNullable<SimulatedModel['price']>, { readonly input: bigint; readonly output: bigint }>()

/** Dollars of a usage at a price per million tokens, rounded up to whole picodollars a token. */
export function priced(price: SimulatedModel['price'], usage: Usage): Money | null {
  if (!price) return null
  let rates = ratesOf.get(price)
  if (!rates) {
    const perToken = (dollars: number) => (usd(dollars) + 999_999n) / 1_000_000n
    ratesOf.set(price, (rates = { input: perToken(price.input), output: perToken(price.output) }))
  }
  return picoUsd(rates.input * BigInt(usage.inputTokens) + rates.output * BigInt(usage.outputTokens + usage.reasoningTokens))
}

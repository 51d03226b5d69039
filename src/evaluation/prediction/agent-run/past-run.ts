import { InvalidRequest } from '../../../errors/index.js'

/** One model call of an agent's run. Input counts all that was sent, cached or not. */
export interface RunStep {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the input, read from the provider's cache: priced apart where a price for it is told. */
  readonly cachedTokens?: number | undefined
}

/** What is known of a run before it begins. */
export interface RunTask {
  /** What the agent was asked, as far as it is seen before the first call. Never stored by a forecast's output. */
  readonly text: string
  readonly category?: string | undefined
  /** Tokens of the first call: system prompt, tools and task. Where told, past runs are carried over to it. */
  readonly firstInputTokens?: number | undefined
}

/** A finished run, oldest first in lists. Runs with the same `task` were asked the same. */
export interface PastRun extends Omit<RunTask, 'firstInputTokens'> {
  readonly task: string
  readonly steps: readonly RunStep[]
}

/** Dollars a million tokens. */
export interface TokenPrices {
  readonly input: number
  readonly output: number
  /** The price of `input` where absent. */
  readonly cachedInput?: number | undefined
}

export interface RunTotals {
  readonly steps: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly usd: number
}

/** Sums over a run's calls, priced. O(steps). */
export function totalsOf(steps: readonly RunStep[], prices: TokenPrices): RunTotals {
  let [inputTokens, outputTokens, usd] = [0, 0, 0]
  for (const step of steps) {
    const cached = step.cachedTokens ?? 0
    inputTokens += step.inputTokens
    outputTokens += step.outputTokens
    usd +=
      ((step.inputTokens - cached) * prices.input + cached * (prices.cachedInput ?? prices.input) + step.outputTokens * prices.output) / 1e6
  }
  return { steps: steps.length, inputTokens, outputTokens, usd }
}

/** Tokens by which the context grows from one call to the next, by least squares over the calls; 0 for a single call. O(steps). */
export function contextGrowth(steps: readonly RunStep[]): number {
  const centre = (steps.length - 1) / 2
  let [together, spread] = [0, 0]
  for (const [at, { inputTokens }] of steps.entries()) {
    together += (at - centre) * inputTokens
    spread += (at - centre) ** 2
  }
  return spread === 0 ? 0 : together / spread
}

/**
 * What a past run's remaining calls would have taken had its context been larger (or smaller) by the difference at the `done`-th call:
 * each later call reads that difference again. With nothing done, the difference is that of the first call.
 */
export function carriedOver(run: PastRun, done: readonly RunStep[], firstInputTokens: number | undefined): readonly RunStep[] {
  const at = Math.max(0, done.length - 1)
  const here = done.at(-1)?.inputTokens ?? firstInputTokens
  const there = run.steps[at]?.inputTokens
  const difference = here === undefined || there === undefined ? 0 : here - there
  return [
    ...done,
    ...run.steps
      .slice(done.length)
      .map((step) => ({ ...step, inputTokens: Math.max(step.cachedTokens ?? 0, step.inputTokens + difference) })),
  ]
}

/** Throws `InvalidRequest` with the path for runs without calls and numbers out of range. */
export function checkRuns(runs: readonly PastRun[], path = 'runs'): void {
  for (const [at, { steps }] of runs.entries()) {
    if (steps.length === 0) throw new InvalidRequest('The run has no calls; one at least was expected.', { path: `${path}[${at}].steps` })
    for (const [index, step] of steps.entries())
      for (const field of ['inputTokens', 'outputTokens', 'cachedTokens'] as const) {
        const value = step[field] ?? 0
        if (!(Number.isFinite(value) && value >= 0))
          throw new InvalidRequest(`${field} is ${value}; a number of tokens of at least 0 was expected.`, {
            path: `${path}[${at}].steps[${index}].${field}`,
          })
        if (field === 'cachedTokens' && value > step.inputTokens)
          throw new InvalidRequest(`cachedTokens is ${value}, more than the ${step.inputTokens} of the whole input.`, {
            path: `${path}[${at}].steps[${index}].cachedTokens`,
          })
      }
  }
}

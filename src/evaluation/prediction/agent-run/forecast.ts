import { InvalidRequest } from '../../../errors/index.js'
import { cosine, lexicalVector, type SparseVector } from '../../../understanding/index.js'
import { conformalReach, pinballLoss, weightedQuantile, type Weighted } from '../fitting/quantiles.js'
import {
  carriedOver,
  checkRuns,
  contextGrowth,
  totalsOf,
  type PastRun,
  type RunStep,
  type RunTask,
  type RunTotals,
  type TokenPrices,
} from './past-run.js'

export interface RunForecastOptions {
  /** Probability that the interval should hold. 0.9 unless told otherwise. */
  readonly level?: number
  /** Past runs that are looked at, the newest. 300 unless told otherwise: the work grows with their square. */
  readonly most?: number
}

/** P50 and P90, and an interval that holds with the level's probability where past and new runs are exchangeable. */
export interface RunQuantiles {
  readonly median: number
  readonly p90: number
  readonly low: number
  readonly high: number
}

export interface RunForecast {
  readonly steps: RunQuantiles
  readonly inputTokens: RunQuantiles
  readonly outputTokens: RunQuantiles
  readonly usd: RunQuantiles
  /** Median tokens by which the context grows from call to call, of the runs most alike. */
  readonly growth: number
  /** Runs that are about as alike as the forecast is built on: (Σw)²/Σw². */
  readonly alike: number
  /** Whether the very task was run before: the interval is calibrated on such runs then. */
  readonly seen: boolean
  readonly runs: number
}

/** How similarity becomes weight. */
interface Kernel {
  /** e^{(s − 1)/width}; Infinity: all runs alike. */
  readonly width: number
  /** Factor for a run of another category. */
  readonly elsewhere: number
}

const kernels: readonly Kernel[] = [Infinity, 0.4, 0.2, 0.1, 0.05].flatMap((width) => [1, 0.1].map((elsewhere) => ({ width, elsewhere })))
/** Weight of every run beside its similarity's: a forecast never stands on one run alone. */
const floor = 0.01
const fewest = 8

/**
 * What an agent's run will take, before its first call or after some (`done`): quantiles of what past runs took, each weighing by how
 * alike its task reads (lexical cosine) and whether its category is the same, carried over to this context's size: a call more costs
 * the whole context again, so input grows with the square of the calls. The kernel is the one of least pinball loss where each past run
 * is forecast from the others; intervals are conformalized on the same forecasts (Romano et al. 2019; here leave-one-out, whose
 * guarantee is approximate). For a task never seen, all runs of a task are left out together. A model's own forecast isn't asked: paper
 * 203 measured a correlation of 0.39 at most.
 *
 * Throws `InvalidRequest` with fewer than 8 past runs (or such that got as far as `done`). O(runs² × (n-grams + log runs)).
 */
export function forecastRun(
  past: readonly PastRun[],
  task: RunTask,
  prices: TokenPrices,
  done: readonly RunStep[] = [],
  options: RunForecastOptions = {},
): RunForecast {
  checkRuns(past)
  return createRunForecaster(past, prices, options).forecast(task, done)
}

export interface RunForecaster {
  forecast(task: RunTask, done?: readonly RunStep[]): RunForecast
}

/**
 * The same for many forecasts from one past: what was learned from the past runs is kept, for each number of calls done. Same errors; a
 * forecast after the first O(runs).
 */
export function createRunForecaster(
  past: readonly PastRun[],
  prices: TokenPrices,
  { level = 0.9, most = 300 }: RunForecastOptions = {},
): RunForecaster {
  const known = past.slice(-most)
  const vectors = known.map(({ text }) => lexicalVector(text, undefined, 0))
  const likeness = vectors.map((left, at) => Float64Array.from(vectors.slice(0, at + 1), (right) => cosine(left, right)))
  const calibrations = new Map<string, Calibration>()

  /** Of each past run as if it were the new one, with as many of its calls known: what the others say, and how far that was off. */
  function calibrationOf(reached: readonly number[], done: number, seen: boolean, carried: boolean): Calibration {
    const name = `${done} ${seen} ${carried}`
    const before = calibrations.get(name)
    if (before) return before
    const trials = reached.flatMap((at): Trial[] => {
      const run = known[at] ?? none
      const first = carried ? run.steps[0]?.inputTokens : undefined
      const sources = reached.flatMap((other): Source[] => {
        const source = known[other] ?? none
        if (other === at || (!seen && source.task === run.task)) return []
        return [
          {
            alike: likeness[Math.max(at, other)]?.[Math.min(at, other)] ?? 0,
            same: sameCategory(run, source),
            totals: totalsOf(carriedOver(source, run.steps.slice(0, done), first), prices),
          },
        ]
      })
      return sources.length === 0 ? [] : [{ sources, actual: totalsOf(run.steps, prices) }]
    })
    const kernel = bestKernel(trials, new Set(known.map(({ category }) => category)).size > 1)
    const tail = (1 - level) / 2
    const reachOf = (target: Target) =>
      conformalReach(
        trials.map(({ sources, actual }) => {
          const weighted = weigh(sources, kernel, target)
          const y = Math.log1p(actual[target])
          return Math.max(Math.log1p(weightedQuantile(weighted, tail)) - y, y - Math.log1p(weightedQuantile(weighted, 1 - tail)))
        }),
        level,
      )
    const made = {
      kernel,
      reach: { steps: reachOf('steps'), inputTokens: reachOf('inputTokens'), outputTokens: reachOf('outputTokens'), usd: reachOf('usd') },
    }
    if (calibrations.size === mostCalibrations) calibrations.clear()
    calibrations.set(name, made)
    return made
  }

  return {
    forecast(task, done = []) {
      const reached = known.flatMap(({ steps }, at) => (steps.length > done.length ? [at] : []))
      if (reached.length < fewest)
        throw new InvalidRequest(
          `${reached.length} past runs ${done.length > 0 ? `went on after call ${done.length}` : 'are known'}; at least ${fewest} are needed for a forecast.`,
          { path: 'runs' },
        )
      const seen = task.text !== '' && known.some(({ text }) => text === task.text)
      const { kernel, reach } = calibrationOf(reached, done.length, seen, task.firstInputTokens !== undefined)
      const vector = lexicalVector(task.text, undefined, 0)
      const sources = reached.map((at): Source => {
        const run = known[at] ?? none
        return {
          alike: cosine(vector, vectors[at] ?? empty),
          same: sameCategory(task, run),
          totals: totalsOf(carriedOver(run, done, task.firstInputTokens), prices),
        }
      })
      const spent = totalsOf(done, prices)
      const tail = (1 - level) / 2
      const forecastOf = (target: Target): RunQuantiles => {
        const weighted = weigh(sources, kernel, target)
        const at = (share: number) => weightedQuantile(weighted, share)
        return {
          median: at(0.5),
          p90: at(0.9),
          low: Math.max(spent[target], Math.expm1(Math.max(0, Math.log1p(at(tail)) - reach[target]))),
          high: Math.max(spent[target], Math.expm1(Math.log1p(at(1 - tail)) + reach[target])),
        }
      }
      const weights = sources.map((source) => weightOf(source, kernel))
      const sum = weights.reduce((total, weight) => total + weight, 0)
      return {
        steps: forecastOf('steps'),
        inputTokens: forecastOf('inputTokens'),
        outputTokens: forecastOf('outputTokens'),
        usd: forecastOf('usd'),
        growth: weightedQuantile(
          reached.map((at, index) => ({ value: contextGrowth(known[at]?.steps ?? []), weight: weights[index] ?? 0 })),
          0.5,
        ),
        alike: (sum * sum) / weights.reduce((total, weight) => total + weight * weight, 0),
        seen,
        runs: reached.length,
      }
    },
  }
}

type Target = keyof RunTotals

interface Calibration {
  readonly kernel: Kernel
  readonly reach: Readonly<Record<Target, number>>
}

/** A past run as a source of a forecast. */
interface Source {
  readonly alike: number
  readonly same: boolean
  readonly totals: RunTotals
}

interface Trial {
  readonly sources: readonly Source[]
  readonly actual: RunTotals
}

/** Numbers of calls done that what was learned is kept for. */
const mostCalibrations = 32
const empty: SparseVector = { indices: new Uint32Array(0), weights: new Float32Array(0) }
const none: PastRun = { task: '', text: '', steps: [] }

function sameCategory(left: Pick<RunTask, 'category'>, right: Pick<RunTask, 'category'>): boolean {
  return left.category === undefined || right.category === undefined || left.category === right.category
}

function weightOf({ alike, same }: Source, { width, elsewhere }: Kernel): number {
  return floor + Math.exp(width === Infinity ? 0 : (alike - 1) / width) * (same ? 1 : elsewhere)
}

function weigh(sources: readonly Source[], kernel: Kernel, target: Target): readonly Weighted[] {
  return sources.map((source) => ({ value: source.totals[target], weight: weightOf(source, kernel) }))
}

/** Least pinball loss of ln(1 + input tokens) at 10, 50 and 90 %, over the past runs; of equal ones the widest. */
function bestKernel(trials: readonly Trial[], categories: boolean): Kernel {
  let best: { readonly kernel: Kernel; readonly loss: number } | undefined
  for (const kernel of kernels) {
    if (!categories && kernel.elsewhere !== 1) continue
    let loss = 0
    for (const { sources, actual } of trials) {
      const weighted = weigh(sources, kernel, 'inputTokens')
      for (const share of [0.1, 0.5, 0.9])
        loss += pinballLoss(Math.log1p(actual.inputTokens), Math.log1p(weightedQuantile(weighted, share)), share)
    }
    if (!best || loss < best.loss * (1 - 1e-9)) best = { kernel, loss }
  }
  return best?.kernel ?? { width: Infinity, elsewhere: 1 }
}

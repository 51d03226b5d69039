import { join } from 'node:path'
import { createRunForecaster, pinballLoss, spearman, type PastRun, type RunStep } from '../../src/evaluation/index.js'
import { mean, median, quantile, shareInterval } from '../../src/statistics/index.js'
import { scienceWorldRuns, tauBenchRuns, type AgentRuns } from '../data/agent-runs.js'
import { DataProblem } from '../data/source.js'
import { figure, table, type DataSource } from '../report.js'

const level = 0.9

interface Told {
  readonly median: number
  readonly p90: number
  readonly low?: number
  readonly high?: number
}

type Way = (past: readonly PastRun[]) => (run: PastRun, done: readonly RunStep[]) => Told

const totalOf = (run: PastRun) => run.steps.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)

/** Every way tells input and output tokens together: for Bursar, dollars at a dollar a token. */
const ways: Readonly<Record<string, Way>> = {
  'mean of all': (past) => {
    const value = mean(past.map(totalOf))
    return () => ({ median: value, p90: value })
  },
  'last run': (past) => {
    const last = past.at(-1)
    const value = last ? totalOf(last) : NaN
    return () => ({ median: value, p90: value })
  },
  'quantiles of all': (past) => {
    const totals = past.map(totalOf)
    const told = { median: median(totals), p90: quantile(totals, 0.9), low: quantile(totals, 0.05), high: quantile(totals, 0.95) }
    return () => told
  },
  'quantiles of the category': (past) => (run) => {
    const same = past.filter(({ category }) => category === run.category)
    const totals = (same.length >= 4 ? same : past).map(totalOf)
    return { median: median(totals), p90: quantile(totals, 0.9), low: quantile(totals, 0.05), high: quantile(totals, 0.95) }
  },
  Bursar: (past) => {
    const forecaster = createRunForecaster(past, { input: 1e6, output: 1e6 }, { level })
    return (run, done) => forecaster.forecast(run, done).usd
  },
}

/** Agent runs: what they took against what was forecast before them, and after three calls. */
export async function agentRunResults(
  root: string,
  folds: number,
): Promise<{ readonly text: string; readonly results: readonly object[]; readonly sources: readonly DataSource[] }> {
  const lines: string[] = []
  const results: object[] = []
  const sources: DataSource[] = []
  for (const load of [
    async () => scienceWorldRuns(join(root, 'scienceworld_react')),
    () => tauBenchRuns(join(root, 'tau_bench_airline')),
  ]) {
    let data: AgentRuns
    try {
      data = await load()
    } catch (thrown) {
      if (!(thrown instanceof DataProblem)) throw thrown
      lines.push(`Left out. ${thrown.message}`)
      continue
    }
    sources.push(...data.sources)
    const last = Math.max(...data.runs.map(({ round }) => round))
    const tasks = [...new Set(data.runs.map(({ task }) => task))]
    const splits: Readonly<Record<string, readonly Split[]>> = {
      'tasks seen before': [{ past: data.runs.filter(({ round }) => round < last), next: data.runs.filter(({ round }) => round === last) }],
      [`tasks never seen, ${folds} folds`]: Array.from({ length: folds }, (_, fold) => {
        const held = new Set(tasks.filter((__, at) => at % folds === fold))
        return { past: data.runs.filter(({ task }) => !held.has(task)), next: data.runs.filter(({ task }) => held.has(task)) }
      }),
    }
    for (const [split, parts] of Object.entries(splits))
      for (const calls of [0, 3]) {
        const rows = Object.entries(ways).map(([name, way]) => {
          const result = { data: data.name, split, callsKnown: calls, way: name, ...judge(parts, way, calls) }
          results.push(result)
          return [
            name,
            figure(result.pinball50, 0),
            figure(result.pinball90, 0),
            figure(result.spearman),
            result.coverage
              ? `${figure(100 * result.coverage.value, 1)} [${figure(100 * result.coverage.low, 0)}, ${figure(100 * result.coverage.high, 0)}]`
              : '–',
            figure(result.width, 0),
          ]
        })
        const count = parts.reduce((sum, { next }) => sum + next.filter(({ steps }) => steps.length > calls).length, 0)
        lines.push(`\n${data.name}, ${split}, ${calls === 0 ? 'before the first call' : `after ${calls} calls`}: ${count} runs\n`)
        lines.push(
          table(
            [
              'way',
              right('pinball 50 %, tokens'),
              right('pinball 90 %, tokens'),
              right('Spearman'),
              right('covered by 90 %, %'),
              right('median width, tokens'),
            ],
            rows,
          ),
        )
      }
    lines.push(`\nNotes: ${data.notes.join('; ')}.`)
  }
  return { text: lines.join('\n'), results, sources }
}

interface Split {
  readonly past: readonly PastRun[]
  readonly next: readonly PastRun[]
}

const right = (title: string) => ({ title, align: 'right' as const })

function judge(
  parts: readonly Split[],
  way: Way,
  calls: number,
): {
  pinball50: number
  pinball90: number
  spearman: number
  width: number | undefined
  coverage?: { value: number; low: number; high: number; n: number; method: string }
} {
  const told = parts.flatMap(({ past, next }) => {
    const forecast = way(past)
    return next
      .filter(({ steps }) => steps.length > calls)
      .map((run) => ({ actual: totalOf(run), ...forecast(run, run.steps.slice(0, calls)) }))
  })
  const widths = told.flatMap(({ low, high }) => (low === undefined || high === undefined ? [] : [high - low]))
  const inside = told.filter(({ actual, low = Infinity, high = -Infinity }) => actual >= low && actual <= high).length
  return {
    pinball50: mean(told.map(({ actual, median: half }) => pinballLoss(actual, half, 0.5))),
    pinball90: mean(told.map(({ actual, p90 }) => pinballLoss(actual, p90, 0.9))),
    spearman: spearman(
      told.map(({ median: half }) => half),
      told.map(({ actual }) => actual),
    ),
    width: widths.length === 0 ? undefined : median(widths),
    ...(widths.length === 0
      ? {}
      : {
          coverage: { value: inside / told.length, ...shareInterval(inside, told.length), n: told.length, method: 'Clopper-Pearson, 95 %' },
        }),
  }
}

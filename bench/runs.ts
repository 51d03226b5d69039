/**
 * `npm run bench:runs`: what a report of agent runs says of recorded ones (papers 203 and 174): input:output ratio, growth of the input
 * by step, what is repeated and could have been cached, spread between runs of one task, cost of a success, runs flagged as out of
 * hand; and how long the gateway's memory of runs takes for a request. Options: `--test DIR` (dataset root), `--json FILE`. Nothing is
 * fitted, so there is no `--train`.
 */
import { judgeRun, profileRun, spreadOf, type InputParts, type RunProfile } from '../src/ledger/index.js'
import { toDollars, zeroMoney } from '../src/quantities/index.js'
import { costPerSuccess, median, quantile } from '../src/statistics/index.js'
import { dataRoot, DataProblem } from './data/source.js'
import { priceOf, scienceWorldRuns, tauBenchRuns, type RecordedRuns } from './reports/agent-runs.js'
import { benchOptions } from './options.js'
import { commandLine, figure, packageVersion, table, writeReport } from './report.js'

const { values: options } = benchOptions(
  'bench:runs',
  'What a report of agent runs says of recorded ones: growth of the input, what is repeated, spread, cost of a success.',
  {
    test: { type: 'string', takes: 'dir', about: 'folder that holds the data sets (default: $BURSAR_DATA)' },
    train: { type: 'string', takes: 'dir', about: 'not used: nothing is fitted here' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)

interface Summary {
  readonly runs: number
  readonly callsPerRun: number
  readonly inputPerOutput: number
  readonly growthPerStep: number
  readonly parts: Readonly<Record<keyof InputParts, number>> | null
  readonly repeatedShare: number | null
  readonly multiplicity: number | null
  readonly cacheableShare: number | null
  /** Share of the bill that a prompt cache would have saved at the declared prices, at most. */
  readonly cacheSavings: number | null
  /** Most / least tokens of runs of one task: the middle of the tasks, and the most. */
  readonly taskSpread: { readonly tasks: number; readonly median: number; readonly most: number }
  /** `null` where nothing says whether a run succeeded. */
  readonly passed: number | null
  readonly costOfPass: { readonly value: number; readonly low: number; readonly high: number } | null
  /** Input tokens of a whole run over those of its first call. */
  readonly firstCallMultiple: number
  readonly runaways: number
}

function summarise({ runs }: RecordedRuns): { readonly summary: Summary; readonly flagged: readonly string[] } {
  const profiles = runs.map(({ calls }) => profileRun(calls, priceOf))
  const total = (of: (profile: RunProfile) => number) => profiles.reduce((sum, profile) => sum + of(profile), 0)
  const judged = runs.every(({ passed }) => passed !== null)
  const measured = profiles.every(({ parts }) => parts !== null)
  const input = total(({ inputTokens }) => inputTokens)
  const part = (name: keyof InputParts) => total(({ parts }) => parts?.[name] ?? 0) / input
  const byTask = new Map<string, number[]>()
  runs.forEach(({ task }, index) =>
    byTask.set(task, [...(byTask.get(task) ?? []), (profiles[index]?.inputTokens ?? 0) + (profiles[index]?.outputTokens ?? 0)]),
  )
  const ratios = [...byTask.values()].filter((tokens) => tokens.length > 1).map((tokens) => spreadOf(tokens)?.ratio ?? NaN)
  const flagged = profiles.flatMap((profile) => judgeRun(profile, profiles)?.words ?? [])
  const saved = total(({ cache }) => (cache?.missedUsd ? toDollars(cache.missedUsd) : 0))
  const summary: Summary = {
    runs: runs.length,
    callsPerRun: total(({ calls }) => calls) / runs.length,
    inputPerOutput: input / total(({ outputTokens }) => outputTokens),
    growthPerStep: median(profiles.flatMap(({ growthPerStep }) => growthPerStep ?? [])),
    parts: measured
      ? {
          system: part('system'),
          toolSchemas: part('toolSchemas'),
          observations: part('observations'),
          assistant: part('assistant'),
          user: part('user'),
        }
      : null,
    repeatedShare: measured ? total(({ inputTokens, repeatedShare }) => inputTokens * (repeatedShare ?? 0)) / input : null,
    multiplicity: measured ? input / total(({ inputTokens, repeatedShare }) => inputTokens * (1 - (repeatedShare ?? 0))) : null,
    cacheableShare: measured ? total(({ inputTokens, cache }) => inputTokens * (cache?.cacheableShare ?? 0)) / input : null,
    cacheSavings: measured ? saved / total(({ usd }) => toDollars(usd)) : null,
    taskSpread: { tasks: ratios.length, median: median(ratios), most: Math.max(...ratios) },
    passed: judged ? runs.filter(({ passed }) => passed).length : null,
    costOfPass: judged
      ? costPerSuccess(runs.map(({ passed }, index) => ({ cost: toDollars(profiles[index]?.usd ?? zeroMoney), success: passed ? 1 : 0 })))
      : null,
    firstCallMultiple: median(profiles.map(({ inputTokens, steps }) => inputTokens / (steps[0] ?? NaN))),
    runaways: flagged.length,
  }
  return { summary, flagged }
}

function share(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(1)} %`
}

function main(): void {
  const started = performance.now()
  const root = options.test ?? dataRoot()
  const sets = [tauBenchRuns(root), scienceWorldRuns(root)]
  const results = sets.map((set) => ({ set, ...summarise(set) }))
  const line = (title: string, of: (summary: Summary) => string) => [title, ...results.map(({ summary }) => of(summary))]
  process.stdout.write(
    `${table(
      ['what a report says', ...sets.map(({ name }) => ({ title: name, align: 'right' as const }))],
      [
        line('runs', ({ runs }) => String(runs)),
        line('calls a run', ({ callsPerRun }) => figure(callsPerRun, 1)),
        line('input : output tokens', ({ inputPerOutput }) => `${figure(inputPerOutput, 1)} : 1`),
        line('input of a run over that of its first call, median', ({ firstCallMultiple }) => figure(firstCallMultiple, 1)),
        line('input grows a step by, tokens, median of runs', ({ growthPerStep }) => figure(growthPerStep, 0)),
        line('input from: system prompt', ({ parts }) => share(parts?.system ?? null)),
        line('… tool schemas', ({ parts }) => share(parts?.toolSchemas ?? null)),
        line('… results of tools', ({ parts }) => share(parts?.observations ?? null)),
        line('… the model itself', ({ parts }) => share(parts?.assistant ?? null)),
        line('… the user', ({ parts }) => share(parts?.user ?? null)),
        line('sent before in the run', ({ repeatedShare }) => share(repeatedShare)),
        line('each token sent, times', ({ multiplicity }) => (multiplicity === null ? '–' : figure(multiplicity, 1))),
        line('could have been read from a prompt cache', ({ cacheableShare }) => share(cacheableShare)),
        line('of the bill that would have saved, at most', ({ cacheSavings }) => share(cacheSavings)),
        line('runs of one task apart, most / least tokens: median task', ({ taskSpread }) => figure(taskSpread.median, 1)),
        line('… the widest task', ({ taskSpread }) => figure(taskSpread.most, 1)),
        line('passed', ({ passed, runs }) => (passed === null ? '–' : `${passed} (${share(passed / runs)})`)),
        line('dollars a success [95 %], declared prices', ({ costOfPass }) =>
          costOfPass === null ? '–' : `${figure(costOfPass.value, 4)} [${figure(costOfPass.low, 4)}, ${figure(costOfPass.high, 4)}]`,
        ),
        line('runs flagged as out of hand', ({ runaways }) => String(runaways)),
      ],
    )}\n\n`,
  )
  for (const { set, flagged } of results) {
    for (const note of set.notes) process.stdout.write(`${set.name}: ${note}\n`)
    for (const words of flagged) process.stdout.write(`${set.name}, flagged: ${words}\n`)
  }
  const times = sets.flatMap(({ composeMicroseconds }) => composeMicroseconds)
  const warm = times.slice(Math.floor(times.length / 4))
  process.stdout.write(
    `\nrun memory, µs a request (${warm.length} requests of τ-bench, the first quarter left out as warm-up): p50 ${figure(median(warm), 1)}, p95 ${figure(quantile(warm, 0.95), 1)}\n`,
  )
  if (options.json !== undefined)
    writeReport(options.json, {
      command: commandLine('bench:runs'),
      seed: null,
      data: sets.flatMap(({ sources }) => sources),
      settings: {},
      baselines: {},
      results: {
        sets: Object.fromEntries(results.map(({ set, summary }) => [set.name, summary])),
        composeMicroseconds: { p50: median(warm), p95: quantile(warm, 0.95), n: warm.length },
      },
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
}

try {
  main()
} catch (thrown) {
  if (!(thrown instanceof DataProblem)) throw thrown
  process.stderr.write(`bench:runs: ${thrown.message}\n`)
  process.exitCode = 1
}

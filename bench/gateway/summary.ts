import { figure, median, table, type Estimate } from '../report.js'
import type { Mode, Run } from './load.js'

/** All rounds of one target at one load, against the others of the same round. */
export interface Row extends Omit<Run, 'round'> {
  /** Medians of the ratios of requests per second within each round; `undefined` where the other was not measured. */
  readonly ofDirect: number | undefined
  readonly ofFloor: number | undefined
  readonly ofPortkey: number | undefined
  /** Median of the differences of p50 to the direct run within each round. */
  readonly addedP50Ms: number | undefined
}

/** Medians over rounds, and ratios taken within each round, where the machine was the same for all. */
export function summarize(runs: readonly Run[]): readonly Row[] {
  const groups = new Map<string, Run[]>()
  for (const run of runs) {
    const key = `${run.mode} ${run.concurrency} ${run.target}`
    groups.set(key, [...(groups.get(key) ?? []), run])
  }
  const within = (group: readonly Run[], other: string, compare: (run: Run, against: Run) => number): number | undefined => {
    const values = group.flatMap((run) => {
      const against = runs.find(
        (one) => one.round === run.round && one.mode === run.mode && one.concurrency === run.concurrency && one.target === other,
      )
      return against ? [compare(run, against)] : []
    })
    return values.length === 0 ? undefined : median(values)
  }
  const ratio = (run: Run, against: Run) => run.requestsPerSecond / against.requestsPerSecond
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    return [
      {
        mode: first.mode,
        concurrency: first.concurrency,
        target: first.target,
        requestsPerSecond: median(group.map((run) => run.requestsPerSecond)),
        p50Ms: median(group.map((run) => run.p50Ms)),
        p99Ms: median(group.map((run) => run.p99Ms)),
        cpuMsPerRequest: median(group.map((run) => run.cpuMsPerRequest)),
        peakRssMb: Math.max(...group.map((run) => run.peakRssMb)),
        errors: group.reduce((sum, run) => sum + run.errors, 0),
        ofDirect: within(group, 'direct', ratio),
        ofFloor: within(group, 'floor', ratio),
        ofPortkey: within(group, 'portkey', ratio),
        addedP50Ms: within(group, 'direct', (run, against) => run.p50Ms - against.p50Ms),
      },
    ]
  })
}

export function resultTable(rows: readonly Row[]): string {
  const right = (title: string) => ({ title, align: 'right' as const })
  return table(
    [
      'mode',
      right('conc'),
      'target',
      right('req/s'),
      right('p50 ms'),
      right('p99 ms'),
      right('added p50'),
      right('CPU ms/req'),
      right('RSS MB'),
      right('of direct'),
      right('of floor'),
      right('of Portkey'),
      right('errors'),
    ],
    rows.map((row) => [
      row.mode,
      row.concurrency,
      row.target,
      figure(row.requestsPerSecond, 0),
      figure(row.p50Ms),
      figure(row.p99Ms),
      row.target === 'direct' ? '' : figure(row.addedP50Ms),
      figure(row.cpuMsPerRequest, 3),
      figure(row.peakRssMb, 0),
      row.target === 'direct' ? '' : figure(row.ofDirect),
      row.target === 'floor' ? '' : figure(row.ofFloor),
      row.target === 'portkey' ? '' : figure(row.ofPortkey, 1),
      row.errors,
    ]),
  )
}

/** Median of paired differences with a distribution-free interval of at least 95 % from order statistics. */
export function medianDifference(values: readonly number[], against: readonly number[]): Estimate {
  const differences = values
    .slice(0, against.length)
    .map((value, index) => value - (against[index] ?? NaN))
    .sort((a, b) => a - b)
  const n = differences.length
  // The largest rank k with P(Binomial(n, 1/2) < k) <= 2.5 %.
  let below = 0.5 ** n
  let rank = 0
  for (let k = 0, mass = below; k < n && below <= 0.025; k++) {
    rank = k + 1
    mass *= (n - k) / (k + 1)
    below += mass
  }
  const low = rank === 0 ? -Infinity : (differences[rank - 1] ?? NaN)
  const high = rank === 0 ? Infinity : (differences[n - rank] ?? NaN)
  return { value: median(differences), low, high, n, method: 'median of paired differences, 95 % from order statistics' }
}

export interface Verdict {
  readonly target: string
  readonly limit: string
  readonly measured: string
  /** `undefined` when it could not be judged, with the reason in `measured`. */
  readonly met: boolean | undefined
}

/** What Bursar is held to on two cores. Each is judged at its worst load, not its best. */
export function verdicts(rows: readonly Row[], firstToken: Estimate | undefined): readonly Verdict[] {
  const ours = rows.filter((row) => row.target === 'bursar')
  const of = (mode: Mode) => ours.filter((row) => row.mode === mode)
  const at = (row: Row | undefined) => (row ? ` (${row.mode}, concurrency ${row.concurrency})` : '')
  const worst = (among: readonly Row[], value: (row: Row) => number | undefined, sign: 1 | -1) =>
    [...among].filter((row) => value(row) !== undefined).sort((a, b) => sign * ((value(b) ?? 0) - (value(a) ?? 0)))[0]
  const judge = (
    target: string,
    limit: string,
    row: Row | undefined,
    value: number | undefined,
    digits: number,
    met: (value: number) => boolean,
  ): Verdict =>
    row === undefined || value === undefined
      ? { target, limit, measured: 'not measured', met: undefined }
      : { target, limit, measured: `${figure(value, digits)}${at(row)}`, met: met(value) }

  const json = worst(of('json'), (row) => row.cpuMsPerRequest, 1)
  const sse = worst(of('sse'), (row) => row.cpuMsPerRequest, 1)
  const slowest = worst(ours, (row) => row.ofPortkey, -1)
  const single = worst(
    ours.filter((row) => row.concurrency === 1),
    (row) => row.addedP50Ms,
    1,
  )
  const heaviest = worst(
    ours.filter((row) => row.concurrency === 256),
    (row) => row.peakRssMb,
    1,
  )
  const errors = ours.reduce((sum, row) => sum + row.errors, 0)
  return [
    judge('CPU per JSON request', '≤ 0.15 ms', json, json?.cpuMsPerRequest, 3, (value) => value <= 0.15),
    judge('CPU per 50-chunk stream', '≤ 0.30 ms', sse, sse?.cpuMsPerRequest, 3, (value) => value <= 0.3),
    judge("requests/s of Portkey's", '≥ 5 ×, everywhere', slowest, slowest?.ofPortkey, 1, (value) => value >= 5),
    judge('p50 added at concurrency 1', '≤ 0.3 ms', single, single?.addedP50Ms, 2, (value) => value <= 0.3),
    firstToken
      ? {
          target: 'added time to first token',
          limit: '< 1 ms',
          measured: `${figure(firstToken.value)} [${figure(firstToken.low)}, ${figure(firstToken.high)}], n = ${firstToken.n}`,
          met: firstToken.high < 1,
        }
      : { target: 'added time to first token', limit: '< 1 ms', measured: 'not measured', met: undefined },
    judge('memory at concurrency 256', '< 150 MB', heaviest, heaviest?.peakRssMb, 0, (value) => value < 150),
    {
      target: 'errors',
      limit: 'none',
      measured: ours.length === 0 ? 'not measured' : String(errors),
      met: ours.length === 0 ? undefined : errors === 0,
    },
  ]
}

export function verdictTable(all: readonly Verdict[]): string {
  return table(
    ['target', 'limit', 'measured', 'verdict'],
    all.map((verdict) => [
      verdict.target,
      verdict.limit,
      verdict.measured,
      verdict.met === undefined ? '–' : verdict.met ? 'met' : 'MISSED',
    ]),
  )
}

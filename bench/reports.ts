/**
 * `npm run bench:reports`: whether the estimates of reports keep what they promise, on made-up spending of seven kinds (seeded; `bench/reports/families.ts`):
 * how often the truth lies in the forecast's interval, how often a usual day is called out of line and how often an unusual one is found, how often the true
 * cost of a success lies in its interval. Each beside what one would do without them. No real series of daily spending is among the data sets.
 * Options: `--keys N` (made-up keys of each kind), `--json FILE`.
 */
import { parseArgs } from 'node:util'
import { forecastSpending, judgeDay, type DaySpend } from '../src/ledger/index.js'
import { toDollars, usd, type Money } from '../src/quantities/index.js'
import {
  costPerSuccess,
  mean,
  median,
  normalDraw,
  seededRandom,
  studentQuantile,
  type Attempt,
  type Random,
} from '../src/statistics/index.js'
import { families, type Family } from './reports/families.js'
import { commandLine, figure, packageVersion, table, writeReport, type Column } from './report.js'

const { values: options } = parseArgs({ options: { keys: { type: 'string', default: '100' }, json: { type: 'string' } } })
const keys = Number(options.keys)
const seed = 11
const day = 86_400
const monday = Date.UTC(2026, 0, 5) / 1000
/** Hours of a day: more in the afternoon than at night. */
const hourShape = Array.from({ length: 24 }, (_, hour) => 0.2 + Math.max(0, Math.sin(((hour - 6) / 12) * Math.PI)))
const hourSum = hourShape.reduce((sum, weight) => sum + weight, 0)

interface Interval {
  readonly low: number
  readonly high: number
}
const covers = ({ low, high }: Interval, truth: number) => low <= truth && truth <= high
const percent = (part: number, whole: number) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(0)} %`)

// ---- the forecast ----

const histories = [1, 3, 7, 14, 28, 60] as const

interface Foretold {
  readonly n: number
  readonly covered: number
  readonly above: number
  readonly width: number
  readonly error: number
  readonly plainCovered: number
  readonly plainError: number
}

/** The rest of a month of 9 to 30 days, foretold at a random hour, against what then came. The plain way: the mean day times the days, with Student's t. */
function foretell(family: Family, history: number): Foretold {
  let [n, covered, above, plainCovered] = [0, 0, 0, 0]
  const widths: number[] = []
  const errors: number[] = []
  const plainErrors: number[] = []
  for (let key = 0; key < keys; key++) {
    const random = seededRandom(seed + key * 7919 + history)
    const next = family.make(random)
    const first = Math.floor(random.next() * 7)
    const horizon = 8 + Math.floor(random.next() * 22)
    const days = Array.from({ length: history + horizon + 1 }, (_, index) => next(index + first))
    const begin = monday + first * day
    const hours = days.flatMap((amount, index) =>
      hourShape.map((weight, hour) => ({ at: begin + index * day + hour * 3600, usd: usd(((amount * weight) / hourSum).toFixed(9)) })),
    )
    const now = begin + history * day + Math.floor(random.next() * 24) * 3600
    const to = begin + days.length * day
    const { total } = forecastSpending({ hours: hours.filter(({ at }) => at < now), now, from: now, to })
    if (total === undefined) continue
    const truth = hours.filter(({ at }) => at >= now).reduce((sum, { usd: amount }) => sum + toDollars(amount), 0)
    const [low, value, high] = [total.low, total.value, total.high].map(toDollars) as [number, number, number]
    n += 1
    if (covers({ low, high }, truth)) covered += 1
    else if (truth > high) above += 1
    widths.push((high - low) / truth)
    errors.push(Math.abs(value - truth) / truth)
    const seen = days.slice(0, history)
    const ahead = (to - now) / day
    const plain = mean(seen) * ahead
    const deviation = Math.sqrt(seen.reduce((sum, amount) => sum + (amount - mean(seen)) ** 2, 0) / Math.max(1, history - 1))
    const reach = history < 2 ? Infinity : studentQuantile(0.95, history - 1) * deviation * Math.sqrt(ahead + (ahead * ahead) / history)
    if (covers({ low: plain - reach, high: plain + reach }, truth)) plainCovered += 1
    plainErrors.push(Math.abs(plain - truth) / truth)
  }
  return { n, covered, above, width: median(widths), error: median(errors), plainCovered, plainError: median(plainErrors) }
}

function forecasts() {
  const results = families.flatMap((family) => histories.map((history) => ({ family: family.name, history, ...foretell(family, history) })))
  const sum = (rows: typeof results, of: (row: (typeof results)[number]) => number) => rows.reduce((total, row) => total + of(row), 0)
  const overall = histories.map((history) => {
    const rows = results.filter((row) => row.history === history)
    const n = sum(rows, (row) => row.n)
    const plain =
      history === 1
        ? '–'
        : percent(
            sum(rows, (row) => row.plainCovered),
            n,
          )
    return [
      String(history),
      String(n),
      percent(
        sum(rows, (row) => row.covered),
        n,
      ),
      percent(
        sum(rows, (row) => row.above),
        n,
      ),
      figure(median(rows.map(({ width }) => width))),
      figure(median(rows.map(({ error }) => error))),
      plain,
      figure(median(rows.map(({ plainError }) => plainError))),
    ]
  })
  print(
    'Forecast to the end of the period: the truth lies in the 90 % interval',
    ['days of history', 'forecasts', 'in it', 'above it', 'width / truth', 'error', 'plain: in it', 'plain: error'],
    overall,
  )
  print(
    'The same by kind of spending, share of truths in the interval (plain)',
    ['kind', ...histories.map((history) => `${history} d`)],
    families.map(({ name, what }) => [
      `${name}: ${what}`,
      ...histories.map((history) => {
        const row = results.find((one) => one.family === name && one.history === history)
        return row === undefined ? '–' : `${percent(row.covered, row.n)} (${history === 1 ? '–' : percent(row.plainCovered, row.n)})`
      }),
    ]),
  )
  return results
}

// ---- days out of line ----

const factors = [3, 5, 10] as const

/** What one would write first: more than three times the mean of the last seven days, and more than a dollar. */
function plainlyOut(before: readonly DaySpend[], { usd: amount }: DaySpend): boolean {
  const last = before.slice(-7).map((one) => toDollars(one.usd))
  return toDollars(amount) > Math.max(1, 3 * mean(last))
}

function anomalies() {
  const results = families.map((family) => {
    let [judged, alarms, plainAlarms] = [0, 0, 0]
    const tried = factors.map(() => 0)
    const found = factors.map(() => 0)
    const plainFound = factors.map(() => 0)
    for (let key = 0; key < keys; key++) {
      const random = seededRandom(seed + key * 31)
      const next = family.make(random)
      const series = Array.from({ length: 91 }, (_, index): DaySpend => ({ at: monday + index * day, usd: usd(next(index).toFixed(9)) }))
      series.forEach((one, index) => {
        if (index < 8 || one.usd === 0n) return
        const before = series.slice(0, index)
        const verdict = judgeDay(before, one)
        if (verdict === 'too_young') return
        judged += 1
        if (verdict !== undefined) alarms += 1
        if (plainlyOut(before, one)) plainAlarms += 1
        if (index % 5 !== 0) return
        factors.forEach((factor, at) => {
          const spike = { at: one.at, usd: (one.usd * BigInt(factor)) as Money }
          tried[at] = (tried[at] ?? 0) + 1
          if (typeof judgeDay(before, spike) === 'object') found[at] = (found[at] ?? 0) + 1
          if (plainlyOut(before, spike)) plainFound[at] = (plainFound[at] ?? 0) + 1
        })
      })
    }
    return { family: family.name, judged, alarms, plainAlarms, tried, found, plainFound }
  })
  const line = (name: string, rows: typeof results) => {
    const total = (of: (row: (typeof results)[number]) => number) => rows.reduce((sum, row) => sum + of(row), 0)
    const judged = total((row) => row.judged)
    const rate = (alarms: number) => (alarms === 0 ? `none in ${judged}` : `1 in ${Math.round(judged / alarms)}`)
    return [
      name,
      String(judged),
      rate(total((row) => row.alarms)),
      ...factors.map((_, at) =>
        percent(
          total((row) => row.found[at] ?? 0),
          total((row) => row.tried[at] ?? 0),
        ),
      ),
      rate(total((row) => row.plainAlarms)),
      percent(
        total((row) => row.plainFound[1] ?? 0),
        total((row) => row.tried[1] ?? 0),
      ),
    ]
  }
  print(
    'Days out of line: false alarms among usual days, and unusual days found',
    ['kind', 'days judged', 'false alarms', 'x3 found', 'x5 found', 'x10 found', 'plain: false alarms', 'plain: x5 found'],
    [...results.map((row) => line(row.family, [row])), line('all', results)],
  )
  return results
}

// ---- the cost of a success ----

/** Fieller's interval (1954): exact for normal means, without an end where the success rate can't be told from 0. */
function fieller(attempts: readonly Attempt[]): Interval {
  const n = attempts.length
  const [cost, rate] = [mean(attempts.map((one) => one.cost)), mean(attempts.map(({ success }) => success))]
  const t = studentQuantile(0.975, n - 1) ** 2
  const moment = (of: (one: Attempt) => number) => attempts.reduce((sum, one) => sum + of(one), 0) / (n - 1) / n
  const a = rate * rate - t * moment(({ success }) => (success - rate) ** 2)
  const b = cost * rate - t * moment((one) => (one.cost - cost) * (one.success - rate))
  const c = cost * cost - t * moment((one) => (one.cost - cost) ** 2)
  if (a <= 0 || b * b < a * c) return { low: 0, high: Infinity }
  return { low: (b - Math.sqrt(b * b - a * c)) / a, high: (b + Math.sqrt(b * b - a * c)) / a }
}

function bootstrap(attempts: readonly Attempt[], random: Random): Interval {
  const drawn = Array.from({ length: 400 }, () => {
    let [cost, successes] = [0, 0]
    for (let index = 0; index < attempts.length; index++) {
      const one = attempts[Math.floor(random.next() * attempts.length)]
      cost += one?.cost ?? 0
      successes += one?.success ?? 0
    }
    return cost / successes
  })
  drawn.sort((a, b) => a - b)
  // Draws without a success are infinite, so nothing is interpolated.
  return { low: drawn[10] ?? NaN, high: drawn[389] ?? NaN }
}

function costs() {
  const rounds = keys * 5
  const results = [5, 20, 100].flatMap((n) =>
    [0.1, 0.5, 0.9].map((rate) => {
      const random = seededRandom(seed + n)
      const spread = 0.7
      const truth = Math.exp(spread ** 2 / 2) / rate
      let [ours, byFieller, endless, byBootstrap] = [0, 0, 0, 0]
      for (let round = 0; round < rounds; round++) {
        const attempts = Array.from({ length: n }, (): Attempt => ({
          cost: Math.exp(spread * normalDraw(random)),
          success: random.next() < rate ? 1 : 0,
        }))
        if (covers(costPerSuccess(attempts), truth)) ours += 1
        const other = fieller(attempts)
        if (other.high === Infinity) endless += 1
        if (covers(other, truth)) byFieller += 1
        if (covers(bootstrap(attempts, random), truth)) byBootstrap += 1
      }
      return { attempts: n, rate, rounds, ours, byFieller, endless, byBootstrap }
    }),
  )
  print(
    'Cost of a success: the truth lies in the 95 % interval (costs log-normal, spread 0.7)',
    ['attempts', 'success rate', 'ours', 'Fieller', '… without an end', 'percentile bootstrap'],
    results.map((row) => [
      String(row.attempts),
      String(row.rate),
      percent(row.ours, rounds),
      percent(row.byFieller, rounds),
      percent(row.endless, rounds),
      percent(row.byBootstrap, rounds),
    ]),
  )
  return results
}

function print(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const heads = columns.map((name, index): Column => ({ title: name, align: index === 0 ? 'left' : 'right' }))
  process.stdout.write(`${title}\n\n${table(heads, rows)}\n\n`)
}

const started = performance.now()
process.stdout.write(`${keys} made-up keys of each kind, seed ${seed}\n\n`)
const results = { forecast: forecasts(), anomalies: anomalies(), costOfPass: costs() }
process.stdout.write(`${figure((performance.now() - started) / 1000, 1)} s\n`)
if (options.json !== undefined)
  writeReport(options.json, {
    command: commandLine('bench:reports'),
    seed,
    data: [],
    settings: { keys },
    baselines: {
      forecast: 'mean day times days, Student t',
      anomalies: 'three times the mean of seven days',
      costOfPass: 'Fieller; percentile bootstrap',
    },
    results,
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })

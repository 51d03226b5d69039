import { useState } from 'preact/hooks'
import type { Anomalies, Forecasts, Totals, Usage } from '../answers.js'
import { Choice, Empty, Figure, Mark, Page } from '../parts/page.js'
import { Plot, type Line } from '../parts/plot.js'
import { Table } from '../parts/table.js'
import { count, dollars, groupName, moment, percent, seconds } from '../format.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

const ranges = { '24h': { from: '24h', step: 'hour' }, '7d': { from: '7d', step: 'hour' }, '30d': { from: '30d', step: 'day' } } as const
type Range = keyof typeof ranges
const dimensions = ['model', 'provider', 'key', 'team', 'user'] as const
type Dimension = (typeof dimensions)[number]
const stepSeconds = { hour: 3600, day: 86_400 } as const
/** Groups that have a line of their own. */
const mostLines = 5

/** Spending over time and by whom, the forecast, and days out of line. */
export function Overview({ client }: PageParts) {
  const [range, setRange] = useState<Range>('24h')
  const [by, setBy] = useState<Dimension>('model')
  const { from, step } = ranges[range]
  // Of weeks, groups are told by day: by the hour they would be thousands of sums.
  const groupStep = range === '24h' ? 'hour' : 'day'
  const reading = useReading(`${range} ${by}`, async (signal) => {
    const [series, groups, grouped] = await Promise.all([
      client.usage({ from, by: step }, signal),
      client.usage({ from, by, order: 'usd', limit: 12 }, signal),
      client.usage({ from, by: `${by},${groupStep}`, order: 'usd', limit: 2000 }, signal),
    ])
    return { series, groups, grouped }
  })
  const outlook = useReading(
    'outlook',
    async (signal) => {
      const [forecast, anomalies] = await Promise.all([client.forecast({}, signal), client.anomalies({}, signal)])
      return { forecast, anomalies }
    },
    60,
  )
  const controls = (
    <>
      <Choice
        label="Time"
        values={[
          ['24h', '24 hours'],
          ['7d', '7 days'],
          ['30d', '30 days'],
        ]}
        value={range}
        choose={(value) => setRange(value)}
      />
      <Choice label="By" values={dimensions.map((one) => [one, one] as const)} value={by} choose={(value) => setBy(value)} />
    </>
  )
  return (
    <Page title="Overview" lead="Exact sums of the ledger; hours and days are UTC." reading={reading} controls={controls}>
      {({ series, groups, grouped }) => (
        <>
          <Figures total={series.total} />
          {series.total.calls === 0 ? (
            <Empty>
              <p>No calls in this time.</p>
              <p>
                Send one to <code>/v1/chat/completions</code> with a key of this gateway, or choose a longer time.
              </p>
            </Empty>
          ) : (
            <>
              <Plots series={series} step={step} grouped={grouped} groups={groups} groupStep={groupStep} by={by} />
              <Spenders groups={groups} by={by} />
            </>
          )}
          {outlook.answer !== undefined && <Outlook {...outlook.answer} />}
          {series.notes.length > 0 && <p class="small muted">{series.notes.join(' ')}</p>}
        </>
      )}
    </Page>
  )
}

function Figures({ total }: { readonly total: Totals }) {
  const {
    usd,
    calls,
    errors,
    lost,
    unpriced,
    input_tokens: read,
    output_tokens: written,
    latency_seconds: latency,
    cache_savings_usd: cached,
  } = total
  return (
    <dl class="figures">
      <Figure
        strong
        label="Spent"
        value={dollars(usd)}
        note={
          unpriced > 0
            ? `${count(unpriced)} calls of unknown price are in no sum`
            : Number(cached) > 0
              ? `prompt caches saved ${dollars(cached)}`
              : 'all prices known'
        }
      />
      <Figure label="Calls" value={count(calls)} note={calls > 0 ? `${dollars(Number(usd) / calls)} each` : undefined} />
      <Figure
        label="Not complete"
        value={count(errors)}
        note={`${percent(calls > 0 ? errors / calls : 0)} of calls${lost > 0 ? `, ${count(lost)} lost` : ''}`}
      />
      <Figure label="Tokens" value={count(read + written)} note={`${count(read)} in, ${count(written)} out`} />
      <Figure label="Latency p50" value={seconds(latency.p50)} note="half of the calls are faster" />
      <Figure label="Latency p99" value={seconds(latency.p99)} note="99 of 100 are faster" />
    </dl>
  )
}

interface PlotsProps {
  readonly series: Usage
  readonly step: 'hour' | 'day'
  readonly grouped: Usage
  readonly groups: Usage
  readonly groupStep: 'hour' | 'day'
  readonly by: Dimension
}

function Plots({ series, step, grouped, groups, groupStep, by }: PlotsProps) {
  const times = timesOf(series, step)
  const rows = new Map(series.data.map((row) => [startOf(row.group[step]), row]))
  const values = (of: (row: Totals) => number | null) =>
    times.map((at) => {
      const row = rows.get(at)
      return row === undefined ? 0 : of(row)
    })
  const known = (of: (row: Totals) => number | null) =>
    times.map((at) => {
      const row = rows.get(at)
      return row === undefined ? null : of(row)
    })
  const an = step === 'hour' ? 'an hour' : 'a day'
  const when = (at: number) => (step === 'hour' ? moment(at).slice(5, 16) : moment(at).slice(0, 10))
  const groupTimes = timesOf(grouped, groupStep)
  const groupWhen = (at: number) => (groupStep === 'hour' ? moment(at).slice(5, 16) : moment(at).slice(0, 10))
  return (
    <div class="plots">
      <Plot
        title="Spent"
        unit={`dollars ${groupStep === 'hour' ? 'an hour' : 'a day'}, by ${by}`}
        times={groupTimes}
        lines={groupLines(grouped, groups, by, groupStep, groupTimes)}
        text={dollars}
        timeText={groupWhen}
      />
      <Plot
        title="Calls"
        unit={`calls ${an}`}
        times={times}
        lines={[
          { name: 'all', values: values(({ calls }) => calls) },
          { name: 'not complete', values: values(({ errors }) => errors) },
        ]}
        text={count}
        timeText={when}
      />
      <Plot
        title="Tokens"
        unit={`tokens ${an}`}
        times={times}
        lines={[
          { name: 'in', values: values((row) => row.input_tokens) },
          { name: 'out', values: values((row) => row.output_tokens) },
        ]}
        text={count}
        timeText={when}
      />
      <Plot
        title="Latency"
        unit="seconds of a whole call"
        times={times}
        lines={[
          { name: 'p50', values: known((row) => row.latency_seconds.p50) },
          { name: 'p99', values: known((row) => row.latency_seconds.p99) },
        ]}
        text={seconds}
        timeText={when}
      />
    </div>
  )
}

/** A line for each of the dearest groups, and one for the rest. */
function groupLines(grouped: Usage, groups: Usage, by: Dimension, step: 'hour' | 'day', times: readonly number[]): readonly Line[] {
  const names = groups.data.slice(0, mostLines).map(({ group }) => group[by] ?? '')
  const sums = new Map<string, Map<number, number>>()
  for (const { group, usd } of grouped.data) {
    const name = names.includes(group[by] ?? '') ? (group[by] ?? '') : '\0others'
    const own = sums.get(name) ?? new Map<number, number>()
    const at = startOf(group[step])
    own.set(at, (own.get(at) ?? 0) + Number(usd))
    sums.set(name, own)
  }
  const shown = sums.has('\0others') ? [...names, '\0others'] : names
  return shown.map((name) => ({
    name: name === '\0others' ? 'all others' : groupName(name, by),
    values: times.map((at) => sums.get(name)?.get(at) ?? 0),
  }))
}

function Spenders({ groups, by }: { readonly groups: Usage; readonly by: Dimension }) {
  const { total, others } = groups
  const rows = [
    ...groups.data.map((row) => ({ ...row, name: groupName(row.group[by], by) })),
    ...(others.groups > 0 ? [{ ...others, name: `${count(others.groups)} others` }] : []),
  ]
  const share = ({ usd }: Totals) => (Number(total.usd) > 0 ? Number(usd) / Number(total.usd) : 0)
  return (
    <section>
      <h2>Top spenders by {by}</h2>
      <Table
        caption={`Spending by ${by}, the most first`}
        quiet
        rows={rows}
        idOf={({ name }) => name}
        columns={[
          { title: by.charAt(0).toUpperCase() + by.slice(1), cell: ({ name }) => name },
          {
            title: 'Spent',
            number: true,
            cell: ({ usd, calls, unpriced }) => (calls > 0 && unpriced === calls ? 'unknown price' : dollars(usd)),
          },
          { title: 'Share', number: true, cell: (row) => percent(share(row)) },
          { title: 'Calls', number: true, cell: ({ calls }) => count(calls) },
          { title: 'Not complete', number: true, cell: ({ errors }) => count(errors) },
          { title: 'Tokens in', number: true, cell: (row) => count(row.input_tokens) },
          { title: 'Tokens out', number: true, cell: (row) => count(row.output_tokens) },
          { title: 'p50', number: true, cell: (row) => seconds(row.latency_seconds.p50) },
          { title: 'p99', number: true, cell: (row) => seconds(row.latency_seconds.p99) },
        ]}
      />
    </section>
  )
}

function Outlook({ forecast, anomalies }: { readonly forecast: Forecasts; readonly anomalies: Anomalies }) {
  const [month] = forecast.data
  const { data, judged } = anomalies
  return (
    <div class="columns">
      <section>
        <h2>
          Forecast, {forecast.from.slice(0, 10)} to {forecast.to.slice(0, 10)}
        </h2>
        {month?.total_usd ? (
          <dl class="figures">
            <Figure label="So far" value={dollars(month.spent_usd)} />
            <Figure
              label="In all"
              strong
              value={dollars(month.total_usd.value)}
              note={`${percent(month.total_usd.level)} chance: ${dollars(month.total_usd.low)} to ${dollars(month.total_usd.high)}`}
            />
          </dl>
        ) : (
          <Empty>
            <p>Not enough history: a forecast needs a day of spending at least. So far {dollars(month?.spent_usd)}.</p>
          </Empty>
        )}
      </section>
      <section>
        <h2>Days out of line, last 7 days</h2>
        {data.length === 0 ? (
          <p>
            <Mark tone={judged.groups > 0 ? 'good' : 'plain'}>
              {judged.groups > 0
                ? `None: ${count(judged.days)} days of ${count(judged.groups)} keys judged.`
                : 'Nothing judged yet: a key needs seven days with spending first.'}
            </Mark>
          </p>
        ) : (
          <ul class="plain-list">
            {data.map(({ words, day, group }) => (
              <li key={`${day} ${Object.values(group).join(' ')}`}>
                <Mark tone="warn">{words}</Mark>
              </li>
            ))}
          </ul>
        )}
      </section>
    </div>
  )
}

/** The beginnings of all hours or days of a report, also of those in which nothing was called. */
function timesOf({ from, to }: Usage, step: 'hour' | 'day'): readonly number[] {
  const length = stepSeconds[step]
  const first = Math.floor(Date.parse(from) / 1000 / length) * length
  const end = Math.min(Date.parse(to), Date.now()) / 1000
  return Array.from({ length: Math.max(1, Math.ceil((end - first) / length)) }, (_, index) => first + index * length)
}

/** `2026-11-21` or `2026-11-21T14` and longer, as Unix seconds. */
function startOf(text = ''): number {
  return Date.parse(text.length <= 10 ? `${text}T00:00Z` : text.length <= 13 ? `${text}:00Z` : text) / 1000
}

import { cut, printable, table, textWidth, wrap, type Column } from '../table.js'
import type {
  AnomaliesAnswer,
  CostOfPassAnswer,
  ForecastAnswer,
  RunAnswer,
  RunsAnswer,
  SpreadAnswer,
  Totals,
  UsageAnswer,
} from './answers.js'
import { bar, count, dollars, percent, plural, seconds } from './figures.js'

/** The reports as text for people: at most `width` columns, no colour. */

/** What a period came to, in a few lines. */
export function summaryText({ total, from, to, notes }: UsageAnswer, source: string, width: number): string {
  const {
    usd,
    calls,
    errors,
    lost,
    unpriced,
    input_tokens: input,
    output_tokens: output,
    tokens,
    cache_savings_usd: saved,
    latency_seconds: latency,
  } = total
  const bad = [
    ...(errors > 0 ? [`${errors.toLocaleString('en-US')} not complete`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
    ...(unpriced > 0 ? [`${unpriced} of unknown price`] : []),
  ]
  const lines = [
    `${periodText(from, to)}, from ${source}`,
    '',
    `  spent     ${dollars(usd)}${Number(saved) === 0 ? '' : Number(saved) > 0 ? `; prompt caches saved ${dollars(saved)}` : `; prompt caches cost ${dollars(saved.slice(1))} more than they saved`}`,
    `  calls     ${calls.toLocaleString('en-US')}${bad.length === 0 ? '' : ` (${bad.join(', ')})`}`,
    `  tokens    ${count(input)} in${tokens.cache_read > 0 ? ` (${percent(tokens.cache_read / input)} from prompt caches)` : ''}, ${count(output)} out`,
    ...(latency.p50 === null ? [] : [`  latency   half within ${seconds(latency.p50)} s, 95 of 100 within ${seconds(latency.p95)} s`]),
  ]
  return `${[
    ...lines,
    ...noteLines(
      notes.filter((note) => !note.startsWith('Percentiles')),
      width,
    ),
  ].join('\n')}\n`
}

const weekdayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const mostBars = 45

/** A bar a day, from the first day with calls to the last; a bar a week where that would be too many. */
export function daysText({ data }: UsageAnswer, width: number): string {
  const amounts = new Map(data.map(({ group, usd }) => [group['day'] ?? '', Number(usd)]))
  const days = [...amounts.keys()].sort()
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined) return ''
  const oneDay = 86_400_000
  const spanned = (Date.parse(last) - Date.parse(first)) / oneDay + 1
  const step = spanned > mostBars ? 7 : 1
  const rows: { readonly name: string; readonly value: number }[] = []
  for (let at = Date.parse(first); at <= Date.parse(last); at += step * oneDay) {
    let value = 0
    for (let offset = 0; offset < step; offset++) value += amounts.get(new Date(at + offset * oneDay).toISOString().slice(0, 10)) ?? 0
    const date = new Date(at)
    rows.push({ name: `${date.toISOString().slice(0, 10)} ${step === 1 ? (weekdayNames[date.getUTCDay()] ?? '') : 'week'}`, value })
  }
  const most = Math.max(...rows.map(({ value }) => value))
  const labels = rows.map(({ value }) => dollars(value.toFixed(12)))
  const labelWidth = Math.max(...labels.map(textWidth))
  const room = width - 17 - labelWidth - 2
  return rows
    .map(({ name, value }, index) => `${name}  ${(labels[index] ?? '').padStart(labelWidth)}  ${bar(value, most, room)}`.trimEnd() + '\n')
    .join('')
}

/** Groups as a table, with what was left out and the whole below. */
export function groupsText({ data, others, total }: UsageAnswer, by: readonly string[], width: number): string {
  if (data.length === 0) return 'Nothing was called in this period.\n'
  const whole = Number(total.usd)
  const cells = (names: readonly string[], totals: Totals) => [
    ...names,
    dollars(totals.usd),
    whole > 0 ? percent(Number(totals.usd) / whole) : '',
    count(totals.calls),
    totals.errors === 0 ? '' : count(totals.errors),
    count(totals.input_tokens),
    totals.input_tokens === 0 ? '' : percent(totals.tokens.cache_read / totals.input_tokens),
    count(totals.output_tokens),
    seconds(totals.latency_seconds.p50),
    seconds(totals.latency_seconds.p95),
  ]
  const blank = by.slice(1).map(() => '')
  const rows = [
    ...data.map(({ group, ...totals }) =>
      cells(
        by.map((dimension) => named(group[dimension])),
        totals,
      ),
    ),
    ...(others.groups > 0 ? [cells([`(${plural(others.groups, 'other')})`, ...blank], others)] : []),
    ...(data.length + others.groups > 1 ? [cells(['(all)', ...blank], total)] : []),
  ]
  const columns: Column[] = [
    ...by.map((dimension): Column => ({ title: dimension.toUpperCase(), cut: 'middle', least: 8 })),
    ...['SPENT', 'SHARE', 'CALLS', 'BAD', 'IN', 'CACHED', 'OUT', 'P50 s', 'P95 s'].map((title): Column => ({ title, align: 'right' })),
  ]
  return narrowed(columns, rows, ['P50 s', 'CACHED', 'SHARE'], width)
}

/**
 * The table without as many of these columns, the first first, as it takes to keep within the width. `--json` and `--csv` have them
 * all.
 */
function narrowed(columns: readonly Column[], rows: readonly (readonly string[])[], spare: readonly string[], width: number): string {
  const text = table(columns, rows, width)
  const [least, ...others] = spare
  if (least === undefined || text.split('\n').every((line) => textWidth(line) <= width)) return text
  const kept = (_: unknown, index: number) => columns[index]?.title !== least
  return narrowed(
    columns.filter(kept),
    rows.map((row) => row.filter(kept)),
    others,
    width,
  )
}

export function forecastText({ data, from, to }: ForecastAnswer, by: readonly string[], width: number): string {
  const last = new Date(Date.parse(to) - 1).toISOString().slice(0, 10)
  const title = `Forecast for ${from.slice(0, 10)} to ${last}`
  if (by.length === 0) {
    const [one] = data
    if (one === undefined) return ''
    const { spent_usd: spent, total_usd: total, history_days: history, weekdays, notes } = one
    const basis = `from ${plural(history, 'day')} of history${weekdays ? ', by the day of the week' : ''}`
    const lines =
      total === null
        ? [`  so far    ${dollars(spent)}`]
        : [
            `  so far    ${dollars(spent)}`,
            `  in all    ${dollars(total.value)}, with ${percent(total.level)} chance between ${dollars(total.low)} and ${dollars(total.high)}`,
            `            (${basis})`,
          ]
    return `${[title, '', ...lines, ...noteLines(notes, width)].join('\n')}\n`
  }
  const rows = data.map(({ group, spent_usd: spent, total_usd: total, history_days: history }) => [
    ...by.map((dimension) => named(group[dimension])),
    dollars(spent),
    total === null ? '?' : dollars(total.value),
    total === null ? '?' : dollars(total.low),
    total === null ? '?' : dollars(total.high),
    String(history),
  ])
  const level = data.find(({ total_usd: total }) => total !== null)?.total_usd?.level
  const columns: Column[] = [
    ...by.map((dimension): Column => ({ title: dimension.toUpperCase(), cut: 'middle', least: 8 })),
    ...['SO FAR', 'IN ALL', 'FROM', 'TO', 'DAYS SEEN'].map((name): Column => ({ title: name, align: 'right' })),
  ]
  const legend = level === undefined ? [] : [`FROM, TO: with ${percent(level)} chance between these. ?: less than a day of history.`]
  return `${title}\n\n${table(columns, rows, width)}${legend.map((line) => `\n${line}\n`).join('')}`
}

export function anomaliesText({ data, judged, from, to }: AnomaliesAnswer, width: number): string {
  const basis = `${plural(judged.days, 'day')} of ${plural(judged.groups, 'group')} judged${judged.too_young === 0 ? '' : `; ${judged.too_young} too young to say what is usual`}`
  const head = `Days out of line, ${periodText(from, to)}: ${data.length === 0 ? 'none' : data.length} (${basis})`
  return `${[...wrap(head, width), ...data.flatMap(({ words }) => hanging(words, width))].join('\n')}\n`
}

export function runsText({ data, runs, spread, from, to }: RunsAnswer, width: number): string {
  if (runs === 0) return `No agent runs, ${periodText(from, to)}. Callers name a run with the header x-bursar-run.\n`
  const rows = data.map((run) => [
    named(run.key),
    named(run.run),
    dollars(run.usd),
    count(run.calls),
    count(run.input_tokens),
    run.input_per_output === null ? '' : `${count(run.input_per_output)}:1`,
    run.growth_per_step === null ? '' : count(run.growth_per_step),
    run.repeated_share === null ? '' : percent(run.repeated_share),
    run.cache === null ? '' : percent(run.cache.read_share),
    run.runaway === null ? '' : '!',
  ])
  const columns: Column[] = [
    { title: 'KEY', cut: 'middle', least: 6 },
    { title: 'RUN', cut: 'middle', least: 8 },
    ...['SPENT', 'CALLS', 'IN', 'IN:OUT', '+STEP', 'AGAIN', 'CACHED', '!'].map((title): Column => ({ title, align: 'right' })),
  ]
  const spreads = table(
    [
      { title: 'ONE RUN TAKES' },
      ...['LEAST', 'HALF BELOW', '95 OF 100', 'MOST', 'MOST/LEAST'].map((title): Column => ({ title, align: 'right' })),
    ],
    [
      ...spreadRow('dollars', spread.usd, (value) => dollars(value.toFixed(12))),
      ...spreadRow('tokens', spread.tokens, count),
      ...spreadRow('calls', spread.calls, count),
    ],
    width,
  )
  const lines = [`${plural(runs, 'run')}, ${periodText(from, to)}`, '', spreads]
  const flagged = data.flatMap(({ run, runaway }) => (runaway === null ? [] : hanging(`! ${named(run)}: ${runaway}`, width)))
  const legend = wrap(
    '+STEP: input tokens more from step to step. AGAIN: share of the input that the run had sent before. CACHED: share read from prompt caches.',
    width,
  )
  return `${[...lines, table(columns, rows, width), ...flagged, ...legend].join('\n')}\n`
}

const partNames: readonly (readonly [string, string])[] = [
  ['system', 'system prompt'],
  ['tool_schemas', 'tools and schemas'],
  ['observations', 'results of tools'],
  ['assistant', 'what the model said'],
  ['user', 'what the user said'],
]

/** One run in full. */
export function runText(run: RunAnswer, outcomes: readonly { readonly source: string; readonly score: number }[], width: number): string {
  const { input_from: parts, cache } = run
  const lines = [
    `Run ${named(run.run)} of key ${named(run.key)}, ${run.models.map(printable).join(', ')}`,
    `${run.from.slice(0, 16)}Z, ${plural(run.calls, 'call')}${run.failed === 0 ? '' : ` (${run.failed} not complete)`}, ${dollars(run.usd)}${run.unpriced === 0 ? '' : ` and ${plural(run.unpriced, 'call')} of unknown price`}`,
    `${count(run.input_tokens)} tokens in, ${count(run.output_tokens)} out${run.input_per_output === null ? '' : ` (${count(run.input_per_output)}:1)`}${run.growth_per_step === null ? '' : `; the input grows by ${count(run.growth_per_step)} a step`}`,
    `${seconds(run.model_seconds)} s in models, ${seconds(run.other_seconds)} s elsewhere (tools, people, the agent itself)`,
  ]
  if (parts !== null) {
    const whole = Object.values(parts).reduce((sum, value) => sum + value, 0)
    lines.push('', 'Input came from')
    for (const [name, words] of partNames) {
      const value = parts[name] ?? 0
      lines.push(
        `  ${words.padEnd(20)}${count(value).padStart(7)}  ${percent(whole === 0 ? 0 : value / whole).padStart(4)}  ${bar(value, whole, width - 38)}`.trimEnd(),
      )
    }
  }
  if (run.repeated_share !== null && run.multiplicity !== null)
    lines.push(
      '',
      ...wrap(
        `${percent(run.repeated_share)} of the input had been sent before in this run: each token was sent ${run.multiplicity.toFixed(1)} times on average.`,
        width,
      ),
    )
  if (cache !== null) lines.push(...wrap(cacheWords(cache), width))
  if (run.steps.length > 1) lines.push('', ...stepLines(run.steps, width))
  if (run.runaway !== null) lines.push('', ...hanging(`! Out of hand: ${run.runaway}`, width))
  if (outcomes.length > 0) lines.push('', `Outcomes: ${outcomes.map(({ source, score }) => `${printable(source)} ${score}`).join(', ')}`)
  return `${lines.join('\n')}\n`
}

function cacheWords({
  cacheable_share: could,
  read_share: read,
  missed_tokens: missed,
  missed_usd_at_most: missedUsd,
}: NonNullable<RunAnswer['cache']>): string {
  if (missed === 0)
    return read >= could
      ? `Prompt caches gave ${percent(read)} of the input: all that the run repeats.`
      : `Prompt caches gave ${percent(read)} of the input.`
  const cost = missedUsd === null ? '' : `, at most ${dollars(missedUsd)} more than needed`
  return `Prompt caches gave ${percent(read)} of the input and could have given ${percent(could)}: ${count(missed)} tokens were paid in full${cost}.`
}

export function costOfPassText({ data, by, from, to, forgotten, notes }: CostOfPassAnswer, width: number): string {
  if (data.length === 0) {
    const nothing = `No outcomes of agent runs, ${periodText(from, to)}: nothing can be said of what a success costs. Outcomes of runs are told with POST /v1/feedback and a run_id.`
    return `${wrap(nothing, width).join('\n')}\n`
  }
  const rows = data.map(({ group, attempts, passed, usd, usd_per_success: { value, low, high } }) => [
    ...by.map((dimension) => named(group[dimension])),
    count(attempts),
    count(passed),
    dollars(usd),
    value === null ? 'no success' : dollars(value),
    low === null ? '?' : dollars(low),
    high === null ? 'any' : dollars(high),
  ])
  const columns: Column[] = [
    ...by.map((dimension): Column => ({ title: dimension.toUpperCase(), cut: 'middle', least: 8 })),
    ...['ATTEMPTS', 'PASSED', 'SPENT', '$/SUCCESS', 'FROM', 'TO'].map((title): Column => ({ title, align: 'right' })),
  ]
  const more = [
    ...(forgotten > 0 ? [`The calls of ${plural(forgotten, 'attempt')} are no longer kept.`] : []),
    ...data
      .filter(({ unpriced }) => unpriced > 0)
      .map(
        ({ group, unpriced }) => `${Object.values(group).map(named).join(', ')}: ${plural(unpriced, 'attempt')} of unknown price left out.`,
      ),
    ...notes,
  ]
  return `Cost of a success, ${periodText(from, to)}\n\n${table(columns, rows, width)}${noteLines(
    ['FROM, TO: 95 % interval.', ...more],
    width,
  )
    .map((line) => `${line}\n`)
    .join('')}`
}

/** Input of each step; of many steps about twenty evenly spread ones. */
function stepLines(steps: readonly number[], width: number): string[] {
  const shown = 20
  const most = Math.max(...steps)
  const indexes =
    steps.length <= shown
      ? steps.map((_, index) => index)
      : Array.from({ length: shown }, (_, index) => Math.round((index * (steps.length - 1)) / (shown - 1)))
  return [
    `Input by step${steps.length <= shown ? '' : ` (${shown} of ${steps.length})`}`,
    ...indexes.map(
      (index) => `  ${String(index + 1).padStart(5)} ${count(steps[index] ?? 0).padStart(7)}  ${bar(steps[index] ?? 0, most, width - 17)}`,
    ),
  ]
}

function spreadRow(name: string, spread: SpreadAnswer, figure: (value: number) => string): string[][] {
  if (spread === null) return []
  const { least, p50, p95, most, ratio } = spread
  return [[name, ...[least, p50, p95, most].map(figure), ratio === null ? '' : `${ratio < 10 ? ratio.toFixed(1) : count(ratio)}x`]]
}

function noteLines(notes: readonly string[], width: number): string[] {
  return notes.length === 0 ? [] : ['', ...notes.flatMap((note) => wrap(note, width))]
}

/** Wrapped, with what follows the first line moved in. */
function hanging(text: string, width: number): string[] {
  return wrap(text, width - 2).map((line, index) => (index === 0 ? line : `  ${line}`))
}

function periodText(from: string, to: string): string {
  const short = (at: string) => (at.slice(11, 19) === '00:00:00' ? at.slice(0, 10) : `${at.slice(0, 10)} ${at.slice(11, 16)}`)
  return `${short(from)} to ${short(to)} UTC`
}

function named(value: string | undefined): string {
  return value === undefined || value === '' ? '(none)' : cut(printable(value), 60, 'middle')
}

import { Hono, type Context } from 'hono'
import { BursarError, toBursarError } from '../../errors/index.js'
import {
  costOfPass,
  daySeconds,
  exportable,
  exportFault,
  exportRecords,
  findAnomalies,
  forecastHistoryDays,
  forecastSpending,
  hoursOf,
  judgeRun,
  monthOf,
  profileRun,
  spreadOf,
  hoursOfDays,
  type HourSpend,
  type LedgerReader,
  type PriceOf,
  type Report,
  type ReportQuery,
  type RunProfile,
  type RunSize,
} from '../../ledger/index.js'
import { toDollars, totalInputTokens, totalOutputTokens, usd } from '../../quantities/index.js'
import { LEARNER } from '../proof/own-calls.js'
import { anomaliesJson, costOfPassJson, forecastJson, periodJson, reportCsv, reportJson, runJson, spreadJson } from './usage/json.js'
import { invalid, UsageParameters, wholeSteps } from './usage/query.js'
import { savingsAnswer, savingsDimensionsOf } from './usage/savings.js'

/** Whose spending may be read: one key's own, or everybody's. */
export type UsageScope = { readonly key: string } | 'all'

export interface UsageParts {
  /** Throws `missing_key`, `invalid_key` or `key_expired` (401). */
  authorize(headers: Headers): UsageScope
  ledger(): LedgerReader
  /** Unix seconds. */
  now(): number
  /** What a usage would cost; without it reports of runs say nothing of dollars that caches could have saved. */
  readonly priceOf?: PriceOf | undefined
  /** Quality that routing may lose (`proof.margin`), where a question names no margin of its own; 0.02 without it. */
  margin?(): number | undefined
}

const MAX_GROUPS = 10_000
/** Points of quality that may be lost, where nobody says. */
const usualMargin = 0.02
const MAX_CALLS_OF_RUN = 10_000
/** Runs that the spread and what is usual are taken from. */
const MAX_RUNS_COMPARED = 5_000
/** Days of history that anomalies are judged by. */
const anomalyHistoryDays = 56

/**
 * `GET /v1/usage` and what hangs below it: `forecast`, `anomalies`, `runs`, `runs/{id}`, `cost-of-pass`, `savings`, `export/{what}`. A
 * key sees its own spending; parameters that aren't known are refused with their name.
 */
export function addUsageRoutes(app: Hono, parts: UsageParts): void {
  const opened = (c: Context) => {
    const scope = parts.authorize(c.req.raw.headers)
    return { parameters: new UsageParameters(c.req.queries()), scope, now: parts.now(), ledger: parts.ledger() }
  }

  app.get('/v1/usage', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const by = parameters.dimensions('by', [])
    const format = parameters.oneOf('format', ['json', 'csv'], 'json')
    const order = parameters.oneOf(
      'order',
      ['usd', 'calls', 'tokens', 'group'],
      by.every((one) => one === 'day' || one === 'hour') ? 'group' : 'usd',
    )
    const limit = parameters.wholeNumber('limit', 1, MAX_GROUPS, by.includes('hour') || by.includes('day') ? MAX_GROUPS : 100)
    const query = wholeSteps({
      ...parameters.period(now, { from: monthOf(now).from, to: now }),
      by,
      order,
      limit,
      where: scoped(parameters, scope),
    })
    const report = await ledger.report(query)
    if (format === 'json') return c.json(reportJson(report, query, by))
    return c.body(reportCsv(report, by), 200, { 'content-type': 'text/csv; charset=utf-8' })
  })

  app.get('/v1/usage/forecast', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const by = parameters.dimensions('by', [])
    if (by.includes('day') || by.includes('hour'))
      throw invalid('by', 'a forecast is of a whole period; name what to group by, such as team')
    const level = parameters.numberBetween('level', 0, 1, 0.9)
    const limit = parameters.wholeNumber('limit', 1, 100, 20)
    const month = monthOf(now)
    const period = parameters.period(now, month)
    if (period.from > now) throw invalid('from', 'a forecast begins in the past: what was spent is a part of it')
    const where = scoped(parameters, scope)
    const known = { from: Math.min(period.from, now - forecastHistoryDays * daySeconds), to: now }
    const groups =
      by.length === 0
        ? [{}]
        : (await ledger.report(wholeSteps({ ...known, by, where, order: 'usd', limit }))).rows.map(({ group }) => group)
    const data = []
    for (const group of groups) {
      data.push({
        group,
        ...forecastJson(
          forecastSpending({ hours: await spendingOf(ledger, { ...known, where: { ...where, ...group } }), now, ...period, level }),
        ),
      })
      await turn()
    }
    return c.json({ object: 'usage.forecast', ...periodJson(period), by, data })
  })

  app.get('/v1/usage/anomalies', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const by = parameters.dimensions('by', ['key'])
    if (by.includes('day') || by.includes('hour')) throw invalid('by', 'days are judged in any case; name whose, such as key or team')
    const least = parameters.numberBetween('least', 0, 1e9, 1)
    const asked = parameters.period(now, { from: now - 7 * daySeconds, to: now })
    const period = { from: Math.floor(asked.from / daySeconds) * daySeconds, to: asked.to }
    const query = {
      from: period.from - anomalyHistoryDays * daySeconds,
      to: period.to,
      by: [...by, 'day'] as const,
      where: scoped(parameters, scope),
    }
    return c.json(
      anomaliesJson(await findAnomalies({ rows: await everyDay(ledger, wholeSteps(query)) }, period, { least: usd(least) }), period, by),
    )
  })

  app.get('/v1/usage/runs', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const limit = parameters.wholeNumber('limit', 1, 100, 20)
    const order = parameters.oneOf('order', ['usd', 'calls', 'tokens'], 'usd')
    const period = parameters.period(now, { from: now - 7 * daySeconds, to: now })
    const query = wholeSteps({ ...period, by: ['key', 'run'], where: scoped(parameters, scope), order, limit: MAX_RUNS_COMPARED })
    const report = runsOnly(await ledger.report(query))
    const profiles: RunProfile[] = []
    for (const { group } of report.rows.slice(0, limit)) {
      const calls = await ledger.calls({ key: group['key'], run: group['run'], limit: MAX_CALLS_OF_RUN })
      if (calls.length > 0) profiles.push(profileRun(calls, parts.priceOf))
    }
    const sizes = sizesOf(report, profiles)
    return c.json({
      object: 'usage.runs',
      ...periodJson(query),
      runs: report.rows.length,
      spread: {
        usd: spreadJson(spreadOf(report.rows.map(({ totals }) => toDollars(totals.cost.usd ?? usd(0))))),
        tokens: spreadJson(spreadOf(sizes.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens))),
        calls: spreadJson(spreadOf(report.rows.map(({ totals }) => totals.calls))),
      },
      data: profiles.map((profile) =>
        runJson(
          profile,
          judgeRun(
            profile,
            sizes.filter(({ key }) => key === profile.key),
          ),
        ),
      ),
    })
  })

  app.get('/v1/usage/runs/:id', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const run = c.req.param('id')
    const asked = parameters.text('key')
    parameters.end()
    const key = scope === 'all' ? asked : scope.key
    if (scope !== 'all' && asked !== undefined && asked !== scope.key) throw others()
    const calls = await ledger.calls({ key, run, limit: MAX_CALLS_OF_RUN })
    const [first] = calls
    if (first === undefined)
      throw new BursarError('There is no such run, or its calls are no longer kept.', { code: 'not_found', status: 404 })
    const keys = [...new Set(calls.map((call) => call.key))]
    if (keys.length > 1)
      throw invalid(
        'key',
        `several keys have a run of this name; say which: ${keys
          .slice(0, 5)
          .map((name) => `key=${name}`)
          .join(', ')}`,
      )
    const profile = profileRun(calls, parts.priceOf)
    const month = wholeSteps({
      from: now - 30 * daySeconds,
      to: now,
      by: ['key', 'run'],
      where: { key: first.key },
      limit: MAX_RUNS_COMPARED,
    })
    const runaway = judgeRun(profile, sizesOf(runsOnly(await ledger.report(month)), []))
    const outcomes = await ledger.outcomes({ key: first.key, run, limit: 100 })
    return c.json({
      object: 'usage.run',
      ...runJson(profile, runaway),
      outcomes: outcomes.map(({ at, source, score }) => ({ at: new Date(at * 1000).toISOString(), source, score })),
      complete: calls.length < MAX_CALLS_OF_RUN,
    })
  })

  app.get('/v1/usage/cost-of-pass', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const by = parameters.dimensions('by', ['key'])
    const unit = parameters.oneOf('unit', ['run', 'decision'], 'run')
    const source = parameters.text('source')
    const passAt = parameters.numberBetween('pass_at', 0, 1.000001, 0.5)
    const period = parameters.period(now, { from: now - 30 * daySeconds, to: now })
    const { key, ...more } = scoped(parameters, scope) ?? {}
    const [other] = Object.keys(more)
    if (other !== undefined) throw invalid(other, 'cost-of-pass can be filtered by key only; group by the rest')
    return c.json(costOfPassJson(await costOfPass(ledger, { unit, ...period, key, source, passAt, by }), period, by))
  })

  app.get('/v1/usage/savings', async (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const by = savingsDimensionsOf(parameters.text('by'))
    const margin = parameters.numberBetween('margin', 0, 1, parts.margin?.() ?? usualMargin)
    const period = parameters.period(now, { from: monthOf(now).from, to: now })
    const { key, ...more } = scoped(parameters, scope) ?? {}
    const [other] = Object.keys(more)
    if (other !== undefined) throw invalid(other, 'savings can be filtered by key only; tell them apart with "by"')
    // What judges cost can't be told by key.
    const learner = key === undefined ? LEARNER : undefined
    return c.json(await savingsAnswer(ledger, { ...period, key, margin, by, learner }))
  })

  app.get('/v1/usage/export/:what', (c) => {
    const { parameters, scope, now, ledger } = opened(c)
    const what = exportable.find((one) => one === c.req.param('what'))
    if (what === undefined)
      throw new BursarError(`There is no export of "${c.req.param('what')}"; there are ${exportable.join(', ')}.`, {
        code: 'not_found',
        status: 404,
      })
    const format = parameters.oneOf('format', ['jsonl', 'csv'], 'jsonl')
    const fault = exportFault({ what, format })
    if (fault !== undefined) throw invalid('format', fault)
    const period = parameters.period(now, { from: monthOf(now).from, to: now })
    const { key, ...more } = scoped(parameters, scope) ?? {}
    const [other] = Object.keys(more)
    if (other !== undefined) throw invalid(other, 'an export can be filtered by key only')
    const chunks = exportRecords(ledger, { what, format, ...period, key })
    return c.body(streamed(chunks), 200, { 'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson' })
  })
}

/** The usage endpoints alone: for commands that read a database without a gateway. */
export function createUsageApp(parts: UsageParts): Hono {
  const app = new Hono()
  addUsageRoutes(app, parts)
  app.onError((thrown, c) => {
    const { message, status, code, path } = toBursarError(thrown)
    return c.json({ error: { message, param: path ?? null, code } }, status as 400)
  })
  return app
}

/** What the caller filters by, and may: of another key nothing. The last parameters that are read, so that what is left isn't known. */
function scoped(parameters: UsageParameters, scope: UsageScope): ReportQuery['where'] {
  const where = parameters.where()
  parameters.end()
  if (scope === 'all') return where
  if (where.key !== undefined && where.key !== scope.key) throw others()
  return { ...where, key: scope.key }
}

function others(): BursarError {
  return new BursarError('A key sees its own spending only; the admin key sees all.', { code: 'admin_only', status: 403, path: 'key' })
}

/** Spending by hour; by day where a tag, a run or a session is asked for, whose sums are kept by day. */
async function spendingOf(ledger: LedgerReader, query: Pick<ReportQuery, 'from' | 'to' | 'where'>): Promise<readonly HourSpend[]> {
  const days = Object.keys(query.where ?? {}).some((name) => name === 'run' || name === 'session' || name.startsWith('tag:'))
  const report = await ledger.report(wholeSteps({ ...query, by: [days ? 'day' : 'hour'], order: 'group' }))
  return days ? hoursOfDays(report, query.to) : hoursOf(report)
}

/**
 * A report by day and more that may have more groups than the ledger answers at once: then the period is halved, down to single days;
 * of a single day the dearest groups are all there is.
 */
async function everyDay(ledger: LedgerReader, query: ReportQuery): Promise<Report['rows']> {
  const { from, to } = query
  const report = await ledger.report({ ...query, order: 'usd' })
  if (report.others.groups === 0 || to - from <= daySeconds) return report.rows
  const middle = Math.floor((from + to) / 2 / daySeconds) * daySeconds
  if (middle <= from || middle >= to) return report.rows
  return [...(await everyDay(ledger, { ...query, to: middle })), ...(await everyDay(ledger, { ...query, from: middle }))]
}

/** Calls that belong to no run are a group too: not here. */
function runsOnly(report: Report): Report {
  return { ...report, rows: report.rows.filter(({ group }) => group['run'] !== '') }
}

function sizesOf({ rows }: Report, profiles: readonly RunProfile[]): readonly RunSize[] {
  const profiled = new Map(profiles.map((profile) => [`${profile.key}\n${profile.run}`, profile]))
  return rows.map(({ group: { key = '', run = '' }, totals: { usage } }) => ({
    key,
    run,
    inputTokens: totalInputTokens(usage),
    outputTokens: totalOutputTokens(usage),
    growthPerStep: profiled.get(`${key}\n${run}`)?.growthPerStep ?? null,
  }))
}

/** A body that is made as it is read; a reader that goes away ends the making. */
function streamed(chunks: AsyncGenerator<{ readonly text: string }>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      for (;;) {
        const step = await chunks.next()
        if (step.done) return controller.close()
        if (step.value.text === '') continue
        return controller.enqueue(encoder.encode(step.value.text))
      }
    },
    async cancel() {
      await chunks.return(undefined)
    },
  })
}

/** Lets other work pass. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

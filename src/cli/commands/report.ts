import { writeFile } from 'node:fs/promises'
import { Argument, InvalidArgumentError, type Command } from 'commander'
import type { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { htmlOf, textOf } from '../../evaluation/index.js'
import { anomaliesAnswer, costOfPassAnswer, forecastAnswer, readAnswer, runAnswer, runsAnswer, usageAnswer } from '../usage/answers.js'
import { usageProcess, type UsageDependencies } from '../usage/process.js'
import { anomaliesText, costOfPassText, daysText, forecastText, groupsText, runsText, runText, summaryText } from '../usage/print.js'
import { savingsAnswer } from '../usage/savings-answer.js'
import { savingsDocument } from '../usage/savings-document.js'
import { openSource, withSourceOptions, type SourceOptions, type UsageSource } from '../usage/source.js'

interface ReportOptions extends SourceOptions {
  readonly by?: string
  readonly from?: string
  readonly to?: string
  readonly where: readonly string[]
  readonly top?: number
  readonly order?: string
  readonly forecast?: boolean
  readonly anomalies?: boolean
  readonly runs?: boolean
  readonly run?: string
  readonly costOfPass?: boolean
  readonly source?: string
  readonly margin?: string
  readonly html?: string
  readonly json?: boolean
  readonly csv?: boolean
}

/** A report may wait this long for the ledger. */
const patienceMs = 120_000

/** `bursar report`: what was spent, by whom and on what. */
export function reportCommand(program: Command, deps: UsageDependencies = usageProcess()): void {
  withSourceOptions(
    program
      .command('report')
      .description('Show what was spent: this month by day, key and model, or as asked for; or what was saved (`bursar report savings`).')
      .addArgument(
        new Argument('[what]', 'savings: what routing saved against the reference, and whether quality held').choices(['savings']),
      )
      .option(
        '--by <dimensions>',
        'group by: team,model … (organisation, team, user, key, model, provider, deployment, requested_model, day, hour, run, session, tag:NAME)',
      )
      .option(
        '--from <when>',
        'a date (2026-11-01), a moment (2026-11-01T12:00Z), or back from now (12h, 7d, 4w); default: the first of this month',
      )
      .option('--to <when>', 'the same; default: now')
      .option('--where <dimension=value>', 'only calls with this value, such as model=gpt-5-mini; may be repeated', collect, [])
      .option('--top <number>', 'show so many groups or runs', wholeNumber)
      .option('--order <by>', 'usd, calls, tokens or group')
      .option('--forecast', 'what the month (or --from … --to …) will come to, with an interval')
      .option('--anomalies', 'days out of line with the own history of each key (or of --by)')
      .option('--runs', 'agent runs: where their tokens went')
      .option('--run <id>', 'one agent run in full')
      .option('--cost-of-pass', 'what a success costs, where outcomes are known')
      .option('--source <name>', 'with --cost-of-pass: whose word counts, such as user')
      .option('--margin <points>', 'with savings: quality that may be lost; 0.02 is two points of a hundred (default: proof.margin)')
      .option('--html <file>', 'with savings: write one self-contained page with plots')
      .option('--json', 'print the figures as JSON')
      .option('--csv', 'print the groups as CSV'),
  ).action(async (what: 'savings' | undefined, options: ReportOptions) => {
    const signal = AbortSignal.any([deps.signal, AbortSignal.timeout(patienceMs)])
    const source = await openSource(options, deps)
    try {
      const showing = { source, options, signal, deps }
      await (what === 'savings' ? showSavings(showing) : show(showing))
    } finally {
      await source.close()
    }
  })
}

interface Showing {
  readonly source: UsageSource
  readonly options: ReportOptions
  readonly signal: AbortSignal
  readonly deps: UsageDependencies
}

type Parameters = Readonly<Record<string, string | undefined>>

async function showSavings(showing: Showing): Promise<void> {
  const { options, deps, source } = showing
  const { by, from, to, margin, html } = options
  const other = (['forecast', 'anomalies', 'runs', 'run', 'costOfPass', 'source', 'csv', 'top', 'order'] as const).find(
    (name) => options[name] !== undefined,
  )
  if (other !== undefined)
    throw misused(
      `--${other === 'costOfPass' ? 'cost-of-pass' : other} does not go with savings, which take --from, --to, --by, --margin, --where key=NAME, --json and --html.`,
    )
  const { answer, json } = await ask(showing, '/savings', { by, from, to, margin }, savingsAnswer)
  if (html !== undefined) {
    await writeFile(html, htmlOf(savingsDocument(answer, source.name, true)))
    deps.report(`Written to ${html}.\n`)
  }
  if (options.json) await deps.print(`${JSON.stringify(json, null, 2)}\n`)
  else if (html === undefined) await deps.print(textOf(savingsDocument(answer, source.name, false), deps.width))
}

async function show(showing: Showing): Promise<void> {
  const { options, deps, source, signal } = showing
  if (options.margin !== undefined || options.html !== undefined)
    throw misused('--margin and --html go with savings: bursar report savings.')
  const chosen = (['forecast', 'anomalies', 'runs', 'run', 'costOfPass'] as const).filter((name) => options[name] !== undefined)
  if (options.csv) {
    if (options.json || chosen.length > 0) throw misused('--csv prints groups (--by) only.')
    await deps.print(
      await (await source.get(path('', { ...asked(options), by: options.by ?? 'day', format: 'csv' }, options.where), signal)).text(),
    )
    return
  }
  if (options.source !== undefined && !options.costOfPass) throw misused('--source goes with --cost-of-pass.')
  const sections: Record<string, unknown> = {}
  const texts: string[] = []
  const { width } = deps
  const by = options.by?.split(',').map((name) => name.trim()) ?? []
  const { from, to } = options
  for (const name of chosen)
    switch (name) {
      case 'forecast': {
        const { answer, json } = await ask(showing, '/forecast', { by: options.by, from, to, limit: top(options) }, forecastAnswer)
        sections['forecast'] = json
        texts.push(forecastText(answer, by, width))
        break
      }
      case 'anomalies': {
        const { answer, json } = await ask(showing, '/anomalies', { by: options.by, from, to }, anomaliesAnswer)
        sections['anomalies'] = json
        texts.push(anomaliesText(answer, width))
        break
      }
      case 'runs': {
        const { answer, json } = await ask(showing, '/runs', { from, to, limit: top(options), order: options.order }, runsAnswer)
        sections['runs'] = json
        texts.push(runsText(answer, width))
        break
      }
      case 'run': {
        const { answer, json } = await ask(showing, `/runs/${encodeURIComponent(options.run ?? '')}`, {}, runAnswer)
        sections['run'] = json
        texts.push(runText(answer, answer.outcomes, width))
        break
      }
      case 'costOfPass': {
        const { answer, json } = await ask(showing, '/cost-of-pass', { by: options.by, from, to, source: options.source }, costOfPassAnswer)
        sections['cost_of_pass'] = json
        texts.push(costOfPassText(answer, width))
        break
      }
    }
  if (chosen.length === 0) {
    const { answer, json } = await ask(showing, '', { ...asked(options), by: options.by ?? 'day' }, usageAnswer)
    sections['usage'] = json
    texts.push(summaryText(answer, source.name, width))
    if (options.by !== undefined && options.by !== 'day') texts.push(groupsText(answer, by, width))
    else {
      texts.push(daysText(answer, width))
      if (options.by === undefined && answer.total.calls > 0 && !options.json)
        for (const dimension of ['key', 'model']) {
          const groups = await ask(showing, '', { ...asked(options), by: dimension, limit: top(options) ?? '10' }, usageAnswer)
          texts.push(groupsText(groups.answer, [dimension], width))
        }
    }
  }
  if (!options.json) return void (await deps.print(texts.filter((text) => text !== '').join('\n')))
  const parts = Object.values(sections)
  await deps.print(`${JSON.stringify(parts.length === 1 ? parts[0] : sections, null, 2)}\n`)
}

function ask<Answer>({ source, options, signal }: Showing, below: string, parameters: Parameters, schema: z.ZodType<Answer>) {
  return source.get(path(below, parameters, options.where), signal).then((response) => readAnswer(response, schema))
}

function asked(options: ReportOptions): Parameters {
  return { from: options.from, to: options.to, limit: top(options), order: options.order }
}

function top({ top: number }: ReportOptions): string | undefined {
  return number === undefined ? undefined : String(number)
}

/** An address below `/v1/usage`, with what is given and the filters. */
export function path(below: string, parameters: Parameters, where: readonly string[]): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.append(name, value)
  for (const filter of where) {
    const equals = filter.indexOf('=')
    if (equals < 1) throw misused(`--where: expected dimension=value, got "${filter}".`)
    search.append(filter.slice(0, equals), filter.slice(equals + 1))
  }
  const text = search.toString()
  return `/v1/usage${below}${text === '' ? '' : `?${text}`}`
}

function misused(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_request', status: 400 })
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}

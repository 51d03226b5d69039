import { leadText, percentOf, type EvaluationSummary, type MethodSummary, type Settings, type Tuned } from '../../evaluation/index.js'
import { plural } from '../usage/figures.js'
import { printable, table, wrap } from '../table.js'

/** An evaluation as text for people: at most `width` columns, no colour. */
export function evaluationText(summary: EvaluationSummary, cellsFile: string | undefined, width: number): string {
  const { suite, methods, cells, spent, because, holds, leader, lead, failure, notes, stop } = summary
  const rows = methods.map((method) => [
    method.id,
    percent(method.score.value),
    method.cells === 0 ? '–' : `${bare(method.score.low)}–${bare(method.score.high)}`,
    dollarsPerThousand(method),
    method.seconds === null ? '–' : secondsText(method.seconds),
    percentOf(method.best),
    `${method.cells}${method.failures > 0 ? ` (${method.failures} failed)` : ''}`,
  ])
  const lines = table(
    [
      { title: 'METHOD', cut: 'middle', least: 16 },
      { title: 'SCORE', align: 'right' },
      { title: '95 %', align: 'right' },
      { title: '$/1000', align: 'right' },
      { title: 'SECONDS', align: 'right' },
      { title: 'P(BEST)', align: 'right' },
      { title: 'CELLS', align: 'right' },
    ],
    rows,
    width,
  )
  const paid = cells.scored - cells.kept
  const bill = spent.usd === null ? 'dollars not known (a price is missing)' : `$${money(spent.usd)}`
  const counts = `${cells.scored} of ${cells.of} cells scored, ${cells.kept} of them kept from before. This run: ${bill}, ${plural(spent.calls, 'call')}, ${secondsText(spent.seconds)} s${paid > 0 && spent.usd !== null && spent.usd > 0 ? ` (all ${cells.of} cells would have taken about $${money((spent.usd / paid) * cells.of)})` : ''}.`
  const said = [
    because,
    ...(lead === undefined ? [] : [leadText(leader, lead)]),
    counts,
    holds,
    ...(failure === undefined || stop === 'failing' || stop === 'budget' ? [] : [`Last failure: ${failure}`]),
    ...notes,
    ...(cellsFile === undefined
      ? []
      : [`Answers are kept in ${cellsFile}: run the same command again to go on, or with more budget; nothing in it is paid for twice.`]),
  ]
  return `${printable(suite)}\n\n${lines}\n${said.flatMap((text) => wrap(printable(text), width)).join('\n')}\n`
}

/** The best settings that were found, and what they are worth on items that tuning never saw. */
export function tunedText(suite: string, { trials, check, tunedOn }: Tuned, cellsFile: string | undefined, width: number): string {
  const rows = trials
    .slice(0, MOST_TRIALS)
    .map(({ settings, score, usd }) => [settingsText(settings), percent(score), usd === null ? '?' : `$${money(1_000 * usd)}`])
  const lines = table(
    [
      { title: 'SETTINGS', cut: 'end', least: 30 },
      { title: 'SCORE', align: 'right' },
      { title: '$/1000', align: 'right' },
    ],
    rows,
    width,
  )
  const head = wrap(
    `${printable(suite)}: ${plural(trials.length, 'setting')} tried on ${tunedOn} items, the best first. Of many the best looks better than it is, so it was checked on the rest:`,
    width,
  )
  return `${head.join('\n')}\n\n${lines}\n${evaluationText(check, cellsFile, width)}`
}

const MOST_TRIALS = 10

export function settingsText(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : '–'
}

function bare(share: number): string {
  return (100 * share).toFixed(1)
}

function dollarsPerThousand({ usd, cells }: MethodSummary): string {
  return usd === null ? (cells === 0 ? '–' : '?') : `$${money(1_000 * usd)}`
}

/** Dollars with three digits that matter. */
export function money(dollars: number): string {
  if (dollars === 0) return '0'
  return dollars >= 1_000 ? dollars.toFixed(0) : dollars < 1e-6 ? dollars.toExponential(1) : Number(dollars.toPrecision(3)).toString()
}

function secondsText(seconds: number): string {
  return seconds >= 100 ? seconds.toFixed(0) : seconds >= 10 ? seconds.toFixed(1) : seconds.toFixed(2)
}

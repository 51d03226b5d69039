import type { ReportBlock, ReportDocument, ReportFigure, ReportPlot, ReportSection, ReportTable } from '../../evaluation/index.js'
import { dollars, plural } from './figures.js'
import type { BandAnswer, KindAnswer, SavingAnswer, SavingsAnswer, ScopeAnswer } from './savings-answer.js'

/**
 * The report of savings as a document, from what the endpoint answers: the same answer gives the same document. `plots`: for a page; a
 * terminal has none.
 */
export function savingsDocument(answer: SavingsAnswer, source: string, plots: boolean): ReportDocument {
  const { from, to, all, key } = answer
  const subtitle = `${day(from)} to ${day(to)} UTC, from ${source}${key === null ? '' : `, key ${key}`}`
  if (all.requests === 0)
    return { title: 'Savings', subtitle, sections: [{ heading: 'Nothing to tell', blocks: [{ kind: 'text', text: nothing }] }] }
  return {
    title: 'Savings',
    subtitle,
    sections: [
      {
        heading: 'Saved against the reference',
        blocks: [{ kind: 'figures', figures: figuresOf(answer) }, moneyTable(answer), ...amountBlocks(all)],
      },
      { heading: 'Quality', blocks: qualityBlocks(answer) },
      ...answer.scopes.flatMap((scopes) => scopeSection(scopes)),
      ...(plots ? plotSections(answer) : []),
      { heading: 'How to read this', blocks: [{ kind: 'text', text: notes(answer).join('\n\n') }] },
    ],
  }
}

const nothing =
  'No request of this period was part of the live proof. A share of routed requests has to be held out to the reference arm: set `proof.holdout` in the configuration (0.05 when left out), route requests (`model: auto`, or `routing.instead_of`), and see that callers do not opt out of exploration.'

const verdictWords: Readonly<Record<ScopeAnswer['verdict'], string>> = {
  proven: 'proven',
  'not yet': 'not yet',
  worse: 'worse',
  none: 'nobody judged',
}

const evidenceWords: Readonly<Record<KindAnswer, string>> = {
  judge: 'a sampled judge',
  pair: 'a judge who saw both answers',
  check: 'verifiers',
  feedback: "users' own feedback",
}

function figuresOf(answer: SavingsAnswer): ReportFigure[] {
  const { all, margin } = answer
  const head = all.quality.find(({ kind }) => kind === all.evidence)
  return [
    isKnown(all.usd)
      ? {
          label: 'Saved',
          text: `${money(all.usd.saved)}${all.usd.share === null ? '' : `, ${percents(all.usd.share)} of what the reference would have cost`}`,
          tone: tone(all.usd.saved),
        }
      : {
          label: 'Saved',
          text: `unknown: the price of ${plural(all.usd.unknown_requests, 'request')} isn't known`,
          note: `Answered by ${all.usd.arms.join(', ')}. Give their prices in the configuration.`,
          tone: 'bad',
        },
    {
      label: `Quality within ${points(margin)} points of the reference`,
      text:
        all.verdict === 'not yet'
          ? `not yet (${moreText(all.more)})`
          : all.verdict === 'worse'
            ? 'worse: this traffic belongs back with the reference'
            : verdictWords[all.verdict],
      note:
        head === undefined
          ? 'No answer was judged: turn on proof.judge, or send feedback.'
          : `${pointsBand(head.difference)} points, by ${evidenceWords[head.kind]}`,
      tone: all.verdict === 'proven' ? 'good' : all.verdict === 'worse' ? 'bad' : 'neutral',
    },
  ]
}

/** What a controller adds up again: each line follows from those above it. */
function moneyTable({ all, learning, saved_in_the_end_usd: end }: SavingsAnswer): ReportTable {
  const columns = [
    { title: 'Dollars' },
    { title: 'Estimate', align: 'right' as const },
    { title: 'From', align: 'right' as const },
    { title: 'To', align: 'right' as const },
  ]
  const answered = all.requests - all.held_out
  const rows: string[][] = [[`Spent on ${plural(answered, 'routed request')}`, dollars(all.spent_usd), 'exact', '']]
  if (!isKnown(all.usd)) return { kind: 'table', columns, rows: [...rows, ['The same by the reference', 'unknown', '', '']] }
  const { saved, spent, not_saved_held_out: heldOut } = all.usd
  const sum = (band: BandAnswer, more: number): BandAnswer => ({
    value: plus(band.value, more),
    low: plus(band.low, more),
    high: plus(band.high, more),
  })
  rows.push(['The same by the reference (spent + saved)', ...cells(sum(saved, spent))], ['Saved', ...cells(saved)])
  if (learning !== null && end !== null)
    rows.push(
      ['- judges', dollars(learning.judge_usd), 'exact', ''],
      ['- shadow calls', dollars(learning.shadow_usd), 'exact', ''],
      ...(Number(learning.other_usd) === 0 ? [] : [['- other calls to learn from', dollars(learning.other_usd), 'exact', '']]),
      ['Saved in the end', ...cells(end)],
    )
  rows.push([`Not saved: ${all.held_out.toLocaleString('en-US')} held out, the price of proof`, ...cells(heldOut)])
  return { kind: 'table', columns, rows }
}

function amountBlocks({ seconds, joules }: ScopeAnswer): ReportBlock[] {
  const line = (name: string, unit: string, amount: SavingAnswer) =>
    isKnown(amount)
      ? [
          [
            name,
            `${figure(amount.saved.value)} ${unit}`,
            figure(amount.saved.low),
            figure(amount.saved.high),
            amount.share === null ? '' : percents(amount.share),
          ],
        ]
      : [[name, 'unknown', '', '', '']]
  return [
    {
      kind: 'table',
      columns: [
        { title: 'Beside dollars' },
        { title: 'Saved', align: 'right' },
        { title: 'From', align: 'right' },
        { title: 'To', align: 'right' },
        { title: 'Share', align: 'right' },
      ],
      rows: [...line('Waiting', 's', seconds), ...line('Energy', 'J', joules)],
    },
  ]
}

function qualityBlocks({ all, margin }: SavingsAnswer): ReportBlock[] {
  if (all.quality.length === 0)
    return [
      {
        kind: 'text',
        text: 'No answer of this traffic was judged by anybody, so nothing is known of its quality. Turn on `proof.judge`, or send feedback (POST /v1/feedback).',
      },
    ]
  const rows = all.quality.map(({ kind, difference, words, labels }) => [
    `${evidenceWords[kind]}${kind === all.evidence ? ' *' : ''}`,
    pointsText(difference.value),
    pointsText(difference.low),
    pointsText(difference.high),
    String(words.held_out + words.policy),
    kind === 'pair' ? 'both' : String(words.held_out),
    labels === 0 ? '' : String(labels),
  ])
  const right = (title: string) => ({ title, align: 'right' as const })
  const texts: string[] = [
    `* gives the verdict. Points of a hundred, routed answers less the reference's; the margin is ${points(margin)}.`,
  ]
  const judged = all.quality.find(({ kind }) => kind === 'judge' || kind === 'pair')
  if (judged !== undefined && judged.labels === 0)
    texts.push(
      'No person has labelled an answer that the judge graded, so the judge is taken at its word: what it likes or overlooks is in these figures.',
    )
  if (all.evidence === 'feedback')
    texts.push(
      "By users' own feedback: those who speak are not a random sample of those who were answered, so this is weaker than a sampled judge.",
    )
  if (all.evidence === 'check') texts.push('By verifiers, which see form (schemas, tool calls), not whether an answer is right.')
  return [
    {
      kind: 'table',
      columns: [{ title: 'Judged by' }, right('Diff.'), right('From'), right('To'), right('Words'), right('Held out'), right('Labels')],
      rows,
    },
    { kind: 'text', text: texts.join('\n\n') },
  ]
}

const dimensionWords = { route: 'By route', key: 'By key', category: 'By category' } as const
const mostRows = 20

function scopeSection({ dimension, data, left }: SavingsAnswer['scopes'][number]): ReportSection[] {
  // One scope that is all there is tells nothing new.
  if (data.length < 2) return []
  const right = (title: string) => ({ title, align: 'right' as const })
  const shown = data.slice(0, mostRows)
  const rows = shown.map((scope) => {
    const head = scope.quality.find(({ kind }) => kind === scope.evidence)
    return [
      scope.name === '' ? '(none)' : scope.name,
      String(scope.requests),
      isKnown(scope.usd) ? dollarsOf(scope.usd.saved.value) : 'unknown',
      isKnown(scope.usd) && scope.usd.saved.low !== null ? `${dollarsOf(scope.usd.saved.low)}..${dollarsOf(scope.usd.saved.high)}` : '',
      head === undefined || head.difference.low === null ? '' : `${pointsText(head.difference.low)}..${pointsText(head.difference.high)}`,
      scope.verdict === 'not yet' ? (scope.more === null ? 'not yet' : `not yet, +${short(scope.more)}`) : verdictWords[scope.verdict],
    ]
  })
  const beyond = data.length - shown.length + left
  const text =
    beyond === 0
      ? []
      : [
          {
            kind: 'text' as const,
            text: `${plural(beyond, 'smaller one')} not shown${left === 0 ? '' : `, of which ${left} were not told apart`}.`,
          },
        ]
  return [
    {
      heading: dimensionWords[dimension],
      blocks: [
        {
          kind: 'table',
          columns: [{ title: dimension }, right('Requests'), right('Saved'), right('From..to'), right('Quality'), { title: 'Verdict' }],
          rows,
        },
        ...text,
      ],
    },
  ]
}

function plotSections({ timeline, calibration, arms, margin, all }: SavingsAnswer): ReportSection[] {
  const at = (text: string) => Date.parse(text) / 1000
  const saved = timeline.flatMap(({ at: when, saved_usd: usd }) =>
    usd === null || usd.value === null || usd.low === null || usd.high === null
      ? []
      : [{ x: at(when), y: { value: usd.value, low: usd.low, high: usd.high } }],
  )
  const quality = timeline.flatMap(({ at: when, quality: of }) =>
    of === null || of.value === null || of.low === null || of.high === null
      ? []
      : [{ x: at(when), y: { value: of.value * 100, low: of.low * 100, high: of.high * 100 } }],
  )
  const plots: ReportPlot[] = []
  const time = { title: 'Day', as: 'days' as const }
  if (saved.length > 1)
    plots.push({
      kind: 'plot',
      shape: 'line',
      caption: 'Dollars saved so far, with interval',
      x: time,
      y: { title: 'Saved', unit: '$' },
      series: [{ name: 'saved', points: saved }],
    })
  const [firstPoint, lastPoint] = [quality[0], quality.at(-1)]
  if (firstPoint !== undefined && lastPoint !== undefined && quality.length > 1)
    plots.push({
      kind: 'plot',
      shape: 'line',
      caption: `Quality of routed answers less the reference's so far, by ${all.evidence === null ? 'nobody' : evidenceWords[all.evidence]}, against the margin`,
      x: time,
      y: { title: 'Points of a hundred' },
      series: [{ name: 'difference', points: quality }],
      guide: { name: 'margin', from: { x: firstPoint.x, y: -margin * 100 }, to: { x: lastPoint.x, y: -margin * 100 } },
    })
  if (calibration.length > 0)
    plots.push({
      kind: 'plot',
      shape: 'scatter',
      caption: 'Expected quality against observed quality: on the diagonal, expectations were right',
      x: { title: 'Expected' },
      y: { title: 'Observed' },
      series: [
        {
          name: 'answers',
          points: calibration.map(({ expected, observed, answers }) => ({
            x: expected,
            y: { value: observed.value ?? 0, low: observed.low ?? 0, high: observed.high ?? 1 },
            label: String(answers),
          })),
        },
      ],
      guide: { name: 'as expected', from: { x: 0, y: 0 }, to: { x: 1, y: 1 } },
    })
  if (arms.length > 0)
    plots.push({
      kind: 'plot',
      shape: 'bars',
      caption: 'Where the money went, by arm',
      x: { title: 'Arm' },
      y: { title: 'Dollars', unit: '$' },
      series: [
        {
          name: 'spent',
          points: arms.map(({ arm, usd, requests }, index) => ({ x: index, y: Number(usd), label: `${arm} (${requests})` })),
        },
      ],
    })
  return plots.length === 0 ? [] : [{ heading: 'Over time, and where it went', blocks: plots }]
}

function notes({ all, level, margin, scopes, unusable_judgements: unusable, learning }: SavingsAnswer): string[] {
  const percent = `${Math.round(level * 1000) / 10} %`
  return [
    `A random share of requests (${all.held_out.toLocaleString('en-US')} of ${all.requests.toLocaleString('en-US')}, drawn in ${all.units.toLocaleString('en-US')} conversations) was answered by the reference: the model that the caller named, or the configured one. Every figure compares the two groups; nothing is compared with the dearest model unless that is the reference.`,
    `From and to: ${percent} intervals (asymptotic confidence sequences) that hold at every look together, so looking daily and stopping when you like is honest. Conversations, not requests, are counted as independent. An interval without bounds has fewer than 50 judged conversations in the smaller group.`,
    `Proven: all of the interval lies above -${points(margin)} points. Worse: all of it lies below. ${scopes.some(({ data }) => data.length > 1) ? "Verdicts of the rows of one table hold together (Holm 1979), so a row's interval may clear the margin and its verdict not yet." : ''}`.trim(),
    ...(all.units < all.requests
      ? [
          'Figures are per request. Where answers change how long conversations last, that is part of the difference of the traffic, not of these figures.',
        ]
      : []),
    ...(learning !== null && learning.unpriced > 0
      ? [`${plural(learning.unpriced, 'call')} of judges or shadows had no known price and is in no sum.`]
      : []),
    ...(unusable > 0
      ? [`${plural(unusable, "judge's word", "judges' words")} came without the probability with which it was sought, and was left out.`]
      : []),
  ]
}

function isKnown(saving: SavingAnswer): saving is Extract<SavingAnswer, { saved: unknown }> {
  return 'saved' in saving
}

function cells({ value, low, high }: BandAnswer): [string, string, string] {
  return [dollarsOf(value), dollarsOf(low), dollarsOf(high)]
}

function dollarsOf(value: number | null): string {
  return value === null ? '?' : dollars(String(value))
}

function money({ value, low, high }: BandAnswer): string {
  return low === null || high === null
    ? `${dollarsOf(value)} (no interval yet)`
    : `${dollarsOf(value)}, between ${dollarsOf(low)} and ${dollarsOf(high)}`
}

function tone({ low, high }: BandAnswer): ReportFigure['tone'] {
  if (low !== null && low > 0) return 'good'
  return high !== null && high < 0 ? 'bad' : 'neutral'
}

function percents({ value, low, high }: BandAnswer): string {
  const of = (share: number | null) => (share === null ? '?' : `${(share * 100).toFixed(1)}`)
  return low === null || high === null ? `${of(value)} %` : `${of(value)} % (${of(low)} to ${of(high)})`
}

function points(margin: number): string {
  return String(Number((margin * 100).toPrecision(3)))
}

function pointsText(value: number | null): string {
  return value === null ? '?' : `${value > 0 ? '+' : ''}${(value * 100).toFixed(1)}`
}

function pointsBand({ value, low, high }: BandAnswer): string {
  return low === null || high === null
    ? `${pointsText(value)} (no interval yet)`
    : `${pointsText(value)}, between ${pointsText(low)} and ${pointsText(high)},`
}

function moreText(more: number | null): string {
  return more === null ? 'no number of further requests can be told yet' : `needs about ${short(more)} more requests`
}

/** Two digits that count: no forecast is better than that. */
function short(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString('en-US')
}

function figure(value: number | null): string {
  return value === null ? '?' : Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 6 })
}

function plus(value: number | null, more: number): number | null {
  return value === null ? null : value + more
}

function day(iso: string): string {
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`
}

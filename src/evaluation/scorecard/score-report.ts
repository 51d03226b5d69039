import type { ReportBlock, ReportDocument, ReportSection } from '../report/document.js'
import { numberText, withUnit } from '../report/shown.js'
import type { Score, ScoredMetric } from './scorecard.js'
import type { TableScores } from './score-table.js'

/** Which metrics stand in one table. */
const groups: readonly (readonly [string, readonly string[]])[] = [
  ['Quality and cost', ['quality', 'usd', 'cost-of-pass', 'dps']],
  ['Tokens', ['tokens', 'e3', 'eqa', 'eff@k', 'pass@k', 'outcome-efficiency', 'process-efficiency']],
  ['Time', ['seconds', 'rle', 'runtime-slope']],
  ['Energy and tools', ['joules', 'ipj', 'ipw', 'tool-productivity']],
  ['Against the reference', ['quality-difference', 'coverage', 'tep', '3e-tokens', '3e-seconds']],
  ['All arms together', ['pareto', 'pgr']],
]

/** "0.751 [0.74, 0.762]", with `digits` significant digits. */
export function scoreText({ value, low, high }: Score, unit = '', digits = 3): string {
  const told = (one: number) => numberText(Number.isFinite(one) && one !== 0 ? Number(one.toPrecision(digits)) : one)
  const interval = Number.isNaN(low) || Number.isNaN(high) ? '' : ` [${told(low)}, ${told(high)}]`
  return `${unit === '$' ? withUnit(told(value), '$') : told(value)}${interval}`
}

/** "Cost of a success ($)". */
export function metricTitle({ metric: { title, unit } }: ScoredMetric): string {
  return unit === '' ? title : `${title} (${unit})`
}

/** Arms by falling quality, where it was scored. */
export function rankedArms({ arms, metrics }: Pick<TableScores, 'arms' | 'metrics'>): readonly string[] {
  const quality = metrics.find(({ metric }) => metric.id === 'quality')?.scores ?? {}
  return [...arms].sort((a, b) => (quality[b]?.value ?? -1) - (quality[a]?.value ?? -1) || (a < b ? -1 : a > b ? 1 : 0))
}

/** A scorecard as a report. `file`: what the page calls the table. */
export function scoreReport(scores: TableScores, file: string): ReportDocument {
  const arms = rankedArms(scores)
  const told = scores.metrics.filter((one) => Object.keys(one.scores).length > 0)
  const sections: ReportSection[] = []
  const front = frontPlot(scores, arms)
  if (front) sections.push({ heading: 'Cost and quality', blocks: [front] })
  for (const [heading, ids] of groups) {
    const metrics = told.filter(({ metric }) => ids.includes(metric.id))
    if (metrics.length > 0) sections.push({ heading, blocks: [armTable(arms, metrics)] })
  }
  const sets = told.filter(({ scores: of }) => '' in of)
  if (sets.length > 0)
    sections.push({
      heading: 'The set of arms',
      blocks: [
        {
          kind: 'figures',
          figures: sets.map((one) => ({
            label: metricTitle(one),
            text: one.scores[''] ? scoreText(one.scores[''], one.metric.unit) : '?',
            note: one.metric.formula,
          })),
        },
      ],
    })
  const ranks = told.filter(({ metric }) => ['apgr', 'cpt50', 'cpt80'].includes(metric.id))
  if (ranks.length > 0)
    sections.push({
      heading: 'Rankings between the weak and the strong arm',
      blocks: [armTable(Object.keys(ranks[0]?.scores ?? {}), ranks, 'Ranking')],
    })
  for (const { name, requests, metrics } of scores.categories) {
    const some = metrics.filter((one) => Object.keys(one.scores).length > 0)
    if (some.length > 0)
      sections.push({ heading: `Category: ${name}`, blocks: [{ kind: 'text', text: `${requests} requests.` }, armTable(arms, some)] })
  }
  sections.push({
    heading: 'What the metrics are',
    blocks: [
      {
        kind: 'table',
        columns: [{ title: 'Metric' }, { title: 'Formula' }, { title: 'Source' }],
        rows: told.map((one) => [metricTitle(one), one.metric.formula, one.metric.source]),
      },
    ],
  })
  const missing = scores.metrics.filter((one) => one.missing !== undefined)
  if (missing.length > 0)
    sections.push({
      heading: 'What could not be told',
      blocks: [
        {
          kind: 'table',
          columns: [{ title: 'Metric' }, { title: 'Why' }],
          rows: missing.map((one) => [one.metric.title, one.missing ?? '']),
        },
      ],
    })
  const left = scores.leftOut > 0 ? `; ${scores.leftOut} rows were wrong and left out` : ''
  const method = scores.draws > 0 ? `, intervals of 95 % by ${scores.draws} draws of a bootstrap over requests (seed ${scores.seed})` : ''
  return { title: `Scorecard of ${file}`, subtitle: `${scores.requests} requests, ${arms.length} arms${left}${method}`, sections }
}

function armTable(arms: readonly string[], metrics: readonly ScoredMetric[], title = 'Arm'): ReportBlock {
  return {
    kind: 'table',
    columns: [{ title }, ...metrics.map((one) => ({ title: metricTitle(one), align: 'right' as const }))],
    rows: arms.map((arm) => [arm, ...metrics.map(({ scores, metric }) => (scores[arm] ? scoreText(scores[arm], metric.unit) : ''))]),
  }
}

/** Arms by what they cost and how good they are; those likely on the front stand out. */
function frontPlot({ metrics, cost }: TableScores, arms: readonly string[]): ReportBlock | undefined {
  const of = (id: string) => metrics.find(({ metric }) => metric.id === id)?.scores ?? {}
  const costs = of(cost === 'generatedTokens' ? 'tokens' : cost)
  const [quality, front] = [of('quality'), of('pareto')]
  const points = arms.flatMap((arm) =>
    costs[arm] && quality[arm]
      ? [{ label: arm, x: shownScore(costs[arm]), y: shownScore(quality[arm]), on: (front[arm]?.value ?? 0) >= 0.5 }]
      : [],
  )
  if (points.length < 2) return undefined
  const values = points.map(({ x }) => (typeof x === 'number' ? x : x.value))
  const log = Math.min(...values) > 0 && Math.max(...values) > 10 * Math.min(...values)
  const units = { usd: '$', generatedTokens: 'tokens', seconds: 's', joules: 'J' }
  const series = [
    { name: 'on the front in at least half of the draws', joined: true, points: points.filter(({ on }) => on) },
    { name: 'other arms', points: points.filter(({ on }) => !on) },
  ]
  return {
    kind: 'plot',
    shape: 'scatter',
    caption: 'Mean cost and quality of a request',
    x: { title: 'Cost of a request', unit: units[cost], scale: log ? 'log' : 'linear' },
    y: { title: 'Quality' },
    series: series.filter((one) => one.points.length > 0),
  }
}

function shownScore({ value, low, high }: Score) {
  return Number.isNaN(low) || Number.isNaN(high) ? value : { value, low, high }
}

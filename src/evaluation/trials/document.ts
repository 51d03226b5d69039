import type { ReportBlock, ReportDocument } from '../report/document.js'
import { percentOf, type EvaluationSummary } from './summary.js'

/** Evaluations as a report. The same figures give the same bytes. */
export function evaluationDocument(summaries: readonly EvaluationSummary[]): ReportDocument {
  const names = summaries.map(({ suite }) => suite).join(', ')
  return {
    title: `Evaluation: ${names}`,
    subtitle: summaries.map(({ cells }) => `${cells.scored} of ${cells.of} cells scored`).join('; '),
    sections: summaries.flatMap((summary) => [
      { heading: summaries.length === 1 ? 'Result' : summary.suite, blocks: resultBlocks(summary) },
      { heading: summaries.length === 1 ? 'Quality and cost' : `${summary.suite}: quality and cost`, blocks: plots(summary) },
    ]),
  }
}

function resultBlocks({
  leader,
  methods,
  because,
  holds,
  spent,
  lead,
  cells,
  decided,
  failure,
  stop,
  notes,
}: EvaluationSummary): readonly ReportBlock[] {
  const usd = spent.usd === null ? 'not known' : `$${spent.usd.toPrecision(3)}`
  return [
    {
      kind: 'figures',
      figures: [
        {
          label: 'Best',
          text: leader,
          note: `${percentOf(methods[0]?.best ?? 0)} probable on this test set`,
          tone: decided ? 'good' : 'neutral',
        },
        { label: 'Cells', text: `${cells.scored} of ${cells.of}`, note: `${cells.kept} of them kept from before` },
        { label: 'Spent in this run', text: usd, note: `${spent.calls} calls` },
      ],
    },
    { kind: 'text', text: because },
    ...(lead === undefined ? [] : [{ kind: 'text' as const, text: leadText(leader, lead) }]),
    {
      kind: 'table',
      columns: [
        { title: 'Method' },
        ...['Score', '95 % interval', '$ / 1,000', 'Median s', 'Best', 'Cells', 'Failed'].map((title) => ({
          title,
          align: 'right' as const,
        })),
      ],
      rows: methods.map(({ id, score, usd: each, seconds, best, cells: seen, failures }) => [
        id,
        number(100 * score.value, 1),
        `${number(100 * score.low, 1)} to ${number(100 * score.high, 1)}`,
        each === null ? '?' : (1_000 * each).toPrecision(3),
        seconds === null ? '–' : number(seconds, 2),
        percentOf(best),
        String(seen),
        String(failures),
      ]),
    },
    {
      kind: 'text',
      text: [
        holds,
        ...(failure === undefined || stop === 'failing' || stop === 'budget' ? [] : [`Last failure: ${failure}`]),
        ...notes,
      ].join('\n'),
    },
  ]
}

/** How far the leader is ahead, in points. */
export function leadText(leader: string, { value, low, high, n, next }: NonNullable<EvaluationSummary['lead']>): string {
  if (n === 0) return `"${leader}" and "${next}" have no item in common yet.`
  const points = (share: number) => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)}`
  return `"${leader}" is ahead of "${next}" by ${points(value)} points, 95 % interval ${points(low)} to ${points(high)}, on ${n} common items taken as a sample of questions like these.`
}

function plots({ methods }: EvaluationSummary): readonly ReportBlock[] {
  const seen = methods.filter(({ cells }) => cells > 0)
  const priced = seen.filter(({ usd }) => usd !== null)
  const score = { title: 'Score', unit: '%' }
  return [
    ...(priced.length === 0
      ? []
      : [
          {
            kind: 'plot' as const,
            shape: 'scatter' as const,
            caption: 'Score against dollars for a thousand answers; whiskers are 95 % intervals.',
            x: {
              title: 'Dollars for 1,000 answers',
              unit: '$',
              scale: priced.every(({ usd }) => (usd ?? 0) > 0) ? ('log' as const) : ('linear' as const),
            },
            y: score,
            series: priced.map((method) => ({
              name: method.id,
              points: [{ x: 1_000 * (method.usd ?? 0), y: scaled(method.score), label: method.id }],
            })),
          },
        ]),
    {
      kind: 'plot',
      shape: 'bars',
      caption: 'Mean score with its 95 % interval.',
      x: { title: 'Method' },
      y: score,
      series: [{ name: 'Score', points: seen.map((method, place) => ({ x: place, y: scaled(method.score), label: method.id })) }],
    },
  ]
}

function scaled({ value, low, high }: { readonly value: number; readonly low: number; readonly high: number }): {
  readonly value: number
  readonly low: number
  readonly high: number
} {
  return { value: 100 * value, low: 100 * low, high: 100 * high }
}

function number(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}

import type { ReportDocument } from '../report/document.js'
import type { PolicySummary, ReplaySummary } from './log.js'

/** A replay as a report: the table of policies, the frontier of cost and quality, and what was left out. */
export function replayReport(
  file: string,
  { policies, reference, margin, requests, warmUp, incomplete, leftOut, otherOutcomes, predictor, seed }: ReplaySummary,
): ReportDocument {
  const known = policies.filter(({ usdPerThousand, quality }) => Number.isFinite(usdPerThousand) && Number.isFinite(quality))
  const best = policies
    .filter(({ name, verdict }) => isDecided(name) && verdict === 'proven')
    .sort((a, b) => b.saved.value - a.saved.value)[0]
  return {
    title: 'What each policy would have cost',
    subtitle: `${requests.toLocaleString('en-US')} requests of ${file}, against always "${reference}"`,
    sections: [
      {
        heading: 'In short',
        blocks: [
          {
            kind: 'figures',
            figures: best
              ? [
                  {
                    label: `Saved by "${best.name}"`,
                    text: percent(best.saved.value),
                    note: `${percent(best.saved.low)} to ${percent(best.saved.high)}, 95 %`,
                    tone: 'good',
                  },
                  {
                    label: 'Quality against the reference',
                    text: `${points(best.difference.value)} points`,
                    note: `${points(best.difference.low)} to ${points(best.difference.high)}, 95 %`,
                    tone: 'good',
                  },
                ]
              : [{ label: 'Proven', text: 'no objective', note: `none is proven to lose at most ${percent(margin)}`, tone: 'neutral' }],
          },
        ],
      },
      {
        heading: 'Cost and quality',
        blocks: [
          {
            kind: 'plot',
            shape: 'scatter',
            caption: 'Dollars a thousand requests and mean quality; whiskers are 95 % intervals',
            x: {
              title: 'Dollars a thousand requests',
              unit: '$',
              scale: known.every(({ usdPerThousand }) => usdPerThousand > 0) ? 'log' : 'linear',
            },
            y: { title: 'Mean quality' },
            series: [
              { name: 'one model always', points: points2d(known.filter(({ name }) => name.startsWith('always '))) },
              { name: 'decided request by request', points: points2d(known.filter(({ name }) => isDecided(name))) },
              { name: 'yardsticks', points: points2d(known.filter(({ name }) => name === 'random arm' || name === 'oracle')) },
            ].filter((series) => series.points.length > 0),
          },
          {
            kind: 'table',
            caption: `Savings and points are against always "${reference}" on the same requests, with 95 % intervals`,
            columns: [
              { title: 'Policy' },
              ...['Quality', 'Points [95 %]', '$ a thousand', 'Saved [95 %]', 'Seconds', `Loss ≤ ${percent(margin)}`].map((title) => ({
                title,
                align: 'right' as const,
              })),
            ],
            rows: policies.map(({ name, quality, difference, usdPerThousand, saved, secondsPerRequest, verdict }) => [
              shortName(name),
              percent(quality),
              `${points(difference.value)} [${points(difference.low)}, ${points(difference.high)}]`,
              Number.isFinite(usdPerThousand) ? `$${usdPerThousand.toPrecision(3)}` : '?',
              `${percent(saved.value)} [${percent(saved.low)}, ${percent(saved.high)}]`,
              secondsPerRequest === null ? '?' : secondsPerRequest.toPrecision(3),
              verdict,
            ]),
          },
        ],
      },
      {
        heading: 'How it was made',
        blocks: [
          {
            kind: 'text',
            text: [
              predictor === null
                ? 'Nothing was predicted: only policies that need no prediction were replayed.'
                : `Requests were decided in their order, each by what the predictor "${predictor}" knew before it (seed ${seed})${warmUp > 0 ? `; the first ${warmUp} only taught it` : ''}. Replay learns from every model's outcome, while live only the chosen one's is known.`,
              'The oracle knows all outcomes; nothing can beat it.',
              ...(incomplete > 0 ? [`${incomplete} requests have no outcome of the reference and weren't counted.`] : []),
              ...(otherOutcomes > 0 ? [`${otherOutcomes} outcomes of models that the first 1,000 rows don't have were passed over.`] : []),
              ...(leftOut > 0 ? [`${leftOut} rows of the log were wrong and left out.`] : []),
              ...policies.flatMap(({ name, unknown }) =>
                unknown > 0 ? [`${shortName(name)}: of ${unknown} choices the log doesn't say what would have come.`] : [],
              ),
            ].join('\n\n'),
          },
        ],
      },
    ],
  }
}

function points2d(policies: readonly PolicySummary[]) {
  return policies.map(({ name, usdPerThousand, qualityInterval: { value, low, high } }) => ({
    x: usdPerThousand,
    y: { value, low, high },
    label: shortName(name),
  }))
}

export function shortName(name: string): string {
  return name.startsWith('always ') ? name.slice('always '.length) : name
}

function isDecided(name: string): boolean {
  return !name.startsWith('always ') && name !== 'random arm' && name !== 'oracle'
}

function percent(value: number): string {
  return Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : '?'
}

function points(value: number): string {
  return Number.isFinite(value) ? `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)}` : '?'
}

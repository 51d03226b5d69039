import {
  acceptThenStop,
  fitRectifiedLaw,
  fitVanillaLaw,
  forecastLosses,
  lineLossAt,
  lossAt,
  pearson,
  predictLoss,
  relativeAccuracy,
  type LossCurve,
} from '../../src/evaluation/index.js'
import { mean } from '../../src/statistics/index.js'
import { loadLossMatrix, publishedSelection } from '../data/loss-curves.js'
import { figure, table, type DataSource } from '../report.js'

const target = 1_638_400
const shares = [8, 16, 32, 64, 128, 256, 512]
const right = (title: string) => ({ title, align: 'right' as const })

/** Choosing the model to fine-tune: this run beside the figures of paper 089, from the same losses. */
export function fineTuningResults(
  folder: string,
  seed: number,
): { readonly text: string; readonly results: readonly object[]; readonly sources: readonly DataSource[] } {
  const lines: string[] = []
  const results: object[] = []
  const sources: DataSource[] = []
  const fits: string[][] = []
  for (const [name, published] of Object.entries(publishedSelection)) {
    const { curves, source } = loadLossMatrix(folder, name)
    sources.push(source)
    const truth = curves.map(({ points }) => points.find(({ examples }) => examples === target)?.loss ?? NaN)
    const ours = curves.map(({ points }) => fitRectifiedLaw(points).rootMeanSquare)
    const vanilla = curves.map(({ points }) => fitVanillaLaw(points, seed).rootMeanSquare)
    const held = curves.filter(({ points }, at) => {
      const { low, high } = predictLoss(fitRectifiedLaw(points.filter(({ examples }) => examples <= target / 8)), target, {
        draws: 60,
        seed,
      })
      return low <= (truth[at] ?? NaN) && (truth[at] ?? NaN) <= high
    }).length
    fits.push([
      name,
      figure(mean(ours), 4),
      figure(Math.max(...ours), 4),
      figure(mean(vanilla), 4),
      figure(Math.max(...vanilla), 4),
      `${held}/${curves.length}`,
    ])
    results.push({
      data: name,
      measure: 'fit, root of the mean squared ln loss',
      rectified: { mean: mean(ours), most: Math.max(...ours) },
      vanilla: { mean: mean(vanilla), most: Math.max(...vanilla) },
      lawIntervalHeldAtOneEighth: held / curves.length,
    })
    const rows = shares.map((share, at) => {
      const cut = curves.map((curve): LossCurve => ({
        ...curve,
        points: curve.points.filter(({ examples }) => examples > 0 && examples <= target / share),
      }))
      const forecasts = new Map(forecastLosses(cut, target).map((forecast) => [forecast.model, forecast.loss]))
      const predicted = {
        subTuning: cut.map(({ points }) => points.at(-1)?.loss ?? NaN),
        acceptThenStop: cut.map(({ points }) => lineLossAt(acceptThenStop(points), target).value),
        law: cut.map(({ points }) => lossAt(fitRectifiedLaw(points).law, target)),
        pooled: cut.map(({ model }) => forecasts.get(model)?.value ?? NaN),
      }
      const correlation = Object.fromEntries(Object.entries(predicted).map(([way, losses]) => [way, 100 * pearson(losses, truth)]))
      const accuracy = Object.fromEntries(Object.entries(predicted).map(([way, losses]) => [way, 100 * relativeAccuracy(losses, truth)]))
      const covered = cut.filter(({ model }, index) => {
        const interval = forecasts.get(model)
        return interval !== undefined && interval.low <= (truth[index] ?? NaN) && (truth[index] ?? NaN) <= interval.high
      }).length
      results.push({
        data: name,
        share: `1/${share}`,
        pearCorr: correlation,
        relAcc: accuracy,
        published: { pearCorr: published.acceptThenStop[at], relAcc: published.relativeAccuracy[at], subTuning: published.subTuning[at] },
        covered: covered / cut.length,
      })
      return [
        `${name} 1/${share}`,
        figure(published.subTuning[at], 1),
        figure(correlation['subTuning'], 1),
        figure(published.acceptThenStop[at], 1),
        figure(correlation['acceptThenStop'], 1),
        figure(correlation['law'], 1),
        figure(correlation['pooled'], 1),
        figure(published.relativeAccuracy[at], 1),
        figure(accuracy['acceptThenStop'], 1),
        figure(accuracy['pooled'], 1),
        `${covered}/${cut.length}`,
      ]
    })
    lines.push(
      `\nPearCorr and RelAcc (%) over ${curves.length} models, loss at ${target} examples\n`,
      table(
        [
          'task, share',
          ...[
            'SubTuning, published',
            'SubTuning',
            'AtS, published',
            'AtS',
            'law',
            'pooled',
            'RelAcc AtS, published',
            'RelAcc AtS',
            'RelAcc pooled',
            'in 95 % interval',
          ].map(right),
        ],
        rows,
      ),
    )
  }
  lines.unshift(
    table(
      [
        'fit of ln loss',
        right('rectified, mean'),
        right('most'),
        right('vanilla, mean'),
        right('most'),
        right("the law's 95 % interval held, from 1/8"),
      ],
      fits,
    ),
    '\nPublished: rectified about 0.002–0.02 a model, vanilla 0.003–0.13.',
  )
  return { text: lines.join('\n'), results, sources }
}

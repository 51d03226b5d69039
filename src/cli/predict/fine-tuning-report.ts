import { forecastLosses, fitRectifiedLaw, lossAt, type LossCurve } from '../../evaluation/index.js'
import { columns, short, span, type PredictionReport } from './prediction-report.js'

const leastForLaw = 4

/** Which model will be best after fine-tuning on so many examples. */
export function fineTuningReport(curves: readonly LossCurve[], target: number, level: number): PredictionReport {
  const forecasts = forecastLosses(curves, target, { level })
  const laws = new Map(
    curves
      .filter(({ points }) => points.filter(({ examples }) => examples > 0).length >= leastForLaw)
      .map(({ model, points }) => [model, fitRectifiedLaw(points)]),
  )
  const figures = forecasts.map((forecast) => {
    const fit = laws.get(forecast.model)
    return { ...forecast, rectifiedLaw: fit ? { ...fit.law, loss: lossAt(fit.law, target), rootMeanSquare: fit.rootMeanSquare } : null }
  })
  const [best, second] = figures
  const known = best !== undefined && Number.isFinite(best.loss.high)
  const close = best && second && known && second.loss.value < best.loss.high
  const unsure = ` How sure that is these few points do not tell: hiding the largest subsets and forecasting them gives too few errors for an interval of ${Math.round(100 * level)} %.`
  const largest = Math.max(...curves.flatMap(({ points }) => points.map(({ examples }) => examples)))
  const sentence = best
    ? `Fine-tune ${best.model}: its loss on ${short(target)} examples is forecast at ${short(best.loss.value)}.${close ? ` ${second.model} (${short(second.loss.value)}) lies within its interval: fine-tune both on the next larger subset before you decide.` : ''}${known ? '' : unsure}`
    : 'No model to choose.'
  return {
    figures: { target, level, models: figures },
    document: {
      title: `Fine-tuning on ${short(target)} examples`,
      subtitle: `${curves.length} ${curves.length === 1 ? 'model' : 'models'}, measured on up to ${short(largest)} examples`,
      sections: [
        {
          heading: 'Forecast',
          blocks: [
            { kind: 'text', text: sentence },
            {
              kind: 'table',
              columns: columns('model', ['loss'], [`${Math.round(100 * level)} % interval`], ['line'], ['law'], ['fit']),
              rows: figures.map(({ model, loss, acceptThenStop: line, rectifiedLaw }) => [
                model,
                short(loss.value),
                span(loss),
                short(line),
                rectifiedLaw ? short(rectifiedLaw.loss) : '–',
                rectifiedLaw ? rectifiedLaw.rootMeanSquare.toFixed(4) : '–',
              ]),
            },
            {
              kind: 'text',
              text: 'Loss: the forecast (line and family curve together). Line: Accept-then-Stop alone. Law: the rectified scaling law, of 4 sizes or more, and how far its ln loss is from the points (fit).',
            },
          ],
        },
        {
          heading: 'Measured and forecast',
          blocks: [
            {
              kind: 'plot',
              shape: 'line',
              caption: 'Loss by training examples; the last point of each line is the forecast.',
              x: { title: 'training examples', scale: 'log' },
              y: { title: 'loss', scale: 'log' },
              series: figures.slice(0, 8).map(({ model, loss }) => ({
                name: model,
                points: [
                  ...(curves.find((curve) => curve.model === model)?.points ?? [])
                    .filter(({ examples }) => examples > 0)
                    .map(({ examples, loss: y }) => ({ x: examples, y })),
                  { x: target, y: Number.isFinite(loss.high) ? loss : loss.value },
                ],
              })),
            },
          ],
        },
      ],
    },
  }
}

import { InvalidRequest } from '../../errors/index.js'
import {
  chooseAdaptation,
  fineTunedAccuracy,
  fitShotLaw,
  predictAccuracy,
  proxyGain,
  shotRequestUsd,
  transferOf,
  type ShotPoint,
  type TaskExample,
} from '../../evaluation/index.js'
import { columns, dollars, percent, short, type PredictionReport } from './prediction-report.js'

export interface AdaptationQuestion {
  readonly models: readonly {
    readonly model: string
    readonly points: readonly ShotPoint[]
    readonly inputPrice: number | undefined
    readonly outputPrice: number | undefined
  }[]
  readonly shots: readonly number[]
  readonly requests: number
  readonly worth: number
  readonly budget?: number | undefined
  readonly fixedTokens: number
  readonly exampleTokens: number
  readonly outputTokens: number
  readonly inputPrice?: number | undefined
  readonly outputPrice?: number | undefined
  /** Labelled examples of the task, for the proxy of fine-tuning; with what fine-tuning costs. */
  readonly examples?: readonly TaskExample[] | undefined
  readonly trainingUsd?: number | undefined
}

/** Examples in the prompt or fine-tuning: which model, how many, for how much. */
export function adaptationReport({
  models,
  shots,
  requests,
  worth,
  budget,
  fixedTokens,
  exampleTokens,
  outputTokens,
  inputPrice,
  outputPrice,
  examples,
  trainingUsd,
}: AdaptationQuestion): PredictionReport {
  // Every fifth example is held out: the order of a file may mean something, so neither the first nor the last.
  const gain =
    examples &&
    proxyGain(
      examples.filter((_, at) => at % 5 !== 0),
      examples.filter((_, at) => at % 5 === 0),
    )
  const options = models.flatMap((model) => {
    const fit = fitShotLaw(model.points, model.model)
    const prices = {
      fixedTokens,
      exampleTokens,
      outputTokens,
      inputPrice: needed(model.inputPrice ?? inputPrice, 'input_price', model.model),
      outputPrice: needed(model.outputPrice ?? outputPrice, 'output_price', model.model),
    }
    const few = shots.map((count) => {
      const accuracy = predictAccuracy(fit, count)
      return {
        name: `${model.model}, ${count} shots`,
        accuracy: accuracy.value,
        interval: accuracy,
        trainingUsd: 0,
        requestUsd: shotRequestUsd(prices, count),
      }
    })
    if (!gain || trainingUsd === undefined) return few
    const zero = predictAccuracy(fit, 0).value
    return [
      ...few,
      {
        name: `${model.model}, fine-tuned`,
        accuracy: fineTunedAccuracy(zero, gain.gain, transferOf([])),
        interval: null,
        trainingUsd,
        requestUsd: shotRequestUsd(prices, 0),
      },
    ]
  })
  const intervals = new Map(options.map(({ name, interval }) => [name, interval]))
  const ranked = chooseAdaptation(options, { requests, worth, ...(budget === undefined ? {} : { budget }) }).map((option) => ({
    ...option,
    interval: intervals.get(option.name) ?? null,
  }))
  const best = ranked[0]
  const fits = budget === undefined || (best?.totalUsd ?? Infinity) <= budget
  return {
    figures: { requests, worth, options: ranked, proxy: gain ?? null },
    document: {
      title: 'How to adapt a model',
      subtitle: `${short(requests)} requests to come, a right answer worth ${dollars(worth)}`,
      sections: [
        {
          heading: 'Forecast',
          blocks: [
            {
              kind: 'text',
              text:
                best && fits
                  ? `Take ${best.name}: ${percent(best.accuracy)} right is forecast, for ${dollars(best.totalUsd)} in all.`
                  : `No option fits the budget of ${dollars(budget ?? 0)}; the nearest is ${best?.name ?? 'none'} at ${dollars(best?.totalUsd ?? 0)}.`,
            },
            {
              kind: 'table',
              columns: columns('option', ['right'], ['95 % interval'], ['in all'], ['value less cost']),
              rows: ranked
                .slice(0, 40)
                .map(({ name, accuracy, interval, totalUsd, utility }) => [
                  name,
                  percent(accuracy),
                  interval ? `${percent(interval.low)} to ${percent(interval.high)}` : 'unknown',
                  dollars(totalUsd),
                  dollars(utility),
                ]),
            },
            ...(gain
              ? [
                  {
                    kind: 'text' as const,
                    text: `A linear head on fixed features got ${percent(gain.accuracy)} of the held-out fifth right, the most frequent label ${percent(gain.majority)}. That half of such a gain carries over to fine-tuning is an assumption of ours: fine-tune once on a small subset before you pay for all of it.`,
                  },
                ]
              : []),
          ],
        },
      ],
    },
  }
}

function needed(price: number | undefined, column: string, model: string): number {
  if (price !== undefined) return price
  throw new InvalidRequest(
    `No ${column.replace('_', ' ')} is known for ${model}. Give a column ${column} or --${column.replace('_', '-')} (dollars a million tokens).`,
    { path: column },
  )
}

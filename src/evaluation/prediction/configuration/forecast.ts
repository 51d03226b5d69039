import { InvalidRequest } from '../../../errors/index.js'
import { mean } from '../../../statistics/index.js'
import { hypervolume, paretoFront } from '../../scorecard/front.js'
import { dot, ridgeWeights } from '../fitting/symmetric.js'

/** A configuration (model, device, batch, precision …) as plain features: numbers above 0 are taken in logarithms, texts as categories. */
export type ConfigurationFeatures = Readonly<Record<string, number | string>>

export interface MeasuredConfiguration {
  readonly name: string
  readonly features: ConfigurationFeatures
  /** Higher is better. */
  readonly quality: number
  /** Joules a request (or a token, all alike), above 0. */
  readonly joules: number
}

export interface ConfigurationForecast {
  readonly name: string
  readonly quality: number
  readonly joules: number
}

export type ConfigurationPredictor = (configuration: {
  readonly name: string
  readonly features: ConfigurationFeatures
  readonly quality?: number | undefined
}) => ConfigurationForecast

/** Ridge on standardised columns; 1 unless told otherwise. */
const defaultPenalty = 1

/**
 * Predicts quality and joules of configurations that nobody ran from measured ones (GREEN, 031: the paper's transformer over mixed
 * features is replaced by ridge regression on logarithms, their squares and categories, since measured rows are few). Joules are
 * predicted in logarithms. A quality that is known (from a leaderboard) is kept. Throws `InvalidRequest` for fewer than 4 rows and
 * joules not above 0. O(rows × columns² + columns³).
 */
export function learnConfigurations(
  measured: readonly MeasuredConfiguration[],
  { penalty = defaultPenalty }: { readonly penalty?: number } = {},
): ConfigurationPredictor {
  if (measured.length < 4)
    throw new InvalidRequest(`There are ${measured.length} measured configurations; at least 4 were expected.`, { path: 'measured' })
  for (const [at, { joules, quality }] of measured.entries()) {
    if (!(joules > 0 && joules < Infinity))
      throw new InvalidRequest(`joules is ${joules}; a number above 0 was expected.`, { path: `measured[${at}].joules` })
    if (!Number.isFinite(quality))
      throw new InvalidRequest(`quality is ${quality}; a number was expected.`, { path: `measured[${at}].quality` })
  }
  const columns = columnsOf(measured.map(({ features }) => features))
  const rows = measured.map(({ features }) => columns(features))
  const penalties = (rows[0] ?? []).map((_, at) => (at === 0 ? 0 : penalty))
  const ofQuality = ridgeWeights(
    rows,
    measured.map(({ quality }) => quality),
    penalties,
  )
  const ofJoules = ridgeWeights(
    rows,
    measured.map(({ joules }) => Math.log(joules)),
    penalties,
  )
  return ({ name, features, quality }) => {
    const row = columns(features)
    return { name, quality: quality ?? dot(row, ofQuality), joules: Math.exp(dot(row, ofJoules)) }
  }
}

/**
 * A row of standardised columns: one, each number's logarithm and its square, each category that was seen. What is missing or new
 * counts as average.
 */
function columnsOf(seen: readonly ConfigurationFeatures[]): (features: ConfigurationFeatures) => number[] {
  const names = [...new Set(seen.flatMap((features) => Object.keys(features)))].sort()
  const raw: ((features: ConfigurationFeatures) => number | undefined)[] = names.flatMap((name) => {
    const values = seen.flatMap((features) => features[name] ?? [])
    if (values.every((value) => typeof value === 'number')) {
      const above = values.every((value) => value > 0)
      const number = (features: ConfigurationFeatures) => {
        const value = features[name]
        return typeof value !== 'number' ? undefined : above ? Math.log(Math.max(value, 1e-12)) : value
      }
      const centre = mean(seen.flatMap((features) => number(features) ?? []))
      return [
        number,
        (features: ConfigurationFeatures) => {
          const value = number(features)
          return value === undefined ? undefined : (value - centre) ** 2
        },
      ]
    }
    return [...new Set(values.map(String))].map(
      (category) => (features: ConfigurationFeatures) =>
        features[name] === undefined ? undefined : String(features[name]) === category ? 1 : 0,
    )
  })
  const scaled = raw.flatMap((column) => {
    const values = seen.flatMap((features) => column(features) ?? [])
    const centre = mean(values)
    const spread = Math.sqrt(mean(values.map((value) => (value - centre) ** 2)))
    return spread < 1e-9
      ? []
      : [
          (features: ConfigurationFeatures) => {
            const value = column(features)
            return value === undefined ? 0 : (value - centre) / spread
          },
        ]
  })
  return (features) => [1, ...scaled.map((column) => column(features))]
}

export interface Preference {
  /** From 0 (only joules count) to 1 (only quality counts). */
  readonly quality: number
}

export interface Recommendation {
  /** Not beaten in both by any other, by rising joules. */
  readonly front: readonly ConfigurationForecast[]
  readonly chosen: ConfigurationForecast
}

/**
 * The front, and the one on it that suits: least weighted Chebyshev distance max(w·(q* − q)/range, (1 − w)·(ln j − ln j*)/range) from
 * the best of both (031 names it and the ε-constraint: `leastQuality` leaves out what is worse). Throws `InvalidRequest` where nothing
 * is left. O(n log n).
 */
export function recommendConfiguration(
  forecasts: readonly ConfigurationForecast[],
  { quality: weight }: Preference,
  leastQuality = -Infinity,
): Recommendation {
  if (!(weight >= 0 && weight <= 1))
    throw new InvalidRequest(`The weight of quality is ${weight}; a number from 0 to 1 was expected.`, { path: 'weight' })
  const front = paretoFront(
    forecasts.filter(({ quality }) => quality >= leastQuality).map((forecast) => ({ ...forecast, cost: forecast.joules })),
  ).map(({ cost: joules, name, quality }) => ({ name, quality, joules }))
  const [first, last] = [front[0], front.at(-1)]
  if (!first || !last)
    throw new InvalidRequest(`No configuration is predicted to reach a quality of ${leastQuality}.`, { path: 'leastQuality' })
  const qualities = last.quality - first.quality || 1
  const energies = Math.log(last.joules / first.joules) || 1
  const far = ({ quality, joules }: ConfigurationForecast) =>
    Math.max((weight * (last.quality - quality)) / qualities, ((1 - weight) * Math.log(joules / first.joules)) / energies)
  return { front, chosen: front.reduce((best, one) => (far(one) < far(best) ? one : best)) }
}

/**
 * Hypervolume of the configurations that the forecast puts on its front, at their true values, over that of the true front: 1 where the
 * choice loses nothing. Energies in logarithms; the reference is the worst of both. `NaN` where all are alike. O(n log n).
 */
export function frontRecovery(forecasts: readonly ConfigurationForecast[], actual: readonly ConfigurationForecast[]): number {
  const truth = new Map(actual.map((one) => [one.name, { cost: Math.log(one.joules), quality: one.quality }]))
  const all = [...truth.values()]
  const reference = { cost: Math.max(...all.map(({ cost }) => cost)), quality: Math.min(...all.map(({ quality }) => quality)) }
  const picked = paretoFront(forecasts.map(({ name, joules, quality }) => ({ name, cost: joules, quality }))).flatMap(
    ({ name }) => truth.get(name) ?? [],
  )
  return hypervolume(picked, reference) / hypervolume(all, reference)
}

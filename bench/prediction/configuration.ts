import { frontRecovery, learnConfigurations, spearman } from '../../src/evaluation/index.js'
import { mean, median } from '../../src/statistics/index.js'
import { loadMlEnergy, type EnergyRow } from '../data/ml-energy.js'
import { figure, table, type DataSource } from '../report.js'

type Way = (train: readonly EnergyRow[]) => (row: EnergyRow) => number

const ways: Readonly<Record<string, Way>> = {
  'geometric mean': (train) => {
    const value = Math.exp(mean(train.map(({ joules }) => Math.log(joules))))
    return () => value
  },
  'nearest model, same device and concurrency': (train) => (row) => {
    const size = ({ features }: EnergyRow) => Math.log(Number(features['activated']))
    const near = train.filter(({ gpu, features }) => gpu === row.gpu && features['concurrency'] === row.features['concurrency'])
    const pool = near.length > 0 ? near : train
    const closest = Math.min(...pool.map((one) => Math.abs(size(one) - size(row))))
    return Math.exp(mean(pool.filter((one) => Math.abs(size(one) - size(row)) <= closest + 1e-9).map(({ joules }) => Math.log(joules))))
  },
  Bursar: (train) => {
    const predict = learnConfigurations(train)
    return (row) => predict({ name: row.name, features: row.features, quality: row.quality }).joules
  },
}

/** Joules a token of models that were left out of the training rows, and the front that is picked by them. */
export function configurationResults(root: string): {
  readonly text: string
  readonly results: readonly object[]
  readonly sources: readonly DataSource[]
} {
  const { rows, source } = loadMlEnergy(root)
  const models = [...new Set(rows.map(({ model }) => model))]
  const places = [...new Set(rows.map(({ task, gpu }) => `${task}, ${gpu}`))]
  const results: object[] = []
  const lines = Object.entries(ways).map(([way, learn]) => {
    const told = models.flatMap((model) => {
      const predict = learn(rows.filter((row) => row.model !== model))
      return rows.filter((row) => row.model === model).map((row) => ({ row, joules: predict(row) }))
    })
    const error = median(told.map(({ row, joules }) => Math.abs(joules / row.joules - 1)))
    const rank = spearman(
      told.map(({ joules }) => joules),
      told.map(({ row }) => row.joules),
    )
    const recovered = places.map((place) => {
      const here = told.filter(({ row }) => `${row.task}, ${row.gpu}` === place)
      return frontRecovery(
        here.map(({ row, joules }) => ({ name: row.name, quality: row.quality, joules })),
        here.map(({ row }) => row),
      )
    })
    results.push({
      data: 'ml_energy v3',
      way,
      medianRelativeError: error,
      spearman: rank,
      hypervolumeRatio: { mean: mean(recovered), least: Math.min(...recovered) },
    })
    return [way, figure(100 * error, 1), figure(rank, 3), figure(mean(recovered), 3), figure(Math.min(...recovered), 3)]
  })
  const right = (title: string) => ({ title, align: 'right' as const })
  return {
    text: `${table(['way', right('median error, %'), right('Spearman'), right('hypervolume ratio, mean'), right('least')], lines)}\n\n${rows.length} configurations of ${models.length} models, each model left out in turn; fronts in ${places.length} pairs of task and device. The data has no quality: ln of the parameters stands for it.`,
    results,
    sources: [source],
  }
}

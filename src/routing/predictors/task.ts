import type { Features } from '../../understanding/index.js'
import type { ArmFacts, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { createDesign, designColumns } from './design.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { formatCues } from './format-cues.js'
import { observed } from './observed.js'
import { createTaskClassifier, type SparseRow } from './task-classifier.js'

export interface TaskSettings {
  /** How many outcomes an arm's mean over all tasks counts for in each task: 5 when absent. */
  readonly shrinkage?: number | undefined
}

const version = 1
const mostTasks = 256
const cueColumns = 1 << 13
const cueScale = 0.4
const scales = { words: 1, lexical: 0, dense: 0.7, traits: 0.3, category: 0 }

/**
 * The domain table (060) by task: the categories that training rows name are tasks, a request's probabilities of them come from its words and from how it is put (see
 * `formatCues`), and an arm is expected to give Σ P(task)·(its shrunk mean in the task). Where `topic` compares a request with the middle of each category, this learns what
 * tells them apart. With fewer than two tasks it is the arm's mean. A prediction costs O(words × tasks + tasks × arms).
 */
export const task: PredictorKind<TaskSettings> = {
  kind: 'task',
  train(observations, arms, settings, seed) {
    const { predictor, prepare } = create(arms, settings)
    prepare([...observations], seed)
    return predictor
  },
  load: (bytes, arms, settings) => create(arms, settings, openReader(bytes, 'task', version)).predictor,
}

function create(
  facts: readonly ArmFacts[],
  { shrinkage = 5 }: TaskSettings,
  from?: ByteReader,
): { predictor: Predictor; prepare: (all: readonly Observation[], seed: number) => void } {
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const design = createDesign(scales, from)
  const classifier = createTaskClassifier(designColumns + cueColumns, mostTasks, from)
  from?.end()

  function rowOf(features: Features): SparseRow {
    const { columns, values } = design.row(features)
    const cues = formatCues(features.text)
    const all = new Uint32Array(columns.length + cues.length)
    const weights = new Float32Array(all.length)
    all.set(columns)
    weights.set(values)
    cues.forEach((cue, at) => {
      all[columns.length + at] = designColumns + (hashOf(cue) % cueColumns)
      weights[columns.length + at] = cueScale
    })
    return { columns: all, values: weights }
  }

  function note(observation: Observation): string | undefined {
    const { quality, weight, logs } = observed(observation)
    const category = sureCategory(observation.features)
    if (quality !== undefined) means.add(observation.arm, category, quality, weight)
    costs.add(observation.arm, observation.features, category, logs, weight)
    familiarity.add(observation.features)
    return category
  }

  const predictor: Predictor = {
    id: 'task',
    predict(features, arms) {
      const probabilities = classifier.probabilities(rowOf(features))
      const category = sureCategory(features)
      return arms.map((arm) => {
        const known = means.of(arm, undefined)
        let quality = known && { mean: known.mean, variance: known.variance }
        if (known && probabilities.length > 0) {
          let [mean, square] = [0, 0]
          probabilities.forEach((probability, at) => {
            const local = means.of(arm, classifier.labels[at]) ?? known
            mean += probability * local.mean
            square += probability * (local.variance + local.mean * local.mean)
          })
          mean = Math.min(1, Math.max(0, mean))
          quality = { mean, variance: Math.min(0.25, Math.max(0, square - mean * mean)) }
        }
        return estimateOf(arm, cards.get(arm), features, quality, known?.support ?? 0, costs, costs.logs(arm, features, category))
      })
    },
    familiarity: familiarity.of,
    update(observation) {
      const label = note(observation)
      if (label === undefined) return
      design.meet(observation.features)
      classifier.learn({ row: rowOf(observation.features), label })
    },
    serialize() {
      const writer = createWriter('task', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      design.write(writer)
      classifier.write(writer)
      return writer.finish()
    },
  }

  function prepare(all: readonly Observation[], seed: number): void {
    for (const observation of all) note(observation)
    const requests = [...new Set(all.map(({ features }) => features))]
    for (const features of requests) design.meet(features)
    classifier.fit(
      requests.flatMap((features) => {
        const label = sureCategory(features)
        return label === undefined ? [] : [{ row: rowOf(features), label }]
      }),
      seed,
    )
  }

  return { predictor, prepare }
}

function hashOf(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value ^= value >>> 15
  return Math.imul(value, 0x85ebca6b) >>> 8
}

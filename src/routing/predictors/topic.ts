import type { ArmFacts, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { createCentroids } from './centroids.js'
import { createDesign, type BlockScales } from './design.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { observed } from './observed.js'

export interface TopicSettings {
  /** How many outcomes an arm's mean counts for beside a topic's own: 5 when absent. */
  readonly shrinkage?: number | undefined
}

const version = 1
const scales: BlockScales = { words: 1, lexical: 0.35, dense: 1, traits: 0, category: 0 }
const mostTopics = 256

/**
 * The domain table (060) without anyone naming the domain: topics are the categories that the training rows name; a request's probabilities of them
 * come from its nearness to each one's centroid, and an arm is expected to give Σ P(topic)·(its shrunk mean in the topic). So a request of no sure
 * category still gets what is likely. With fewer than two topics it is the arm's mean. A prediction costs O(words × topics + topics × arms).
 */
export const topic: PredictorKind<TopicSettings> = {
  kind: 'topic',
  train(observations, arms, settings) {
    const all = [...observations]
    const { predictor, prepare } = create(arms, settings)
    prepare(all)
    return predictor
  },
  load: (bytes, arms, settings) => create(arms, settings, openReader(bytes, 'topic', version)).predictor,
}

function create(
  facts: readonly ArmFacts[],
  settings: TopicSettings,
  from?: ByteReader,
): { predictor: Predictor; prepare: (all: readonly Observation[]) => void } {
  const { shrinkage = 5 } = settings
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const design = createDesign(scales, from)
  const centroids = createCentroids(mostTopics, from)
  from?.end()

  function note(observation: Observation): void {
    const { quality, weight, logs } = observed(observation)
    const category = sureCategory(observation.features)
    if (quality !== undefined) means.add(observation.arm, category, quality, weight)
    costs.add(observation.arm, observation.features, category, logs, weight)
    familiarity.add(observation.features)
  }

  const predictor: Predictor = {
    id: 'topic',
    predict(features, arms) {
      const topics = centroids.probabilities(design.row(features))
      const category = sureCategory(features)
      return arms.map((arm) => {
        const known = means.of(arm, undefined)
        let quality = known && { mean: known.mean, variance: known.variance }
        if (known && topics.length > 0) {
          let [mean, square] = [0, 0]
          for (const { name, probability } of topics) {
            const local = means.of(arm, name) ?? known
            mean += probability * local.mean
            square += probability * (local.variance + local.mean * local.mean)
          }
          mean = Math.min(1, Math.max(0, mean))
          quality = { mean, variance: Math.max(0, square - mean * mean) }
        }
        return estimateOf(arm, cards.get(arm), features, quality, known?.support ?? 0, costs, costs.logs(arm, features, category))
      })
    },
    familiarity: familiarity.of,
    update(observation) {
      note(observation)
      const category = sureCategory(observation.features)
      if (category === undefined) return
      design.meet(observation.features)
      centroids.add(design.row(observation.features), category)
    },
    serialize() {
      const writer = createWriter('topic', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      design.write(writer)
      centroids.write(writer)
      return writer.finish()
    },
  }

  function prepare(all: readonly Observation[]): void {
    for (const observation of all) note(observation)
    const requests = [...new Set(all.map(({ features }) => features))]
    for (const features of requests) design.meet(features)
    const labelled = requests.flatMap((features) => {
      const category = sureCategory(features)
      return category === undefined ? [] : [{ row: design.row(features), category }]
    })
    for (const { row, category } of labelled) centroids.add(row, category)
    centroids.sharpen(labelled)
  }

  return { predictor, prepare }
}

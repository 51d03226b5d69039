import type { ArmFacts, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { observed } from './observed.js'

export interface DomainSettings {
  /** How many outcomes the level above (the arm for a category, the tier for an arm) counts for. */
  readonly shrinkage?: number | undefined
}

const version = 1

/**
 * The table category × arm of Beta means (060 MoDEM), each shrunk to the arm's mean over all categories. A request of no sure category gets
 * the arm's mean. Cost: O(1) an arm; memory grows with categories × arms, bounded.
 */
export const domain: PredictorKind<DomainSettings> = {
  kind: 'domain',
  train(observations, arms, settings) {
    const predictor = create(arms, settings)
    for (const observation of observations) predictor.update(observation)
    return predictor
  },
  load: (bytes, arms, settings) => create(arms, settings, openReader(bytes, 'domain', version)),
}

function create(facts: readonly ArmFacts[], settings: DomainSettings, from?: ByteReader): Predictor {
  const shrinkage = settings.shrinkage ?? 5
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  from?.end()
  return {
    id: 'domain',
    predict(features, arms) {
      const category = sureCategory(features)
      return arms.map((arm) => {
        const found = means.of(arm, category)
        const logs = costs.logs(arm, features, category)
        return estimateOf(
          arm,
          cards.get(arm),
          features,
          found && { mean: found.mean, variance: found.variance },
          found?.support ?? 0,
          costs,
          logs,
        )
      })
    },
    familiarity: familiarity.of,
    update(observation) {
      const { quality, weight, logs } = observed(observation)
      const category = sureCategory(observation.features)
      if (quality !== undefined) means.add(observation.arm, category, quality, weight)
      costs.add(observation.arm, observation.features, category, logs, weight)
      familiarity.add(observation.features)
    },
    serialize() {
      const writer = createWriter('domain', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      return writer.finish()
    },
  }
}

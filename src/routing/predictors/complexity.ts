import { poolAdjacent } from '../../statistics/index.js'
import type { ArmFacts, ArmId, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, mostArms, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { complexityCueCount, complexityCues } from './complexity-cues.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { observed } from './observed.js'
import { createOnlineLogistic, type OnlineLogistic } from './online-logistic.js'

export interface ComplexitySettings {
  /** Arms of one family of pipelines, from the simplest to the most capable: a more capable one is then expected to solve no less. */
  readonly levels?: readonly ArmId[] | undefined
  /** How many times an answer that was wrong counts against one that was right: above 1, too weak a pipeline is trusted less (086). 1 when absent. */
  readonly falseAccept?: number | undefined
}

const version = 1
const shrinkage = 5
/** Variance, before any outcome, of what all arms share, and of what is an arm's own, for each cue. */
const sharedVariance = 1
const ownVariance = 0.25

/**
 * Complexity classes for pipelines (086 EllieSQL): for each arm the probability that it suffices, from what a request shows of its complexity (tables and columns of a
 * linked schema, cues of joins, nesting and aggregation) and nothing else. So few numbers are learned that a hundred outcomes do. The score is the arm's level plus a
 * difficulty that all arms share plus an arm's own part of it, all Bayesian logistic regressions that learn online; with `levels` the probabilities rise along
 * them. The class of a request is then the first level that is worth its price, which the policy decides. A prediction costs O(text + arms × cues²).
 */
export const complexity: PredictorKind<ComplexitySettings> = {
  kind: 'complexity',
  train(observations, arms, settings) {
    const { predictor, prepare } = create(arms, settings)
    prepare([...observations])
    return predictor
  },
  load: (bytes, arms, settings) => create(arms, settings, openReader(bytes, 'complexity', version)).predictor,
}

function create(
  facts: readonly ArmFacts[],
  { levels = [], falseAccept = 1 }: ComplexitySettings,
  from?: ByteReader,
): { predictor: Predictor; prepare: (all: readonly Observation[]) => void } {
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const sums = from ? from.f64(complexityCueCount) : new Float64Array(complexityCueCount)
  let counted = from ? from.number() : 0
  const shared = createOnlineLogistic(complexityCueCount, sharedVariance, from)
  const own = new Map<ArmId, OnlineLogistic>()
  if (from)
    for (let left = from.count(mostArms); left > 0; left--)
      own.set(from.text(), createOnlineLogistic(complexityCueCount, ownVariance, from))
  from?.end()

  /** Cues less their mean so far: the arm's level is then that of an ordinary request. */
  const centred = (cues: Float64Array) => cues.map((value, at) => value - (counted === 0 ? 0 : (sums[at] ?? 0) / counted))
  const levelOf = (arm: ArmId) => logit(means.of(arm, undefined)?.mean ?? 0.5)

  function note(observation: Observation): { readonly quality: number | undefined; readonly weight: number; readonly cues: Float64Array } {
    const { quality, weight, logs } = observed(observation)
    const { arm, features } = observation
    const cues = complexityCues(features)
    if (quality !== undefined) {
      means.add(arm, undefined, quality, weight)
      cues.forEach((value, at) => (sums[at] = (sums[at] ?? 0) + value))
      counted += 1
    }
    costs.add(arm, features, sureCategory(features), logs, weight)
    familiarity.add(features)
    return { quality, weight, cues }
  }

  function step(arm: ArmId, cues: Float64Array, quality: number, weight: number): void {
    let part = own.get(arm)
    if (!part) {
      if (own.size >= mostArms) return
      own.set(arm, (part = createOnlineLogistic(complexityCueCount, ownVariance)))
    }
    const x = centred(cues)
    const spread = shared.spread(x) + part.spread(x)
    const probability = sigmoid(levelOf(arm) + shared.score(x) + part.score(x))
    const counts = weight * (quality + falseAccept * (1 - quality))
    shared.step(x, quality, probability, counts, spread)
    part.step(x, quality, probability, counts, spread)
  }

  function expected(arm: ArmId, x: Float64Array): { readonly mean: number; readonly variance: number } | null {
    const known = means.of(arm, undefined)
    if (known === null) return null
    const part = own.get(arm)
    const mean = sigmoid(levelOf(arm) + shared.score(x) + (part?.score(x) ?? 0))
    const slope = mean * (1 - mean)
    const spread = shared.spread(x) + (part ? part.spread(x) : ownVariance * squaredLength(x))
    return { mean, variance: Math.min(0.25, known.variance + slope * slope * spread) }
  }

  const predictor: Predictor = {
    id: 'complexity',
    predict(features, arms) {
      const x = centred(complexityCues(features))
      const category = sureCategory(features)
      const ladder = levels.flatMap((arm) => {
        const found = expected(arm, x)
        return found ? [{ arm, ...found }] : []
      })
      // The nearest sequence that rises, each level as sure of itself as its variance says.
      const risen = poolAdjacent(
        ladder.map(({ mean }) => mean),
        ladder.map(({ variance }) => 1 / Math.max(1e-6, variance)),
      )
      return arms.map((arm) => {
        const at = ladder.findIndex((level) => level.arm === arm)
        const found = at < 0 ? expected(arm, x) : { mean: risen[at] ?? 0.5, variance: ladder[at]?.variance ?? 0.25 }
        return estimateOf(
          arm,
          cards.get(arm),
          features,
          found,
          means.of(arm, undefined)?.support ?? 0,
          costs,
          costs.logs(arm, features, category),
        )
      })
    },
    familiarity: familiarity.of,
    update(observation) {
      const { quality, weight, cues } = note(observation)
      if (quality !== undefined) step(observation.arm, cues, quality, weight)
    },
    serialize() {
      const writer = createWriter('complexity', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      writer.f64(sums)
      writer.number(counted)
      shared.write(writer)
      writer.number(own.size)
      own.forEach((part, arm) => {
        writer.text(arm)
        part.write(writer)
      })
      return writer.finish()
    },
  }

  /** All levels first: what a request shows is then held against the arm's level among all of them, not among those before it. */
  function prepare(all: readonly Observation[]): void {
    const noted = all.map((observation) => ({ arm: observation.arm, ...note(observation) }))
    for (const { arm, cues, quality, weight } of noted) if (quality !== undefined) step(arm, cues, quality, weight)
  }

  return { predictor, prepare }
}

function squaredLength(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value * value, 0)
}

function sigmoid(score: number): number {
  return 1 / (1 + Math.exp(-score))
}

function logit(probability: number): number {
  const inside = Math.min(1 - 1e-4, Math.max(1e-4, probability))
  return Math.log(inside / (1 - inside))
}

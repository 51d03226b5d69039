import type { ArmFacts, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { createNeighbourStore } from './neighbour-store.js'
import { observed, measures } from './observed.js'
import { valuesOfOutcome } from './outcome-store.js'

export interface KnnSettings {
  /** Neighbours of an arm that count: min(64, √requests) when absent. */
  readonly neighbours?: number | undefined
  /** a: how many outcomes of likeness 1 the arm's category mean counts for. 5 when absent. */
  readonly shrinkage?: number | undefined
  /** Likeness is raised to this for a neighbour's weight: 1 when absent. */
  readonly power?: number | undefined
  /** Share of the dense cosine in likeness: 0.5 when absent. */
  readonly denseShare?: number | undefined
  /** Outcomes remembered: 100,000 when absent. */
  readonly capacity?: number | undefined
  /** Compares every remembered request instead of candidates: slow, for measuring what is lost otherwise. */
  readonly exact?: boolean | undefined
}

const version = 1
/** Requests looked at for an arm's neighbours: more than neighbours, since not every arm was tried on every request. */
const searched = 256

/**
 * k nearest neighbours (069 CARROT): q̂ = (Σ w·y + a·q̄)/(Σ w + a) over the arm's nearest k = min(64, √n) outcomes, w likeness times the outcome's
 * weight, q̄ the arm's mean in the request's category, a = 5. The same neighbours give output tokens, dollars and seconds, in log space. Missing
 * outcomes are no obstacle. One search serves all arms; its cost doesn't grow with what is remembered (see `NeighbourStore`).
 */
export const knn: PredictorKind<KnnSettings> = {
  kind: 'knn',
  train(observations, arms, settings) {
    const all = [...observations]
    const { predictor, meet } = create(arms, settings)
    const met = new Set<unknown>()
    for (const { features } of all) {
      if (met.has(features)) continue
      met.add(features)
      meet(features)
    }
    for (const observation of all) predictor.learn(observation, false)
    return predictor
  },
  load: (bytes, arms, settings) => create(arms, settings, openReader(bytes, 'knn', version)).predictor,
}

export interface KnnPredictor extends Predictor {
  /** Bytes of the remembered outcomes. */
  readonly bytes: number
  /** Of the nearest requests by comparing all, the share that the bounded search finds too; 1 where there is none. O(requests). */
  recall(features: Parameters<Predictor['familiarity']>[0]): number
}

export function measuresRecall(predictor: Predictor): predictor is KnnPredictor {
  return 'recall' in predictor
}

interface Created {
  readonly predictor: KnnPredictor & { learn(observation: Parameters<Predictor['update']>[0], meeting: boolean): void }
  readonly meet: (features: Parameters<Predictor['familiarity']>[0]) => void
}

function create(facts: readonly ArmFacts[], settings: KnnSettings, from?: ByteReader): Created {
  const { shrinkage = 5, power = 1, denseShare = 0.5, capacity = 100_000, exact = false } = settings
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const store = createNeighbourStore({ capacity, denseShare }, from)
  from?.end()

  function learn(observation: Parameters<Predictor['update']>[0], meeting: boolean): void {
    const { quality, weight, logs } = observed(observation)
    const { arm, features } = observation
    const category = sureCategory(features)
    if (quality !== undefined) means.add(arm, category, quality, weight)
    costs.add(arm, features, category, logs, weight)
    familiarity.add(features)
    if (meeting) store.meet(features)
    store.add(features, arm, Float32Array.of(quality ?? NaN, weight, ...logs))
  }

  const predictor: Created['predictor'] = {
    id: 'knn',
    get bytes() {
      return store.bytes
    },
    predict(features, arms) {
      const { outcomes } = store
      const category = sureCategory(features)
      const near = exact ? store.scan(features, searched) : store.nearest(features, searched)
      const most = settings.neighbours ?? Math.max(1, Math.min(64, Math.floor(Math.sqrt(store.requests))))
      const tallies = new Float64Array(arms.length * tallySize)
      const places = new Int32Array(outcomes.arms).fill(-1)
      let unfilled = 0
      arms.forEach((arm, place) => {
        const number = outcomes.armNumber(arm)
        if (number < 0) return
        if (places[number] === -1) unfilled += 1
        places[number] = place
      })
      let weightNow = 0
      const visit = (arm: number, at: number) => {
        const place = places[arm] ?? -1
        if (place < 0) return
        const start = place * tallySize
        const taken = tallies[start] ?? 0
        if (taken >= most) return
        tallies[start] = taken + 1
        if (taken + 1 >= most) unfilled -= 1
        tallyOutcome(tallies, start, outcomes.values, at, weightNow)
      }
      for (let at = 0; at < near.count && unfilled > 0; at++) {
        weightNow = (near.likeness[at] ?? 0) ** power
        outcomes.each(near.requests[at] ?? 0, visit)
      }
      return arms.map((arm, place) => {
        const start = place * tallySize
        const prior = means.of(arm, category)
        const logs = costs.logs(arm, features, category)
        for (let measure = 0; measure < measures.length; measure++) {
          const weight = tallies[start + 4 + 2 * measure] ?? 0
          const base = logs[measure] ?? NaN
          if (weight > 0 && !Number.isNaN(base))
            logs[measure] = ((tallies[start + 5 + 2 * measure] ?? 0) + shrinkage * base) / (weight + shrinkage)
        }
        const weight = tallies[start + 1] ?? 0
        const quality = prior && pooled(weight, tallies[start + 2] ?? 0, tallies[start + 3] ?? 0, prior, shrinkage)
        return estimateOf(arm, cards.get(arm), features, quality, weight, costs, logs)
      })
    },
    familiarity: familiarity.of,
    recall(features) {
      const all = store.scan(features, searched)
      const wanted = new Set(all.requests.subarray(0, all.count))
      const near = store.nearest(features, searched)
      const found = near.requests.subarray(0, near.count).filter((request) => wanted.has(request))
      return wanted.size === 0 ? 1 : found.length / wanted.size
    },
    learn,
    update: (observation) => learn(observation, true),
    serialize() {
      const writer = createWriter('knn', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      store.write(writer)
      return writer.finish()
    },
  }
  return { predictor, meet: store.meet }
}

/** Of an arm: neighbours taken, Σw, Σwy, Σw²; then Σw and Σw·ln y of each measure. */
const tallySize = 4 + 2 * measures.length

function tallyOutcome(tallies: Float64Array, start: number, values: Float32Array, at: number, likeness: number): void {
  const weight = likeness * (values[at + 1] ?? 0)
  const quality = values[at] ?? NaN
  if (!Number.isNaN(quality)) {
    tallies[start + 1] = (tallies[start + 1] ?? 0) + weight
    tallies[start + 2] = (tallies[start + 2] ?? 0) + weight * quality
    tallies[start + 3] = (tallies[start + 3] ?? 0) + weight * weight
  }
  for (let measure = 0; measure < valuesOfOutcome - 2; measure++) {
    const log = values[at + 2 + measure] ?? NaN
    if (Number.isNaN(log)) continue
    const cell = start + 4 + 2 * measure
    tallies[cell] = (tallies[cell] ?? 0) + weight
    tallies[cell + 1] = (tallies[cell + 1] ?? 0) + weight * log
  }
}

/** The shrunk mean; its variance that of a weighted mean of outcomes, with the prior's own beside it. */
function pooled(
  weight: number,
  sum: number,
  squares: number,
  prior: { mean: number; variance: number },
  shrinkage: number,
): { mean: number; variance: number } {
  const mean = Math.min(1, Math.max(0, (sum + shrinkage * prior.mean) / (weight + shrinkage)))
  const share = shrinkage / (weight + shrinkage)
  const local = (squares * (mean * (1 - mean) + 1e-4)) / (weight + shrinkage) ** 2
  return { mean, variance: local + share * share * prior.variance }
}

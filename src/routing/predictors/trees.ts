import { childRandom, type Random, shuffled } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import type { ArmFacts, ArmId, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, mostArms, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { traitValues } from './design.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { observed } from './observed.js'
import { binEdges, binOf, growTree, leafOf, type Binned, type Residuals, type Tree } from './tree.js'

export interface TreesSettings {
  /** Trees: 120 when absent. */
  readonly trees?: number | undefined
  /** Splits on the way to a leaf at most: 3 when absent. */
  readonly depth?: number | undefined
  /** Share of each tree's answer that is taken: 0.06 when absent. */
  readonly rate?: number | undefined
}

const version = 1
const shrinkage = 5
/** Share of the requests that each tree sees, and of the features that it may split. */
const rowShare = 0.6
const featureShare = 0.4
const mostTrees = 2000
/** Components of the dense vector that trees may split beside the traits: the first so many of a random projection to signs. */
const projected = 24

/**
 * Gradient-boosted trees (Friedman 2001, with the subsampling of 2002) on a request's traits and a random projection of its dense vector, with a vector of
 * all arms in each leaf: they find what is bent or joint (short questions with numbers) where linear predictors can't. What they say is added to the arm's
 * shrunk mean. Between trainings, updates move the means and costs, not the trees. Training costs O(trees × depth × requests × features × arms).
 */
export const trees: PredictorKind<TreesSettings> = {
  kind: 'trees',
  train: (observations, arms, settings, seed) => create(arms, { observations: [...observations], settings, seed }),
  load: (bytes, arms) => create(arms, { from: openReader(bytes, 'trees', version) }),
}

type Beginning =
  { readonly from: ByteReader } | { readonly observations: readonly Observation[]; readonly settings: TreesSettings; readonly seed: number }

interface Forest {
  readonly arms: readonly ArmId[]
  readonly edges: readonly Float64Array[]
  readonly trees: readonly Tree[]
}

function create(facts: readonly ArmFacts[], beginning: Beginning): Predictor {
  const from = 'from' in beginning ? beginning.from : undefined
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const forest = from ? readForest(from) : learned()
  const places = new Map(forest.arms.map((arm, place) => [arm, place]))
  from?.end()

  function note(observation: Observation): void {
    const { quality, weight, logs } = observed(observation)
    const category = sureCategory(observation.features)
    if (quality !== undefined) means.add(observation.arm, undefined, quality, weight)
    costs.add(observation.arm, observation.features, category, logs, weight)
    familiarity.add(observation.features)
  }

  function learned(): Forest {
    if ('from' in beginning) return { arms: [], edges: [], trees: [] }
    for (const observation of beginning.observations) note(observation)
    return fit(beginning.observations, beginning.settings, beginning.seed, (arm) => means.of(arm, undefined)?.mean ?? 0.5)
  }

  return {
    id: 'trees',
    predict(features, arms) {
      const values = columnsOf(features)
      const bins = forest.edges.map((edges, feature) => binOf(edges, values[feature] ?? 0))
      const found = forest.trees.map((tree) => leafOf(tree, (feature) => bins[feature] ?? 0))
      const category = sureCategory(features)
      return arms.map((arm) => {
        const known = means.of(arm, undefined)
        const place = places.get(arm)
        let score = known?.mean ?? 0.5
        // An arm that came after the training gets what the trees say of the others: how hard the request is.
        forest.trees.forEach(({ leaves }, at) => {
          const start = (found[at] ?? 0) * forest.arms.length
          score += place === undefined ? meanOf(leaves, start, forest.arms.length) : (leaves[start + place] ?? 0)
        })
        const mean = Math.min(1, Math.max(0, score))
        const quality = known && { mean, variance: known.variance + (mean * (1 - mean) + 1e-4) / 50 }
        return estimateOf(arm, cards.get(arm), features, quality, known?.support ?? 0, costs, costs.logs(arm, features, category))
      })
    },
    familiarity: familiarity.of,
    update: note,
    serialize() {
      const writer = createWriter('trees', version)
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      writer.number(forest.arms.length)
      for (const arm of forest.arms) writer.text(arm)
      writer.number(forest.edges.length)
      for (const edges of forest.edges) writer.f64(edges)
      writer.number(forest.trees.length)
      for (const { nodes, leaves } of forest.trees) {
        writer.u32(new Uint32Array(nodes.buffer))
        writer.f32(leaves)
      }
      return writer.finish()
    },
  }
}

function readForest(from: ByteReader): Forest {
  const arms = Array.from({ length: from.count(mostArms) }, () => from.text())
  const edges = Array.from({ length: from.count(1000) }, () => from.f64())
  const grown = Array.from({ length: from.count(mostTrees) }, () => ({ nodes: new Int32Array(from.u32().buffer), leaves: from.f32() }))
  return { arms, edges, trees: grown }
}

function meanOf(leaves: Float32Array, start: number, count: number): number {
  let sum = 0
  for (let at = 0; at < count; at++) sum += leaves[start + at] ?? 0
  return count === 0 ? 0 : sum / count
}

/** What trees split: the traits, then the dense vector's projection (0 where there is none). */
function columnsOf(features: Features): Float64Array {
  const traits = traitValues(features)
  const { dense } = features
  const out = new Float64Array(traits.length + projected)
  out.set(traits)
  if (dense)
    for (let at = 0; at < dense.length; at++) {
      const signs = Math.imul(at + 1, 0x9e3779b1) ^ (Math.imul(at + 1, 0x85ebca6b) >>> 13)
      for (let column = 0; column < projected; column++) {
        const place = traits.length + column
        out[place] = (out[place] ?? 0) + ((signs >>> column) & 1 ? 1 : -1) * (dense[at] ?? 0)
      }
    }
  return out
}

function fit(observations: readonly Observation[], settings: TreesSettings, seed: number, offsetOf: (arm: ArmId) => number): Forest {
  const { trees: count = 120, depth = 3, rate = 0.06 } = settings
  const scored = observations.filter(({ quality }) => quality !== undefined)
  const arms = [...new Set(scored.map(({ arm }) => arm))].slice(0, mostArms)
  const requests = [...new Set(scored.map(({ features }) => features))]
  if (requests.length < 20) return { arms: [], edges: [], trees: [] }
  const columns = requests.map(columnsOf)
  const edges = Array.from({ length: columns[0]?.length ?? 0 }, (_, feature) =>
    binEdges(Float64Array.from(columns, (values) => values[feature] ?? 0)),
  )
  const data = binned(columns, edges)
  const residuals = residualsOf(scored, requests, arms, offsetOf)
  const random = childRandom(seed, 'boosting')
  const grown: Tree[] = []
  const total = residuals.weights.reduce((sum, weight) => sum + weight, 0)
  // A leaf of fewer outcomes than this would be noise: one in a hundred, and at least 20.
  const options = { depth, leastWeight: Math.max(20, total / 100), penalty: 20 }
  for (let tree = 0; tree < count; tree++) {
    const sample = shuffled(requests.length, random).subarray(0, Math.ceil(rowShare * requests.length))
    const raw = growTree(data, residuals, sample, { ...options, candidates: drawn(edges, random) })
    const step: Tree = { nodes: raw.nodes, leaves: raw.leaves.map((value) => rate * value) }
    grown.push(step)
    for (let row = 0; row < requests.length; row++) {
      const start = leafOf(step, (feature) => data.bins[feature * data.rows + row] ?? 0) * arms.length
      for (let arm = 0; arm < arms.length; arm++)
        residuals.values[row * arms.length + arm] = (residuals.values[row * arms.length + arm] ?? 0) - (step.leaves[start + arm] ?? 0)
    }
  }
  return { arms, edges, trees: grown }
}

function drawn(edges: readonly Float64Array[], random: Random): readonly number[] {
  const useful = edges.flatMap((list, feature) => (list.length > 0 ? [feature] : []))
  return [...shuffled(useful.length, random).subarray(0, Math.max(1, Math.ceil(featureShare * useful.length)))].map((at) => useful[at] ?? 0)
}

function binned(columns: readonly Float64Array[], edges: readonly Float64Array[]): Binned {
  const rows = columns.length
  const bins = new Uint8Array(rows * edges.length)
  edges.forEach((list, feature) => {
    for (let row = 0; row < rows; row++) bins[feature * rows + row] = binOf(list, columns[row]?.[feature] ?? 0)
  })
  return { rows, features: edges.length, bins }
}

function residualsOf(
  scored: readonly Observation[],
  requests: readonly Features[],
  arms: readonly ArmId[],
  offsetOf: (arm: ArmId) => number,
): Residuals & { readonly values: Float64Array } {
  const rowOf = new Map(requests.map((features, row) => [features, row]))
  const placeOf = new Map(arms.map((arm, place) => [arm, place]))
  const offsets = arms.map(offsetOf)
  const values = new Float64Array(requests.length * arms.length)
  const weights = new Float32Array(values.length)
  for (const observation of scored) {
    const { quality = 0, weight } = observed(observation)
    const place = placeOf.get(observation.arm)
    if (place === undefined) continue
    const at = (rowOf.get(observation.features) ?? 0) * arms.length + place
    const before = weights[at] ?? 0
    values[at] = ((values[at] ?? 0) * before + weight * (quality - (offsets[place] ?? 0))) / (before + weight)
    weights[at] = before + weight
  }
  return { arms: arms.length, values, weights }
}

import { BursarError } from '../../errors/index.js'
import { childRandom, shuffled } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import type { ArmFacts, ArmId, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmCosts } from './arm-costs.js'
import { createArmMeans, sureCategory } from './arm-means.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import { createDesign, defaultScales, type BlockScales, type Design, type Row } from './design.js'
import { estimateOf } from './estimates.js'
import { createFamiliarity } from './familiarity.js'
import { observed } from './observed.js'
import { createSharedWeights, type Penalties, type SharedWeights } from './shared-weights.js'

export interface LinearSettings {
  /** λu: of what all arms share. Chosen on a held-out fifth of the training rows when absent. */
  readonly sharedPenalty?: number | undefined
  /** λv: of what is an arm's own. Chosen the same way when absent. */
  readonly ownPenalty?: number | undefined
  readonly scales?: { readonly [Block in keyof BlockScales]?: BlockScales[Block] | undefined } | undefined
  /** Passes over the training rows at most: 20 when absent. */
  readonly passes?: number | undefined
}

type Loss = 'ridge' | 'logistic'

const version = 2
const shrinkage = 5
/**
 * Scale of the traits that is tried beside the usual one where none is told. How a question is put (its length, its figures) tells nearly all on one
 * kind of work and misleads on another, so that the training rows must say.
 */
const heavyTraits = 0.5
/** Requests on which scales are compared: one fifth after the other is held out until there are so many. */
const comparedRequests = 1_000
/** Penalties that are tried; the middle one where there is too little to choose by. */
const tried = [3, 10, 30] as const
const defaultPenalty = 10
const leastToChoose = 100

/**
 * Linear regression of quality on the request's representation with a squared loss, L2: a component that all arms share and one of each arm's
 * own (see `SharedWeights`), both around the arm's shrunk mean. Trained by stochastic dual coordinate ascent (Shalev-Shwartz & Zhang 2013), updated
 * online by one dual step an observation: it moves no prediction by more than reach/(1 + reach) of what it missed by. A pass costs
 * O(observations × n-grams); a prediction O(n-grams × arms).
 */
export const ridge = linearKind('ridge')

/** The same with the logistic loss: quality is the probability σ(score). Costs the same. */
export const logistic = linearKind('logistic')

function linearKind(loss: Loss): PredictorKind<LinearSettings> {
  return {
    kind: loss,
    train(observations, arms, settings, seed) {
      const all = [...observations]
      const penalties = choosePenalties(all, arms, loss, settings, seed)
      const traits = chooseTraits(all, arms, loss, settings, penalties, seed)
      return create(loss, arms, settings, { penalties, traits, observations: all, seed })
    },
    load(bytes, arms, settings) {
      const from = openReader(bytes, loss, version)
      const [shared = 0, own = 0, traits = -1] = from.f64(3)
      if (!(shared > 0 && own > 0 && traits >= 0))
        throw new BursarError("The predictor's penalties and scales are no positive numbers. Train it again.", {
          code: 'invalid_configuration',
          status: 500,
        })
      return create(loss, arms, settings, { penalties: { shared, own }, traits, from })
    },
  }
}

interface Chosen {
  readonly penalties: Penalties
  /** Scale of the traits. */
  readonly traits: number
}

type Beginning = Chosen & ({ readonly from: ByteReader } | { readonly observations: readonly Observation[]; readonly seed: number })

function create(loss: Loss, facts: readonly ArmFacts[], settings: LinearSettings, beginning: Beginning): Predictor {
  const scales = { ...scalesOf(settings.scales), traits: beginning.traits }
  const cards = new Map(facts.map(({ id, card }) => [id, card]))
  const from = 'from' in beginning ? beginning.from : undefined
  const means = createArmMeans(facts, shrinkage, from)
  const costs = createArmCosts(facts, shrinkage, from)
  const familiarity = createFamiliarity(from)
  const design = createDesign(scales, from)
  const weights = createSharedWeights(beginning.penalties, from)
  from?.end()

  /** Where the score of an arm begins: its mean over all categories, on the scale of the score. */
  function offsetOf(arm: ArmId): number {
    const mean = means.of(arm, undefined)?.mean ?? 0.5
    return loss === 'ridge' ? mean : logit(mean)
  }

  function note(observation: Observation): { quality: number | undefined; weight: number } {
    const { quality, weight, logs } = observed(observation)
    const { arm, features } = observation
    if (quality !== undefined) means.add(arm, undefined, quality, weight)
    costs.add(arm, features, sureCategory(features), logs, weight)
    familiarity.add(features)
    return { quality, weight }
  }

  if ('observations' in beginning) {
    const kept: Target[] = []
    const row = rowsOf(design, beginning.observations)
    for (const observation of beginning.observations) {
      const { quality, weight } = note(observation)
      if (quality !== undefined) kept.push({ row: row(observation.features), arm: observation.arm, quality, weight })
    }
    ascend(weights, loss, kept, offsetOf, settings.passes ?? 20, beginning.seed)
  }

  return {
    id: loss,
    predict(features, arms) {
      const row = design.row(features)
      const scores = weights.scores(row, arms)
      const spread = weights.spread(row, arms)
      const category = sureCategory(features)
      return arms.map((arm, at) => {
        const known = means.of(arm, undefined)
        const score = offsetOf(arm) + (scores[at] ?? 0)
        const mean = loss === 'ridge' ? clamped(score) : sigmoid(score)
        const variance = known === null ? 0 : Math.min(0.25, known.variance + (known.mean * (1 - known.mean) + 1e-4) * (spread[at] ?? 0))
        return estimateOf(
          arm,
          cards.get(arm),
          features,
          known && { mean, variance },
          known?.support ?? 0,
          costs,
          costs.logs(arm, features, category),
        )
      })
    },
    familiarity: familiarity.of,
    update(observation) {
      const { quality, weight } = note(observation)
      if (quality === undefined) return
      const { arm } = observation
      design.meet(observation.features)
      const row = design.row(observation.features)
      weights.count(row, arm, weight)
      const step = dualStep(loss, offsetOf(arm) + weights.score(row, arm), quality, weight, weights.reach(row), 0)
      weights.step(row, arm, step)
    },
    serialize() {
      const writer = createWriter(loss, version)
      writer.f64(Float64Array.of(beginning.penalties.shared, beginning.penalties.own, beginning.traits))
      means.write(writer)
      costs.write(writer)
      familiarity.write(writer)
      design.write(writer)
      weights.write(writer)
      return writer.finish()
    },
  }
}

function scalesOf(told: LinearSettings['scales']): Omit<BlockScales, 'traits'> {
  const { words, lexical, dense, category } = { ...told }
  return {
    words: words ?? defaultScales.words,
    lexical: lexical ?? defaultScales.lexical,
    dense: dense ?? defaultScales.dense,
    category: category ?? defaultScales.category,
  }
}

interface Target {
  readonly row: Row
  readonly arm: ArmId
  readonly quality: number
  readonly weight: number
}

/** Rows are shared by the observations of one request; all requests are met before the first row is made. */
function rowsOf(design: Design, observations: readonly Observation[]): (features: Features) => Row {
  for (const features of new Set(observations.map((observation) => observation.features))) design.meet(features)
  const known = new Map<Features, Row>()
  return (features) => {
    let row = known.get(features)
    if (!row) known.set(features, (row = design.row(features)))
    return row
  }
}

/** Dual coordinate ascent until a pass changes the dual variables by less than 0.2 % of an outcome on average. */
function ascend(
  weights: SharedWeights,
  loss: Loss,
  targets: readonly Target[],
  offsetOf: (arm: ArmId) => number,
  passes: number,
  seed: number,
): void {
  const duals = new Float64Array(targets.length)
  const offsets = new Map([...new Set(targets.map(({ arm }) => arm))].map((arm) => [arm, offsetOf(arm)]))
  for (const { row, arm, weight } of targets) weights.count(row, arm, weight)
  const random = childRandom(seed, 'dual coordinate ascent')
  for (let pass = 0; pass < passes; pass++) {
    let moved = 0
    for (const at of shuffled(targets.length, random)) {
      const { row, arm, quality, weight } = targets[at] as Target
      const before = duals[at] ?? 0
      const step = dualStep(loss, (offsets.get(arm) ?? 0) + weights.score(row, arm), quality, weight, weights.reach(row), before)
      duals[at] = before + step
      moved += Math.abs(step)
      weights.step(row, arm, step)
    }
    if (moved < 0.002 * targets.length) return
  }
}

/**
 * How much the dual variable a of an observation changes so that a = ω(y − ŷ(z + (a − a₀)q)) holds, with z the score now, q how far a step of 1
 * moves it, ω the weight, a₀ the variable now. Closed for the squared loss; for the logistic one the root of a rising function, by bisection that
 * Newton's steps shorten.
 */
function dualStep(loss: Loss, score: number, quality: number, weight: number, reach: number, before: number): number {
  if (loss === 'ridge') return (weight * (quality - score) - before) / (1 + weight * reach)
  let low = weight * (quality - 1)
  let high = weight * quality
  let at = Math.min(high, Math.max(low, before))
  for (let step = 0; step < 12; step++) {
    const probability = sigmoid(score + (at - before) * reach)
    const value = at - weight * (quality - probability)
    if (Math.abs(value) < 1e-9) break
    if (value > 0) high = at
    else low = at
    const newton = at - value / (1 + weight * probability * (1 - probability) * reach)
    at = newton > low && newton < high ? newton : (low + high) / 2
  }
  return at - before
}

/**
 * The penalties with the least squared error on a held-out fifth of the requests: λu by the mean over a request's arms, λv by what differs between
 * them (the two parts of a squared error are independent where every arm was tried). With one arm a request, both by the error itself.
 */
function choosePenalties(
  all: readonly Observation[],
  arms: readonly ArmFacts[],
  loss: Loss,
  settings: LinearSettings,
  seed: number,
): Penalties {
  const told = { shared: settings.sharedPenalty, own: settings.ownPenalty }
  for (const [name, value] of Object.entries(told)) {
    if (value !== undefined && !(value > 0 && value < Infinity))
      throw new BursarError(`${name}Penalty must be a number above 0, not ${value}.`, {
        code: 'invalid_configuration',
        status: 500,
        path: `${name}Penalty`,
      })
  }
  if (told.shared !== undefined && told.own !== undefined) return { shared: told.shared, own: told.own }
  const texts = answered(all)
  const fallback = { shared: told.shared ?? defaultPenalty, own: told.own ?? defaultPenalty }
  if (texts.length < leastToChoose) return fallback
  const { learned, tested } = heldOutFifth(all, texts, 0, seed)
  const best = { shared: { penalty: fallback.shared, error: Infinity }, own: { penalty: fallback.own, error: Infinity } }
  for (const penalty of tried) {
    const predictor = create(
      loss,
      arms,
      { ...settings, passes: 8 },
      {
        penalties: { shared: penalty, own: penalty },
        traits: settings.scales?.traits ?? defaultScales.traits,
        observations: learned,
        seed,
      },
    )
    const errors = { shared: 0, own: 0 }
    for (const { shared, own } of splitErrors(predictor, tested)) {
      errors.shared += shared
      errors.own += own
    }
    if (errors.shared < best.shared.error) best.shared = { penalty, error: errors.shared }
    if (errors.own < best.own.error) best.own = { penalty, error: errors.own }
  }
  return { shared: told.shared ?? best.shared.penalty, own: told.own ?? best.own.penalty }
}

/**
 * The scale of the traits: the heavier one where it foretells what differs between arms better on rows held out, by more than two standard errors of
 * the squared errors' mean difference; else the lighter one.
 */
function chooseTraits(
  all: readonly Observation[],
  arms: readonly ArmFacts[],
  loss: Loss,
  settings: LinearSettings,
  penalties: Penalties,
  seed: number,
): number {
  const told = settings.scales?.traits
  if (told !== undefined) {
    if (told >= 0 && told < Infinity) return told
    throw new BursarError(`scales.traits must be a number of at least 0, not ${told}.`, {
      code: 'invalid_configuration',
      status: 500,
      path: 'scales.traits',
    })
  }
  const texts = answered(all)
  if (texts.length < leastToChoose) return defaultScales.traits
  const gains: number[] = []
  const fifths = Math.min(5, Math.ceil(comparedRequests / (texts.length / 5)))
  for (let fifth = 0; fifth < fifths; fifth++) {
    const { learned, tested } = heldOutFifth(all, texts, fifth, seed)
    const errorsAt = (traits: number) =>
      splitErrors(create(loss, arms, { ...settings, passes: 8 }, { penalties, traits, observations: learned, seed }), tested)
    const heavier = errorsAt(heavyTraits)
    errorsAt(defaultScales.traits).forEach(({ own }, at) => gains.push(own - (heavier[at]?.own ?? own)))
  }
  const mean = average(gains)
  const deviation = Math.sqrt(average(gains.map((gain) => (gain - mean) ** 2)) / gains.length)
  return mean > 2 * deviation ? heavyTraits : defaultScales.traits
}

/** The requests of which some outcome is known. */
function answered(all: readonly Observation[]): readonly Features[] {
  return [...new Set(all.filter(({ quality }) => quality !== undefined).map(({ features }) => features))]
}

/** One of five parts of the requests, and what is left to learn from. */
function heldOutFifth(all: readonly Observation[], texts: readonly Features[], fifth: number, seed: number) {
  const order = shuffled(texts.length, childRandom(seed, 'held out'))
  const size = Math.floor(texts.length / 5)
  const heldOut = new Set([...order.subarray(fifth * size, (fifth + 1) * size)].flatMap((at) => texts[at] ?? []))
  const learned = all.filter(({ features }) => !heldOut.has(features))
  const tested = new Map<Features, Observation[]>([...heldOut].map((features) => [features, []]))
  for (const observation of all) if (observation.quality !== undefined) tested.get(observation.features)?.push(observation)
  return { learned, tested }
}

/** Squared errors of a request: of the mean over its arms, and of what differs between them; of one arm alone both are the error itself. */
interface SplitError {
  readonly shared: number
  readonly own: number
}

function splitErrors(predictor: Predictor, tested: ReadonlyMap<Features, readonly Observation[]>): readonly SplitError[] {
  const several = [...tested.values()].some((outcomes) => outcomes.length > 1)
  return [...tested].map(([features, outcomes]) => {
    const estimates = predictor.predict(
      features,
      outcomes.map(({ arm }) => arm),
    )
    const misses = outcomes.map(({ quality = 0 }, at) => quality - (estimates[at]?.quality?.mean ?? 0.5))
    const centre = average(misses)
    const shared = misses.length * centre * centre
    return { shared, own: several ? misses.reduce((sum, miss) => sum + (miss - centre) ** 2, 0) : shared }
  })
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function clamped(value: number): number {
  return Math.min(1, Math.max(0, value))
}

function sigmoid(score: number): number {
  return 1 / (1 + Math.exp(-score))
}

function logit(probability: number): number {
  const inside = Math.min(1 - 1e-3, Math.max(1e-3, probability))
  return Math.log(inside / (1 - inside))
}

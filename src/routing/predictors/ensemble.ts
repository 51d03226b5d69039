import { BursarError } from '../../errors/index.js'
import { childRandom, fitPlatt, type PlattCurve, shuffled } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import type { ArmFacts, ArmId, Estimate, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createArmMeans, type ArmMeans } from './arm-means.js'
import { createWriter, openReader } from './bytes.js'
import { observed } from './observed.js'
import { average, fitStack, type Stack, type StackRow } from './stack.js'

export interface MemberSettings {
  readonly kind: string
  readonly settings?: unknown
}

export interface EnsembleSettings {
  /** k-NN, ridge, logistic, topic and trees when absent. */
  readonly members?: readonly MemberSettings[] | undefined
  /** Parts that the training rows are cut into for predictions on rows not trained on: 3 when absent. */
  readonly folds?: number | undefined
}

const version = 1
const shrinkage = 5
const defaultMembers: readonly MemberSettings[] = [
  { kind: 'knn' },
  { kind: 'ridge', settings: { sharedPenalty: 10, ownPenalty: 15 } },
  { kind: 'logistic', settings: { sharedPenalty: 3, ownPenalty: 5 } },
  { kind: 'topic' },
  { kind: 'trees' },
  { kind: 'task' },
]
/** Fewer requests than this are no ground for weights: members are averaged. */
const leastToStack = 60
const mostMembers = 16

/**
 * Several predictors as one: weights from predictions on rows that the members weren't trained on (`fitStack`), probabilities calibrated on the same
 * rows (Platt), spread the members' own plus what they disagree by. Costs what its members cost; training `folds + 1` times that.
 */
export function ensembleOf(kinds: Readonly<Record<string, PredictorKind>>): PredictorKind<EnsembleSettings> {
  function kindOf(member: MemberSettings): PredictorKind {
    const kind = Object.hasOwn(kinds, member.kind) ? kinds[member.kind] : undefined
    if (!kind) throw invalid(`there is no predictor "${member.kind}" to be a member; there are ${Object.keys(kinds).join(', ')}`)
    return kind
  }
  return {
    kind: 'ensemble',
    train(observations, arms, settings, seed) {
      const members = membersOf(settings)
      const all = [...observations]
      const means = createArmMeans(arms, shrinkage)
      for (const observation of all) note(means, observation)
      const rows = outOfFold(all, arms, means, settings.folds ?? 3, seed, (part) =>
        members.map((member) => kindOf(member).train(part, arms, member.settings, seed)),
      )
      const stack = rows.length < leastToStack ? equalStack(members.length) : fitStack(rows, members.length)
      const curve = rows.length < leastToStack ? null : calibration(rows, stack)
      const trained = members.map((member) => kindOf(member).train(all, arms, member.settings, seed))
      return assemble(trained, members, means, stack, curve)
    },
    load(bytes, arms, settings) {
      const members = membersOf(settings)
      const from = openReader(bytes, 'ensemble', version)
      const means = createArmMeans(arms, shrinkage, from)
      const stack = { level: from.f64(members.length), difference: from.f64(members.length) }
      const [known, slope = 0, intercept = 0] = from.f64(3)
      const loaded = members.map((member) => {
        if (from.text() !== member.kind) throw invalid('its members are others than the settings name. Train it again')
        return kindOf(member).load(from.bytes(), arms, member.settings)
      })
      from.end()
      return assemble(loaded, members, means, stack, known === 1 ? { slope, intercept } : null)
    },
  }
}

function membersOf({ members = defaultMembers }: EnsembleSettings): readonly MemberSettings[] {
  if (members.length === 0 || members.length > mostMembers) throw invalid(`it needs 1 to ${mostMembers} members`)
  return members
}

function invalid(why: string): BursarError {
  return new BursarError(`Predictor "ensemble": ${why}.`, { code: 'invalid_configuration', status: 500, path: 'settings.members' })
}

function note(means: ArmMeans, observation: Observation): void {
  const { quality, weight } = observed(observation)
  if (quality !== undefined) means.add(observation.arm, undefined, quality, weight)
}

function equalStack(size: number): Stack {
  const weights = new Float64Array(size).fill(1 / size)
  return { level: weights, difference: weights }
}

function assemble(
  predictors: readonly Predictor[],
  members: readonly MemberSettings[],
  means: ArmMeans,
  stack: Stack,
  curve: PlattCurve | null,
): Predictor {
  /** The nearest neighbours know best what a request takes. */
  const costs = Math.max(
    0,
    members.findIndex(({ kind }) => kind === 'knn'),
  )
  return {
    id: 'ensemble',
    predict(features, arms) {
      // The level is that of all arms known, so that an arm's estimate doesn't hang on which others are asked about with it.
      const asked = [...new Set([...means.arms, ...arms])]
      const said = predictors.map((predictor) => predictor.predict(features, asked))
      const base = asked.map((arm) => means.of(arm, undefined)?.mean ?? NaN)
      const levelArms = means.arms.length
      const values = combined(
        said.map((estimates) => estimates.map(({ quality }, arm) => quality?.mean ?? base[arm] ?? NaN)),
        base,
        stack,
        levelArms,
      )
      return arms.map((arm): Estimate => {
        const at = asked.indexOf(arm)
        const own = said.map((estimates) => estimates[at])
        const template = own[costs] as Estimate
        const value = values[at] ?? NaN
        if (Number.isNaN(value)) return { ...template, arm, quality: null }
        return {
          ...template,
          arm,
          quality: { mean: curve === null ? value : calibrated(value, curve), variance: spreadOf(own, stack.difference) },
          support: Math.max(...own.map((estimate) => estimate?.support ?? 0)),
        }
      })
    },
    familiarity: (features) => Math.max(...predictors.map((predictor) => predictor.familiarity(features))),
    update(observation) {
      observed(observation)
      for (const predictor of predictors) predictor.update(observation)
      note(means, observation)
    },
    serialize() {
      const writer = createWriter('ensemble', version)
      means.write(writer)
      writer.f64(stack.level)
      writer.f64(stack.difference)
      writer.f64(Float64Array.of(curve === null ? 0 : 1, curve?.slope ?? 0, curve?.intercept ?? 0))
      predictors.forEach((predictor, at) => {
        writer.text(members[at]?.kind ?? '')
        writer.bytes(predictor.serialize())
      })
      return writer.finish()
    },
  }
}

/** Base + Σ level weight × (member's level − base's level) + Σ difference weight × (member's difference − base's difference). */
function combined(predicted: readonly (readonly number[])[], base: readonly number[], stack: Stack, levelArms: number): number[] {
  const level = (values: readonly number[]) => average(values.slice(0, levelArms))
  const baseLevel = level(base)
  const levels = predicted.map(level)
  let common = baseLevel
  levels.forEach((value, member) => (common += (stack.level[member] ?? 0) * (value - baseLevel)))
  return base.map((value, arm) => {
    let own = value - baseLevel
    predicted.forEach(
      (values, member) => (own += (stack.difference[member] ?? 0) * ((values[arm] ?? NaN) - (levels[member] ?? 0) - (value - baseLevel))),
    )
    return Math.min(1, Math.max(0, common + own))
  })
}

/** The members' variances, weighed, and the variance between them. */
function spreadOf(own: readonly (Estimate | undefined)[], weights: Float64Array): number {
  const known = own.flatMap((estimate, member) =>
    estimate?.quality ? [{ ...estimate.quality, weight: (weights[member] ?? 0) + 1e-3 }] : [],
  )
  const total = known.reduce((sum, { weight }) => sum + weight, 0)
  const mean = known.reduce((sum, { mean: value, weight }) => sum + weight * value, 0) / total
  return Math.min(
    0.25,
    known.reduce((sum, { mean: value, variance, weight }) => sum + weight * (variance + (value - mean) ** 2), 0) / total,
  )
}

function outOfFold(
  all: readonly Observation[],
  arms: readonly ArmFacts[],
  means: ArmMeans,
  folds: number,
  seed: number,
  train: (part: readonly Observation[]) => readonly Predictor[],
): readonly StackRow[] {
  const byRequest = new Map<Features, Map<ArmId, number>>()
  for (const { features, arm, quality } of all) {
    if (quality === undefined) continue
    const outcomes = byRequest.get(features) ?? new Map<ArmId, number>()
    outcomes.set(arm, quality)
    byRequest.set(features, outcomes)
  }
  const requests = [...byRequest.keys()]
  if (requests.length < leastToStack) return []
  const foldOf = new Map<Features, number>()
  shuffled(requests.length, childRandom(seed, 'folds')).forEach((request, at) => {
    const features = requests[request]
    if (features) foldOf.set(features, at % folds)
  })
  const rows: StackRow[] = []
  for (let fold = 0; fold < folds; fold++) {
    const predictors = train(all.filter(({ features }) => foldOf.get(features) !== fold))
    byRequest.forEach((outcomes, features) => {
      if (foldOf.get(features) !== fold) return
      const tried = [...outcomes.keys()]
      const base = tried.map((arm) => means.of(arm, undefined)?.mean ?? 0.5)
      const predicted = predictors.map((predictor) =>
        predictor.predict(features, tried).map(({ quality }, arm) => quality?.mean ?? base[arm] ?? 0.5),
      )
      rows.push({ quality: [...outcomes.values()], base, predicted })
    })
  }
  return rows
}

/** A logistic curve over logits: it never changes the order, and its slope tells how sure the members should have been. */
function calibration(rows: readonly StackRow[], stack: Stack): PlattCurve | null {
  const scores = rows.flatMap(({ quality, base, predicted }) => {
    const values = combined(predicted, base, stack, base.length)
    return quality.map((outcome, arm) => ({ score: logit(values[arm] ?? 0.5), outcome }))
  })
  const curve = fitPlatt(scores)
  return curve.slope > 0 ? curve : null
}

function calibrated(value: number, { slope, intercept }: PlattCurve): number {
  return 1 / (1 + Math.exp(-(slope * logit(value) + intercept)))
}

function logit(probability: number): number {
  const inside = Math.min(1 - 1e-4, Math.max(1e-4, probability))
  return Math.log(inside / (1 - inside))
}

import { normalDraw } from '../../statistics/index.js'
import type { ArmId, Decision, Observation, Policy, Situation } from '../contracts.js'
import { banditDimensions, banditFeatures } from './bandit-features.js'
import { boundedDistribution, drawIndex } from './drawing.js'
import { mayExplore } from './exploring.js'
import { feasibleArms, type FeasibilityOptions, type FeasibleArms, type Option } from './feasible-arms.js'
import { LinearPosterior } from './linear-posterior.js'
import { posteriorMemory } from './policy-memory.js'
import { byAdvantage, comparable, exchangeOf, valued, type Exchange, type Valued } from './value.js'
import { chooseByValue, decided } from './value-of-information.js'

export interface BanditOptions extends FeasibilityOptions {
  /** Largest probability that an arm other than the one of the highest expected value answers; 0.1 by default. */
  readonly share?: number | undefined
  /** Dimensions of the projected text; 24 by default. */
  readonly lexicalDimensions?: number | undefined
  /** How far an arm's quality may lie from what the predictor says, as a variance; 0.04 by default (a deviation of 0.2). */
  readonly priorVariance?: number | undefined
  /** Variance of one outcome around its expectation; 0.2 by default (that of a right-or-wrong answer is at most 0.25). */
  readonly noiseVariance?: number | undefined
  /** Arms of all tenants that are remembered at most; 1,024 by default. The one not seen for longest is forgotten. */
  readonly mostArms?: number | undefined
}

export interface ThompsonOptions extends BanditOptions {
  /** Draws of the posterior a decision; 64 by default. */
  readonly draws?: number | undefined
}

export interface LinUcbOptions extends BanditOptions {
  /** How many deviations above its mean an arm is taken at (α of Li et al. 2010); 1 by default. */
  readonly alpha?: number | undefined
}

/**
 * Thompson sampling over features: an arm answers as often as it is likely to be the best. From the posteriors `draws` joint samples are drawn; each
 * votes for the arm of the largest value; the votes' shares *are* the distribution that the arm is then drawn from. So the logged propensity is
 * exact, not an estimate, given these draws, and over them the choice is Thompson's. An arm without a vote can't be chosen and has propensity 0.
 * What a predictor expects of an arm is the prior mean, and the bandit learns how the arm differs from it. At most `share` of probability goes to
 * arms other than that of the highest mean value, and none where exploration is off. O(arms × (d² + draws)).
 */
export function thompson(options: ThompsonOptions = {}): Policy {
  const draws = options.draws ?? 64
  if (!Number.isInteger(draws) || draws < 1) throw new RangeError(`draws are a whole number of at least 1, not ${draws}`)
  return banditPolicy('thompson', options, (beliefs, exchange, { random }) => {
    const votes = beliefs.map(() => 0)
    for (let draw = 0; draw < draws; draw++) {
      const drawn = beliefs.map(({ option, cost, mean, deviation }) => ({ option, cost, quality: mean + deviation * normalDraw(random) }))
      const winner = indexOfBest(drawn, exchange)
      votes[winner] = (votes[winner] ?? 0) + 1
    }
    return votes.map((count) => count / draws)
  })
}

/**
 * LinUCB over features: takes every arm at its upper confidence bound mean + α·deviation. Where that names another arm than the highest mean does,
 * the other one answers with probability `share`, so that exploration stays bounded and the propensity is known. O(arms × d²).
 */
export function linUcb(options: LinUcbOptions = {}): Policy {
  const alpha = options.alpha ?? 1
  if (!(alpha >= 0 && alpha < Number.POSITIVE_INFINITY)) throw new RangeError(`α is at least 0, not ${alpha}`)
  return banditPolicy('linucb', options, (beliefs, exchange) => {
    const winner = indexOfBest(
      beliefs.map(({ option, cost, mean, deviation }) => ({ option, cost, quality: mean + alpha * deviation })),
      exchange,
    )
    return beliefs.map((_, index) => (index === winner ? 1 : 0))
  })
}

interface Belief {
  readonly option: Option
  readonly cost: number | null
  readonly mean: number
  readonly deviation: number
}

type Wanted = (beliefs: readonly Belief[], exchange: Exchange, situation: Situation) => readonly number[]

function banditPolicy(id: string, options: BanditOptions, wanted: Wanted): Policy {
  const { share = 0.1, lexicalDimensions = 24, priorVariance = 0.04, noiseVariance = 0.2, mostArms = 1024 } = options
  if (!(share >= 0 && share <= 1)) throw new RangeError(`a share of exploration is in [0, 1], not ${share}`)
  const dimensions = banditDimensions(lexicalDimensions)
  /** By tenant and arm: tenants never meet. */
  const posteriors = new Map<string, LinearPosterior>()
  const placeOf = (tenant: string | undefined, arm: ArmId) => `${tenant ?? ''}\0${arm}`

  /** Without anything known an arm is as good as a coin, give or take what a uniform variable varies. */
  const unknown = { mean: 0.5, variance: 1 / 12 }
  const believe = (option: Option, x: Float64Array, exchange: Exchange, tenant: string | undefined): Belief => {
    const learned = posteriors.get(placeOf(tenant, option.arm.id))?.at(x) ?? { mean: 0, variance: priorVariance }
    // Where no predictor knows the arm, the doubt about it must shrink with what the bandit itself has seen.
    const prior = option.estimate.quality ?? { mean: unknown.mean, variance: (unknown.variance * learned.variance) / priorVariance }
    return {
      option,
      cost: valued(option, exchange).cost,
      mean: Math.min(1, Math.max(0, prior.mean + learned.mean)),
      deviation: Math.sqrt(prior.variance + learned.variance),
    }
  }

  return {
    id,
    choose(situation) {
      const feasible = feasibleArms(situation, options)
      const exchange = exchangeOf(situation.objective, feasible.reference, feasible.options, situation.regime)
      const x = banditFeatures(situation.features, lexicalDimensions)
      const beliefs = feasible.options
        .map((option) => believe(option, x, exchange, situation.tenant))
        .filter((belief) => comparable({ option: belief.option, quality: belief.mean, cost: belief.cost }, exchange))
      const nothingKnown = beliefs.every(
        ({ option }) => option.estimate.quality === null && !posteriors.has(placeOf(situation.tenant, option.arm.id)),
      )
      if (feasible.relaxed || beliefs.length === 0 || beliefs.length + feasible.excluded.length === 1)
        return decided(id, situation, chooseByValue(situation, options))
      const reference = beliefs.findIndex(({ option }) => option === feasible.referenceOption)
      const greedy =
        nothingKnown && reference >= 0
          ? reference
          : indexOfBest(
              beliefs.map(({ option, cost, mean }) => ({ option, cost, quality: mean })),
              exchange,
            )
      const distribution = boundedDistribution(wanted(beliefs, exchange, situation), greedy, mayExplore(situation) ? share : 0)
      return drawn(id, situation, feasible, beliefs, distribution, greedy)
    },
    observe(decision: Decision, { arm, quality, features, weight = 1 }: Observation) {
      if (arm !== decision.arm.id || quality === undefined || !(quality >= 0 && quality <= 1) || !(weight > 0)) return
      const place = placeOf(decision.tenant, arm)
      const posterior = posteriors.get(place) ?? new LinearPosterior(dimensions, priorVariance, noiseVariance)
      // Again, so that the map's order is that of the last sight.
      posteriors.delete(place)
      posteriors.set(place, posterior)
      posterior.update(banditFeatures(features, lexicalDimensions), quality - (decision.expected?.quality?.mean ?? unknown.mean), weight)
      const oldest = posteriors.keys().next()
      if (posteriors.size > mostArms && !oldest.done) posteriors.delete(oldest.value)
    },
    memory: posteriorMemory(id, posteriors, () => new LinearPosterior(dimensions, priorVariance, noiseVariance), mostArms),
  }
}

function drawn(
  id: string,
  situation: Situation,
  feasible: FeasibleArms,
  beliefs: readonly Belief[],
  distribution: readonly number[],
  greedy: number,
): Decision {
  const index = drawIndex(distribution, situation.random)
  const belief = beliefs[index]
  if (!belief) return decided(id, situation, chooseByValue(situation))
  const propensities = situation.arms.map((arm) => distribution[beliefs.findIndex(({ option }) => option.arm.id === arm.id)] ?? 0)
  const why =
    index === greedy
      ? `it promises the most, at an expected quality of ${belief.mean.toFixed(2)}`
      : 'it may promise more than is known of it yet'
  return {
    ...decided(id, situation, { option: belief.option, why, feasible, exchange: { lambda: 0, usdPerJoule: 0, usdPerSecond: 0 } }),
    tenant: situation.tenant,
    propensity: distribution[index] ?? 0,
    propensities,
    explored: index !== greedy,
  }
}

/** Of comparable arms, which are never none. */
function indexOfBest(arms: readonly Valued[], exchange: Exchange): number {
  const better = byAdvantage(exchange)
  return arms.reduce((best, arm, index) => {
    const champion = arms[best]
    return champion && better(arm, champion) < 0 ? index : best
  }, 0)
}

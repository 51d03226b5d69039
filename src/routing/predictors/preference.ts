import { BursarError } from '../../errors/index.js'
import { toDollars } from '../../quantities/index.js'
import { childRandom, shuffled } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import type { ArmId, Estimate, Observation, Predictor, PredictorKind } from '../contracts.js'
import { createWriter, openReader, type ByteReader } from './bytes.js'
import type { MemberSettings } from './ensemble.js'
import { observed } from './observed.js'
import { createOnlineLogistic, type OnlineLogistic } from './online-logistic.js'

export interface PreferenceSettings {
  /** What is expected of any user: the predictor that is learned from all of them. Ridge when absent. */
  readonly base?: MemberSettings | undefined
}

const version = 1
/** Users whose taste is remembered; the one who was heard longest ago is forgotten first. */
const mostUsers = 10_000
/** Arms that a user's liking is told apart for. */
const mostArmsOfUser = 64
/** Constant, quality, thrift, speed, brevity. */
const tastes = 5
/** Variances before any word of the user: of the weight of each taste, and of the liking of an arm. */
const tasteVariance = 0.1
const likingVariance = 0.3
/** Amounts are told apart up to e^this times the usual one. */
const furthest = 3

interface User {
  readonly taste: OnlineLogistic
  readonly likings: Map<ArmId, OnlineLogistic>
}

/**
 * What *this user* will think of an arm (149 PersonalizedRouter: user, task, query and model as one graph; here its training-free equivalent). Any other predictor gives
 * what all users together think of an arm for such a request; on top of it, for each user, how much expected quality, few dollars, few seconds and short answers count
 * to them, and which arms they like beyond that: Bayesian logistic regressions around the base's own answer, so a new user gets what all get, a new arm what
 * its tier gets and what the user thinks of its price, speed and length. (The paper trains a graph network, and its specification proposes a multinomial step on
 * choices; scores of single answers are what a gateway hears, so the step is a logistic one on those.) Only numbers are kept of a user, by name. A prediction
 * costs the base's, and O(arms) more; memory is bounded.
 */
export function preferenceOf(kinds: Readonly<Record<string, PredictorKind>>): PredictorKind<PreferenceSettings> {
  const baseOf = ({ base = { kind: 'ridge' } }: PreferenceSettings): { readonly kind: PredictorKind; readonly settings: unknown } => {
    const kind = Object.hasOwn(kinds, base.kind) ? kinds[base.kind] : undefined
    if (kind) return { kind, settings: base.settings ?? {} }
    throw new BursarError(
      `Predictor "preference": there is no predictor "${base.kind}" to be its base; there are ${Object.keys(kinds).join(', ')}.`,
      { code: 'invalid_configuration', status: 500, path: 'settings.base.kind' },
    )
  }
  return {
    kind: 'preference',
    train(observations, arms, settings, seed) {
      const { kind, settings: own } = baseOf(settings)
      const all = [...observations]
      const train = (part: readonly Observation[]) => kind.train(part, arms, own, seed)
      const { predictor, hear } = create(train(all))
      crossFitted(all, seed, train, hear)
      return predictor
    },
    load(bytes, arms, settings) {
      const { kind, settings: own } = baseOf(settings)
      const from = openReader(bytes, 'preference', version)
      if (from.text() !== kind.kind)
        throw new BursarError('Predictor "preference": its base is another than the settings name. Train it again.', {
          code: 'invalid_configuration',
          status: 500,
          path: 'settings.base.kind',
        })
      return create(kind.load(from.bytes(), arms, own), from).predictor
    },
  }
}

/** Each half's users are heard with a base that learned from the other half: in its own rows the base would already know what they said. */
function crossFitted(
  all: readonly Observation[],
  seed: number,
  train: (part: readonly Observation[]) => Predictor,
  hear: (observation: Observation, base: Predictor) => void,
): void {
  if (all.every(({ user, quality }) => user === undefined || quality === undefined)) return
  const requests = [...new Set(all.map(({ features }) => features))]
  const second = new Set<Features>()
  shuffled(requests.length, childRandom(seed, 'halves')).forEach((request, at) => {
    const features = requests[request]
    if (features && at % 2 === 1) second.add(features)
  })
  const halves = [all.filter(({ features }) => !second.has(features)), all.filter(({ features }) => second.has(features))] as const
  const bases = [train(halves[1]), train(halves[0])] as const
  for (const observation of all) hear(observation, second.has(observation.features) ? bases[1] : bases[0])
}

function create(
  base: Predictor,
  from?: ByteReader,
): { readonly predictor: Predictor; readonly hear: (observation: Observation, by: Predictor) => void } {
  // Means of what tastes are about, over all answers that users spoke of: how an arm differs from the usual answer.
  const centres = from ? from.f64(tastes) : new Float64Array(tastes)
  let heard = from ? from.number() : 0
  const users = new Map<string, User>()
  if (from)
    for (let left = from.count(mostUsers); left > 0; left--) {
      const name = from.text()
      const taste = createOnlineLogistic(tastes, tasteVariance, from)
      const likings = new Map<ArmId, OnlineLogistic>()
      for (let arms = from.count(mostArmsOfUser); arms > 0; arms--) likings.set(from.text(), createOnlineLogistic(1, likingVariance, from))
      users.set(name, { taste, likings })
    }
  from?.end()

  const centred = (facts: Float64Array) =>
    facts.map((value, at) => {
      if (at === 0) return 1
      if (Number.isNaN(value) || heard === 0) return 0
      return Math.max(-furthest, Math.min(furthest, value - (centres[at] ?? 0) / heard))
    })

  function userNamed(name: string): User {
    let user = users.get(name)
    if (user) users.delete(name)
    else user = { taste: createOnlineLogistic(tastes, tasteVariance), likings: new Map() }
    users.set(name, user)
    const oldest = users.size > mostUsers ? users.keys().next().value : undefined
    if (oldest !== undefined) users.delete(oldest)
    return user
  }

  function personal(estimate: Estimate, user: User): Estimate {
    if (!estimate.quality) return estimate
    const x = centred(factsOf(estimate))
    const liking = user.likings.get(estimate.arm)
    const mean = sigmoid(logit(estimate.quality.mean) + user.taste.score(x) + (liking?.score(one) ?? 0))
    const slope = mean * (1 - mean)
    const spread = user.taste.spread(x) + (liking?.spread(one) ?? likingVariance)
    return { ...estimate, quality: { mean, variance: Math.min(0.25, estimate.quality.variance + slope * slope * spread) } }
  }

  function hear({ features, arm, quality, weight, user: name }: Observation, by: Predictor): void {
    if (name === undefined || quality === undefined) return
    const [estimate] = by.predict(features, [arm])
    if (!estimate?.quality) return
    const facts = factsOf(estimate)
    facts.forEach(
      (value, at) => (centres[at] = (centres[at] ?? 0) + (Number.isNaN(value) ? (heard === 0 ? 0 : (centres[at] ?? 0) / heard) : value)),
    )
    heard += 1
    const user = userNamed(name)
    let liking = user.likings.get(arm)
    if (!liking && user.likings.size < mostArmsOfUser) user.likings.set(arm, (liking = createOnlineLogistic(1, likingVariance)))
    const x = centred(facts)
    const spread = user.taste.spread(x) + (liking?.spread(one) ?? 0)
    const probability = sigmoid(logit(estimate.quality.mean) + user.taste.score(x) + (liking?.score(one) ?? 0))
    user.taste.step(x, quality, probability, weight ?? 1, spread)
    liking?.step(one, quality, probability, weight ?? 1, spread)
  }

  const predictor: Predictor = {
    id: 'preference',
    predict(features, arms, name) {
      const estimates = base.predict(features, arms)
      const user = name === undefined ? undefined : users.get(name)
      return user ? estimates.map((estimate) => personal(estimate, user)) : estimates
    },
    familiarity: (features) => base.familiarity(features),
    update(observation) {
      const { weight } = observed(observation)
      hear({ ...observation, weight }, base)
      base.update(observation)
    },
    serialize() {
      const writer = createWriter('preference', version)
      writer.text(base.id)
      writer.bytes(base.serialize())
      writer.f64(centres)
      writer.number(heard)
      writer.number(users.size)
      users.forEach(({ taste, likings }, name) => {
        writer.text(name)
        taste.write(writer)
        writer.number(likings.size)
        likings.forEach((liking, arm) => {
          writer.text(arm)
          liking.write(writer)
        })
      })
      return writer.finish()
    },
  }
  return { predictor, hear }
}

const one = Float64Array.of(1)

/** What tastes are about, of an arm for a request: expected quality, and fewer dollars, seconds and tokens; `NaN` where unknown. */
function factsOf({ quality, cost, outputTokens }: Estimate): Float64Array {
  const less = (amount: number | null) => (amount !== null && amount > 0 ? -Math.log(amount) : NaN)
  return Float64Array.of(
    1,
    quality ? logit(quality.mean) : NaN,
    less(cost.usd === null ? null : toDollars(cost.usd)),
    less(cost.seconds),
    less(outputTokens),
  )
}

function sigmoid(score: number): number {
  return 1 / (1 + Math.exp(-score))
}

function logit(probability: number): number {
  const inside = Math.min(1 - 1e-3, Math.max(1e-3, probability))
  return Math.log(inside / (1 - inside))
}

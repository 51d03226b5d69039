import { requestOfRow, type OutcomeRow } from '../../environment/index.js'
import { chooseByValue, type Arm, type ArmFacts, type ArmId, type Objective } from '../../routing/index.js'
import type { Predictor, Situation } from '../../routing/index.js'
import { childRandom } from '../../statistics/index.js'
import { single } from '../../strategies/index.js'
import { createUnderstanding, type Features } from '../../understanding/index.js'

/** What decisions of a replay hang on besides the predictor; plain values. */
export interface DecidingSettings {
  readonly arms: readonly ArmId[]
  /** One of the arms. */
  readonly reference: ArmId
  readonly objectives: Readonly<Record<string, Objective>>
  readonly seed: number
}

/** Decides requests by every objective of a replay; one prediction serves all of them. */
export class Decider {
  private readonly ids: readonly ArmId[]
  private readonly policies: readonly {
    readonly choose: (situation: Pick<Situation, 'estimates' | 'features' | 'familiarity'>) => number
  }[]

  constructor(
    { arms: ids, reference, objectives, seed }: DecidingSettings,
    private readonly predictor: Predictor,
  ) {
    this.ids = ids
    const [first, ...rest] = ids.map(armOf)
    if (!first) throw new RangeError('a replay has at least one arm')
    const arms: readonly [Arm, ...Arm[]] = [first, ...rest]
    const load = { inFlight: () => 0 }
    const budget = {}
    this.policies = Object.entries(objectives).map(([name, given]) => {
      const objective = { ...given, name }
      // The policy draws nothing; if it ever does, a replay that goes on after a break has to keep where its draws are.
      const random = childRandom(seed, name)
      return {
        // The rule without its words, which nobody reads here.
        choose: ({ estimates, features, familiarity }) =>
          chooseByValue({ arms, estimates, features, familiarity, reference, objective, budget, load, random }).option.index,
      }
    })
  }

  /** Objectives, and so places that `decide` writes. */
  get decisions(): number {
    return this.policies.length
  }

  /** Writes the place of the arm that each objective takes to `out` from `from` on. The predictor's time, and O(arms × objectives). */
  decide(features: Features, out: Uint16Array, from = 0): void {
    const situation = { estimates: this.predictor.predict(features, this.ids), features, familiarity: this.predictor.familiarity(features) }
    for (const [at, { choose }] of this.policies.entries()) out[from + at] = choose(situation)
  }
}

/** The facts that predictors begin with, of arms of which only the name is known. */
export function factsOf(arms: readonly ArmId[]): readonly ArmFacts[] {
  return arms.map((id) => ({ id, card: {} }))
}

function armOf(id: ArmId): Arm {
  return { id, strategy: single(id), model: id, card: {} }
}

export type FeaturesOf = (request: OutcomeRow['request']) => Features

/** Features of a row's request as the gateway would see it, without an encoder. Throws as `requestOfRow`. */
export function featureReader(): FeaturesOf {
  const understanding = createUnderstanding({ cacheEntries: 0 })
  return (request) => {
    const features = understanding.of(requestOfRow({ request }))
    if (features instanceof Promise) throw new TypeError('features without an encoder are known at once')
    return features
  }
}

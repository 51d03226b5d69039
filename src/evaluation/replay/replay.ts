import { recordedAnswers, type Outcome, type OutcomeRow } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { valueOfInformation, type Arm, type ArmFacts, type ArmId, type Estimate, type Objective, type Observation, type Policy, type Predictor } from '../../routing/index.js'
import { childRandom } from '../../statistics/index.js'
import { single } from '../../strategies/index.js'
import type { Features } from '../../understanding/index.js'
import { Paired } from './paired.js'

/** One request of a log, with what each arm gave and took; what wasn't measured is absent. */
export interface ReplayRow {
  readonly features: Features
  readonly outcomes: ReadonlyMap<ArmId, Measured>
}

export interface Measured {
  readonly quality: number
  readonly usd: number
  readonly seconds?: number | undefined
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

export interface ReplayedPolicy {
  readonly name: string
  /** Over the requests whose outcome is known. */
  readonly quality: Paired
  readonly usd: Paired
  readonly seconds: Paired
  /** Requests by the arm that answered. */
  readonly chosen: ReadonlyMap<ArmId, number>
  /** Requests whose chosen arm wasn't run in the log: what would have come of them can't be known. */
  readonly unknown: number
}

export interface ReplayOptions {
  readonly arms: readonly ArmId[]
  readonly reference: ArmId
  readonly objectives: Readonly<Record<string, Objective>>
  readonly predictor: Predictor
  /** False keeps the predictor as it is: it was trained on other rows. */
  readonly learn: boolean
  /** Requests at the beginning that are only learned from. */
  readonly warmUp: number
  readonly seed: number
}

interface Running {
  readonly name: string
  readonly quality: Paired
  readonly usd: Paired
  readonly seconds: Paired
  readonly chosen: Map<ArmId, number>
  unknown: number
  choose(row: ReplayRow, estimates: readonly Estimate[], familiarity: number): ArmId
}

/**
 * What would each policy have cost, at which quality, on a log in which several arms were run on each request? Requests come in their order; each is decided
 * by what was learned from those before it and by nothing else, then learned from: as live, but with every arm's outcome, where live only the chosen
 * arm's is known. Beside the objectives run the trivial policies: every arm always, an arm at random, and the oracle that knows all outcomes.
 * One pass; memory is that of the predictor. Throws `InvalidRequest` for a reference that is none of the arms.
 */
export class Replay {
  private readonly arms: readonly [Arm, ...Arm[]]
  private readonly running: readonly Running[]
  private rows = 0
  private counted = 0

  constructor(private readonly options: ReplayOptions) {
    const [first, ...rest] = options.arms.map(armOf)
    if (!first || !options.arms.includes(options.reference)) throw new InvalidRequest(`reference: "${options.reference}" is none of the arms (${options.arms.join(', ')}).`, { path: 'reference' })
    this.arms = [first, ...rest]
    const random = childRandom(options.seed, 'random arm')
    this.running = [
      ...options.arms.map((arm) => running(`always ${arm}`, () => arm)),
      running('random arm', () => options.arms[Math.floor(random.next() * options.arms.length)] ?? options.reference),
      running('oracle', ({ outcomes }) => oracle(outcomes) ?? options.reference),
      ...Object.entries(options.objectives).map(([name, objective]) => this.decided(name, objective, valueOfInformation())),
    ]
  }

  /** Requests that were decided and counted. */
  get decisions(): number {
    return this.counted
  }

  add(row: ReplayRow): void {
    const { predictor, arms, learn, warmUp, reference } = this.options
    const known = row.outcomes.get(reference)
    if (this.rows >= warmUp && known) {
      const estimates = predictor.predict(row.features, arms)
      const familiarity = predictor.familiarity(row.features)
      this.counted += 1
      for (const policy of this.running) {
        const arm = policy.choose(row, estimates, familiarity)
        policy.chosen.set(arm, (policy.chosen.get(arm) ?? 0) + 1)
        const outcome = row.outcomes.get(arm)
        if (!outcome) {
          policy.unknown += 1
          continue
        }
        policy.quality.add(outcome.quality, known.quality)
        policy.usd.add(outcome.usd, known.usd)
        if (outcome.seconds !== undefined && known.seconds !== undefined) policy.seconds.add(outcome.seconds, known.seconds)
      }
    }
    this.rows += 1
    if (learn) for (const observation of observationsOf(row)) predictor.update(observation)
  }

  results(): readonly ReplayedPolicy[] {
    return this.running
  }

  private decided(name: string, objective: Objective, policy: Policy): Running {
    const random = childRandom(this.options.seed, name)
    const { arms, options } = this
    return running(name, ({ features }, estimates, familiarity) =>
      policy.choose({ arms, estimates, features, familiarity, reference: options.reference, objective: { ...objective, name }, budget: {}, load: { inFlight: () => 0 }, random }).arm.id,
    )
  }
}

/** What a row teaches a predictor, by arm. */
export function* observationsOf({ features, outcomes }: ReplayRow): Generator<Observation> {
  for (const [arm, { quality, usd, seconds, inputTokens, outputTokens }] of outcomes) yield { features, arm, quality, usd, seconds, inputTokens, outputTokens }
}

/**
 * What a row of an outcome table measured of each arm; an arm without quality or dollars has no part in it. `priceOf` prices tokens where the row
 * tells no dollars, `null` where it can't. Several samples of an arm count as their mean.
 */
export function measuredOf(row: OutcomeRow, priceOf: (arm: ArmId, outcome: Outcome) => number | null): ReadonlyMap<ArmId, Measured> {
  const measured = new Map<ArmId, Measured>()
  for (const [arm, outcome] of Object.entries(row.outcomes)) {
    const samples = recordedAnswers(outcome)
    const quality = outcome.quality ?? meanOf(samples.map((sample) => sample.quality))
    const usd = outcome.usd ?? meanOf(samples.map((sample) => sample.usd)) ?? priceOf(arm, outcome)
    if (quality === undefined || usd === null) continue
    const outputTokens = outcome.outputTokens === undefined ? undefined : outcome.outputTokens + (outcome.reasoningTokens ?? 0)
    measured.set(arm, { quality, usd, seconds: outcome.seconds, inputTokens: outcome.inputTokens, outputTokens })
  }
  return measured
}

/** The facts that predictors begin with, of arms of which only the name is known. */
export function factsOf(arms: readonly ArmId[]): readonly ArmFacts[] {
  return arms.map((id) => ({ id, card: {} }))
}

function armOf(id: ArmId): Arm {
  return { id, strategy: single(id), model: id, card: {} }
}

function running(name: string, choose: Running['choose']): Running {
  return { name, quality: new Paired(), usd: new Paired(), seconds: new Paired(), chosen: new Map(), unknown: 0, choose }
}

/** The cheapest of the best. */
function oracle(outcomes: ReadonlyMap<ArmId, Measured>): ArmId | undefined {
  let best: [ArmId, Measured] | undefined
  for (const one of outcomes) if (!best || one[1].quality > best[1].quality || (one[1].quality === best[1].quality && one[1].usd < best[1].usd)) best = one
  return best?.[0]
}

function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 || known.length < values.length ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length
}


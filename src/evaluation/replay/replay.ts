import type { OutcomeRow } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { outcomeObservations, type ArmId, type Objective, type Predictor } from '../../routing/index.js'
import { seededRandom } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import { Decider } from './deciding.js'
import { Paired, type PairedState } from './paired.js'
import { RowOutcomes, type PriceOf } from './row-outcomes.js'

export interface ReplayedPolicy {
  readonly name: string
  /** Over the requests whose outcome is known. */
  readonly quality: Paired
  readonly usd: Paired
  readonly seconds: Paired
  /** Requests by the arm that answered, by the arm's place. */
  readonly chosen: Float64Array
  /** Requests whose chosen arm wasn't run in the log: what would have come of them can't be known. */
  readonly unknown: number
}

export interface ReplayOptions {
  readonly arms: readonly ArmId[]
  readonly reference: ArmId
  readonly objectives: Readonly<Record<string, Objective>>
  /** What the objectives decide by; absent where there are none. */
  readonly predictor?: Predictor | undefined
  /** False keeps the predictor as it is: it was trained on other rows. */
  readonly learn: boolean
  /** Requests at the beginning that are only learned from. */
  readonly warmUp: number
  readonly seed: number
  readonly priceOf: PriceOf
}

interface Running extends ReplayedPolicy {
  quality: Paired
  usd: Paired
  seconds: Paired
  unknown: number
  /** The place of an arm. */
  choose(outcomes: RowOutcomes): number
}

/** All of a replay but its predictor, as plain values: what a checkpoint keeps. */
export interface ReplayState {
  readonly rows: number
  readonly counted: number
  readonly incomplete: number
  readonly others: number
  readonly policies: readonly {
    readonly name: string
    readonly quality: PairedState
    readonly usd: PairedState
    readonly seconds: PairedState
    readonly chosen: readonly number[]
    readonly unknown: number
  }[]
}

/**
 * What would each policy have cost, at which quality, on a log in which several arms were run on each request? Requests come in their order; each is decided
 * by what was learned from those before it and by nothing else, then learned from: as live, but with every arm's outcome, where live only the chosen
 * arm's is known. Beside the objectives run the trivial policies: every arm always, an arm at random, and the oracle that knows all outcomes; these
 * need no features. One prediction serves all objectives. One pass; memory is that of the predictor. Throws `InvalidRequest` for a reference that is none of
 * the arms.
 */
export class Replay {
  private readonly decider: Decider | undefined
  /** Where each objective sent the row in hand. */
  private readonly places: Uint16Array
  private readonly ids: readonly ArmId[]
  private readonly reference: number
  private readonly running: readonly Running[]
  private readonly outcomes: RowOutcomes
  private rows = 0
  private counted = 0
  private without = 0

  constructor(private readonly options: ReplayOptions) {
    this.reference = options.arms.indexOf(options.reference)
    if (this.reference < 0)
      throw new InvalidRequest(`reference: "${options.reference}" is none of the arms (${options.arms.join(', ')}).`, { path: 'reference' })
    this.ids = options.arms
    this.decider = options.predictor && new Decider(options, options.predictor)
    const objectives = Object.keys(options.objectives)
    this.places = new Uint16Array(objectives.length).fill(this.reference)
    this.outcomes = new RowOutcomes(options.arms)
    const { reference } = this
    this.running = [
      ...options.arms.map((arm, place) => running(`always ${arm}`, this.ids.length, () => place)),
      // Drawn by the row's number, so that a run that goes on after a break draws the same.
      running('random arm', this.ids.length, () =>
        Math.floor(seededRandom(options.seed ^ Math.imul(this.rows + 1, 0x9e3779b1)).next() * this.ids.length),
      ),
      running('oracle', this.ids.length, (outcomes) => oracle(outcomes) ?? reference),
      ...objectives.map((name, at) => running(name, this.ids.length, () => this.places[at] ?? reference)),
    ]
  }

  /** Requests that were decided and counted. */
  get decisions(): number {
    return this.counted
  }

  /** Rows seen. */
  get seen(): number {
    return this.rows
  }

  /** Rows without an outcome of the reference. */
  get incomplete(): number {
    return this.without
  }

  /** Outcomes of arms that this replay doesn't know, which were passed over. */
  get others(): number {
    return this.outcomes.others
  }

  /** Whether anything is predicted or learned, so that rows need features. */
  get needsFeatures(): boolean {
    return this.options.predictor !== undefined
  }

  /** O(arms × policies), and the predictor's time. `features` are those of the row's request, where `needsFeatures`. */
  add(row: OutcomeRow, features?: Features): void {
    const { predictor, learn, warmUp } = this.options
    const { outcomes, reference } = this
    outcomes.read(row, this.options.priceOf)
    const known = outcomes.has(reference)
    if (!known) this.without += 1
    if (known && this.rows >= warmUp) {
      if (features && this.decider) this.decider.decide(features, this.places)
      else this.places.fill(reference)
      this.count()
    }
    this.rows += 1
    if (learn && predictor && features)
      for (const [arm, outcome] of Object.entries(row.outcomes))
        for (const observation of outcomeObservations(features, arm, outcome, row.weight, (sample) => this.options.priceOf(arm, sample)))
          predictor.update(observation)
  }

  /**
   * A row that was decided elsewhere by a `Decider` with the same settings and predictor: the places of its arms stand in `places` from
   * `from` on. Nothing is learned from it. O(arms × policies).
   */
  addDecided(row: OutcomeRow, places: Uint16Array, from: number): void {
    const { outcomes, reference } = this
    outcomes.read(row, this.options.priceOf)
    const known = outcomes.has(reference)
    if (!known) this.without += 1
    if (known && this.rows >= this.options.warmUp) {
      for (let at = 0; at < this.places.length; at++) this.places[at] = places[from + at] ?? reference
      this.count()
    }
    this.rows += 1
  }

  results(): readonly ReplayedPolicy[] {
    return this.running
  }

  state(): ReplayState {
    return {
      rows: this.rows,
      counted: this.counted,
      incomplete: this.without,
      others: this.outcomes.others,
      policies: this.running.map(({ name, quality, usd, seconds, chosen, unknown }) => ({
        name,
        quality: quality.state(),
        usd: usd.state(),
        seconds: seconds.state(),
        chosen: [...chosen],
        unknown,
      })),
    }
  }

  /** Goes on from a state of a replay with the same options. Throws `RangeError` for another's. */
  restore(state: ReplayState): void {
    if (state.policies.length !== this.running.length || this.running.some(({ name }, at) => state.policies[at]?.name !== name))
      throw new RangeError('the state is that of another replay')
    this.rows = state.rows
    this.counted = state.counted
    this.without = state.incomplete
    this.outcomes.others = state.others
    for (const [at, policy] of this.running.entries()) {
      const kept = state.policies[at]
      if (!kept) continue
      policy.quality = Paired.from(kept.quality)
      policy.usd = Paired.from(kept.usd)
      policy.seconds = Paired.from(kept.seconds)
      policy.chosen.set(kept.chosen)
      policy.unknown = kept.unknown
    }
  }

  private count(): void {
    const { outcomes, reference } = this
    const quality = outcomes.quality[reference] ?? NaN
    const usd = outcomes.usd[reference] ?? NaN
    const seconds = outcomes.seconds[reference] ?? NaN
    const { weight } = outcomes
    this.counted += 1
    for (const policy of this.running) {
      const place = policy.choose(outcomes)
      policy.chosen[place] = (policy.chosen[place] ?? 0) + 1
      if (!outcomes.has(place)) {
        policy.unknown += 1
        continue
      }
      policy.quality.add(outcomes.quality[place] ?? NaN, quality, weight)
      policy.usd.add(outcomes.usd[place] ?? NaN, usd, weight)
      const took = outcomes.seconds[place] ?? NaN
      if (!Number.isNaN(took) && !Number.isNaN(seconds)) policy.seconds.add(took, seconds, weight)
    }
  }
}

function running(name: string, arms: number, choose: Running['choose']): Running {
  return { name, quality: new Paired(), usd: new Paired(), seconds: new Paired(), chosen: new Float64Array(arms), unknown: 0, choose }
}

/** The cheapest of the best. */
function oracle({ quality, usd }: RowOutcomes): number | undefined {
  let best = -1
  for (let place = 0; place < quality.length; place++) {
    const one = quality[place] ?? NaN
    if (Number.isNaN(one)) continue
    const most = best < 0 ? -1 : (quality[best] ?? 0)
    if (one > most || (one === most && (usd[place] ?? 0) < (usd[best] ?? 0))) best = place
  }
  return best < 0 ? undefined : best
}

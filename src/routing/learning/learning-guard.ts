import type { Clock } from '../../quantities/index.js'
import type { ArmId, Estimate, Observation, Predictor } from '../contracts.js'
import { influenceLedger } from './influence.js'
import { lossWatch, type LossWatchOptions } from './loss-watch.js'
import { lossBySource, recentOutcomes, type RecentOutcome } from './recent-outcomes.js'
import { snapshotRing } from './snapshots.js'
import { soundObservation } from './sound-observation.js'

export interface LearningGuardOptions extends Partial<LossWatchOptions> {
  /** Loads a state that the predictor serialised: `PredictorKind.load` with its arms and settings bound. */
  readonly load: (bytes: Uint8Array) => Predictor
  readonly clock: Pick<Clock, 'now'>
  /** Most that all feedback of one source may move a prediction within a window; 0.2 by default. See `Influence`. */
  readonly cap?: number | undefined
  /** 5 by default: a of 069. */
  readonly priorWeight?: number | undefined
  /** A day by default. */
  readonly windowSeconds?: number | undefined
  /** Sources without a cap, such as verifiers that run on the operator's machine. They are watched all the same. */
  readonly trusted?: ((source: string) => boolean) | undefined
  /** Importance weights (one over a propensity) are clipped here; 10 by default. */
  readonly mostWeight?: number | undefined
  /** Learned outcomes between two snapshots; 500 by default. */
  readonly snapshotEvery?: number | undefined
  /** Snapshots kept at most; 3 by default. */
  readonly snapshots?: number | undefined
  /** Bytes of all snapshots at most; 256 MiB by default. One is always kept. */
  readonly mostSnapshotBytes?: number | undefined
  /** Last outcomes kept to judge a snapshot by and to learn again after a roll-back; 512 by default. */
  readonly recent?: number | undefined
  /** A snapshot is gone back to only where its loss on the recent outcomes is lower by at least this; 0.02 by default. */
  readonly rollbackMargin?: number | undefined
  readonly alongside?: LearningAlongside | undefined
}

/** Something else that learns from the same outcomes, and goes back with the predictor. */
export interface LearningAlongside {
  /** A state of the predictor was kept, after so many learned outcomes. */
  snapshot(learned: number): void
  /** The predictor went back to that state; `quarantined`: sources whose later words it doesn't learn again. */
  goBack(learned: number, quarantined: (source: string) => boolean): void
}

/** Counted since the start; for metrics. */
export interface LearningReport {
  readonly learned: number
  /** Outcomes that held a number that is none: nothing was learned from them. */
  readonly refused: number
  /** Outcomes whose quality wasn't learned, or with less weight, because their source had its share. */
  readonly capped: number
  /** Outcomes whose quality wasn't learned because their source is in quarantine. */
  readonly quarantined: number
  readonly sourcesInQuarantine: readonly string[]
  /** Times that many sources rose together: the world changed, not a source. */
  readonly drifts: number
  readonly rollbacks: number
  readonly faults: { readonly predict: number; readonly update: number; readonly familiarity: number; readonly serialize: number }
  /** Mean squared error of predictions made before their outcome was learned, lately; `null` before there is one. */
  readonly prequentialLoss: number | null
}

/** A predictor that nothing can make throw, and that no single source can lead far. */
export interface GuardedPredictor extends Predictor {
  report(): LearningReport
  /** Goes back to the newest snapshot whatever its loss; false where there is none. */
  rollBack(): boolean
}

/**
 * Stands between outcomes and a predictor:
 * - **Bounded influence.** All that one source says within a window moves a prediction by at most `cap` (for predictors that average outcomes with prior
 *   weight; see `Influence`). What is over is learned as cost, not as quality.
 * - **Sources are watched.** Each outcome is first predicted, then learned: the squared error is the source's prequential loss. When one rises, all sources' recent
 *   outcomes are held against a snapshot from before. Those that contradict it go into quarantine (a judge that flips, a poisoned key) until they are as
 *   before, or for a bounded number of outcomes; where most contradict it, the world has changed and nothing is held back.
 * - **Rolls back.** Then, too, a snapshot that would have predicted the recent outcomes of the sources in good standing better is taken back, and
 *   their recent outcomes are learned again.
 * - **Fails open.** What throws is counted: a prediction is then "nothing known", which gets the reference arm, and an update is dropped. `update` never throws. Numbers that are none are refused and counted.
 *
 * `serialize` gives the inner predictor's bytes, so a state can be loaded with or without a guard. An update costs a prediction of one arm more, and every `snapshotEvery`th a `serialize`.
 */
export function learningGuard(predictor: Predictor, options: LearningGuardOptions): GuardedPredictor {
  const {
    load,
    clock,
    cap = 0.2,
    priorWeight = 5,
    windowSeconds = 86_400,
    trusted = () => false,
    mostWeight = 10,
    snapshotEvery = 500,
    recent: mostRecent = 512,
    rollbackMargin = 0.02,
  } = options
  if (!(cap > 0 && cap < 1) || !(priorWeight > 0) || !(windowSeconds > 0) || !(mostWeight > 0))
    throw new RangeError('a cap is in (0, 1); prior weight, window and largest weight are above 0')
  const influence = influenceLedger({ cap, priorWeight, windowSeconds, mostEntries: 100_000 })
  const watch = lossWatch({ delta: 0.1, threshold: 8, quarantineOutcomes: 200, mostSources: 10_000, ...defined(options) })
  const ring = snapshotRing(options.snapshots ?? 3, options.mostSnapshotBytes ?? 256 * 1024 * 1024)
  let inner = predictor
  const recent = recentOutcomes(mostRecent)
  const counts = { learned: 0, refused: 0, capped: 0, quarantined: 0, rollbacks: 0, drifts: 0 }
  const faults = { predict: 0, update: 0, familiarity: 0, serialize: 0 }
  snapshot()

  function predict(features: Observation['features'], arms: readonly ArmId[], user?: string, from: Predictor = inner): readonly Estimate[] {
    try {
      const estimates = from.predict(features, arms, user)
      return arms.map((arm, index) => (estimates[index]?.arm === arm ? estimates[index] : unknownEstimate(arm)))
    } catch {
      faults.predict++
      return arms.map(unknownEstimate)
    }
  }

  function learn(observation: Observation): void {
    try {
      inner.update(observation)
    } catch {
      faults.update++
      return
    }
    counts.learned++
    if (counts.learned % snapshotEvery === 0) snapshot()
  }

  function snapshot(): void {
    try {
      ring.add({ bytes: inner.serialize(), learned: counts.learned })
      options.alongside?.snapshot(counts.learned)
    } catch {
      faults.serialize++
    }
  }

  /** Mean over sources in good standing of their mean loss, so that no source outvotes the others by number; `null` without any. */
  function lossOf(measure: (one: RecentOutcome) => number | null): number | null {
    const losses = [...lossBySource(recent.all(), (one) => (watch.quarantined(one.source) ? null : measure(one))).values()]
    return losses.length === 0 ? null : losses.reduce((sum, { mean }) => sum + mean, 0) / losses.length
  }

  const lossUnder =
    (candidate: Predictor) =>
    ({ observation, quality }: RecentOutcome) =>
      squaredError(predict(observation.features, [observation.arm], observation.user, candidate)[0], quality)

  /** A source's loss has risen: finds out whose words contradict what was known before. */
  function inquire(risen: string): void {
    const oldest = ring.newestFirst().findLast(({ learned }) => learned > 0)
    const before = oldest && loaded(oldest.bytes)
    if (!before) return
    const typical = watch.typicalLoss() ?? 0
    const losses = [...lossBySource(recent.all().slice(-mostRecent), lossUnder(before))].filter(
      ([source, { count }]) => count >= 5 || source === risen,
    )
    const contrary = losses.filter(([, { mean }]) => mean > typical + (options.delta ?? 0.1))
    if (losses.length > 1 && contrary.length * 2 > losses.length) {
      counts.drifts++
      watch.reset()
      return
    }
    for (const [source] of contrary) watch.quarantine(source)
    goBackIfBetter()
  }

  function goBack(to: { readonly predictor: Predictor; readonly learned: number }): void {
    inner = to.predictor
    counts.rollbacks++
    ring.dropAfter(to.learned)
    options.alongside?.goBack(to.learned, (source) => watch.quarantined(source))
    for (const { observation, source, number } of [...recent.all()])
      if (number > to.learned && !watch.quarantined(source)) learn(observation)
  }

  /** The best of the snapshots, where it is better than what is by the margin. */
  function goBackIfBetter(): void {
    const now = lossOf(({ loss }) => loss)
    if (now === null) return
    let best: { predictor: Predictor; learned: number; loss: number } | undefined
    for (const { bytes, learned } of ring.newestFirst()) {
      const candidate = loaded(bytes)
      if (!candidate) continue
      const loss = lossOf(lossUnder(candidate))
      if (loss !== null && loss <= now - rollbackMargin && (!best || loss < best.loss)) best = { predictor: candidate, learned, loss }
    }
    if (best) goBack(best)
  }

  function loaded(bytes: Uint8Array): Predictor | undefined {
    try {
      return load(bytes)
    } catch {
      faults.serialize++
      return undefined
    }
  }

  return {
    id: `guarded(${predictor.id})`,
    predict: (features, arms, user) => predict(features, arms, user),
    familiarity(features) {
      try {
        const familiarity = inner.familiarity(features)
        return familiarity >= 0 && familiarity <= 1 ? familiarity : 0
      } catch {
        faults.familiarity++
        return 0
      }
    },
    update(given) {
      const observation = soundObservation(given, mostWeight)
      if (!observation) {
        counts.refused++
        return
      }
      const { quality, source = '', features, arm } = observation
      if (quality === undefined) return learn(observation)
      const { quality: _quality, ...costs } = observation
      const loss = squaredError(predict(features, [arm], observation.user)[0], quality)
      if (loss !== null && watch.add(source, loss)) inquire(source)
      if (watch.quarantined(source)) {
        counts.quarantined++
        return learn(costs)
      }
      const weight = observation.weight ?? 1
      const granted = trusted(source) ? weight : influence.grant(source, arm, features.category?.name ?? '', weight, clock.now())
      if (granted < weight) counts.capped++
      const learned: Observation = granted > 0 ? { ...observation, weight: granted } : costs
      learn(learned)
      if (loss !== null) recent.add({ observation: learned, quality, source, loss, number: counts.learned })
    },
    serialize: () => inner.serialize(),
    report: () => ({
      ...counts,
      faults: { ...faults },
      sourcesInQuarantine: watch.inQuarantine(),
      prequentialLoss: lossOf(({ loss }) => loss),
    }),
    rollBack() {
      for (const { bytes, learned } of ring.newestFirst()) {
        const candidate = loaded(bytes)
        if (!candidate) continue
        goBack({ predictor: candidate, learned })
        return true
      }
      return false
    },
  }
}

function squaredError(estimate: Estimate | undefined, quality: number): number | null {
  const mean = estimate?.quality?.mean
  return mean === undefined || !(mean >= 0 && mean <= 1) ? null : (mean - quality) ** 2
}

function unknownEstimate(arm: ArmId): Estimate {
  return { arm, quality: null, cost: { usd: null, seconds: 0, joules: null, gramsCO2e: null }, outputTokens: null, support: 0 }
}

function defined(options: Partial<LossWatchOptions>): Partial<LossWatchOptions> {
  const { delta, threshold, quarantineOutcomes, mostSources } = options
  return Object.fromEntries(
    Object.entries({ delta, threshold, quarantineOutcomes, mostSources }).filter(([, value]) => value !== undefined),
  )
}

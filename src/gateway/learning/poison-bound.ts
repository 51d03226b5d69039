import type { Clock } from '../../quantities/index.js'
import { influenceLedger, type Influence } from '../../routing/index.js'

/** What an outcome is told to beside the predictors, and how many outcomes its narrowest belief starts from. */
const priors = {
  /** Of three levels, each of which starts from four outcomes of the wider one. */
  calibration: 4,
  shapes: 2,
  saturation: 10,
  library: 2,
  thinking: 4,
  /** noise variance / prior variance of a bandit's posterior at a vector of length one. */
  bandit: 5,
  auction: 5,
} as const
export type Taught = keyof typeof priors

/** Questions that a fit of how far sampling carries begins with. */
export const SATURATION_PRIOR = priors.saturation

export interface PoisonBoundOptions {
  readonly clock: Pick<Clock, 'now'>
  /** `learning.max_influence`: most that all words of one source move a belief in a day, as a share. */
  readonly cap: number
  trusted(source: string): boolean
}

/** Distinct sources × beliefs that are told apart in a day. */
const MOST_ENTRIES = 100_000
const WINDOW_SECONDS = 86_400

/**
 * How much of an outcome's weight one source may still have in beliefs beside the predictors'. A belief that starts from a wider one moves with it, so with k levels each may be moved by
 * 1 − (1 − cap)^(1/k) at most: then all of them together move by `cap`. Trusted sources have no bound.
 */
export class PoisonBound {
  private readonly ledgers = new Map<string, Influence>()

  constructor(private readonly options: PoisonBoundOptions) {}

  /** `levels`: the beliefs that the outcome is told to, from the widest to the narrowest; at least one. */
  grant(source: string, taught: Taught, levels: readonly string[], weight: number): number {
    const { clock, cap, trusted } = this.options
    if (trusted(source)) return weight
    const kind = `${taught}/${levels.length}`
    let ledger = this.ledgers.get(kind)
    if (ledger === undefined) {
      const each = 1 - (1 - cap) ** (1 / levels.length)
      this.ledgers.set(
        kind,
        (ledger = influenceLedger({ cap: each, priorWeight: priors[taught], windowSeconds: WINDOW_SECONDS, mostEntries: MOST_ENTRIES })),
      )
    }
    let granted = weight
    // What a wider level doesn't let past reaches no narrower one; what a narrower refuses was used up all the same, so the bound only gets tighter.
    for (const level of levels) granted = ledger.grant(source, level, '', granted, clock.now())
    return granted
  }
}

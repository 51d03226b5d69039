import type { Money } from './money.js'

/** What is neither spent nor reserved, the least over all hard limits that apply; an absent unit is unlimited. May be negative. */
export interface Remaining {
  readonly usd?: Money | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
  readonly joules?: number | undefined
  readonly seconds?: number | undefined
}

/**
 * How much room there is, for strategies that adapt to it: `ample`; `tight` when less than a fifth of some limit is left;
 * `last_call` when what is left holds about one more call like those before.
 */
export type Regime = 'ample' | 'tight' | 'last_call'

/** Limits for a key, user, team, agent run or one request, as strategies see them: nested, so that a child never exceeds its parents. */
export interface Budget {
  readonly name: string
  remaining(): Remaining
  regime(): Regime
}

/** A budget without limits, for callers that have none. */
export const unlimited: Budget = { name: 'unlimited', remaining: () => ({}), regime: () => 'ample' }

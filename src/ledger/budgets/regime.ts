import type { Regime } from '../../quantities/index.js'

/** How tight a limit is, by what is left of it and what two usual calls need; all in grains. `tight` begins below a fifth. */
export function regimeOf(left: bigint, limit: bigint, roomForTwo: number): Regime {
  if (left <= 0n || Number(left) < roomForTwo) return 'last_call'
  return left * 5n < limit ? 'tight' : 'ample'
}

import { noUsage, toDollars, type Money, type Usage } from '../../quantities/index.js'
import type { ArmCard } from '../../routing/index.js'

type Tier = NonNullable<ArmCard['tier']>

/** A call of a usual shape, by which prices are compared: three tokens read for each one written. */
const usualCall: Usage = { ...noUsage, inputTokens: 3000, outputTokens: 1000 }

/** Dollars of a usual call at which an arm is no longer small, and no longer medium. */
const bounds: readonly (readonly [Tier, number])[] = [
  ['small', 0.002],
  ['medium', 0.012],
]

/** What a usual call costs: for comparing prices only. `null` where no price is known. */
export function usualPrice(priceOf: ((usage: Usage) => Money | null) | undefined): number | null {
  const price = priceOf?.(usualCall) ?? null
  return price === null ? null : toDollars(price)
}

/** The tier of an arm by its list price; `undefined` where that is unknown. */
export function tierOfPrice(price: number | null): Tier | undefined {
  if (price === null) return undefined
  return bounds.find(([, below]) => price < below)?.[0] ?? 'large'
}

import { addMoney, zeroMoney, type Money } from './money.js'

/**
 * What a call, a strategy or a whole period took. A component that can't be known is `null`, never zero; a sum with an
 * unknown part is unknown.
 */
export interface Cost {
  readonly usd: Money | null
  readonly seconds: number
  readonly joules: number | null
  readonly gramsCO2e: number | null
}

export const noCost: Cost = { usd: zeroMoney, seconds: 0, joules: 0, gramsCO2e: 0 }

/** Adds costs of work done one after the other. */
export function addCost(a: Cost, b: Cost): Cost {
  return {
    usd: a.usd === null || b.usd === null ? null : addMoney(a.usd, b.usd),
    seconds: a.seconds + b.seconds,
    joules: addKnown(a.joules, b.joules),
    gramsCO2e: addKnown(a.gramsCO2e, b.gramsCO2e),
  }
}

function addKnown(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b
}

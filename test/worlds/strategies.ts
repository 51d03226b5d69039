import { buildStrategy, fallback, parseStrategy, single, strategyKinds, styled, type Strategy } from '../../src/strategies/index.js'

/** Every strategy that runs in the three worlds, each made anew for each run: adding one is one line. */
export const strategies: Readonly<Record<string, () => Strategy>> = {
  single: () => single('small'),
  fallback: () => fallback([single('broken'), single('large')]),
  declared: () => buildStrategy(parseStrategy({ kind: 'repeat', strategy: 'small', until: { number: true }, most: 3 }, 'arms[0].strategy'), strategyKinds, { maxCalls: 20 }),
  styled: () => styled('chain_of_draft', single('small')),
}

import { describe, expect, it } from 'vitest'
import type { Route } from '../../environment/index.js'
import { parseStrategy, single } from '../../strategies/index.js'
import { buildArm, type ArmSource } from './arms.js'

const deployment = { facts: { id: 'm', provider: 'p', capabilities: {} } }
const route: Pick<Route, 'model' | 'balance'> & { readonly deployments: readonly (typeof deployment)[] } = { model: 'm', deployments: [deployment], balance: 'weighted' }
const source = { route: () => route, strategyOf: single, listed: () => [], aliases: new Set<string>(), price: () => ({ report: { usd: null, details: {} } }) }

describe('an arm that learns on the way', () => {
  it('has a strategy of its own for each tenant, and the same one each time', () => {
    const spec = parseStrategy({ kind: 'effort', effort: 0.5, strategy: 'm' }, 'strategy')
    // Only what an arm reads of a deployment is there.
    const arm = buildArm({ name: 'half', strategy: spec }, source as object as ArmSource)
    if (!arm) throw new Error('no arm')
    expect(arm.strategyFor('a')).toBe(arm.strategyFor('a'))
    expect(arm.strategyFor('a')).not.toBe(arm.strategyFor('b'))
    expect(arm.strategyFor('a').id).toBe(arm.strategy.id)
  })
})

import { describe, expect, it } from 'vitest'
import { configuredPolicy, type PolicySettings } from './configured.js'

const plain: PolicySettings = { kind: 'value_of_information', places: false, sticky: false, share: 0, leastFamiliarity: 0.01 }

describe('configuredPolicy', () => {
  it.each<[string, Partial<PolicySettings>]>([
    ['value-of-information', {}],
    ['exploring(sticky(value-of-information))', { sticky: true, share: 0.02 }],
    ['exploring(sticky(placement(prefer-instant(value-of-information))))', { sticky: true, share: 0.02, places: true, preferInstant: {} }],
    ['thompson', { kind: 'thompson', share: 0.1 }],
    ['sticky(linucb)', { kind: 'lin_ucb', share: 0.1, sticky: true, alpha: 2 }],
    ['exploring(constrained)', { kind: 'constrained', share: 0.1, limits: { turns: 10, usd: 1 } }],
  ])('makes %s', (id, more) => {
    expect(configuredPolicy({ ...plain, ...more }).id).toBe(id)
  })

  it('refuses constrained without limits, and shares that are none', () => {
    expect(() => configuredPolicy({ ...plain, kind: 'constrained' })).toThrow(RangeError)
    expect(() => configuredPolicy({ ...plain, share: 2 })).toThrow(RangeError)
  })
})

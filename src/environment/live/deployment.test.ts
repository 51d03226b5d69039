import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import type { Provider } from '../provider.js'
import { chooseDeployment, Deployment } from './deployment.js'

let now = 0
const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() }
const provider = { id: 'p' } as Provider
const limits = { connectSeconds: 1, firstTokenSeconds: 1, idleSeconds: 1, totalSeconds: 1 }
const make = (id: string, weight = 1) =>
  new Deployment(id, provider, 'm', weight, { id: 'm', provider: 'p', capabilities: {} }, limits, { afterFaults: 2, seconds: 10 }, clock)

describe('Deployment', () => {
  it('rests after faults in a row, lets one probe through, and returns when it succeeds', () => {
    now = 0
    const deployment = make('a')
    for (let fault = 0; fault < 2; fault++) {
      expect(deployment.finish(deployment.begin(), 'fault').wentToRest).toBe(fault === 1)
    }
    expect(deployment.state()).toBe('resting')
    expect(deployment.restSeconds()).toBe(10)
    now = 11
    expect(deployment.state()).toBe('probe')
    const probe = deployment.begin()
    expect(deployment.state()).toBe('resting')
    deployment.finish(probe, 'ok')
    expect(deployment.state()).toBe('ready')
  })

  it('is not given up because of the caller or because the provider asks for patience', () => {
    now = 0
    const deployment = make('a')
    for (let index = 0; index < 5; index++) {
      deployment.finish(deployment.begin(), index % 2 === 0 ? 'neutral' : 'limited', { retryAfter: 3 })
    }
    expect(deployment.state()).toBe('ready')
    expect(deployment.limited()).toBe(true)
    now = 4
    expect(deployment.limited()).toBe(false)
  })
})

describe('chooseDeployment', () => {
  const shares = (deployments: readonly Deployment[], balance: 'weighted' | 'latency') => {
    const random = seededRandom(1)
    const counts = new Map<string, number>()
    for (let draw = 0; draw < 10_000; draw++) {
      const { id } = chooseDeployment(deployments, balance, random) as Deployment
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    return (id: string) => (counts.get(id) ?? 0) / 10_000
  }

  it('divides calls by weight', () => {
    const share = shares([make('a', 3), make('b', 1)], 'weighted')
    expect(share('a')).toBeCloseTo(0.75, 1)
  })

  it('prefers the faster of two, and the idle over the busy', () => {
    now = 0
    const [slow, fast] = [make('slow'), make('fast')]
    slow.finish(slow.begin(), 'ok', { firstToken: 2 })
    fast.finish(fast.begin(), 'ok', { firstToken: 0.1 })
    expect(shares([slow, fast], 'latency')('fast')).toBe(1)
    for (let index = 0; index < 30; index++) fast.begin()
    expect(shares([slow, fast], 'latency')('slow')).toBe(1)
  })

  it('passes over a deployment that was asked to be left alone while there is another', () => {
    now = 0
    const [limited, other] = [make('limited', 100), make('other', 1)]
    limited.finish(limited.begin(), 'limited', { retryAfter: 5 })
    expect(shares([limited, other], 'weighted')('other')).toBe(1)
    expect(chooseDeployment([limited], 'weighted', seededRandom(1))).toBe(limited)
  })
})

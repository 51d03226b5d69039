import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { Guardrail, type UnitTrial } from './guardrail.js'

const holdout = 0.2

/** Right-or-wrong answers of a reference that is right nine times in ten, and of a policy whose share differs by `difference`. */
function* traffic(seed: number, count: number, difference: number): Generator<UnitTrial> {
  const random = seededRandom(seed)
  for (let trial = 0; trial < count; trial++) {
    const heldOut = random.next() < holdout
    yield { heldOut, holdout, outcome: random.next() < 0.9 + (heldOut ? 0 : difference) ? 1 : 0, unit: `unit ${trial}` }
  }
}

/** Trials until all is rolled back; `undefined` where it never is. */
function rolledBackAfter(seed: number, count: number, difference: number): number | undefined {
  const guardrail = new Guardrail({ margin: 0.02 })
  let trials = 0
  for (const trial of traffic(seed, count, difference)) {
    trials++
    if (guardrail.add('all', 'judge', trial, trials)) return trials
  }
  return undefined
}

describe('the guardrail', () => {
  it('rolls a clearly worse policy back, and says by how much', () => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    expect(seeds.filter((seed) => rolledBackAfter(seed, 1500, -0.35) !== undefined).length).toBe(20)
    const guardrail = new Guardrail({ margin: 0.02 })
    const back = [...traffic(1, 1500, -0.35)].map((trial, at) => guardrail.add('all', 'judge', trial, at)).find((one) => one !== undefined)
    expect(back).toMatchObject({ scope: 'all', kind: 'judge', margin: 0.02 })
    expect(back?.difference.high).toBeLessThan(-0.02)
    expect(back?.difference.low).toBeLessThan(-0.35)
    expect(guardrail.rolledBack('all')).toEqual(back)
  })

  it('lets a policy that is as good go on, also one that is worse by just the margin', () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => 100 + seed)
    expect(seeds.filter((seed) => rolledBackAfter(seed, 1500, 0) !== undefined).length).toBe(0)
    expect(seeds.filter((seed) => rolledBackAfter(seed, 1500, -0.02) !== undefined).length).toBeLessThanOrEqual(2)
  })

  it('claims nothing of a few trials', () => {
    const guardrail = new Guardrail({ margin: 0.02 })
    for (let trial = 0; trial < 45; trial++) {
      expect(guardrail.add('all', 'check', { heldOut: true, holdout: 0.5, outcome: 1 }, trial)).toBeUndefined()
      expect(guardrail.add('all', 'check', { heldOut: false, holdout: 0.5, outcome: 0 }, trial)).toBeUndefined()
    }
  })

  it('counts a unit once, each kind of evidence by itself, and each scope by itself', () => {
    const guardrail = new Guardrail({ margin: 0.02 })
    for (let turn = 0; turn < 500; turn++)
      guardrail.add('all', 'judge', { heldOut: turn % 2 === 0, holdout: 0.5, outcome: turn % 2, unit: 'one conversation' }, turn)
    expect(guardrail.evidence('all')).toMatchObject([{ kind: 'judge', trials: 1, verdict: 'not yet' }])
    guardrail.add('all', 'feedback', { heldOut: true, holdout: 0.5, outcome: 1, unit: 'one conversation' }, 0)
    expect(guardrail.evidence('all').map(({ kind, trials }) => [kind, trials])).toEqual([
      ['judge', 1],
      ['feedback', 1],
    ])
    expect(guardrail.evidence('organisation:acme')).toEqual([])
  })

  it('heeds pairs of answers', () => {
    const guardrail = new Guardrail({ margin: 0.02 })
    const random = seededRandom(5)
    let back
    for (let pair = 0; pair < 400 && back === undefined; pair++)
      back = guardrail.addPair('all', random.next() < 0.5 ? -0.4 : 0.1, undefined, pair)
    expect(back).toMatchObject({ kind: 'pair' })
    const even = new Guardrail({ margin: 0.02 })
    for (let pair = 0; pair < 400; pair++) expect(even.addPair('all', random.next() < 0.5 ? -0.3 : 0.3, undefined, pair)).toBeUndefined()
  })

  it('begins anew when it is resumed, and counts nothing before', () => {
    const guardrail = new Guardrail({ margin: 0.02 })
    guardrail.restore({ scope: 'all', at: 1, kind: 'judge', difference: { value: -0.1, low: -0.15, high: -0.05, n: 900 }, margin: 0.02 })
    guardrail.add('all', 'judge', { heldOut: true, holdout, outcome: 1 }, 2)
    expect(guardrail.evidence('all')).toEqual([])
    expect(guardrail.known()).toEqual(['all'])
    expect(guardrail.resume('organisation:acme')).toBe(false)
    expect(guardrail.resume('all')).toBe(true)
    expect(guardrail.rolledBack('all')).toBeUndefined()
    guardrail.add('all', 'judge', { heldOut: true, holdout, outcome: 1 }, 3)
    expect(guardrail.evidence('all')).toMatchObject([{ trials: 1, heldOut: 1 }])
  })

  it('begins anew after so many trials, so that a good past hides nothing', () => {
    const guardrail = new Guardrail({ margin: 0.02, mostTrials: 600 })
    let trials = 0
    for (const trial of traffic(3, 600, 0)) expect(guardrail.add('all', 'judge', trial, ++trials)).toBeUndefined()
    for (const trial of traffic(4, 1, 0)) guardrail.add('all', 'judge', { ...trial, unit: 'next' }, ++trials)
    expect(guardrail.evidence('all')).toMatchObject([{ trials: 1 }])
  })

  it('refuses margins and levels that can’t be', () => {
    expect(() => new Guardrail({ margin: 0 })).toThrow(RangeError)
    expect(() => new Guardrail({ margin: 0.02, level: 1 })).toThrow(RangeError)
  })
})

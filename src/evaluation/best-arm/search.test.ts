import { describe, expect, it } from 'vitest'
import { childRandom, type Random } from '../../statistics/index.js'
import { decisionBound } from './bounds.js'
import { FactorModel } from './factor-model.js'
import { lowRank } from './low-rank.js'
import { bayesianRacing } from './racing.js'
import { Board, type Search, type SearchSize } from './search.js'
import { searches } from './searches.js'

const kinds: readonly (readonly [string, (size: SearchSize, cells: number) => Search])[] = [
  ...Object.entries(searches)
    .filter(([name]) => name !== 'ucb-e-lrf')
    .map(([name, { make }]) => [name, make] as const),
  // Fewer factorizations than by default: quick, and the same code.
  ['ucb-e-lrf', (size) => lowRank(size, { members: 8, sweeps: 4 })],
]

/** Methods of means 0.3 … and one of 0.7, scores 0 or 1. */
function world(random: Random, methods = 12, items = 120): number[][] {
  return Array.from({ length: methods }, (_, method) =>
    Array.from({ length: items }, () => (random.next() < (method === 4 ? 0.7 : 0.3 + 0.02 * method) ? 1 : 0)),
  )
}

function run(search: Search, scores: readonly (readonly number[])[], cells: number, batch: number): number {
  let left = cells
  while (left > 0) {
    const asked = search.next(Math.min(batch, left))
    if (asked.length === 0) break
    left -= asked.length
    for (const cell of asked) search.observe(cell, scores[cell.method]?.[cell.item] ?? NaN)
  }
  return cells - left
}

describe('the registry', () => {
  it('names each search as it names itself', () => {
    for (const [name, { make }] of Object.entries(searches))
      expect(make({ methods: 2, items: 3, random: childRandom(1, 'name') }, 6).id).toBe(name)
  })
})

describe.each(kinds)('%s', (_, make) => {
  it('finds the best method with a fifth of the cells, more often than not', () => {
    let found = 0
    for (let seed = 0; seed < 10; seed++) {
      const search = make({ methods: 12, items: 120, random: childRandom(seed, 'search') }, 288)
      run(search, world(childRandom(seed, 'world')), 288, 8)
      if (search.leader().method === 4) found += 1
    }
    expect(found).toBeGreaterThanOrEqual(8)
  })

  it('gives out each cell once, and all of them in the end', () => {
    const random = childRandom(1, 'all')
    const search = make({ methods: 3, items: 7, random }, 21)
    const seen = new Set<string>()
    for (;;) {
      const asked = search.next(4)
      if (asked.length === 0) break
      for (const cell of asked) {
        const name = `${cell.method} ${cell.item}`
        expect(seen.has(name)).toBe(false)
        seen.add(name)
        search.observe(cell, (cell.method + cell.item) % 2)
      }
    }
    expect(seen.size).toBe(21)
    expect(search.next(1)).toEqual([])
    const { means } = search.leader()
    expect(means).toHaveLength(3)
  })

  it('gives out again what could not be scored, and refuses what was not asked for or is no score', () => {
    const search = make({ methods: 2, items: 3, random: childRandom(2, 'again') }, 6)
    const [cell] = search.next(1)
    if (!cell) throw new Error('no cell')
    expect(() => search.observe(cell, NaN)).toThrow(RangeError)
    search.forget(cell)
    const all = [...search.next(6)]
    expect(all).toHaveLength(6)
    search.observe(cell, 1)
    expect(() => search.observe(cell, 1)).toThrow(RangeError)
    expect(() => search.observe({ method: 9, item: 0 }, 1)).toThrow(RangeError)
  })

  it('does the same again for the same seed', () => {
    const cells = () => {
      const search = make({ methods: 12, items: 120, random: childRandom(5, 'same') }, 200)
      run(search, world(childRandom(6, 'world')), 200, 8)
      return search.leader()
    }
    expect(cells()).toEqual(cells())
  })

  it('works with one method and one item', () => {
    const search = make({ methods: 1, items: 1, random: childRandom(3, 'one') }, 1)
    // Elimination has nothing to find out here, and asks nothing.
    expect(run(search, [[1]], 5, 2)).toBeLessThanOrEqual(1)
    expect(search.leader()).toMatchObject({ method: 0 })
  })
})

describe('racing', () => {
  it('is as sure as it should be', () => {
    let right = 0
    let sure = 0
    for (let seed = 0; seed < 40; seed++) {
      const random = childRandom(seed, 'close')
      const scores: number[][] = Array.from({ length: 4 }, (_, method) =>
        Array.from({ length: 200 }, () => (random.next() < 0.5 + 0.03 * method ? 1 : 0)),
      )
      const means = scores.map((row) => row.reduce((sum, score) => sum + score, 0))
      const search = bayesianRacing({ methods: 4, items: 200, random })
      run(search, scores, 300, 4)
      const { method, probability } = search.leader()
      if (means[method] === Math.max(...means)) right += 1
      sure += probability ?? 0
    }
    expect(Math.abs(right - sure) / 40).toBeLessThan(0.17)
  })

  it('spends nothing on a method that is known exactly', () => {
    const search = bayesianRacing({ methods: 2, items: 10, random: childRandom(4, 'exact') })
    run(search, [Array.from({ length: 10 }, () => 1), Array.from({ length: 10 }, () => 0.5)], 20, 1)
    expect(search.leader().probability).toBe(1)
  })
})

describe('the common order', () => {
  it('has every category by its share at every moment', () => {
    const categories = Array.from({ length: 100 }, (_, item) => (item < 75 ? 0 : 1))
    const { order } = new Board({ methods: 1, items: 100, random: childRandom(1, 'order'), categories })
    expect(new Set(order).size).toBe(100)
    for (let length = 4; length <= 100; length += 4) {
      const first = order.slice(0, length).filter((item) => item < 75).length
      expect(Math.abs(first - 0.75 * length)).toBeLessThanOrEqual(1)
    }
    expect(() => new Board({ methods: 1, items: 3, random: childRandom(1, 'order'), categories: [0] })).toThrow(RangeError)
  })
})

describe('the factor model', () => {
  it('sets right for how hard the items were that a method was scored on', () => {
    const random = childRandom(7, 'hard')
    const model = new FactorModel(8, 200, random)
    const score = (method: number, item: number) =>
      (item < 100 ? 0.25 : 0.75) + (method === 0 ? 0.1 : method === 1 ? -0.1 : 0) + 0.4 * (random.next() - 0.5)
    for (let method = 2; method < 8; method++) for (let item = 0; item < 200; item++) model.observe({ method, item }, score(method, item))
    // The better of the first two was scored on hard items only, the worse on easy ones: plain means are 0.35 and 0.65.
    for (let item = 0; item < 60; item++) {
      model.observe({ method: 0, item }, score(0, item))
      model.observe({ method: 1, item: item + 100 }, score(1, item + 100))
    }
    const means = new Float64Array(8)
    let ahead = 0
    for (let sweep = 0; sweep < 200; sweep++) {
      model.sweep(means)
      if (sweep >= 50 && (means[0] ?? 0) > (means[1] ?? 0)) ahead += 1
    }
    expect(ahead / 150).toBeGreaterThan(0.6)
  })

  it('knows exactly what was scored on all items', () => {
    const model = new FactorModel(2, 10, childRandom(8, 'exact'))
    for (let item = 0; item < 10; item++) model.observe({ method: 0, item }, item / 10)
    const means = new Float64Array(2)
    model.sweep(means)
    expect(means[0]).toBeCloseTo(0.45, 12)
  })
})

describe('the bound of a decision', () => {
  it('is the closed form for two methods', () => {
    // Differences 1 and -0.6 in turn: gap 0.2, deviation 0.8; z of 90 % is 1.2816.
    const ahead = Array.from({ length: 1_000 }, (_, item) => (item % 2 === 0 ? 1 : 0))
    const behind = Array.from({ length: 1_000 }, (_, item) => (item % 2 === 0 ? 0 : 0.6))
    const bound = decisionBound([behind, ahead])
    expect(bound?.gap).toBeCloseTo(0.2, 10)
    expect(bound?.deviation).toBeCloseTo(0.8, 10)
    expect(bound?.cells).toBe(Math.ceil(2 / (0.04 / (1.281552 ** 2 * 0.64) + 0.001)))
    expect(decisionBound([ahead, ahead])).toBeNull()
  })
})

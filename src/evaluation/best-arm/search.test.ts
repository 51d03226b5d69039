import { describe, expect, it } from 'vitest'
import { childRandom, type Random } from '../../statistics/index.js'
import { lowRank } from './low-rank.js'
import { bayesianRacing } from './racing.js'
import type { Search, SearchSize } from './search.js'
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
  return Array.from({ length: methods }, (_, method) => Array.from({ length: items }, () => (random.next() < (method === 4 ? 0.7 : 0.3 + 0.02 * method) ? 1 : 0)))
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
    for (const [name, { make }] of Object.entries(searches)) expect(make({ methods: 2, items: 3, random: childRandom(1, 'name') }, 6).id).toBe(name)
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
    expect(run(search, [[1]], 5, 2)).toBe(1)
    expect(search.leader()).toMatchObject({ method: 0 })
  })
})

describe('racing', () => {
  it('is as sure as it should be', () => {
    let right = 0
    let sure = 0
    for (let seed = 0; seed < 60; seed++) {
      const random = childRandom(seed, 'close')
      const scores: number[][] = Array.from({ length: 4 }, (_, method) => Array.from({ length: 200 }, () => (random.next() < 0.5 + 0.03 * method ? 1 : 0)))
      const means = scores.map((row) => row.reduce((sum, score) => sum + score, 0))
      const search = bayesianRacing({ methods: 4, items: 200, random })
      run(search, scores, 300, 4)
      const { method, probability } = search.leader()
      if (means[method] === Math.max(...means)) right += 1
      sure += probability ?? 0
    }
    expect(Math.abs(right - sure) / 60).toBeLessThan(0.17)
  })

  it('spends nothing on a method that is known exactly', () => {
    const search = bayesianRacing({ methods: 2, items: 10, random: childRandom(4, 'exact') })
    run(search, [Array.from({ length: 10 }, () => 1), Array.from({ length: 10 }, () => 0.5)], 20, 1)
    expect(search.leader().probability).toBe(1)
  })
})

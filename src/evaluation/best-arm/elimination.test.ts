import { expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { Elimination } from './elimination.js'
import { eliminationSearch } from './elimination-search.js'

/** Scores of each method on each item: 1 with the method's probability. */
function matrixOf(shares: readonly number[], items: number, seed: number): readonly (readonly number[])[] {
  const random = childRandom(seed, 'scores')
  return shares.map((share) => Array.from({ length: items }, () => Number(random.next() < share)))
}

function run(scores: readonly (readonly number[])[], seed: number, batch: number) {
  const items = scores[0]?.length ?? 0
  const search = eliminationSearch({ methods: scores.length, items, random: childRandom(seed, 'search') })
  let cells = 0
  for (;;) {
    const asked = search.next(batch)
    if (asked.length === 0) break
    // Answers come in another order than they were asked for.
    for (const cell of [...asked].reverse()) search.observe(cell, scores[cell.method]?.[cell.item] ?? NaN)
    cells += asked.length
  }
  return { leader: search.leader().method, cells }
}

it.each([1, 7])('finds the best, with few cells where it stands out (batches of %i)', (batch) => {
  for (let seed = 0; seed < 10; seed++) {
    const { leader, cells } = run(matrixOf([0.2, 0.9, 0.4, 0.3], 300, seed), seed, batch)
    expect(leader).toBe(1)
    expect(cells).toBeLessThan(0.5 * 4 * 300)
  }
})

it('declares a wrong leader in few of many evaluations, however often one looks', () => {
  const items = 60
  let wrong = 0
  const runs = 300
  for (let seed = 0; seed < runs; seed++) {
    // Equal chances: whoever has the higher mean of these items leads by little, and the other must hardly ever be proven better.
    const scores = matrixOf([0.5, 0.5], items, seed)
    const means = scores.map((row) => row.reduce((sum, score) => sum + score, 0))
    const elimination = new Elimination(2, items, 0.1)
    const loser = (means[0] ?? 0) <= (means[1] ?? 0) ? 0 : 1
    let proven = false
    for (let item = 0; item < items; item++) {
      elimination.asked(item)
      for (const method of [0, 1]) elimination.observe(method, item, scores[method]?.[item] ?? 0)
      proven ||= elimination.proofOf(loser).beaten.size > 0
    }
    wrong += Number(proven)
  }
  // At most 10 % are allowed; five standard deviations above would be 18.7 %.
  expect(wrong / runs).toBeLessThan(0.13)
})

it('knows for sure when every item is scored, and never of ties', () => {
  const sure = new Elimination(2, 4, 0.05)
  const tied = new Elimination(2, 4, 0.05)
  for (let item = 0; item < 4; item++) {
    for (const elimination of [sure, tied]) elimination.asked(item)
    sure.observe(0, item, item === 0 ? 1 : 0.5)
    sure.observe(1, item, 0.5)
    for (const method of [0, 1]) tied.observe(method, item, 0.5)
  }
  expect([sure.proofOf(0).beaten.size, sure.proofOf(1).beaten.size, tied.proofOf(0).beaten.size]).toEqual([1, 0, 0])
})

it('a loss that does not matter is proven sooner', () => {
  const [strict, lax] = [0, 0.3].map((indifference) => new Elimination(2, 400, 0.05, indifference))
  const scores = matrixOf([0.62, 0.6], 400, 3)
  let [strictAt, laxAt] = [Infinity, Infinity]
  for (let item = 0; item < 400; item++)
    for (const elimination of [strict, lax]) {
      elimination?.asked(item)
      for (const method of [0, 1]) elimination?.observe(method, item, scores[method]?.[item] ?? 0)
      if (elimination?.proofOf(0).beaten.size === 1) {
        if (elimination === strict) strictAt = Math.min(strictAt, item)
        else laxAt = Math.min(laxAt, item)
      }
    }
  expect(laxAt).toBeLessThan(Math.min(strictAt, 150))
})

it('refuses what is no score, level or indifference', () => {
  const elimination = new Elimination(2, 3, 0.05)
  for (const score of [NaN, -0.1, 1.1]) expect(() => elimination.observe(0, 0, score)).toThrow(RangeError)
  expect(() => new Elimination(2, 3, 0)).toThrow(RangeError)
  expect(() => new Elimination(2, 3, 0.05, 1)).toThrow(RangeError)
})

import { describe, expect, it } from 'vitest'
import { childRandom, type Random } from '../../statistics/index.js'
import {
  anchorItems,
  clusterAnchors,
  CompetenceAlignment,
  estimateMean,
  fitItems,
  itemMatrix,
  kendall,
  meanOf,
  modelsOf,
  mostInformative,
  nextItems,
  placeByTiers,
  ranksOf,
  reliabilityOf,
  sameWinner,
  standings,
  stratifiedItems,
  weightedMean,
} from './index.js'

/** Students of a logistic test: half of the items easy to tell by, half hardly; two categories. */
function school(random: Random, models: number, items: number) {
  const slope = Array.from({ length: items }, (_, item) => (item % 2 === 0 ? 1.8 : 0.3))
  const ease = Array.from({ length: items }, () => 3 * random.next() - 1.5)
  const ability = Array.from({ length: models }, (_, model) => -1.5 + (3 * model) / (models - 1))
  const rows = ability.map((theta) =>
    slope.map((a, item) => (random.next() < 1 / (1 + Math.exp(-(a * theta + (ease[item] ?? 0)))) ? 1 : 0)),
  )
  return {
    slope,
    ease,
    ability,
    matrix: itemMatrix(
      rows,
      Array.from({ length: items }, (_, item) => (item < items / 2 ? 0 : 1)),
    ),
  }
}

const correlation = (left: ArrayLike<number>, right: ArrayLike<number>): number => {
  const n = left.length
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / n
  const [l, r] = [mean(left), mean(right)]
  let [lr, ll, rr] = [0, 0, 0]
  for (let index = 0; index < n; index++) {
    const [a, b] = [(left[index] ?? 0) - l, (right[index] ?? 0) - r]
    ;[lr, ll, rr] = [lr + a * b, ll + a * a, rr + b * b]
  }
  return lr / Math.sqrt(ll * rr)
}

describe('item response', () => {
  const { matrix, slope, ease, ability } = school(childRandom(1, 'school'), 40, 400)
  const fit = fitItems(matrix)

  it('finds abilities and items of simulated students', () => {
    expect(correlation(fit.ability, ability)).toBeGreaterThan(0.98)
    expect(correlation(fit.ease, ease)).toBeGreaterThan(0.9)
    expect(correlation(fit.slope, slope)).toBeGreaterThan(0.8)
  })

  it('estimates an unseen model better from items that tell much than by the plain mean of random ones', () => {
    const [own, plain]: [number[], number[]] = [[], []]
    for (let left = 1; left < 40; left += 4) {
      const trained = fitItems(
        modelsOf(
          matrix,
          [...Array(40).keys()].filter((model) => model !== left),
        ),
        { rounds: 3 },
      )
      const truth = meanOf(matrix, left)
      const scores = (items: readonly number[]) => items.map((item) => ({ item, score: matrix.scores[left * 400 + item] ?? NaN }))
      own.push(Math.abs(estimateMean(trained, scores(anchorItems(trained, 25))).value - truth))
      const random = childRandom(left, 'plain')
      for (let run = 0; run < 10; run++) {
        const chosen = scores(stratifiedItems(matrix.categoryOf, 25, random))
        plain.push(Math.abs(chosen.reduce((sum, { score }) => sum + score, 0) / 25 - truth))
      }
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(own)).toBeLessThan(0.75 * mean(plain))
  })

  it('knows the mean when every item was seen, and says little when none was', () => {
    const all = Array.from({ length: 400 }, (_, item) => ({ item, score: matrix.scores[7 * 400 + item] ?? NaN }))
    const sure = estimateMean(fit, all)
    expect(sure.value).toBeCloseTo(meanOf(matrix, 7), 10)
    expect(sure.high - sure.low).toBeLessThan(1e-6)
    const unsure = estimateMean(fit, [])
    expect(unsure.high - unsure.low).toBeGreaterThan(0.3)
    expect(() => estimateMean(fit, [{ item: 400, score: 1 }])).toThrow(RangeError)
    expect(() => estimateMean(fit, [{ item: 0, score: 1.5 }])).toThrow(RangeError)
  })

  it('chooses items that tell much, of both categories, none twice', () => {
    const chosen = anchorItems(fit, 40)
    expect(new Set(chosen).size).toBe(40)
    expect(chosen.filter((item) => item % 2 === 0).length).toBeGreaterThan(30)
    expect(chosen.filter((item) => item < 200).length).toBeGreaterThan(5)
    const seen = chosen.slice(0, 5).map((item) => ({ item, score: 1 }))
    expect(nextItems(fit, seen, 10).some((item) => seen.some((one) => one.item === item))).toBe(false)
    const best = mostInformative(fit, 0, new Set())
    expect(mostInformative(fit, 0, new Set([best]))).not.toBe(best)
    expect(() => anchorItems(fit, 401)).toThrow('from 1 to 400')
  })

  it('refuses what is no matrix of scores', () => {
    expect(() => itemMatrix([[0, 2]])).toThrow('row 0, item 1')
    expect(() => itemMatrix([[0, 1], [1]])).toThrow('row 1')
    expect(() => itemMatrix([[0, 1]], [0])).toThrow('1 categories')
    expect(() => fitItems(itemMatrix([[0, 1]]))).toThrow('3 models')
  })
})

describe('anchor points', () => {
  it('stand for their clusters by size', () => {
    // Items of three kinds: 6 that all pass, 3 that nobody passes, 1 that only the first passes.
    const rows = [0, 1, 2].map((model) => [...Array(6).fill(1), ...Array(3).fill(0), model === 0 ? 1 : 0])
    const anchors = clusterAnchors(itemMatrix(rows), 3, childRandom(1, 'clusters'))
    expect([...anchors.weights].sort()).toEqual([0.1, 0.3, 0.6])
    expect(
      weightedMean(
        anchors,
        anchors.items.map((item) => ({ item, score: rows[0]?.[item] ?? NaN })),
      ),
    ).toBeCloseTo(0.7, 12)
  })

  it('stratified items have every category by its share', () => {
    const chosen = stratifiedItems(
      Array.from({ length: 100 }, (_, item) => (item < 80 ? 0 : 1)),
      20,
      childRandom(2, 'strata'),
    )
    expect(chosen.filter((item) => item < 80)).toHaveLength(16)
  })
})

describe('competence and difficulty', () => {
  it('follows the formulas of 104 for a first round', () => {
    const state = new CompetenceAlignment(2)
    state.observe([
      { item: 0, passed: 1 },
      { item: 1, passed: 0.5 },
    ])
    // p̂ = σ(0) = 0.5: d₀ ← 0.5 - 1, d₁ ← 0.5 - 0.5; R ← 0 - (-0.5)/2.
    expect([state.difficulty(0), state.difficulty(1), state.ability]).toEqual([-0.5, 0, 0.25])
    expect(() => state.observe([{ item: 2, passed: 1 }])).toThrow(RangeError)
  })

  it('picks around the ability, half on each side', () => {
    const random = childRandom(3, 'cdas')
    const state = new CompetenceAlignment(200)
    const difficulty = (item: number) => -3 + (6 * item) / 199
    for (let round = 0; round < 60; round++)
      state.observe(
        Array.from({ length: 200 }, (_, item) => ({
          item,
          passed: [0, 1, 2, 3].filter(() => random.next() < 1 / (1 + Math.exp(difficulty(item)))).length / 4,
        })),
      )
    const chosen = state.next(20)
    expect(new Set(chosen).size).toBe(20)
    expect(chosen.filter((item) => state.difficulty(item) > state.ability)).toHaveLength(10)
    const far = (items: readonly number[]) => items.reduce((sum, item) => sum + Math.abs(difficulty(item)), 0) / items.length
    // Random items of this test are 1.5 from where pass and fail are even.
    expect(far(chosen)).toBeLessThan(0.75)
    expect(state.next(500)).toHaveLength(200)
  })
})

describe('reliability of a decision', () => {
  it('agrees with itself, and by chance with chance', () => {
    expect(kendall([3, 2, 1], [30, 20, 10])).toBe(1)
    expect(kendall([3, 2, 1], [1, 2, 3])).toBe(-1)
    expect(kendall([3, 2, 1], [3, 1, 2])).toBeCloseTo(1 / 3, 12)
    const fixed = reliabilityOf(() => [3, 2, 1], childRandom(1, 'fixed'))
    expect(fixed).toMatchObject({ impact: 0, conservative: 1 })
    const chance = reliabilityOf((random) => Array.from({ length: 20 }, () => random.next()), childRandom(1, 'chance'))
    expect(Math.abs(chance.agreement.value)).toBeLessThan(0.06)
    expect(chance.agreement.low).toBeLessThan(chance.agreement.value)
    const coin = reliabilityOf((random) => (random.next() < 0.5 ? [1, 0] : [0, 1]), childRandom(2, 'coin'), {
      agreement: sameWinner,
      draws: 60,
    })
    expect(coin.agreement.value).toBeGreaterThan(0.4)
    expect(coin.agreement.value).toBeLessThan(0.6)
  })

  it('grows with the items', () => {
    const { matrix } = school(childRandom(4, 'school'), 10, 300)
    const of = (items: number) =>
      reliabilityOf((random) => standings(matrix, stratifiedItems(matrix.categoryOf, items, random)), childRandom(5, 'draws'), {
        draws: 20,
        bootstraps: 50,
      }).agreement.value
    expect(of(150)).toBeGreaterThan(of(10) + 0.1)
  })

  it('win rates depend on who takes part; mean scores do not', () => {
    // a wins category 0 narrowly and 1 against c only; b wins 1 by far.
    const rows = [
      [1, 1, 0, 0, 0, 0],
      [1, 0, 0, 1, 1, 1],
      [0, 0, 0, 0, 0, 0],
    ]
    const matrix = itemMatrix(rows, [0, 0, 0, 1, 1, 1])
    const all = [0, 1, 2, 3, 4, 5]
    expect(Array.from(standings(matrix, all))).toEqual([2 / 6, 4 / 6, 0])
    expect(Array.from(standings(matrix, all, 'win rate'))).toEqual([(1 + 0.25) / 2, (0.5 + 1) / 2, 0.125])
    expect(ranksOf([0.2, 0.9, 0.9])).toEqual([3, 1, 2])
  })
})

describe('tiers', () => {
  const known = Array.from({ length: 9 }, (_, model) =>
    Float64Array.from({ length: 400 }, (__, item) => ((item * 7919) % 400 < 40 * (9 - model) ? 1 : 0)),
  )
  const order = Array.from({ length: 400 }, (_, item) => (item * 163) % 400)
  const tiers = [
    { items: 40, place: 5 },
    { items: 160, place: 3 },
    { items: 400, place: 1 },
  ]

  it('spend little on a weak model and all on a strong one, and place both', () => {
    const weak = placeByTiers(known, () => 0, order, tiers)
    expect(weak).toEqual({ rank: 10, items: 40, mean: 0 })
    const strong = placeByTiers(known, () => 1, order, tiers)
    expect(strong).toEqual({ rank: 1, items: 400, mean: 1 })
    expect(() =>
      placeByTiers(known, () => 1, order, [
        { items: 40, place: 5 },
        { items: 30, place: 1 },
      ]),
    ).toThrow('tier 1')
  })
})

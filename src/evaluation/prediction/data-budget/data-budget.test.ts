import { describe, expect, it } from 'vitest'
import { labelCurve, planAnnotation } from './annotation.js'
import { nextLabels, type QueryToLabel } from './label-queue.js'
import { defaultYields, effectiveSeeds, planSynthetic, type SyntheticPoint, type SyntheticStrategy } from './synthetic.js'

describe('a budget for labels', () => {
  const kinds = [
    { name: 'positive', usdPerLabel: 0.5 },
    { name: 'hard_negative', usdPerLabel: 0.2 },
    { name: 'random_passage', usdPerLabel: 0.3 },
  ]

  it('is split better than any other split of whole labels', () => {
    const budget = 150
    const plan = planAnnotation(kinds, budget)
    expect(plan.usd).toBeLessThanOrEqual(budget)
    expect(plan.usd).toBeGreaterThan(budget - 1)
    let best = 0
    for (let positives = 0; positives <= 300; positives += 2)
      for (let negatives = 0; positives * 0.5 + negatives * 0.2 <= budget; negatives += 2) {
        const rest = Math.floor((budget - positives * 0.5 - negatives * 0.2) / 0.3)
        best = Math.max(best, 3 * Math.log1p(positives / 100) + 2 * Math.log1p(negatives / 100) + 0.5 * Math.log1p(rest / 100))
      }
    expect(plan.gain).toBeGreaterThan(best - 0.02)
    expect(plan.gain).toBeGreaterThan(plan.evenGain)
  })

  it('buys no more than there is, and nothing for nothing', () => {
    const plan = planAnnotation([{ name: 'positive', usdPerLabel: 1, available: 30, already: 10 }], 1_000)
    expect(plan.shares[0]?.labels).toBe(20)
    expect(plan.nextPerDollar).toBe(0)
    expect(planAnnotation(kinds, 0)).toMatchObject({ usd: 0, gain: 0 })
    expect(() => planAnnotation([{ name: 'x', usdPerLabel: 0 }], 1)).toThrow(expect.objectContaining({ path: 'kinds[0].usdPerLabel' }))
    expect(() => planAnnotation([...kinds, { name: 'positive', usdPerLabel: 1 }], 1)).toThrow(/twice/)
  })

  it('follows measured points', () => {
    const points = [0, 50, 200, 800].map((labels) => ({ labels, score: 60 + 4 * Math.log1p(labels / 80) }))
    const curve = labelCurve({ name: 'mine', usdPerLabel: 1, points })
    expect(curve).toMatchObject({ measured: true })
    expect(curve.gain).toBeCloseTo(4, 1)
    expect(curve.scale).toBeCloseTo(80, -1)
    expect(labelCurve({ name: 'positive', usdPerLabel: 1 })).toMatchObject({ gain: 3, measured: false })
  })

  it('guesses in the unit of the scores that were measured: shares and per cent give the same plan', () => {
    const plan = (unit: number) => {
      const points = [0, 50, 200, 800].map((labels) => ({ labels, score: unit * (0.6 + 0.03 * Math.log1p(labels / 100)) }))
      return planAnnotation(
        [
          { name: 'positive', usdPerLabel: 0.5, points },
          { name: 'constructor', usdPerLabel: 0.2 },
        ],
        150,
      )
    }
    const [shares, percent] = [plan(1), plan(100)]
    // A point of the defaults is 0.03 / 3 here: what was measured over the default of its kind.
    expect(shares.shares[1]?.curve.gain).toBeCloseTo(0.01, 3)
    for (const [at, { labels }] of shares.shares.entries()) {
      expect(labels).toBeGreaterThan(0)
      expect(Math.abs((percent.shares[at]?.labels ?? NaN) - labels)).toBeLessThanOrEqual(0.1 * labels)
    }
    expect(
      planAnnotation(
        [
          {
            name: 'positive',
            usdPerLabel: 1,
            points: [
              { labels: 0, score: 0.1 },
              { labels: 100, score: 0.2 },
            ],
          },
          { name: 'mine', usdPerLabel: 1, gain: 0.3 },
        ],
        9,
      ).shares[1]?.curve.gain,
    ).toBe(0.3)
  })
})

describe('the next labels', () => {
  const query = (
    name: string,
    ranks: readonly (readonly [number, number | undefined])[],
    labels: readonly (readonly [string, boolean])[] = [],
    type = 'fact',
  ): QueryToLabel => ({
    query: name,
    type,
    candidates: ranks.map((pair, at) => ({ passage: `${name}${at}`, ranks: pair })),
    labels: new Map(labels),
  })

  it('go where retrievers disagree, by turns between types, and stop with a positive and three negatives', () => {
    const agreed = query('a', [
      [1, 1],
      [2, 2],
    ])
    const disputed = query('b', [
      [1, 40],
      [2, undefined],
    ])
    const done = query(
      'c',
      [
        [1, 1],
        [2, 9],
        [3, 3],
        [4, 4],
        [5, 5],
      ],
      [
        ['c0', true],
        ['c1', false],
        ['c2', false],
        ['c3', false],
      ],
    )
    const other = query('d', [[1, 1]], [], 'yes/no')
    expect(nextLabels([agreed, disputed, done, other], 2).map(({ query: name }) => name)).toEqual(['b', 'd'])
    expect(nextLabels([agreed, disputed, done, other], 9)).toEqual([
      { query: 'b', passage: 'b0' },
      { query: 'd', passage: 'd0' },
      { query: 'a', passage: 'a0' },
    ])
  })

  it('never ask twice, nor below the first places', () => {
    expect(
      nextLabels(
        [
          query(
            'a',
            [
              [1, 1],
              [6, 7],
            ],
            [['a0', false]],
          ),
        ],
        5,
      ),
    ).toEqual([])
  })
})

describe('synthetic data', () => {
  const bestAt = (ratio: number) => planSynthetic({ budget: ratio * 1_000, seeds: 1_000, usdPerQuery: 1 }).options[0]?.strategy

  it('by default changes its way at 4 and 16 queries a seed', () => {
    expect([0.5, 3.9, 4.1, 15.9, 16.1, 100].map(bestAt)).toEqual([
      'answer_augmentation',
      'answer_augmentation',
      'question_rephrase',
      'question_rephrase',
      'new_question',
      'new_question',
    ])
  })

  it('weighs prices', () => {
    expect(
      planSynthetic({ budget: 3_000, seeds: 1_000, usdPerQuery: { answer_augmentation: 1, question_rephrase: 1, new_question: 0.05 } })
        .options[0],
    ).toMatchObject({ strategy: 'new_question', queries: 60_000 })
    expect(effectiveSeeds({ efficiency: 0.5, capacity: Infinity }, 10, 40)).toBe(30)
    expect(effectiveSeeds({ efficiency: 1, capacity: 4 }, 10, 1e9)).toBeCloseTo(50)
  })

  it('learns from points that contradict the defaults', () => {
    const poor = { ...defaultYields, answer_augmentation: { efficiency: 0.1, capacity: 4 } }
    const points = (['answer_augmentation', 'question_rephrase', 'new_question'] as const satisfies readonly SyntheticStrategy[]).flatMap(
      (strategy): SyntheticPoint[] =>
        [500, 1_000, 2_000].map((queries) => ({
          strategy,
          seeds: 1_000,
          queries,
          score: 30 + 5 * Math.log1p(effectiveSeeds(poor[strategy], 1_000, queries)),
        })),
    )
    const plan = planSynthetic({ budget: 2_000, seeds: 1_000, usdPerQuery: 1, points })
    expect(plan.measured).toBe(true)
    expect(plan.options[0]?.strategy).not.toBe('answer_augmentation')
    expect(plan.yields.answer_augmentation.efficiency).toBeLessThan(0.6)
    expect(plan.options[0]?.score).toBeCloseTo(30 + 5 * Math.log1p(effectiveSeeds(poor.question_rephrase, 1_000, 2_000)), 0)
  })

  it('names what is wrong', () => {
    expect(() => planSynthetic({ budget: 1, seeds: 0, usdPerQuery: 1 })).toThrow(expect.objectContaining({ path: 'seeds' }))
    expect(() => planSynthetic({ budget: 1, seeds: 1, usdPerQuery: 0 })).toThrow(expect.objectContaining({ path: 'usdPerQuery' }))
  })
})

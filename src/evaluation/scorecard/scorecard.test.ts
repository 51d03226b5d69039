import { describe, expect, it } from 'vitest'
import type { OutcomeRow } from '../../environment/index.js'
import { childRandom, costPerSuccess } from '../../statistics/index.js'
import { armMetrics } from './metrics/registry.js'
import { PoissonWeights } from './poisson-weights.js'
import { RankedGap } from './ranked-gap.js'
import { Scorecard, type Score, type ScorecardOptions } from './scorecard.js'
import { setMetrics } from './set-metrics.js'

type Outcomes = OutcomeRow['outcomes']

const defaults: ScorecardOptions = {
  arms: ['large', 'small'],
  armMetrics,
  setMetrics,
  draws: 0,
  seed: 1,
  k: 1,
  budgets: [100, 200, 400],
  cost: 'usd',
  priceOf: () => null,
}

function scored(rows: readonly Outcomes[], options: Partial<ScorecardOptions> = {}) {
  const card = new Scorecard({ ...defaults, ...options })
  for (const [index, outcomes] of rows.entries())
    card.add({ id: String(index), request: { messages: [{ role: 'user', content: 'x' }] }, outcomes })
  const results = card.results()
  const of = (id: string) => {
    const found = results.find(({ metric }) => metric.id === id)
    if (!found) throw new Error(`no ${id}`)
    return found
  }
  return { card, of, value: (id: string, arm: string) => of(id).scores[arm]?.value }
}

/** Two requests. Large: both right, 300 and 100 tokens; small: one right of 100 and 50 tokens. */
const rows: readonly Outcomes[] = [
  {
    large: { quality: 1, usd: 0.03, inputTokens: 50, outputTokens: 200, reasoningTokens: 100, seconds: 4, joules: 400, toolCalls: 3 },
    small: { quality: 1, usd: 0.01, inputTokens: 50, outputTokens: 100, seconds: 2, joules: 50, toolCalls: 0 },
  },
  {
    large: { quality: 1, usd: 0.01, inputTokens: 50, outputTokens: 100, seconds: 2, joules: 200, toolCalls: 1 },
    small: { quality: 0, usd: 0.01, inputTokens: 50, outputTokens: 50, seconds: 1, joules: 30, toolCalls: 0 },
  },
]

describe('Scorecard, by hand', () => {
  const { of, value } = scored(rows, { reference: 'large', strong: 'large', weak: 'small' })

  it.each<[string, number, number | undefined]>([
    // metric, large, small
    ['quality', 1, 0.5],
    ['usd', 0.02, 0.01],
    ['cost-of-pass', 0.02, 0.02],
    ['tokens', 200, 75],
    ['e3', 1 / 200, 0.25 / 75],
    // Budgets 100, 200, 400: large is within one budget and three, small's right answer within all.
    ['eqa', (1 / 3 + 1) / 2, 0.5],
    // The first request has right answers of $0.03 and $0.01: the dear one is as dear or dearer than half. The second has one right
    // answer only.
    ['dps', 0.5, 1],
    // First request: the fewest tokens of a right answer are 100, so that 300 is beyond 2 · 100; second: large is the reference itself.
    ['eff@k', 0.5, 0.5],
    ['seconds', 3, 1.5],
    ['rle', 1 / 3, 1 / 1.5],
    // Through (300, 4) and (100, 2); (100, 2) and (50, 1).
    ['runtime-slope', 0.01, 0.02],
    ['joules', 300, 40],
    ['ipj', 1 / 300, 0.5 / 40],
    // 600 J in 6 s; 80 J in 3 s.
    ['ipw', 1 / 100, 0.5 / (80 / 3)],
    ['tool-productivity', 0.5, undefined],
  ])('%s', (id, large, small) => {
    expect(value(id, 'large')).toBeCloseTo(large, 12)
    if (small === undefined) expect(of(id).scores['small']).toBeUndefined()
    else expect(value(id, 'small')).toBeCloseTo(small, 12)
  })

  it('holds the others against the reference, and not the reference against itself', () => {
    expect(value('quality-difference', 'small')).toBeCloseTo(-0.5, 12)
    expect(value('coverage', 'small')).toBe(0.5)
    // Half the quality at (75 + 50) / (200 + 50) of the tokens.
    expect(value('tep', 'small')).toBeCloseTo(1, 12)
    expect(value('3e-tokens', 'small')).toBeCloseTo(75 / 200, 12)
    expect(value('3e-seconds', 'small')).toBeCloseTo(0.5, 12)
    for (const id of ['quality-difference', 'coverage', 'tep', '3e-tokens']) expect(Object.keys(of(id).scores)).toEqual(['small'])
    expect(scored(rows).of('tep').missing).toMatch(/--reference/)
  })

  it('takes all arms together', () => {
    expect(of('pareto').scores).toMatchObject({ large: { value: 1 }, small: { value: 1 } })
    expect([value('pgr', 'large'), value('pgr', 'small')]).toEqual([1, 0])
    // Small dominates from $0.01 to $0.02 up to 0.5; over $0.02.
    expect(value('hypervolume', '')).toBeCloseTo((0.01 * 0.5) / 0.02, 12)
    // A straight line from 0.5 to 1.
    expect(value('aiq', '')).toBeCloseTo(0.75, 12)
    expect(scored(rows).of('pgr').missing).toMatch(/--strong/)
  })

  it('takes what samples tell where the whole does not', () => {
    const samples = [
      { quality: 1, usd: 1, outputTokens: 10, reasoningTokens: 10 },
      { quality: 0, usd: 3, outputTokens: 40 },
      { quality: 0, usd: 2, outputTokens: 30 },
    ]
    const { value: of2 } = scored([{ large: { samples } }], { k: 2 })
    expect([of2('quality', 'large'), of2('usd', 'large'), of2('tokens', 'large')]).toEqual([1 / 3, 2, 30])
    // Of three pairs two hold the right sample.
    expect(of2('pass@k', 'large')).toBeCloseTo(2 / 3, 12)
    expect(of2('eff@k', 'large')).toBeCloseTo(2 / 3, 12)
    expect(scored([{ large: { samples } }], { k: 4 }).of('pass@k').missing).toMatch(/No request tells enough/)
  })

  it('tells rounds of answers (030)', () => {
    const answer = 'The answer is 12. Wait, let me check. The answer is 12.'
    const { value: of2 } = scored([{ large: { quality: 1, answer }, small: { quality: 0, answer } }])
    expect(of2('outcome-efficiency', 'large')).toBeCloseTo('The answer is 12.'.length / answer.length, 1)
    expect(of2('outcome-efficiency', 'small')).toBe(0)
    expect(of2('process-efficiency', 'large')).toBeLessThan(0.6)
    expect(scored([{ large: { quality: 1, answer: 'The answer is 12.' } }]).value('process-efficiency', 'large')).toBe(1)
  })

  it('names what is missing and counts what is missing in part', () => {
    const { of: of2, card } = scored([...rows, { large: { quality: 1 }, stranger: { quality: 1 } }])
    expect(of2('usd').missing).toBe('Some outcomes have no "usd" (1): not counted.')
    expect(of2('usd').scores['large']?.n).toBe(2)
    expect(of2('pass@k')).toMatchObject({ scores: {}, missing: 'No outcome has "samples".' })
    expect(scored([{ large: { quality: 1 } }]).of('e3').missing).toBe('No outcome has "outputTokens".')
    expect([card.count, card.strangers]).toEqual([3, 1])
    // An arm that never answered has no figure, and no request has all arms.
    const alone = scored([{ large: { quality: 1, usd: 1 } }])
    expect(alone.of('quality').scores['small']).toBeUndefined()
    expect(alone.of('pareto').missing).toMatch(/No request has "quality" and "usd" of all arms/)
    expect(scored([{ large: { quality: 1, usd: 1 } }], { cost: 'generatedTokens' }).of('pareto').missing).toMatch(
      /"outputTokens" of all arms/,
    )
    // Fields that some outcomes have aren't told to be in none: here each lacks another one.
    expect(scored([{ large: { outputTokens: 5 } }, { large: { seconds: 1 } }]).of('rle').missing).toBe(
      'No request tells enough for it. Some outcomes have no "seconds" (1), "outputTokens" (1): not counted.',
    )
    expect(scored([{ large: { outputTokens: 5, seconds: 1 } }]).of('runtime-slope').missing).toBe('No request tells enough for it.')
  })

  it('prices tokens where no dollars are told, and weighs samples of a log', () => {
    const card = new Scorecard({ ...defaults, arms: ['a'], setMetrics: [], priceOf: () => 0.5 })
    const row = { request: { messages: [{ role: 'user', content: 'x' }] } }
    card.add({ ...row, id: '1', weight: 3, outcomes: { a: { quality: 1 } } })
    card.add({ ...row, id: '2', outcomes: { a: { quality: 0, usd: 4.5 } } })
    const found = (id: string) => card.results().find(({ metric }) => metric.id === id)?.scores['a']?.value
    expect([found('quality'), found('usd')]).toEqual([0.75, 1.5])
  })
})

describe('intervals', () => {
  const draws = 400
  const at = (score: Score | undefined) => score ?? { value: NaN, low: NaN, high: NaN, n: 0, method: '' }
  function random(rate: number, n: number, seed: number): Outcomes[] {
    const source = childRandom(seed, 'scores')
    return Array.from({ length: n }, () => ({ large: { quality: source.next() < rate ? 1 : 0, usd: -Math.log(1 - source.next()) } }))
  }

  it('are those of the closed forms', () => {
    const data = random(0.6, 800, 5)
    const { of } = scored(data, { arms: ['large'], draws })
    const quality = at(of('quality').scores['large'])
    const reach = 1.96 * Math.sqrt((quality.value * (1 - quality.value)) / 800)
    expect(quality.low).toBeCloseTo(quality.value - reach, 2)
    expect(quality.high).toBeCloseTo(quality.value + reach, 2)
    const cost = at(of('cost-of-pass').scores['large'])
    const closed = costPerSuccess(data.map(({ large }) => ({ cost: large?.usd ?? 0, success: large?.quality === 1 ? 1 : 0 })))
    expect(cost.value).toBeCloseTo(closed.value, 10)
    expect(Math.abs(cost.low / closed.low - 1)).toBeLessThan(0.03)
    expect(Math.abs(cost.high / closed.high - 1)).toBeLessThan(0.03)
  })

  it('hold the truth about as often as they say', () => {
    let held = 0
    for (let seed = 0; seed < 60; seed++) {
      const { low, high } = at(
        scored(random(0.6, 120, seed), {
          arms: ['large'],
          armMetrics: armMetrics.filter(({ id }) => id === 'cost-of-pass'),
          setMetrics: [],
          draws: 120,
          seed,
        }).of('cost-of-pass').scores['large'],
      )
      if (low <= 1 / 0.6 && 1 / 0.6 <= high) held += 1
    }
    // 57 of 60 are expected; below 51 has a chance of 1 in 500.
    expect(held).toBeGreaterThanOrEqual(51)
  })

  it('are not certain where nothing failed, or nothing was right', () => {
    const all = (quality: 0 | 1) =>
      scored(
        Array.from({ length: 5 }, () => ({ large: { quality, usd: 2 } })),
        { arms: ['large'], draws },
      )
    expect(at(all(1).of('quality').scores['large'])).toMatchObject({ value: 1, high: 1 })
    expect(at(all(1).of('quality').scores['large']).low).toBeCloseTo(0.4782, 3)
    expect(at(all(0).of('quality').scores['large']).high).toBeCloseTo(0.5218, 3)
    expect(at(all(0).of('cost-of-pass').scores['large'])).toMatchObject({ value: Infinity, high: Infinity })
    expect(at(all(0).of('cost-of-pass').scores['large']).low).toBeCloseTo(2 / 0.5218, 2)
    expect(at(all(1).of('cost-of-pass').scores['large']).high).toBeCloseTo(2 / 0.4782, 2)
  })

  it('are the same for the same seed, and tell of the front how sure it is', () => {
    // 31 against 30 right of 60, independently: nobody can tell which is better.
    const data = Array.from({ length: 60 }, (_, index) => ({
      large: { quality: index % 2 === 0 || index === 1 ? 1 : 0, usd: 2 },
      small: { quality: index % 4 < 2 ? 1 : 0, usd: 1 },
    }))
    const run = (seed: number) => scored(data, { armMetrics: [], draws, seed }).of('pareto').scores
    expect(run(3)).toEqual(run(3))
    expect(run(3)['small']?.value).toBe(1)
    expect(run(3)['large']?.value).toBeGreaterThan(0.3)
    expect(run(3)['large']?.value).toBeLessThan(0.8)
  })

  it('puts arms that are alike on the front together', () => {
    const data = [{ a: { quality: 1, usd: 1 }, b: { quality: 1, usd: 1 }, c: { quality: 1, usd: 2 } }]
    const front = scored(data, { arms: ['a', 'b', 'c'], armMetrics: [] }).of('pareto').scores
    expect([front['a']?.value, front['b']?.value, front['c']?.value]).toEqual([1, 1, 0])
  })

  it('rest on weights with the mean and variance of a Poisson number', () => {
    const weights = new PoissonWeights(200_000, 4).next(1).slice(1)
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length
    expect(mean).toBeCloseTo(1, 2)
    expect(weights.reduce((sum, weight) => sum + (weight - mean) ** 2, 0) / weights.length).toBeCloseTo(1, 1)
  })
})

describe('RankedGap', () => {
  it('scores rankings on the same requests', () => {
    const gap = new RankedGap(['good', 'none'])
    for (const gain of [1, 0, 0, 0, 1, 0, 0, 0]) gap.add(gain, { good: gain, none: 0 })
    const { apgr, cpt50 } = gap.results(100, 2)
    expect(apgr['good']?.value).toBeCloseTo(0.875, 12)
    expect(cpt50['good']?.value).toBe(1 / 8)
    expect(apgr['good']?.low).toBeLessThanOrEqual(0.875)
    expect(apgr['none']?.value).toBeLessThan(0.875)
    // A request of weight 3 counts as three requests do.
    const [weighed, thrice] = [new RankedGap(['score']), new RankedGap(['score'])]
    for (const [gain, score] of [
      [0, 3],
      [1, 2],
      [1, 1],
    ] as const) {
      weighed.add(gain, { score }, gain === 0 ? 3 : 1)
      for (let time = 0; time < (gain === 0 ? 3 : 1); time++) thrice.add(gain, { score })
    }
    expect(weighed.results(0, 1).apgr['score']?.value).toBeCloseTo((0.5 + 1.5) / 2 / 5, 12)
    expect(weighed.results(0, 1).apgr['score']?.value).toBeCloseTo(thrice.results(0, 1).apgr['score']?.value ?? NaN, 12)
    expect(weighed.results(0, 1).cpt50['score']?.value).toBeCloseTo(4 / 5, 12)
    const nothing = new RankedGap(['good'])
    nothing.add(0, { good: 1 })
    expect(nothing.results(10, 1).apgr).toEqual({})
  })
})

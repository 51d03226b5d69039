import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Request } from '../protocol/index.js'
import { seededRandom, type Random } from '../statistics/index.js'
import { allowedBeyond, createOutputQuantile, LengthHistogram } from './output-quantile.js'

const request = (change: Partial<Request> = {}): Request => ({
  model: 'm',
  messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(300) }] }],
  stream: false,
  paths: {},
  extra: [],
  ...change,
})

/** A normal draw. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}

/** Lengths of answers as they may be: most short, some very long. */
const distributions: Readonly<Record<string, (random: Random) => number>> = {
  'log-normal': (random) => Math.round(Math.exp(5 + 1.3 * normal(random))),
  Pareto: (random) => Math.round(50 / (1 - random.next()) ** (1 / 1.2)),
  geometric: (random) => Math.floor(Math.log(1 - random.next()) / Math.log(1 - 1 / 400)),
  'short answers and reasoning': (random) =>
    Math.round(random.next() < 0.93 ? 20 + 60 * random.next() : Math.exp(8 + 0.8 * normal(random))),
  'always the same': () => 7,
  'yes or no': (random) => (random.next() < 0.5 ? 1 : 2),
  Weibull: (random) => Math.round(200 * (-Math.log(1 - random.next())) ** (1 / 0.5)),
}

describe('the bound', () => {
  it.each(Object.keys(distributions))('covers at least 99 % of further answers: %s', (name) => {
    const draw = distributions[name] as (random: Random) => number
    const trials = 120
    let short = 0
    let coverage = 0
    for (let trial = 0; trial < trials; trial++) {
      const random = seededRandom(1000 + trial)
      const histogram = new LengthHistogram(5_000)
      const seen = 300 + Math.floor(random.next() * 4000)
      for (let index = 0; index < seen; index++) histogram.add(draw(random))
      const bound = histogram.upperBound(0.99, 0.95) ?? NaN
      expect(bound).toBeGreaterThanOrEqual(0)
      let covered = 0
      const heldOut = 4000
      for (let index = 0; index < heldOut; index++) if (draw(random) <= bound) covered++
      coverage += covered / heldOut / trials
      // What is held out varies too: three standard errors of a share of 99 %.
      if (covered / heldOut < 0.99 - 3 * Math.sqrt((0.99 * 0.01) / heldOut)) short++
    }
    expect(coverage).toBeGreaterThanOrEqual(0.99)
    expect(short / trials).toBeLessThanOrEqual(0.05)
  })

  it('is not below the order statistic that it stands for, and less than a sixteenth above it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { minLength: 299, maxLength: 900 }), (lengths) => {
        const histogram = new LengthHistogram(1e12)
        for (const length of lengths) histogram.add(length)
        const sorted = [...lengths].sort((a, b) => b - a)
        const exact = sorted[allowedBeyond(lengths.length, 0.01, 0.05) ?? 0] ?? 0
        const bound = histogram.upperBound(0.99, 0.95) ?? NaN
        expect(bound).toBeGreaterThanOrEqual(exact)
        expect(bound).toBeLessThanOrEqual(Math.max(exact + 1, exact * 1.0625))
      }),
      { numRuns: 60 },
    )
  })

  it('needs 299 answers, of which the longest is the bound', () => {
    const histogram = new LengthHistogram(1e12)
    for (let index = 0; index < 298; index++) histogram.add(index % 10)
    expect(histogram.upperBound(0.99, 0.95)).toBeUndefined()
    histogram.add(16)
    expect(histogram.upperBound(0.99, 0.95)).toBe(16)
  })

  it('follows answers that get longer, and in time those that get shorter', () => {
    const histogram = new LengthHistogram(500)
    for (let index = 0; index < 3000; index++) histogram.add(10)
    expect(histogram.upperBound(0.99, 0.95)).toBe(10)
    for (let index = 0; index < 30; index++) histogram.add(1000)
    expect(histogram.upperBound(0.99, 0.95)).toBeGreaterThanOrEqual(1000)
    for (let index = 0; index < 6000; index++) histogram.add(10)
    expect(histogram.upperBound(0.99, 0.95)).toBe(10)
    expect(histogram.effective).toBeCloseTo(1001, -1)
  })

  it('goes on for as long as there are answers', () => {
    const histogram = new LengthHistogram(20)
    for (let index = 0; index < 50_000; index++) histogram.add(index % 7)
    expect(histogram.effective).toBeGreaterThan(40)
    expect(histogram.upperBound(0.9, 0.95)).toBe(6)
  })
})

describe('allowedBeyond', () => {
  it.each([
    [298, undefined],
    [299, 0],
    [472, 0],
    [473, 1],
    [10_000, 83],
  ])('of %s draws: %s', (count, allowed) => expect(allowedBeyond(count, 0.01, 0.05)).toBe(allowed))

  it('of many draws is nearly their share', () => expect((allowedBeyond(1_000_000, 0.01, 0.05) ?? 0) / 1_000_000).toBeCloseTo(0.01, 3))
})

describe('createOutputQuantile', () => {
  it('tells of the kind, and of the model where the kind is too new', () => {
    const lengths = createOutputQuantile()
    const json = request({ responseFormat: { type: 'json_object' } })
    for (let index = 0; index < 300; index++) lengths.observe('m', request(), 1000)
    for (let index = 0; index < 298; index++) lengths.observe('m', json, 5)
    expect(lengths.most('m', request())).toBeGreaterThanOrEqual(1000)
    expect(lengths.most('m', json)).toBeGreaterThanOrEqual(1000)
    for (let index = 0; index < 2; index++) lengths.observe('m', json, 5)
    expect(lengths.most('m', json)).toBe(5)
    expect(lengths.most('other', request())).toBeUndefined()
  })

  it.each([
    ['tools', request({ tools: [{ type: 'function', name: 'f', parameters: {} }] })],
    ['effort', request({ reasoning: { effort: 'high' } })],
    ['much more input', request({ messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(3000) }] }] })],
  ])('tells requests with %s from others', (_what, other) => {
    const lengths = createOutputQuantile()
    for (let index = 0; index < 320; index++) {
      lengths.observe('m', request(), 3)
      lengths.observe('m', other, 900)
    }
    expect(lengths.most('m', request())).toBe(3)
    expect(lengths.most('m', other)).toBeGreaterThanOrEqual(900)
  })

  it('is not fooled by answers that its own limit cut off', () => {
    const random = seededRandom(7)
    const lengths = createOutputQuantile()
    for (let index = 0; index < 400; index++) lengths.observe('m', request(), Math.round(50 / (1 - random.next())))
    const first = lengths.most('m', request()) ?? NaN
    // Answers are limited to what was learned, again and again: what is learned must not creep down.
    for (let index = 0; index < 8000; index++) {
      const limit = lengths.most('m', request())
      const wanted = Math.round(50 / (1 - random.next()))
      lengths.observe('m', request(), limit === undefined ? wanted : Math.min(limit, wanted), limit)
    }
    expect(lengths.most('m', request()) ?? Infinity).toBeGreaterThanOrEqual(5000)
    expect(first).toBeGreaterThanOrEqual(5000)
  })

  it('claims nothing when too many answers were cut off', () => {
    const lengths = createOutputQuantile()
    for (let index = 0; index < 1000; index++) lengths.observe('m', request(), index % 20 === 0 ? 100 : 50, 100)
    expect(lengths.most('m', request())).toBeUndefined()
  })

  it('learns nothing from limited requests, several choices, or what is no number', () => {
    const lengths = createOutputQuantile()
    for (let index = 0; index < 400; index++) {
      lengths.observe('m', request({ maxOutputTokens: 10 }), 10)
      lengths.observe('m', request({ n: 3 }), 10)
      lengths.observe('m', request(), NaN)
      lengths.observe('m', request(), -1)
    }
    expect(lengths.most('m', request())).toBeUndefined()
  })

  it('remembers so many kinds, those used last', () => {
    const lengths = createOutputQuantile({ kinds: 10 })
    for (let index = 0; index < 300; index++) lengths.observe('kept', request(), 4)
    for (let index = 0; index < 3; index++) lengths.observe(`model ${index}`, request(), 4)
    lengths.observe('kept', request(), 4)
    for (let index = 3; index < 7; index++) lengths.observe(`model ${index}`, request(), 4)
    expect(lengths.most('kept', request())).toBe(4)
    for (let index = 7; index < 12; index++) lengths.observe(`model ${index}`, request(), 4)
    expect(lengths.most('kept', request())).toBeUndefined()
  })

  it.each([{ quantile: 1 }, { confidence: 0 }, { fading: 0 }, { kinds: 1 }, { quantile: NaN }])('refuses %j', (options) =>
    expect(() => createOutputQuantile(options)).toThrow(RangeError),
  )
})

import { describe, expect, it } from 'vitest'
import { normalDraw, seededRandom } from '../../../statistics/index.js'
import { createRunForecaster, forecastRun } from './forecast.js'
import { carriedOver, contextGrowth, totalsOf, type PastRun, type RunStep } from './past-run.js'

const prices = { input: 2, output: 10, cachedInput: 0.5 }

function stepsOf(calls: number, first = 1_000, growth = 100): RunStep[] {
  return Array.from({ length: calls }, (_, at) => ({ inputTokens: first + growth * at, outputTokens: 50 }))
}

/** Tasks of two kinds, short and long, with noise. */
function history(count: number, seed: number): PastRun[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, at) => {
    const long = at % 2 === 0
    const calls = Math.max(1, Math.round((long ? 20 : 5) * Math.exp(0.25 * normalDraw(random))))
    return {
      task: `task ${at}`,
      text: long ? `refactor the module number ${at} and migrate the database schema` : `fix the typo number ${at} in the readme`,
      steps: stepsOf(calls),
    }
  })
}

describe('totals of a run', () => {
  it('by hand', () => {
    expect(
      totalsOf(
        [
          { inputTokens: 1_000, outputTokens: 100, cachedTokens: 400 },
          { inputTokens: 2_000, outputTokens: 0 },
        ],
        prices,
      ),
    ).toEqual({
      steps: 2,
      inputTokens: 3_000,
      outputTokens: 100,
      usd: expect.closeTo((600 * 2 + 400 * 0.5 + 100 * 10 + 2_000 * 2) / 1e6, 12) as number,
    })
    expect(contextGrowth(stepsOf(7))).toBeCloseTo(100)
    expect(contextGrowth(stepsOf(1))).toBe(0)
  })

  it('a larger first call is read again by every call', () => {
    const run = { task: 't', text: 't', steps: stepsOf(4) }
    expect(totalsOf(carriedOver(run, [], 1_500), prices).inputTokens).toBe(totalsOf(run.steps, prices).inputTokens + 4 * 500)
    const done = stepsOf(2, 3_000)
    expect(carriedOver(run, done, undefined).map(({ inputTokens }) => inputTokens)).toEqual([3_000, 3_100, 3_200, 3_300])
  })
})

describe('forecasts of a run', () => {
  it('tell short tasks from long ones by their words', () => {
    const past = history(80, 1)
    const long = forecastRun(past, { text: 'refactor the module for payments and migrate the database schema' }, prices)
    const short = forecastRun(past, { text: 'fix the typo in the readme of payments' }, prices)
    expect(long.steps.median).toBeGreaterThan(14)
    expect(short.steps.median).toBeLessThan(8)
    expect(long.usd.low).toBeLessThan(long.usd.median)
    expect(long.usd.median).toBeLessThanOrEqual(long.usd.p90)
    expect(long.growth).toBeCloseTo(100)
    expect(long.seen).toBe(false)
    expect(forecastRun(past, { text: past[0]?.text ?? '' }, prices).seen).toBe(true)
  })

  it('cover new runs as promised', () => {
    let [inside, all] = [0, 0]
    for (let seed = 1; seed <= 4; seed++) {
      const forecaster = createRunForecaster(history(60, seed), prices, { level: 0.9 })
      for (const run of history(40, 100 + seed)) {
        const { low, high } = forecaster.forecast({ text: `new ${run.text}` }).inputTokens
        const { inputTokens } = totalsOf(run.steps, prices)
        if (low <= inputTokens && inputTokens <= high) inside += 1
        all += 1
      }
    }
    expect(inside / all).toBeGreaterThan(0.84)
    expect(inside / all).toBeLessThan(0.98)
  })

  it('know what was done already', () => {
    const past = history(80, 2)
    const done = stepsOf(12)
    const forecast = forecastRun(past, { text: 'refactor the module again' }, prices, done)
    expect(forecast.steps.low).toBeGreaterThanOrEqual(12)
    expect(forecast.inputTokens.low).toBeGreaterThanOrEqual(totalsOf(done, prices).inputTokens)
    expect(forecast.runs).toBeLessThan(80)
  })

  it('without texts weigh all runs alike', () => {
    const past = history(30, 3).map((run) => ({ ...run, text: '' }))
    const forecast = forecastRun(past, { text: '' }, prices)
    expect(forecast.seen).toBe(false)
    expect(forecast.alike).toBeCloseTo(30)
  })

  it('refuse too few runs and impossible tokens', () => {
    expect(() => forecastRun(history(7, 1), { text: 'x' }, prices)).toThrow(/at least 8/)
    expect(() => forecastRun(history(20, 1), { text: 'x' }, prices, stepsOf(500))).toThrow(/went on after call 500/)
    expect(() =>
      forecastRun([...history(20, 1), { task: 't', text: 't', steps: [{ inputTokens: -1, outputTokens: 1 }] }], { text: 'x' }, prices),
    ).toThrow(expect.objectContaining({ path: 'runs[20].steps[0].inputTokens' }))
    expect(() =>
      forecastRun([{ task: 't', text: 't', steps: [{ inputTokens: 1, outputTokens: 1, cachedTokens: 5 }] }], { text: 'x' }, prices),
    ).toThrow(/more than the 1/)
  })
})

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/statistics/index.js'
import { growth, tQuantile } from '../../bench/gateway/trend.js'
import { medianDifference, summarize, verdicts } from '../../bench/gateway/summary.js'
import type { Run } from '../../bench/gateway/load.js'
import { median, table } from '../../bench/report.js'

const run = (over: Partial<Run>): Run => ({
  round: 0,
  mode: 'json',
  concurrency: 1,
  target: 'bursar',
  requestsPerSecond: 100,
  p50Ms: 1,
  p99Ms: 2,
  cpuMsPerRequest: 0.1,
  peakRssMb: 90,
  errors: 0,
  ...over,
})

describe('summaries of load runs', () => {
  it('take ratios within a round, so that a slow round spoils nothing', () => {
    const runs = [1, 10, 3].flatMap((speed, round) => [
      run({ round, target: 'direct', requestsPerSecond: 1_000 * speed, p50Ms: 1 / speed }),
      run({ round, target: 'bursar', requestsPerSecond: 500 * speed, p50Ms: 1 / speed + 0.25 }),
      run({ round, target: 'portkey', requestsPerSecond: 50 * speed }),
    ])
    const ours = summarize(runs).find((row) => row.target === 'bursar')
    expect(ours?.ofDirect).toBe(0.5)
    expect(ours?.ofPortkey).toBe(10)
    expect(ours?.addedP50Ms).toBeCloseTo(0.25, 9)
    expect(ours?.ofFloor).toBeUndefined()
    expect(ours?.requestsPerSecond).toBe(1_500)
  })

  it('judge the worst load, and call what was not measured not measured', () => {
    const rows = summarize([
      run({ cpuMsPerRequest: 0.1 }),
      run({ concurrency: 256, cpuMsPerRequest: 0.2, peakRssMb: 149 }),
      run({ mode: 'sse', cpuMsPerRequest: 0.3 }),
    ])
    const all = new Map(verdicts(rows, { value: 0.5, low: 0.2, high: 1.2, n: 9, method: '' }).map((one) => [one.target, one.met]))
    expect(all.get('CPU per JSON request')).toBe(false)
    expect(all.get('CPU per 50-chunk stream')).toBe(true)
    expect(all.get("requests/s of Portkey's")).toBeUndefined()
    expect(all.get('added time to first token')).toBe(false)
    expect(all.get('memory at concurrency 256')).toBe(true)
    expect(verdicts([], undefined).every((one) => one.met === undefined)).toBe(true)
  })
})

describe('intervals', () => {
  it('of a median of differences cover the truth about 95 times of 100', () => {
    const random = seededRandom(7)
    let covered = 0
    for (let trial = 0; trial < 1_000; trial++) {
      const base = Array.from({ length: 41 }, () => random.next() * 10)
      const noise = Array.from({ length: 41 }, () => Math.log(1 / (1 - random.next())))
      const { low, high } = medianDifference(
        base.map((value, index) => value + (noise[index] ?? 0)),
        base,
      )
      if (low <= Math.LN2 && Math.LN2 <= high) covered++
    }
    expect(covered).toBeGreaterThan(930)
    expect(covered).toBeLessThan(990)
  })

  it('of few differences are honest about it', () => {
    expect(medianDifference([1, 2, 3], [0, 0, 0])).toMatchObject({ value: 2, low: -Infinity, high: Infinity, n: 3 })
  })

  it('use the right t quantiles', () => {
    for (const [freedom, exact] of [
      [1, 12.7062],
      [2, 4.3027],
      [4, 2.7764],
      [10, 2.2281],
      [30, 2.0423],
      [120, 1.9799],
    ] as const)
      expect(tQuantile(freedom)).toBeCloseTo(exact, 2)
  })

  it('of growth cover the truth about 95 times of 100, and see through a saw-tooth', () => {
    const random = seededRandom(11)
    let covered = 0
    for (let trial = 0; trial < 400; trial++) {
      const readings = Array.from({ length: 300 }, (_, seconds) => ({
        seconds,
        value: 50 + 0.01 * seconds + random.next() + random.next() - 1,
      }))
      const { low, high } = growth(readings, 10, 600, 'middle')
      if (low <= 6 && 6 <= high) covered++
    }
    expect(covered).toBeGreaterThan(360)
    const sawTooth = Array.from({ length: 600 }, (_, seconds) => ({ seconds, value: 40 + (seconds % 9) * 5 }))
    expect(Math.abs(growth(sawTooth, 10, 600, 'lowest').value)).toBeLessThan(1e-9)
    expect(growth(sawTooth.slice(0, 15), 10, 600, 'lowest').high).toBe(Infinity)
  })
})

it('tables line up and the middle is the middle', () => {
  expect(
    table(
      ['a', { title: 'n', align: 'right' }],
      [
        ['é', 10],
        ['long', 1],
      ],
    ),
  ).toBe('| a    |   n |\n|------|----:|\n| é    |  10 |\n| long |   1 |')
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
})

import { describe, expect, it } from 'vitest'
import { childRandom, normalDraw } from '../../statistics/index.js'
import { memoryCells } from '../trials/cells.js'
import type { Evaluated } from '../trials/evaluate.js'
import { simulatedModel, simulatedSuite, simulatedWorld } from '../trials/fixtures/simulated-world.js'
import { mergedRows, outcomeRows } from '../trials/outcomes.js'
import { aegis, latinHypercube, randomSearch } from './aegis.js'
import { cholesky, logDeterminant, solve } from './cholesky.js'
import { GaussianProcess } from './gaussian-process.js'
import { readSpace } from './space.js'
import { tune } from './tune.js'

it('a Cholesky factor solves and gives the determinant', () => {
  const lower = cholesky(Float64Array.from([4, 2, 2, 3]), 2)
  if (!lower) throw new Error('is positive definite')
  expect(logDeterminant(lower, 2)).toBeCloseTo(Math.log(8))
  const [x = 0, y = 0] = solve(lower, 2, [8, 8])
  expect([4 * x + 2 * y, 2 * x + 3 * y].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([8, 8])
  expect(cholesky(Float64Array.from([1, 2, 2, 1]), 2)).toBeUndefined()
})

describe('a Gaussian process', () => {
  const points = Array.from({ length: 12 }, (_, index) => [index / 11])
  const values = points.map(([x = 0]) => Math.sin(6 * x))
  const process = GaussianProcess.fit(points, values, undefined, 8)

  it('passes by the data, and is sure there and unsure beyond', () => {
    expect(process.mean([0.5])).toBeCloseTo(Math.sin(3), 1)
    expect(process.variance([0.5])).toBeLessThan(process.variance([1.6]))
  })

  it('has paths of its mean and variance', () => {
    const random = childRandom(1, 'paths')
    const at = [1.3]
    const drawn = Array.from({ length: 80 }, () => process.samplePath(random)(at))
    const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length
    const variance = drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / drawn.length
    // Five standard errors.
    expect(Math.abs(mean - process.mean(at))).toBeLessThan(5 * Math.sqrt(process.variance(at) / 80))
    expect(variance / process.variance(at)).toBeGreaterThan(0.5)
    expect(variance / process.variance(at)).toBeLessThan(1.7)
  })
})

it('a Latin hypercube has one point in each strip', () => {
  const points = latinHypercube(7, 3, childRandom(1, 'lhs'))
  for (const side of [0, 1, 2]) expect(points.map((point) => Math.floor((point[side] ?? 0) * 7)).sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
})

it('AEGiS comes closer to the least of a noisy bowl than chance', () => {
  const regret = (make: typeof aegis | typeof randomSearch, seed: number) => {
    const random = childRandom(seed, 'noise')
    const optimiser = make({ dimensions: 2, workers: 2, random: childRandom(seed, 'optimiser') })
    let least = Infinity
    for (let turn = 0; turn < 30; turn++) {
      const point = optimiser.ask()
      const [x = 0, y = 0] = point
      const value = (x - 0.3) ** 2 + (y - 0.7) ** 2
      optimiser.tell(point, value + 0.001 * normalDraw(random))
      least = Math.min(least, value)
    }
    return least
  }
  const seeds = [1, 2]
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  expect(sum(seeds.map((seed) => regret(aegis, seed)))).toBeLessThan(sum(seeds.map((seed) => regret(randomSearch, seed))) / 3)
})

describe('a space of settings', () => {
  it('is read, and points of the cube are settings', () => {
    const space = readSpace({
      temperature: { from: 0, to: 2 },
      samples: { from: 1, to: 8, whole: true },
      rate: { from: 0.01, to: 1, scale: 'log' },
      effort: ['low', 'high'],
    })
    expect(space.dimensions).toBe(5)
    expect(space.at([0.5, 1, 0.5, 0.2, 0.7])).toEqual({ temperature: 1, samples: 8, rate: 0.1, effort: 'high' })
  })

  it.each([
    [[], 'settings'],
    [{}, 'settings'],
    [{ a: { from: 2, to: 1 } }, 'settings.a'],
    [{ a: ['one'] }, 'settings.a'],
    [{ a: { from: 0, to: 1, scale: 'log' } }, 'settings.a.from'],
  ])('refuses %j at %s', (value, path) => expect(() => readSpace(value)).toThrow(expect.objectContaining({ path }) as Error))
})

it('tuning finds the better setting and checks it on items that it never saw', async () => {
  const never = new AbortController().signal
  const world = simulatedWorld({ model: (request) => simulatedModel(0.9 - 0.8 * (request.temperature ?? 1)) })
  const suite = { ...simulatedSuite(['model'], 45), settings: { temperature: { from: 0.01, to: 1 } } }
  const ended: Evaluated[] = []
  const { trials, check, tunedOn } = await tune(suite, {
    onEvaluated: (one) => ended.push(one),
    world,
    cells: memoryCells(),
    trials: 8,
    lambda: 0,
    workers: 2,
    parallel: 8,
    seed: 1,
    stop: never,
    signal: never,
  })
  expect([trials.length, tunedOn, check.cells.of]).toEqual([8, 30, 30])
  expect(trials[0]?.settings['temperature']).toBeLessThan(0.4)
  expect(check.leader).toContain('temperature=')
  // Every answer can be exported: an item for tuning with all settings tried, one of the check with both methods.
  const tried = new Set(trials.map(({ settings }) => settings['temperature'])).size
  const rows = mergedRows(ended.flatMap(({ suite: about, score }) => [...outcomeRows(about, score)]))
  expect(rows.map(({ outcomes }) => Object.keys(outcomes).length).sort((a, b) => a - b)).toEqual([
    ...Array.from({ length: 15 }, () => 2),
    ...Array.from({ length: 30 }, () => tried),
  ])
})

import { describe, expect, it } from 'vitest'
import { InvalidRequest } from '../errors/index.js'
import { usd } from '../quantities/index.js'
import {
  isAllowedModel,
  mergeObjectives,
  namedObjectives,
  objectiveFromHeaders,
  objectiveOfModelName,
  openRouterWishes,
  parseObjective,
} from './index.js'

const pathOf = (read: () => unknown): string | undefined => {
  try {
    read()
  } catch (thrown) {
    return thrown instanceof InvalidRequest ? thrown.path : `not an InvalidRequest: ${String(thrown)}`
  }
  return 'nothing was thrown'
}

describe('objectives of callers', () => {
  it('are read from a body', () => {
    expect(parseObjective({ objective: 'cheap', max_cost: '0.0021', max_latency: 4, explore: false }, 'bursar')).toEqual({
      ...namedObjectives.cheap,
      maxUsd: usd('0.0021'),
      maxSeconds: 4,
      explore: false,
    })
    expect(parseObjective({ lambda: 'inf', quality_floor: 0.95, max_joules: 10, effort: 0.3, private: true }, 'bursar')).toEqual({
      lambda: Infinity,
      qualityFloor: 0.95,
      maxJoules: 10,
      effort: 0.3,
      private: true,
    })
    expect([parseObjective(undefined, 'bursar'), parseObjective(null, 'bursar'), parseObjective({}, 'bursar')]).toEqual([{}, {}, {}])
    expect(parseObjective({ max_cost: 0.1 + 0.2 }, 'bursar').maxUsd).toBe(usd('0.300000000001'))
  })

  it("are refused with the field's path", () => {
    const cases: readonly [unknown, string][] = [
      ['cheap', 'bursar'],
      [[1], 'bursar'],
      [{ objective: 'none' }, 'bursar.objective'],
      [{ objective: '__proto__' }, 'bursar.objective'],
      [{ objective: 3 }, 'bursar.objective'],
      [{ lamda: 1 }, 'bursar.lamda'],
      [{ lambda: -1 }, 'bursar.lambda'],
      [{ lambda: NaN }, 'bursar.lambda'],
      [{ quality_floor: 1.1 }, 'bursar.quality_floor'],
      [{ quality_floor: '' }, 'bursar.quality_floor'],
      [{ max_cost: -0.1 }, 'bursar.max_cost'],
      [{ max_cost: 'much' }, 'bursar.max_cost'],
      [{ max_cost: {} }, 'bursar.max_cost'],
      [{ max_cost: 1e300 }, 'bursar.max_cost'],
      [{ max_latency: 0 }, 'bursar.max_latency'],
      [{ effort: 0 }, 'bursar.effort'],
      [{ effort: 1.5 }, 'bursar.effort'],
      [{ explore: 'maybe' }, 'bursar.explore'],
    ]
    for (const [value, path] of cases) expect(pathOf(() => parseObjective(value, 'bursar'))).toBe(path)
  })

  it('are read from headers, whose names are the paths', () => {
    const headers = (values: Readonly<Record<string, string>>) => objectiveFromHeaders((name) => values[name])
    expect(headers({ 'x-bursar-objective': 'best', 'x-bursar-max-cost': '$0.05', 'x-bursar-explore': 'off' })).toEqual({
      ...namedObjectives.best,
      maxUsd: usd(0.05),
      explore: false,
    })
    expect(headers({ 'x-bursar-lambda': '0.2', 'x-bursar-quality-floor': '.9' })).toEqual({ lambda: 0.2, qualityFloor: 0.9 })
    expect(headers({})).toEqual({})
    for (const [name, value] of [
      ['x-bursar-lambda', 'lots'],
      ['x-bursar-objective', 'odd'],
      ['x-bursar-effort', '2'],
      ['x-bursar-max-latency', '0x10'],
    ])
      expect(pathOf(() => headers({ [name ?? '']: value ?? '' }))).toBe(name)
  })

  it('are named by models', () => {
    expect([
      objectiveOfModelName('auto'),
      objectiveOfModelName('auto:best'),
      objectiveOfModelName('gpt-5'),
      objectiveOfModelName('automatic'),
    ]).toEqual([{}, namedObjectives.best, undefined, undefined])
    expect(pathOf(() => objectiveOfModelName('auto:odd'))).toBe('model')
  })

  it('are narrowed, never widened, by what comes later', () => {
    const operator = { lambda: 5, maxUsd: usd(1), qualityFloor: 0.9, explore: false, private: true, maxPrice: { input: 3 } }
    expect(
      mergeObjectives(operator, {
        relativeLambda: 4,
        maxUsd: usd(2),
        qualityFloor: 0.5,
        explore: true,
        private: false,
        maxPrice: { input: 5, output: 9 },
      }),
    ).toEqual({
      relativeLambda: 4,
      maxUsd: usd(1),
      qualityFloor: 0.9,
      explore: false,
      private: true,
      maxPrice: { input: 3, output: 9 },
    })
    expect(mergeObjectives(operator, { maxUsd: usd(0.5), effort: 0.2 })).toEqual({
      effort: 0.2,
      maxUsd: usd(0.5),
      qualityFloor: 0.9,
      explore: false,
      private: true,
      maxPrice: { input: 3 },
    })
    expect(mergeObjectives()).toEqual({})
  })
})

describe("OpenRouter's fields", () => {
  it('mean what its documentation says', () => {
    expect(openRouterWishes({})).toEqual({ objective: {}, models: [], allowedModels: [] })
    expect(openRouterWishes({ models: ['a/b', 'c/d'], provider: { sort: 'price', order: ['x'] } })).toEqual({
      objective: { lambda: 0 },
      models: ['a/b', 'c/d'],
      allowedModels: [],
    })
    for (const sort of ['latency', 'throughput', { by: 'latency', partition: 'none' }])
      expect(openRouterWishes({ provider: { sort } }).objective).toMatchObject({ lambda: 0, usdPerSecond: expect.any(Number) as unknown })
    expect(openRouterWishes({ provider: { sort: 'exacto', max_price: { prompt: '1.5', completion: 2 } } }).objective).toEqual({
      maxPrice: { input: 1.5, output: 2 },
    })
    const dial = (cost_quality_tradeoff?: number) =>
      openRouterWishes({ plugins: [{ id: 'web' }, { id: 'auto-router', cost_quality_tradeoff, allowed_models: ['anthropic/*'] }] })
    expect(dial(0)).toEqual({ objective: { lambda: Infinity }, models: [], allowedModels: ['anthropic/*'] })
    expect(dial(10).objective).toEqual({ relativeLambda: 0 })
    expect(dial(5).objective.relativeLambda).toBeCloseTo(20, 9)
    expect(dial().objective).toEqual(dial(7).objective)
    expect(openRouterWishes({ plugins: [{ id: 'auto-router', enabled: false, cost_quality_tradeoff: 3 }] }).objective).toEqual({})
    const lambdas = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((tradeoff) => dial(tradeoff).objective.relativeLambda ?? NaN)
    expect(lambdas).toEqual([...lambdas].sort((a, b) => b - a))
  })

  it("are refused with the field's path", () => {
    const cases: readonly [Parameters<typeof openRouterWishes>[0], string][] = [
      [{ models: 'a' }, 'models'],
      [{ models: [1] }, 'models[0]'],
      [{ models: ['a', ''] }, 'models[1]'],
      [{ provider: 'x' }, 'provider'],
      [{ provider: { sort: 3 } }, 'provider.sort'],
      [{ provider: { sort: { by: 3 } } }, 'provider.sort.by'],
      [{ provider: { max_price: 1 } }, 'provider.max_price'],
      [{ provider: { max_price: { prompt: 'x' } } }, 'provider.max_price.prompt'],
      [{ provider: { max_price: { completion: -1 } } }, 'provider.max_price.completion'],
      [{ provider: { max_price: { image: 1 } } }, 'provider.max_price.image'],
      [{ plugins: {} }, 'plugins'],
      [{ plugins: [{ id: 'auto-router', cost_quality_tradeoff: 11 }] }, 'plugins[0].cost_quality_tradeoff'],
      [{ plugins: [null, { id: 'auto-router', cost_quality_tradeoff: 1.5 }] }, 'plugins[1].cost_quality_tradeoff'],
      [{ plugins: [{ id: 'auto-router', allowed_models: ['a', 2] }] }, 'plugins[0].allowed_models[1]'],
    ]
    for (const [fields, path] of cases) expect(pathOf(() => openRouterWishes(fields))).toBe(path)
  })

  it('match models by patterns, quickly', () => {
    expect(isAllowedModel('anthropic/x', [])).toBe(true)
    expect(['anthropic/*', '*', '*x', 'anth*/x', 'anthropic/x', '*/*'].map((pattern) => isAllowedModel('anthropic/x', [pattern]))).toEqual([
      true,
      true,
      true,
      true,
      true,
      true,
    ])
    expect(
      ['openai/*', 'anthropic', 'anthropic/x*y', 'anthropic/x/*', ''].map((pattern) => isAllowedModel('anthropic/x', [pattern])),
    ).toEqual([false, false, false, false, false])
    expect(isAllowedModel('aa', ['aa*a'])).toBe(false)
    expect(isAllowedModel('a'.repeat(5000), [`${'*a'.repeat(2000)}*b`])).toBe(false)
  })
})

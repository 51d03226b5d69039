import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import {
  e3,
  informationCapacity,
  intelligencePerJoule,
  intelligencePerWatt,
  localCoverage,
  lossFromCapacity,
  requestLevelEfficiency,
  threeE,
  tokenElasticity,
  toolCallReward,
  toolProductivity,
  tpme,
} from './efficiency.js'

describe('efficiency metrics, by hand', () => {
  it('E³ and the elasticity of tokens', () => {
    expect(e3({ accuracy: 0.8, tokens: 400 })).toBeCloseTo(0.0016, 12)
    expect(e3({ accuracy: 0.8, tokens: 0 })).toBeNull()
    expect(tokenElasticity({ accuracy: 0.75, tokens: 150 }, { accuracy: 0.5, tokens: 100 })).toBeCloseTo(1, 12)
    expect(tokenElasticity({ accuracy: 0.55, tokens: 200 }, { accuracy: 0.5, tokens: 100 })).toBeCloseTo(0.1, 12)
    expect(tokenElasticity({ accuracy: 0.5, tokens: 100 }, { accuracy: 0.5, tokens: 100 })).toBeNull()
    expect(tokenElasticity({ accuracy: 0.5, tokens: 200 }, { accuracy: 0, tokens: 100 })).toBeNull()
  })

  it('3E', () => {
    expect(threeE({ accuracy: 0.9, tokens: 50, seconds: 2, elsewhere: 0.8 }, { accuracy: 0.8, tokens: 100, seconds: 8 })).toMatchObject({
      effectiveness: 0.9,
      tokenRatio: 0.5,
      timeRatio: 0.25,
    })
    expect(threeE({ accuracy: 0.9, tokens: 50, seconds: 2, elsewhere: 0.8 }, { accuracy: 0.8, tokens: 0, seconds: 0 })).toMatchObject({
      tokenRatio: null,
      timeRatio: null,
    })
    expect(threeE({ accuracy: 0.9, tokens: 50, seconds: 2 }, { accuracy: 0.8, tokens: 1, seconds: 1 }).extensibility).toBeNull()
  })

  it('tool calls', () => {
    expect(toolProductivity(42, 580)).toBeCloseTo(0.0724, 4)
    expect(toolProductivity(3, 0)).toBeNull()
    expect(toolCallReward(0, 0, true)).toBe(1)
    expect(toolCallReward(2, 2, true)).toBeCloseTo(1, 12)
    expect(toolCallReward(0, 3, true)).toBe(0)
    expect(toolCallReward(5, 2, false)).toBe(0)
    // More calls than were needed never earn more.
    for (let n = 0; n < 5; n++)
      for (let m = n; m < 20; m++) expect(toolCallReward(m + 1, n, true)).toBeLessThanOrEqual(toolCallReward(m, n, true) + 1e-12)
    expect(() => toolCallReward(-1, 0, true)).toThrow(RangeError)
  })

  it('watts, joules, coverage and requests', () => {
    expect(intelligencePerWatt(0.5, 250)).toBe(0.002)
    expect(intelligencePerJoule(0.5, 0)).toBeNull()
    expect(
      localCoverage([
        { local: [0, 1], frontier: 1 },
        { local: [0, 0], frontier: 1 },
        { local: [0], frontier: 0 },
        { local: [], frontier: 0 },
      ]),
    ).toBe(0.5)
    expect(localCoverage([])).toBeNull()
    expect(requestLevelEfficiency(10_000, 2_000)).toBe(5)
  })

  it('TPME scales each component over the runs', () => {
    const runs = [
      { seconds: 443, trainableParameters: 100, memoryBytes: 47 },
      { seconds: 22, trainableParameters: 10, memoryBytes: 3 },
      { seconds: 443, trainableParameters: 10, memoryBytes: 3 },
    ]
    const [full, small, slow] = tpme(runs)
    expect(full).toBeCloseTo(1, 12)
    expect(small).toBe(0)
    expect(slow).toBeCloseTo(0.45, 12)
    expect(tpme([runs[0] as (typeof runs)[0]])).toEqual([0])
  })

  it('information capacity and back again', () => {
    const random = childRandom(1, 'capacity')
    for (let index = 0; index < 50; index++) {
      const known = { textBits: 20 + random.next(), flops: 1e9 + random.next() * 1e11, bias: -24 }
      const lossBits = 2 + random.next()
      const capacity = informationCapacity({ ...known, lossBits })
      expect(lossFromCapacity(capacity ?? NaN, known)).toBeCloseTo(lossBits, 9)
    }
    expect(informationCapacity({ textBits: 1, lossBits: 1, flops: 0, bias: 0 })).toBeNull()
  })

  it.each([NaN, Infinity])('refuse %s', (value) => {
    expect(() => e3({ accuracy: value, tokens: 1 })).toThrow(RangeError)
    expect(() => tokenElasticity({ accuracy: 1, tokens: value }, { accuracy: 1, tokens: 1 })).toThrow(RangeError)
    expect(() => tpme([{ seconds: value, trainableParameters: 1, memoryBytes: 1 }])).toThrow(RangeError)
  })
})

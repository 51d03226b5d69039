import { describe, expect, it } from 'vitest'
import { frontRecovery, learnConfigurations, recommendConfiguration, type MeasuredConfiguration } from './forecast.js'

const rows = [2, 4, 8, 16, 32, 64].flatMap((params) =>
  ['A100', 'H100'].flatMap((gpu) =>
    [8, 64].map((batch): MeasuredConfiguration => ({
      name: `${params}/${gpu}/${batch}`,
      features: { params, gpu, batch },
      quality: 10 * Math.log(params),
      joules: (20 * params * (gpu === 'A100' ? 1.7 : 1)) / batch ** 0.6,
    })),
  ),
)

describe('configurations', () => {
  it('are forecast from measured ones', () => {
    const held = rows.filter(({ features }) => features['params'] === 16)
    const predict = learnConfigurations(
      rows.filter(({ features }) => features['params'] !== 16),
      { penalty: 0.01 },
    )
    for (const row of held) {
      expect(Math.abs(Math.log(predict({ name: row.name, features: row.features }).joules / row.joules))).toBeLessThan(0.1)
      expect(predict({ name: row.name, features: row.features }).quality).toBeCloseTo(row.quality, 0)
      expect(predict({ ...row, quality: 7 }).quality).toBe(7)
    }
  })

  it('a device that nobody measured and a missing feature count as average', () => {
    const predict = learnConfigurations(rows)
    const { joules } = predict({ name: 'new', features: { params: 16, gpu: 'TPU', batch: 8 } })
    expect(joules).toBeGreaterThan(predict({ name: 'h', features: { params: 16, gpu: 'H100', batch: 8 } }).joules * 0.5)
    expect(predict({ name: 'bare', features: {} }).joules).toBeGreaterThan(0)
  })

  it('are recommended from the front by what they weigh', () => {
    const forecasts = [
      { name: 'a', quality: 50, joules: 1 },
      { name: 'b', quality: 80, joules: 10 },
      { name: 'c', quality: 90, joules: 1_000 },
      { name: 'beaten', quality: 60, joules: 20 },
    ]
    expect(recommendConfiguration(forecasts, { quality: 0.5 }).front.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect([0, 0.5, 1].map((quality) => recommendConfiguration(forecasts, { quality }).chosen.name)).toEqual(['a', 'b', 'c'])
    expect(recommendConfiguration(forecasts, { quality: 0 }, 85).chosen.name).toBe('c')
    expect(() => recommendConfiguration(forecasts, { quality: 0 }, 95)).toThrow(/quality of 95/)
  })

  it('recover the front wholly when they are right, less when wrong', () => {
    const actual = [
      { name: 'a', quality: 1, joules: 1 },
      { name: 'b', quality: 2, joules: Math.E },
      { name: 'c', quality: 0, joules: Math.E ** 2 },
    ]
    expect(frontRecovery(actual, actual)).toBe(1)
    const wrong = [
      { name: 'a', quality: 1, joules: 9 },
      { name: 'b', quality: 2, joules: 3 },
      { name: 'c', quality: 0, joules: 1 },
    ]
    // Picks b (and c, at the reference): (2 − 1)·2 of (1·1 + 1·2).
    expect(frontRecovery(wrong, actual)).toBeCloseTo(2 / 3)
  })

  it('need four rows with joules', () => {
    expect(() => learnConfigurations(rows.slice(0, 3))).toThrow(expect.objectContaining({ path: 'measured' }))
    expect(() => learnConfigurations([...rows, { ...(rows[0] ?? { name: '', features: {}, quality: 1, joules: 1 }), joules: 0 }])).toThrow(
      /above 0/,
    )
  })
})

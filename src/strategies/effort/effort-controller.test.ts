import { describe, expect, it } from 'vitest'
import { efforts } from '../../protocol/index.js'
import { normalDraw, seededRandom } from '../../statistics/index.js'
import { createFeatures } from '../thinking/fixtures/plain-features.js'
import {
  createEffortController,
  createEffortCurves,
  createOutputLengths,
  loadEffortController,
  loadEffortCurves,
  loadOutputLengths,
  type EffortTarget,
} from './index.js'

const features = createFeatures({ category: 'math' })
const prompt: EffortTarget = { arm: 'm', takes: 'none' }

function trained(tokens = 400) {
  const controller = createEffortController()
  const resolved = controller.resolve(1, features, prompt)
  for (let index = 0; index < 20; index++) controller.observe(features, prompt, { resolved, outputTokens: tokens })
  return controller
}

describe('output lengths', () => {
  it('knows mean and median, and draws what is rare to what is common', () => {
    const lengths = createOutputLengths()
    for (let index = 0; index < 50; index++) lengths.observe('m', createFeatures({ category: 'a', level: 1 }), 100)
    for (let index = 0; index < 50; index++) lengths.observe('m', createFeatures({ category: 'b', level: 1 }), 900)
    const known = lengths.expected('m', createFeatures({ category: 'a', level: 1 }))
    expect(known?.mean).toBeCloseTo(100 + (500 - 100) * (5 / 55) ** 2, 0)
    expect(known?.median).toBeGreaterThan(90)
    expect(known?.median).toBeLessThan(180)
    expect(lengths.expected('m', createFeatures({ category: 'new' }))?.mean).toBeCloseTo(
      lengths.expected('m', createFeatures())?.mean ?? NaN,
    )
    expect(lengths.expected('m', createFeatures())?.mean).toBeGreaterThan(480)
    expect(lengths.expected('other', createFeatures())).toBeUndefined()
  })

  it('follows what changes, stays bounded, and is the same after a load', () => {
    const lengths = createOutputLengths({ kinds: 6, fading: 20 })
    for (let index = 0; index < 200; index++) lengths.observe('m', features, 1000)
    for (let index = 0; index < 200; index++) lengths.observe('m', features, 10)
    expect(lengths.expected('m', features)?.mean).toBeLessThan(12)
    for (let arm = 0; arm < 50; arm++) lengths.observe(`x${arm}`, features, 5)
    expect(lengths.expected('m', features)).toBeUndefined()
    const again = loadOutputLengths(lengths.serialize())
    expect(again.expected('x49', features)).toEqual(lengths.expected('x49', features))
    expect(again.serialize()).toEqual(lengths.serialize())
  })

  it.each([NaN, Infinity, -1])('learns nothing from %d tokens', (tokens) => {
    const lengths = createOutputLengths()
    expect(() => lengths.observe('m', features, tokens)).toThrow(RangeError)
    expect(lengths.answers('m')).toBe(0)
  })
})

describe('effort', () => {
  it.each([0, -1, 1.01, NaN, Infinity])('%d is refused with its path', (effort) => {
    expect(() => createEffortController().resolve(effort, features, prompt)).toThrow(
      expect.objectContaining({ code: 'invalid_request', path: 'effort' }),
    )
  })

  it('is unknown in tokens before the arm is known, and r·T̂ with a hard cap of twice that after', () => {
    expect(createEffortController().resolve(0.5, features, prompt)).toMatchObject({ softTokens: null, hardTokens: null })
    expect(trained().resolve(0.5, features, prompt)).toMatchObject({ softTokens: 200, hardTokens: 400, samples: 1 })
    expect(trained().resolve(1, features, prompt)).toMatchObject({ softTokens: null, samples: 5 })
    expect(trained().resolve(0.9, features, prompt).samples).toBe(3)
    expect(trained().resolve(0.3, features, prompt).style).toBe('chain_of_draft')
  })

  it('more effort is never fewer tokens, a lower level or fewer samples, whatever was learned', () => {
    const random = seededRandom(4)
    for (let round = 0; round < 12; round++) {
      const controller = trained(50 + random.next() * 1000)
      const target: EffortTarget = { arm: 'm', takes: 'effort', efforts: efforts.filter(() => random.next() < 0.7) }
      for (let index = 0; index < 100; index++) {
        const resolved = controller.resolve(0.05 + 0.95 * random.next(), features, prompt)
        controller.observe(features, prompt, { resolved, outputTokens: random.next() * 800 })
        controller.observe(features, target, {
          resolved: controller.resolve(random.next() || 1, features, target),
          outputTokens: random.next() * 9000,
        })
      }
      let [tokens, level, samples] = [0, -1, 0]
      for (let r = 0.02; r < 0.999; r += 0.02) {
        const now = controller.resolve(r, features, prompt)
        const named = controller.resolve(r, features, target).providerEffort
        expect(now.softTokens).toBeGreaterThanOrEqual(tokens)
        expect(now.samples).toBeGreaterThanOrEqual(samples)
        if (named !== undefined) expect(efforts.indexOf(named)).toBeGreaterThanOrEqual(level)
        ;[tokens, level, samples] = [now.softTokens ?? 0, named === undefined ? -1 : efforts.indexOf(named), now.samples]
      }
    }
  })

  it('asks less of a model that overshoots, so that r is what comes', () => {
    const controller = trained(400)
    const random = seededRandom(7)
    const writes = (soft: number) => 400 * Math.min(1.2, 0.15 + 1.1 * (soft / 400) ** 0.7) * Math.exp(0.2 * normalDraw(random) - 0.02)
    for (let index = 0; index < 2000; index++) {
      const resolved = controller.resolve(0.05 + 0.94 * random.next(), features, prompt)
      controller.observe(features, prompt, { resolved, outputTokens: writes(resolved.softTokens ?? 400) })
    }
    expect(controller.overshoot(features, prompt)).toBeGreaterThan(1.05)
    for (const r of [0.5, 0.7, 0.9]) {
      const soft = controller.resolve(r, features, prompt).softTokens ?? NaN
      const mean = 400 * Math.min(1.2, 0.15 + 1.1 * (soft / 400) ** 0.7)
      expect(mean / 400).toBeGreaterThan(r - 0.06)
      expect(mean / 400).toBeLessThan(r + 0.06)
    }
    expect(controller.table(features, prompt).every(({ quality }) => quality === null)).toBe(true)
  })

  it('picks names by learned tokens where there are some', () => {
    const controller = createEffortController()
    const target: EffortTarget = { arm: 'm', takes: 'effort' }
    expect(controller.resolve(1, features, target).providerEffort).toBe('high')
    expect(controller.resolve(0.1, features, target).providerEffort).toBe('low')
    // A model whose "medium" takes nearly as much as its "high".
    for (let index = 0; index < 200; index++)
      for (const [name, outputTokens] of [
        ['low', 900],
        ['medium', 950],
        ['high', 1000],
      ] as const)
        controller.observe(features, target, {
          resolved: { effort: 1, asked: 1, softTokens: null, hardTokens: null, providerEffort: name, style: undefined, samples: 1 },
          outputTokens,
        })
    expect(controller.resolve(0.6, features, target).providerEffort).toBe('low')
  })

  it('is the same after a load, and refuses what it did not write', () => {
    const controller = trained()
    for (let r = 0.1; r < 1; r += 0.1)
      controller.observe(features, prompt, { resolved: controller.resolve(r, features, prompt), outputTokens: 333 * r, quality: r })
    const again = loadEffortController(controller.serialize())
    for (let r = 0.05; r <= 1; r += 0.05) expect(again.resolve(r, features, prompt)).toEqual(controller.resolve(r, features, prompt))
    expect(again.table(features, prompt)).toEqual(controller.table(features, prompt))
    for (const bytes of [new Uint8Array(0), new Uint8Array([1, 2, 3]), new Uint8Array(20), controller.serialize().subarray(0, 40)])
      expect(() => loadEffortController(bytes)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }))
    expect(() => loadEffortCurves(new TextEncoder().encode('{"version":1,"fading":3,"curves":[["x",[]]]}'))).toThrow(
      expect.objectContaining({ code: 'invalid_configuration' }),
    )
  })

  it.each([
    { asked: NaN, realised: 1 },
    { asked: 1, realised: Infinity },
    { asked: 1, realised: 1, quality: -1 },
  ])('learns nothing from %j', (outcome) => {
    const curves = createEffortCurves()
    expect(() => curves.observe('m', 'c', outcome)).toThrow(RangeError)
    expect(curves.table('m', 'c')).toEqual([])
  })
})

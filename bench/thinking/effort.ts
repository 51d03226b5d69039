/** Relative effort on simulated models that overshoot: is r linear in the tokens really written once the controller has learned? */
import { childRandom, normalDraw } from '../../src/statistics/index.js'
import { createEffortController, type EffortTarget, type LengthFeatures } from '../../src/strategies/index.js'

/** Realised ratio by asked ratio of models as they are simulated. */
export const overshooters = [
  { name: 'obeys', realised: (asked: number) => asked },
  { name: 'writes 40 % more', realised: (asked: number) => Math.min(1, 1.4 * asked) },
  { name: 'hardly shortens', realised: (asked: number) => 0.35 + 0.65 * asked ** 1.5 },
  { name: 'shortens too much', realised: (asked: number) => 0.9 * asked ** 1.8 + 0.1 * asked },
  { name: 'floor of a fifth, then bent', realised: (asked: number) => 0.2 + 0.8 * asked ** 0.6 },
] as const

export interface EffortResult {
  readonly name: string
  /** R² of realised cost against r over the efforts that the model can reach. */
  readonly r2: number
  readonly r2Uncalibrated: number
  /** Largest |realised − r| there, and without calibration. */
  readonly worst: number
  readonly worstUncalibrated: number
  /** Least ratio that the model can be brought to. */
  readonly least: number
  readonly overshoot: number
}

/** Answers without a budget before: T̂ itself is a mean of scattered lengths. */
export const fullEffort = 500
const typical = 600
const noise = 0.35
const features: LengthFeatures = { category: { name: 'math', probability: 1 }, difficulty: { value: 0.5, level: 3, source: 'told' } }
const target: EffortTarget = { arm: 'simulated', takes: 'none' }

export function measureEffort(answers: number, seed: number): readonly EffortResult[] {
  return overshooters.map(({ name, realised }) => {
    const random = childRandom(seed, name)
    const controller = createEffortController()
    const draw = (mean: number) => mean * Math.exp(noise * normalDraw(random) - (noise * noise) / 2)
    for (let index = 0; index < fullEffort; index++)
      controller.observe(features, target, { resolved: controller.resolve(1, features, target), outputTokens: draw(typical) })
    for (let index = 0; index < answers; index++) {
      const resolved = controller.resolve(0.05 + 0.94 * random.next(), features, target)
      controller.observe(features, target, { resolved, outputTokens: draw(typical * realised((resolved.softTokens ?? typical) / typical)) })
    }
    const least = Math.max(0.05, realised(16 / typical))
    const efforts = Array.from({ length: 40 }, (_, index) => least + ((Math.min(0.99, realised(1.25)) - least) * (index + 0.5)) / 40)
    // The true mean that follows from what is asked, not a noisy draw of it.
    const got = efforts.map((r) => realised((controller.resolve(r, features, target).softTokens ?? typical) / typical))
    const plain = efforts.map(realised)
    const worst = (values: readonly number[]) => Math.max(...values.map((value, index) => Math.abs(value - (efforts[index] ?? 0))))
    return {
      name,
      r2: identityR2(efforts, got),
      r2Uncalibrated: identityR2(efforts, plain),
      worst: worst(got),
      worstUncalibrated: worst(plain),
      least,
      overshoot: controller.overshoot(features, target),
    }
  })
}

/** Share of the variance of what was realised that "realised = r" explains: stricter than the best line's R². */
function identityR2(wanted: readonly number[], got: readonly number[]): number {
  const mean = got.reduce((sum, value) => sum + value, 0) / got.length
  const total = got.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const left = got.reduce((sum, value, index) => sum + (value - (wanted[index] ?? 0)) ** 2, 0)
  return 1 - left / total
}

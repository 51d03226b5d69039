import type { Arm, ArmCard, Estimate, Situation } from '../../src/routing/index.js'
import { usd } from '../../src/quantities/index.js'
import { seededRandom, sortedQuantile, type Random } from '../../src/statistics/index.js'
import { single } from '../../src/strategies/index.js'
import { createUnderstanding, type Features, type Traits } from '../../src/understanding/index.js'
import type { Estimate as Interval } from '../report.js'

/** Traits of a short question with nothing particular about it. */
const plainTraits: Traits = { ...createUnderstanding({ cacheEntries: 0 }).ofText('').traits, inputTokens: 100, characters: 400 }

export function featuresOf(words: readonly number[], traits: Partial<Traits> = {}, category?: string): Features {
  return {
    text: '',
    lexical: {
      indices: Uint32Array.from([...words].sort((a, b) => a - b)),
      weights: Float32Array.from(words, () => 1 / Math.sqrt(words.length)),
    },
    difficulty: { value: 0.5, level: 3, source: 'lexical' },
    traits: { ...plainTraits, ...traits },
    ...(category && { category: { name: category, probability: 1 } }),
  }
}

export function armOf(id: string, card: ArmCard = {}): Arm {
  return { id, model: id, strategy: single(id), card }
}

export function estimateOf(arm: string, quality: number, variance: number, dollars: number): Estimate {
  return {
    arm,
    quality: { mean: Math.min(1, Math.max(0, quality)), variance },
    cost: { usd: usd(dollars.toFixed(12)), seconds: 0, joules: null, gramsCO2e: null },
    outputTokens: null,
    support: 0,
  }
}

export function situationOf(
  arms: Situation['arms'],
  estimates: readonly Estimate[],
  features: Features,
  random: Random,
  changes: Partial<Situation> = {},
): Situation {
  return {
    arms,
    estimates,
    features,
    familiarity: 1,
    reference: arms[0].id,
    objective: {},
    budget: {},
    load: { inFlight: () => 0 },
    random,
    ...changes,
  }
}

/** Mean with a percentile bootstrap over the values. */
export function bootstrap(values: readonly number[], seed: number, resamples = 1000): Interval {
  const random = seededRandom(seed)
  const meanOf = (pick: () => number) => {
    let sum = 0
    for (let at = 0; at < values.length; at++) sum += values[pick()] ?? 0
    return sum / values.length
  }
  let at = 0
  const value = meanOf(() => at++)
  const means = Array.from({ length: resamples }, () => meanOf(() => Math.floor(random.next() * values.length))).sort((a, b) => a - b)
  return {
    value,
    low: sortedQuantile(means, 0.025),
    high: sortedQuantile(means, 0.975),
    n: values.length,
    method: 'bootstrap over rows, 95 %',
  }
}

export function shown({ value, low, high }: Interval, digits = 3): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
}

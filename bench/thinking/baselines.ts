/** Ways of deciding that the gate is compared with. */
import { childRandom } from '../../src/statistics/index.js'
import { lexicalDimensions } from '../../src/understanding/index.js'
import type { Item } from './gate.js'

/** Each measured question's task's mean gain per character of thinking, on the training rows. */
export function taskGains(learn: readonly Item[], measure: readonly Item[]): readonly number[] {
  const tasks = new Map<string, { gain: number; output: number }>()
  for (const { task, direct, cot } of learn) {
    const known = tasks.get(task) ?? { gain: 0, output: 0 }
    tasks.set(task, { gain: known.gain + cot.quality - direct.quality, output: known.output + cot.output - direct.output })
  }
  return measure.map(({ task }) => {
    const known = tasks.get(task)
    return known === undefined ? 0 : known.gain / Math.max(1, known.output)
  })
}

/** A plain logistic regression on the question's words for "the direct answer is wrong", by stochastic gradients. */
export function textOnlyScores(learn: readonly Item[], measure: readonly Item[], seed: number): readonly number[] {
  const weights = new Float32Array(lexicalDimensions + 1)
  const score = ({ features: { lexical } }: Item): number => {
    let sum = weights[lexicalDimensions] ?? 0
    for (let at = 0; at < lexical.indices.length; at++) sum += (weights[lexical.indices[at] ?? 0] ?? 0) * (lexical.weights[at] ?? 0)
    return sum
  }
  const random = childRandom(seed, 'baseline')
  for (let step = 0; step < 8 * learn.length; step++) {
    const item = learn[Math.floor(random.next() * learn.length)]
    if (item === undefined) continue
    const error = 1 / (1 + Math.exp(-score(item))) - (1 - item.direct.quality)
    const rate = 1 / (1 + step / (2 * learn.length))
    weights[lexicalDimensions] = (weights[lexicalDimensions] ?? 0) - 0.05 * rate * error
    for (const [at, index] of item.features.lexical.indices.entries())
      weights[index] = (weights[index] ?? 0) - rate * error * (item.features.lexical.weights[at] ?? 0)
  }
  return measure.map(score)
}

import { InvalidRequest } from '../../../errors/index.js'
import { childRandom, mean } from '../../../statistics/index.js'
import { lexicalDimensions, lexicalVector, type SparseVector } from '../../../understanding/index.js'

/** A text of a task with its right answer's class. */
export interface TaskExample {
  readonly text: string
  readonly label: string
}

export interface ProxyGain {
  /** Accuracy of the most frequent label, on the held-out part. */
  readonly majority: number
  /** Accuracy of the trained head there. */
  readonly accuracy: number
  /** (accuracy − majority) / (1 − majority): how much of what is to be learned the head learned. At most 1. */
  readonly gain: number
}

export interface ProxyOptions {
  /** Weight of the old when the head steps: the ridge. 1 unless told otherwise. */
  readonly penalty?: number
  readonly passes?: number
  readonly seed?: number
}

/**
 * The cheap stand-in for fine-tuning (COSMOS, 044): features that stay as they are (hashed n-grams of `understanding`) and a linear
 * head trained on the task; how much better than the most frequent label it gets tells how much there is to learn from so many
 * examples. Ridge regression on one-against-rest targets ±1, by stochastic dual coordinate ascent. Throws `InvalidRequest` for fewer
 * than 2 training labels or no test. O(passes × labels × examples × n-grams).
 */
export function proxyGain(
  train: readonly TaskExample[],
  test: readonly TaskExample[],
  { penalty = 1, passes = 8, seed = 1 }: ProxyOptions = {},
): ProxyGain {
  const labels = [...new Set(train.map(({ label }) => label))]
  if (labels.length < 2)
    throw new InvalidRequest('The training examples have fewer than two labels; there is nothing to learn.', { path: 'train' })
  if (test.length === 0) throw new InvalidRequest('There are no test examples.', { path: 'test' })
  const vectors = train.map(({ text }) => lexicalVector(text, undefined, 0))
  const heads = new Map(
    labels.map((label) => [label, { weights: new Float32Array(lexicalDimensions), bias: 0, duals: new Float64Array(train.length) }]),
  )
  const random = childRandom(seed, 'proxy head')
  for (let pass = 0; pass < passes; pass++)
    for (let step = 0; step < train.length; step++) {
      const at = Math.floor(random.next() * train.length)
      const vector = vectors[at]
      if (!vector) continue
      for (const [label, head] of heads) {
        const target = train[at]?.label === label ? 1 : -1
        // Unit length and the bias as one more feature: the squared norm is 2 (1 for a text without n-grams).
        const norm = (vector.indices.length > 0 ? 1 : 0) + 1
        const delta = (target - score(head, vector) - penalty * (head.duals[at] ?? 0)) / (norm + penalty)
        head.duals[at] = (head.duals[at] ?? 0) + delta
        head.bias += delta
        for (const [place, index] of vector.indices.entries())
          head.weights[index] = (head.weights[index] ?? 0) + delta * (vector.weights[place] ?? 0)
      }
    }
  const counts = labels.map((label) => train.filter((example) => example.label === label).length)
  const commonest = labels[counts.indexOf(Math.max(...counts))]
  const majority = mean(test.map(({ label }) => (label === commonest ? 1 : 0)))
  const accuracy = mean(
    test.map(({ text, label }) => {
      const vector = lexicalVector(text, undefined, 0)
      let best = { label: commonest, score: -Infinity }
      for (const [name, head] of heads) {
        const value = score(head, vector)
        if (value > best.score) best = { label: name, score: value }
      }
      return best.label === label ? 1 : 0
    }),
  )
  return { majority, accuracy, gain: majority === 1 ? 0 : (accuracy - majority) / (1 - majority) }
}

function score({ weights, bias }: { readonly weights: Float32Array; readonly bias: number }, vector: SparseVector): number {
  let sum = bias
  for (let place = 0; place < vector.indices.length; place++)
    sum += (weights[vector.indices[place] ?? 0] ?? 0) * (vector.weights[place] ?? 0)
  return sum
}

/** A fine-tuning that was really run. */
export interface Probe {
  readonly zeroShot: number
  readonly proxyGain: number
  readonly fineTuned: number
}

/** c where no probe was run: the share of a proxy's gain that fine-tuning turns out to bring. Ours, no measurement. */
export const assumedTransfer = 0.5

/**
 * acc_ft ≈ zero_shot + c · proxy gain · (1 − zero_shot) (044; the last factor is ours: what is left to gain, since gains are told as
 * shares of it). c is the least-squares slope through the origin of the probes, with one made-up probe of `assumedTransfer` beside
 * them, so that no probe gives 0.5 and few don't swing it. O(probes).
 */
export function transferOf(probes: readonly Probe[]): number {
  let [together, squares] = [assumedTransfer * 0.01, 0.01]
  for (const { zeroShot, proxyGain: gain, fineTuned } of probes) {
    const x = gain * (1 - zeroShot)
    together += x * (fineTuned - zeroShot)
    squares += x * x
  }
  return together / squares
}

/** The accuracy to be expected of fine-tuning, in [0, 1]. */
export function fineTunedAccuracy(zeroShot: number, gain: number, transfer: number): number {
  return Math.min(1, Math.max(0, zeroShot + transfer * gain * (1 - zeroShot)))
}

import type { Interval } from './confidence-sequence.js'
import { normalQuantile } from './distributions.js'
import { RunningMoments } from './running-moments.js'

/** An item that a person and a judge have both looked at. */
export interface Labelled {
  readonly label: number
  readonly judged: number
}

/**
 * The mean of people's labels, from few labels and many judgements (prediction-powered inference, Angelopoulos et al. 2023, with the
 * power tuning of PPI++, 2024): θ̂ = λ·mean(f over the unlabelled) + mean(Y - λ·f over the labelled). λ is the one of least variance,
 * cov(Y, f) / ((1 + n/N)·var f), so a judge that knows nothing gets λ ≈ 0 and the interval is that of the labels alone. Both sets must
 * be drawn at random from the same items. Throws `RangeError` for fewer than two labels. O(items).
 */
export function predictionPowered(
  labelled: readonly Labelled[],
  judgedOnly: readonly number[],
  level = 0.95,
): Interval & { readonly lambda: number } {
  const n = labelled.length
  const rest = judgedOnly.length
  if (n < 2) throw new RangeError('prediction-powered inference needs two labels at least')
  const judgements = new RunningMoments()
  const labels = new RunningMoments()
  for (const { label, judged } of labelled) {
    labels.add(label)
    judgements.add(judged)
  }
  const together = labelled.reduce((sum, { label, judged }) => sum + (label - labels.mean) * (judged - judgements.mean), 0) / (n - 1)
  const others = new RunningMoments()
  for (const judged of judgedOnly) others.add(judged)
  const all = new RunningMoments()
  for (const { judged } of labelled) all.add(judged)
  for (const judged of judgedOnly) all.add(judged)
  const lambda = rest < 2 || all.variance === 0 ? 0 : Math.min(1, Math.max(0, together / ((1 + n / rest) * all.variance)))
  const corrected = new RunningMoments()
  for (const { label, judged } of labelled) corrected.add(label - lambda * judged)
  const value = corrected.mean + (lambda === 0 ? 0 : lambda * others.mean)
  const variance = corrected.variance / n + (lambda === 0 ? 0 : (lambda * lambda * others.variance) / rest)
  const reach = normalQuantile((1 + level) / 2) * Math.sqrt(variance)
  return {
    value,
    low: value - reach,
    high: value + reach,
    n: n + rest,
    lambda,
    method: `prediction-powered (λ = ${lambda.toFixed(2)}, ${n} labels), normal, ${Math.round(level * 100)} %`,
  }
}

import { InvalidRequest } from '../../../errors/index.js'

/** Test loss (nats a token, or any loss above 0) after fine-tuning on so many examples. */
export interface LossPoint {
  readonly examples: number
  readonly loss: number
}

/** A model's measured losses on one task. */
export interface LossCurve {
  readonly model: string
  /** Models of a family fall alike; absent where nobody says. */
  readonly family?: string | undefined
  readonly points: readonly LossPoint[]
}

/**
 * The points by rising number of examples, those without any left out: fine-tuning has not begun there, and the paper's laws fit what
 * comes after. Throws `InvalidRequest` with the path of the point for numbers out of range, sizes told twice, and fewer than `least`
 * points.
 */
export function curvePoints(points: readonly LossPoint[], least: number, path = 'points'): readonly LossPoint[] {
  for (const [at, { examples, loss }] of points.entries()) {
    if (!(Number.isFinite(examples) && examples >= 0))
      throw new InvalidRequest(`examples is ${examples}; a number of training examples of at least 0 was expected.`, {
        path: `${path}[${at}].examples`,
      })
    if (!(Number.isFinite(loss) && loss > 0))
      throw new InvalidRequest(`loss is ${loss}; a loss above 0 was expected.`, { path: `${path}[${at}].loss` })
  }
  const sorted = points.filter(({ examples }) => examples > 0).sort((a, b) => a.examples - b.examples)
  const twice = sorted.find(({ examples }, at) => sorted[at + 1]?.examples === examples)
  if (twice) throw new InvalidRequest(`${twice.examples} examples are told twice; one loss for each size was expected.`, { path })
  if (sorted.length < least)
    throw new InvalidRequest(
      `There are ${sorted.length} points with examples above 0; at least ${least} were expected. Fine-tune on more subset sizes, each double the one before.`,
      { path },
    )
  return sorted
}

/** Weights by index; indices below the regression's size. What is told twice adds up. */
export interface SparseInput {
  readonly indices: readonly number[]
  readonly weights: readonly number[]
}

/**
 * A generalised linear model over hashed inputs, learned one row at a time by AdaGrad (Duchi, Hazan and Singer 2011) with a small pull towards 0:
 * what it says beyond an offset that is known otherwise, such as a category's rate in log-odds. Constant memory; O(inputs) a row.
 */
export class SparseRegression {
  private constructor(
    readonly link: 'logistic' | 'identity',
    private readonly weights: Float32Array,
    private readonly squares: Float32Array,
  ) {}

  static create(link: 'logistic' | 'identity', size: number): SparseRegression {
    return new SparseRegression(link, new Float32Array(size), new Float32Array(size))
  }

  /** Of the values that `state` gave. */
  static of(link: 'logistic' | 'identity', state: Float32Array): SparseRegression {
    return new SparseRegression(link, state.slice(0, state.length / 2), state.slice(state.length / 2))
  }

  /** All that it knows: weights, then the sums of squared gradients. */
  state(): Float32Array {
    const state = new Float32Array(2 * this.weights.length)
    state.set(this.weights)
    state.set(this.squares, this.weights.length)
    return state
  }

  /** The prediction on the scale of the offset: log-odds, or the value itself. */
  score(input: SparseInput, offset: number): number {
    let sum = offset
    const { indices, weights } = input
    for (let at = 0; at < indices.length; at++) sum += (this.weights[indices[at] ?? 0] ?? 0) * (weights[at] ?? 0)
    return sum
  }

  predict(input: SparseInput, offset: number): number {
    const score = this.score(input, offset)
    return this.link === 'logistic' ? 1 / (1 + Math.exp(-score)) : score
  }

  /** One step towards the target, which for `logistic` lies in [0, 1]. */
  learn(input: SparseInput, offset: number, target: number, weight = 1): void {
    const error = weight * (this.predict(input, offset) - target)
    const { indices, weights } = input
    for (let at = 0; at < indices.length; at++) {
      const index = indices[at] ?? 0
      const value = weights[at] ?? 0
      const current = this.weights[index] ?? 0
      const gradient = error * value + pull * weight * current
      const squares = (this.squares[index] ?? 0) + gradient * gradient
      this.squares[index] = squares
      if (squares > 0) this.weights[index] = current - (rate * gradient) / Math.sqrt(squares + smoothing)
    }
  }
}

/** Step size, and what keeps the first steps of an input small. */
const rate = 0.08
const smoothing = 1
/** L2 penalty of a row. */
const pull = 0.01

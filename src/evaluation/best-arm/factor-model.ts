import { gammaDraw, normalDraw, type Random } from '../../statistics/index.js'
import type { Cell } from './search.js'

/**
 * Scores as they come in, without an object each: `method[k]`, `item[k]`, `score[k]` for k below `length`; items numbered as they first
 * came.
 */
class Scores {
  method = new Int32Array(64)
  item = new Int32Array(64)
  score = new Float64Array(64)
  length = 0

  add({ method, item }: Cell, score: number): void {
    if (this.length === this.score.length) {
      const size = 2 * this.length
      const [methods, items, scores] = [new Int32Array(size), new Int32Array(size), new Float64Array(size)]
      methods.set(this.method)
      items.set(this.item)
      scores.set(this.score)
      ;[this.method, this.item, this.score] = [methods, items, scores]
    }
    this.method[this.length] = method
    this.item[this.length] = item
    this.score[this.length] = score
    this.length += 1
  }
}

/** A normal law of the methods' parameters. */
interface Law {
  readonly mean: number
  readonly variance: number
}

/** Sums over the cells of each method that a straight line of its scores over the items' easiness needs. */
interface Sums {
  readonly count: Float64Array
  readonly ease: Float64Array
  readonly ease2: Float64Array
  readonly score: Float64Array
  readonly scoreEase: Float64Array
  readonly score2: Float64Array
}

/**
 * What the scores say of each method's mean over the *whole* test set, by draws from the posterior of
 *
 *     score(m, i) = μ_m + λ_m f_i + ε,   ε ~ N(0, ψ_m),   f_i ~ N(0, 1),   μ_m ~ N(μ₀, τ²),   λ_m ~ N(λ₀, ω²):
 *
 * methods differ by μ, items by how easy they are (f), and methods by how much that matters to them (λ). So methods that were scored on
 * the same items are compared by paired differences, those that were scored on others are set right for how hard their items were, and
 * few scores are shrunk to what all methods do. Items are a finite set: a cell that was scored counts as it is, only the others are
 * drawn, so a method that was scored on all items is known exactly. Gibbs sampling, each step conjugate; after each sweep the common
 * level moves between f and μ (Liu and Sabatti 2000), without which the chain would creep. O(scores + methods) time a sweep; O(scores +
 * items) memory. Scores may be on any scale: priors are set by the scores' own spread.
 */
export class FactorModel {
  private readonly seen = new Scores()
  private readonly level: Float64Array
  private readonly slope: Float64Array
  private readonly noise: Float64Array
  private readonly ease: Float64Array
  private readonly precision: Float64Array
  /** Of each item its number in order of its first score, from 1; 0 before. */
  private readonly numbers: Int32Array
  private touched = 0
  private levels: Law = { mean: 0, variance: 1 }
  private slopes: Law = { mean: 0, variance: 1 }
  private started = false

  constructor(
    private readonly methods: number,
    private readonly items: number,
    private readonly random: Random,
  ) {
    this.level = new Float64Array(methods)
    this.slope = new Float64Array(methods)
    this.noise = new Float64Array(methods)
    this.ease = new Float64Array(items)
    this.precision = new Float64Array(items)
    this.numbers = new Int32Array(items)
  }

  get observed(): number {
    return this.seen.length
  }

  observe(cell: Cell, score: number): void {
    const known = this.numbers[cell.item] ?? 0
    const number = known > 0 ? known : (this.touched += 1)
    this.numbers[cell.item] = number
    this.seen.add({ method: cell.method, item: number - 1 }, score)
  }

  /** One sweep; fills `means` with one draw of all methods' means over all items. Before any score there is nothing to draw from: zeros. */
  sweep(means: Float64Array): void {
    if (this.seen.length === 0) return void means.fill(0)
    const spread = this.spread()
    if (!this.started) this.start(spread)
    this.drawEase()
    this.shift()
    const sums = this.sums()
    this.drawMethods(sums, spread)
    this.levels = lawOf(this.level, 0.02 * spread.variance, this.random)
    this.slopes = lawOf(this.slope, 0.02 * spread.variance, this.random)
    let all = Math.sqrt(this.items - this.touched) * normalDraw(this.random)
    for (let item = 0; item < this.touched; item++) all += this.ease[item] ?? 0
    for (let method = 0; method < this.methods; method++) {
      const open = this.items - (sums.count[method] ?? 0)
      const expected = open * (this.level[method] ?? 0) + (this.slope[method] ?? 0) * (all - (sums.ease[method] ?? 0))
      const drawn = open > 0 ? expected + Math.sqrt(open * (this.noise[method] ?? 0)) * normalDraw(this.random) : 0
      means[method] = ((sums.score[method] ?? 0) + drawn) / this.items
    }
  }

  private spread(): Law {
    const { score, length } = this.seen
    let sum = 0
    let squares = 0
    for (let index = 0; index < length; index++) {
      const value = score[index] ?? 0
      sum += value
      squares += value * value
    }
    const mean = sum / length
    // Fewer than a handful of scores say little of their spread: as if four more had that of scores in [0, 1].
    return { mean, variance: Math.max(1e-9, (squares - length * mean * mean + 4 * 0.2) / (length + 4)) }
  }

  private start({ mean, variance }: Law): void {
    this.level.fill(mean)
    this.slope.fill(Math.sqrt(variance / 2))
    this.noise.fill(variance / 2)
    this.levels = { mean, variance }
    this.slopes = { mean: Math.sqrt(variance / 2), variance: variance / 4 }
    this.started = true
  }

  /** f of every item that has a score, given the methods. */
  private drawEase(): void {
    const { method, item, score, length } = this.seen
    const { ease, precision, level, slope, noise, touched, random } = this
    ease.fill(0, 0, touched)
    precision.fill(1, 0, touched)
    for (let index = 0; index < length; index++) {
      const m = method[index] ?? 0
      const i = item[index] ?? 0
      const weight = (slope[m] ?? 0) / (noise[m] ?? 1)
      ease[i] = (ease[i] ?? 0) + weight * ((score[index] ?? 0) - (level[m] ?? 0))
      precision[i] = (precision[i] ?? 0) + weight * (slope[m] ?? 0)
    }
    for (let i = 0; i < touched; i++) {
      const exact = precision[i] ?? 1
      ease[i] = (ease[i] ?? 0) / exact + normalDraw(random) / Math.sqrt(exact)
    }
  }

  /** Moves c from f to μ: the scores' likelihood stays, so c is drawn from the priors of both. */
  private shift(): void {
    let precision = this.touched
    let pull = 0
    for (let item = 0; item < this.touched; item++) pull += this.ease[item] ?? 0
    for (let method = 0; method < this.methods; method++) {
      const slope = this.slope[method] ?? 0
      precision += (slope * slope) / this.levels.variance
      pull -= (slope * ((this.level[method] ?? 0) - this.levels.mean)) / this.levels.variance
    }
    const c = pull / precision + normalDraw(this.random) / Math.sqrt(precision)
    for (let item = 0; item < this.touched; item++) this.ease[item] = (this.ease[item] ?? 0) - c
    for (let method = 0; method < this.methods; method++) this.level[method] = (this.level[method] ?? 0) + c * (this.slope[method] ?? 0)
  }

  private sums(): Sums {
    const { method, item, score, length } = this.seen
    const fresh = () => new Float64Array(this.methods)
    const sums: Sums = { count: fresh(), ease: fresh(), ease2: fresh(), score: fresh(), scoreEase: fresh(), score2: fresh() }
    for (let index = 0; index < length; index++) {
      const m = method[index] ?? 0
      const f = this.ease[item[index] ?? 0] ?? 0
      const s = score[index] ?? 0
      sums.count[m] = (sums.count[m] ?? 0) + 1
      sums.ease[m] = (sums.ease[m] ?? 0) + f
      sums.ease2[m] = (sums.ease2[m] ?? 0) + f * f
      sums.score[m] = (sums.score[m] ?? 0) + s
      sums.scoreEase[m] = (sums.scoreEase[m] ?? 0) + s * f
      sums.score2[m] = (sums.score2[m] ?? 0) + s * s
    }
    return sums
  }

  /** μ, λ and ψ of every method, given f: a straight line with a normal prior, and the spread about it. */
  private drawMethods(sums: Sums, spread: Law): void {
    const residual = (method: number): number => {
      const [m, l] = [this.level[method] ?? 0, this.slope[method] ?? 0]
      const [n, f, ff, s, sf, ss] = [
        sums.count[method] ?? 0,
        sums.ease[method] ?? 0,
        sums.ease2[method] ?? 0,
        sums.score[method] ?? 0,
        sums.scoreEase[method] ?? 0,
        sums.score2[method] ?? 0,
      ]
      return Math.max(0, ss - 2 * m * s - 2 * l * sf + n * m * m + 2 * m * l * f + l * l * ff)
    }
    let residuals = 0
    for (let method = 0; method < this.methods; method++) residuals += residual(method)
    // Each method's own ψ is shrunk to that of all, as if PRIOR_CELLS more of its scores had it.
    const pooled = Math.max(1e-9 * spread.variance, (residuals + 4 * 0.5 * spread.variance) / (this.seen.length + 4))
    for (let method = 0; method < this.methods; method++) {
      const count = sums.count[method] ?? 0
      const drawn = (residual(method) + PRIOR_CELLS * pooled) / (2 * gammaDraw(this.random, (count + PRIOR_CELLS + 2) / 2))
      const noise = Math.max(1e-9 * spread.variance, drawn)
      this.noise[method] = noise
      const a = count / noise + 1 / this.levels.variance
      const b = (sums.ease[method] ?? 0) / noise
      const d = (sums.ease2[method] ?? 0) / noise + 1 / this.slopes.variance
      const p = (sums.score[method] ?? 0) / noise + this.levels.mean / this.levels.variance
      const q = (sums.scoreEase[method] ?? 0) / noise + this.slopes.mean / this.slopes.variance
      // Precision [[a, b], [b, d]]: λ from its margin, then μ given λ.
      const margin = Math.max(1e-12, d - (b * b) / a)
      const slope = (q - (b * p) / a) / margin + normalDraw(this.random) / Math.sqrt(margin)
      this.slope[method] = slope
      this.level[method] = (p - b * slope) / a + normalDraw(this.random) / Math.sqrt(a)
    }
  }
}

/** How many scores of a method the spread of all methods counts for. */
const PRIOR_CELLS = 6

/** Draws the normal law that these values come from: flat in the mean, inverse gamma with `scale` in the variance. */
function lawOf(values: Float64Array, scale: number, random: Random): Law {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const variance = (squares + 2 * scale) / (2 * gammaDraw(random, (values.length - 1) / 2 + 1))
  return { mean: mean + Math.sqrt(variance / values.length) * normalDraw(random), variance }
}

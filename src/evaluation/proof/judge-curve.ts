/** Labels that "the judge is right as it is" counts as. */
const trust = 20
/** The spread that judgements are taken to have before there are labels: variance of one. */
const usualVariance = 0.1

/**
 * What people would say of an answer, from what a judge said of it: a line through the answers that both have looked at, drawn towards
 * the judge's own word by as much as 20 labels weigh. Only narrows what labels correct anyway; learned from answers before, it is no
 * source of bias. O(1).
 */
export class JudgeCurve {
  private n = 0
  private judged = 0
  private label = 0
  private squares = 0
  private products = 0

  /** In [0, 1]; the judge's own word as long as there are no labels. */
  at(judged: number): number {
    const { n } = this
    if (n === 0) return judged
    const slope = (this.products + trust * usualVariance) / (this.squares + trust * usualVariance)
    const level = (n * this.label + trust * this.judged) / (n + trust)
    return Math.min(1, Math.max(0, level + slope * (judged - this.judged)))
  }

  learn(judged: number, label: number): void {
    this.n += 1
    const off = judged - this.judged
    this.judged += off / this.n
    this.label += (label - this.label) / this.n
    this.squares += off * (judged - this.judged)
    this.products += off * (label - this.label)
  }
}

/**
 * Competence-difficulty alignment sampling (104 CDAS): a model's ability R and every item's difficulty d follow from pass rates by a
 * running fixed point, and the next items are those whose difficulty lies around the ability. Nothing but pass rates is needed: no
 * known models, unlike `fitItems`. There made for reinforcement learning; here it picks probes for canaries and adaptive tests.
 */
export class CompetenceAlignment {
  private readonly difficulties: Float64Array
  private readonly counts: Int32Array
  private competence = 0

  constructor(items: number) {
    if (!Number.isInteger(items) || items < 1) throw new RangeError('there is an item at least')
    this.difficulties = new Float64Array(items)
    this.counts = new Int32Array(items)
  }

  /** R, in logits. */
  get ability(): number {
    return this.competence
  }

  difficulty(item: number): number {
    return this.difficulties[item] ?? 0
  }

  /**
   * Items tried together with their pass rates p. With p̂ = σ(R - d) and n earlier trials of the item: d ← n/(n + 1)·d + 1/(n + 1)·(p̂
   * - p); R ← R - Σ Δd / items. Throws `RangeError` for a pass rate outside [0, 1] or an item that isn't there.
   */
  observe(tried: readonly { readonly item: number; readonly passed: number }[]): void {
    let moved = 0
    for (const { item, passed } of tried) {
      if (!(item >= 0 && item < this.difficulties.length)) throw new RangeError(`item ${item} isn't one of ${this.difficulties.length}`)
      if (!(passed >= 0 && passed <= 1)) throw new RangeError(`item ${item}: a pass rate lies in [0, 1], not at ${passed}`)
      const n = this.counts[item] ?? 0
      const before = this.difficulty(item)
      const expected = 1 / (1 + Math.exp(before - this.competence))
      const after = (n / (n + 1)) * before + (expected - passed) / (n + 1)
      this.difficulties[item] = after
      this.counts[item] = n + 1
      moved += after - before
    }
    this.competence -= moved / this.difficulties.length
  }

  /**
   * `count` items, half of them the closest at or below the ability, half the closest above; what one side lacks comes from the other.
   * O(items log items).
   */
  next(count: number): number[] {
    const order = Array.from(this.difficulties.keys()).sort((a, b) => this.difficulty(a) - this.difficulty(b) || a - b)
    const above = order.findIndex((item) => this.difficulty(item) > this.competence)
    const split = above < 0 ? order.length : above
    const wanted = Math.min(count, order.length)
    let low = Math.min(split, Math.floor(wanted / 2))
    const high = Math.min(order.length - split, wanted - low)
    low = wanted - high
    return order.slice(split - low, split + high)
  }
}

/** Largest share of the wealth that one item may cost; below 1, so that no single item ends a test. */
const MOST_STAKE = 0.9

/**
 * Whether one method is better than another on the whole test set, by the items that both were scored on, at a level that holds however
 * often one looks. The items come in random order without replacement, so given those seen the next difference's mean is known under
 * the hypothesis, and the wealth of somebody who bets against it is a supermartingale: by Ville's inequality it ever reaches 1/α with
 * probability α at most (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2024; their section 5 for
 * sampling without replacement). Exact for any number of items, no normal approximation.
 *
 * With d = score(a) - score(b) in [-1, 1] and X = (1 + d)/2: H₀ says that the mean of X over all N items is at most m = (1 - δ)/2.
 * Before the i-th item m_i = (N·m - Σ_{j<i} X_j)/(N - i + 1); the wealth is multiplied by 1 + λ_i (X_i - m_i). λ_i is their approximate
 * GRAPA, (μ̂ - m_i)/(σ̂² + (μ̂ - m_i)²) of the items before, within [0, 0.9/m_i].
 */
class PairTest {
  /** ln of the wealth, and the most that it ever was. */
  private wealth = 0
  most = 0
  /** Items of the common order that were looked at. */
  place = 0
  private count = 0
  private sum = 0
  private squares = 0

  constructor(
    private readonly items: number,
    private readonly bar: number,
  ) {}

  add(difference: number): void {
    const x = (1 + difference) / 2
    const { count, items } = this
    const next = (items * this.bar - this.sum) / (items - count)
    // What is left can't bring the mean down to the bar any more: proven.
    if (next < 0) this.most = Infinity
    else if (next < 1) {
      const mean = (0.5 + this.sum) / (count + 1)
      const variance = (0.25 + Math.max(0, this.squares - 2 * mean * this.sum + count * mean * mean)) / (count + 1)
      const edge = mean - next
      const stake = edge <= 0 ? 0 : Math.min(edge / (variance + edge * edge), next > 0 ? MOST_STAKE / next : Infinity)
      this.wealth += Math.log(Math.max(1e-300, 1 + stake * (x - next)))
      this.most = Math.max(this.most, this.wealth)
    }
    this.count += 1
    this.sum += x
    this.squares += x * x
    if (this.count === items && this.sum / items > this.bar) this.most = Infinity
  }
}

/** How far a leader is proven. */
export interface Proof {
  /** Methods that it is proven to beat (or to lose to by less than the indifference). */
  readonly beaten: ReadonlySet<number>
  /** Methods that it must beat. */
  readonly of: number
}

/**
 * Which methods a leader is proven to beat, at a level that holds for all looks and all methods together: each pair is tested at α /
 * (methods - 1) (Bonferroni over the pairs with the true best, the only ones by which a wrong leader could be proven). Scores must lie
 * in [0, 1]. Sound for searches that take items in a random order of their own; one that chooses items by what was scored on them
 * (UCB-E-LRF) gets no guarantee. O(methods) amortised a score, for the leaders that were asked about.
 */
export class Elimination {
  private readonly scores: readonly Float64Array[]
  private readonly order: number[] = []
  private readonly known: Uint8Array
  private readonly tests = new Map<number, PairTest[]>()
  private readonly needed: number

  /** `alpha`: 0.05 for 95 %. `indifference`: a loss of mean score that doesn't matter. Throws `RangeError` for values outside [0, 1). */
  constructor(
    private readonly methods: number,
    private readonly items: number,
    alpha: number,
    private readonly indifference = 0,
  ) {
    if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha lies between 0 and 1, not at ${alpha}`)
    if (!(indifference >= 0 && indifference < 1)) throw new RangeError(`an indifference lies in [0, 1), not at ${indifference}`)
    this.scores = Array.from({ length: methods }, () => new Float64Array(items).fill(NaN))
    this.known = new Uint8Array(items)
    this.needed = Math.log(Math.max(1, methods - 1) / alpha)
  }

  /** An item was given out: the order in which items come first is that of all tests. */
  asked(item: number): void {
    if (this.known[item] === 1) return
    this.known[item] = 1
    this.order.push(item)
  }

  /** Throws `RangeError` for a score outside [0, 1]. */
  observe(method: number, item: number, score: number): void {
    if (!(score >= 0 && score <= 1)) throw new RangeError(`a score lies in [0, 1], not at ${score}`)
    const row = this.scores[method]
    if (row) row[item] = score
  }

  proofOf(leader: number): Proof {
    let tests = this.tests.get(leader)
    if (!tests)
      this.tests.set(leader, (tests = Array.from({ length: this.methods }, () => new PairTest(this.items, (1 - this.indifference) / 2))))
    const own = this.scores[leader]
    const beaten = new Set<number>()
    for (const [other, test] of tests.entries()) {
      if (other === leader) continue
      const theirs = this.scores[other]
      for (; test.place < this.order.length; test.place++) {
        const item = this.order[test.place] ?? 0
        const difference = (own?.[item] ?? NaN) - (theirs?.[item] ?? NaN)
        // One of them is under way: what comes behind must wait, or how long answers take would choose the items.
        if (Number.isNaN(difference)) break
        test.add(difference)
      }
      if (test.most >= this.needed) beaten.add(other)
    }
    return { beaten, of: this.methods - 1 }
  }
}

import { probabilityAhead } from '../../statistics/index.js'

/** What samples of one question answered, counted by answer. Answers are keys (`answerKey`); O(1) a sample, O(different answers) a question. */
export class Agreement {
  readonly #weights = new Map<string, number>()
  #unreadable: number[] = []
  #drawn = 0
  #total = 0

  /** Counts a sample. `null`: its answer can't be compared; it agrees with none. Throws `RangeError` for a weight that isn't finite or is below 0. */
  add(answer: string | null, weight = 1): void {
    if (!(weight >= 0 && weight < Infinity)) throw new RangeError(`the weight of a vote is finite and at least 0, not ${weight}`)
    this.#drawn++
    this.#total += weight
    if (answer === null) this.#unreadable.push(weight)
    else this.#weights.set(answer, (this.#weights.get(answer) ?? 0) + weight)
  }

  /** Samples so far. */
  get drawn(): number {
    return this.#drawn
  }
  /** Sum of the weights of all samples. */
  get total(): number {
    return this.#total
  }
  /** The answer with the most weight, the one that came first among equals; `null` while none could be compared. */
  get winner(): string | null {
    return this.#leading().winner
  }
  /** Weight of the winner. */
  get top(): number {
    return this.#leading().top
  }
  /** Weight of the answer behind it; a sample that can't be compared counts as an answer of its own. */
  get second(): number {
    return this.#leading().second
  }
  /** Share of the weight that the winner has, in [0, 1]. */
  get share(): number {
    return this.#total > 0 ? this.top / this.#total : 0
  }
  /** How far it is ahead, as a share of the weight. */
  get margin(): number {
    const { top, second } = this.#leading()
    return this.#total > 0 ? Math.max(0, top - second) / this.#total : 0
  }
  /** H of the answers' distribution, in nats. */
  get entropy(): number {
    if (!(this.#total > 0)) return 0
    let entropy = 0
    for (const weight of [...this.#weights.values(), ...this.#unreadable]) {
      const share = weight / this.#total
      if (share > 0) entropy -= share * Math.log(share)
    }
    return Math.max(0, entropy)
  }
  /** 1 − H / ln k of k samples (041's internal consistency), in [0, 1]; 1 of a single sample. */
  get consistency(): number {
    return this.#drawn < 2 ? 1 : Math.min(1, Math.max(0, 1 - this.entropy / Math.log(this.#drawn)))
  }

  /** P(top beats runner-up), see `probabilityAhead`; 0 while there is no winner. */
  ahead(prior = 1): number {
    const { winner, top, second } = this.#leading()
    return winner === null ? 0 : probabilityAhead(top, second, prior)
  }

  /** Weight of an answer. */
  weightOf(answer: string): number {
    return this.#weights.get(answer) ?? 0
  }

  /** Weights by answer, in the order in which answers first came. */
  get votes(): ReadonlyMap<string, number> {
    return this.#weights
  }

  #leading(): { readonly winner: string | null; readonly top: number; readonly second: number } {
    let [winner, top, second]: [string | null, number, number] = [null, 0, 0]
    for (const [answer, weight] of this.#weights) {
      if (winner === null || weight > top) [winner, top, second] = [answer, weight, winner === null ? second : top]
      else if (weight > second) second = weight
    }
    for (const weight of this.#unreadable) if (weight > second) second = weight
    return { winner, top, second: Math.min(second, winner === null ? second : top) }
  }
}

/** A plan that an agent offers, and what it would take. */
export interface Bid {
  /** Which agent: its place among the bidders. */
  readonly agent: number
  readonly plan: string
  /** Ĉ: price a token × tokens of the plan, as a proxy for the price of carrying it out; dollars, any positive scale. */
  readonly cost: number
  /** Probability of success that a predictor gives the agent, in [0, 1]; `null` where there is none. */
  readonly predicted: number | null
}

/** What a bid is worth by each sign, all in [0, 1]: the inputs of V (143). */
export interface BidSigns {
  /** H: how much the plan says for its length. */
  readonly entropy: number
  /** What the other agents think of it. */
  readonly jury: number
  readonly predicted: number
}

/** Weights of the score C − V. */
export interface AuctionWeights {
  readonly cost: number
  readonly entropy: number
  readonly jury: number
  readonly predicted: number
  /** Of the logistic regression behind the weights: what success is expected of a bid without any sign. Doesn't enter the score. */
  readonly intercept: number
}

/**
 * Weights before anything is learned: w_C = 1 and w_H = 0.3 as in the paper. There each judge's scores count by themselves and the weights are fitted; here the jury's mean has a
 * weight such that judges of one mind outweigh the whole range of costs. A predictor counts as much as the costs.
 */
export const initialWeights: AuctionWeights = { cost: 1, entropy: 0.3, jury: 2.5, predicted: 1, intercept: 0 }

/** Words of a plan that its entropy is taken of, so that rambling isn't rewarded. */
const mostWords = 200

/**
 * Shannon entropy of a plan's words over the logarithm of their number, in [0, 1]: lexical diversity, which stands in for the mean token entropy where there
 * are no log-probabilities (143). Of the first 200 words; a plan of fewer than two words has none. O(words).
 */
export function planEntropy(plan: string): number {
  const words = (plan.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, mostWords)
  if (words.length < 2) return 0
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const entropy = [...counts.values()].reduce((sum, count) => sum - (count / words.length) * Math.log(count / words.length), 0)
  return Math.min(1, Math.max(0, entropy / Math.log(words.length)))
}

/** Scales to [0, 1] over the bidders; all alike are 0. */
export function minMax(values: readonly number[]): readonly number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return values.map((value) => (high > low ? (value - low) / (high - low) : 0))
}

/**
 * What the jury thinks of each bid, in [0, 1]. `scores[j][b]` is judge j's score of bid b, `null` where it gave none; `judges[j]` is the agent that judged, whose own bid's score is dropped,
 * since models prefer themselves (of two bids there would be nothing left to compare, so both are kept). Each judge's scores are z-normalised, so that a mild judge counts as much as a harsh one, averaged over
 * judges and brought to [0, 1] by the logistic function. 0.5 where nobody said anything that tells bids apart. O(judges × bids).
 */
export function juryScores(
  scores: readonly (readonly (number | null)[])[],
  judges: readonly number[],
  bids: readonly Pick<Bid, 'agent'>[],
): readonly number[] {
  const normal = scores.map((row, judge) => {
    const own = judges[judge]
    const kept = bids.map(({ agent }, index) => {
      const score = row[index]
      return (agent === own && bids.length > 2) || score == null || !Number.isFinite(score) ? null : score
    })
    const known = kept.filter((score) => score !== null)
    const mean = known.reduce((sum, score) => sum + score, 0) / known.length
    const deviation = Math.sqrt(known.reduce((sum, score) => sum + (score - mean) ** 2, 0) / known.length)
    return kept.map((score) => (score === null || !(deviation > 0) ? null : (score - mean) / deviation))
  })
  return bids.map((_, index) => {
    const known = normal.map((row) => row[index] ?? null).filter((score) => score !== null)
    const mean = known.length === 0 ? 0 : known.reduce((sum, score) => sum + score, 0) / known.length
    return 1 / (1 + Math.exp(-mean))
  })
}

/** A bid with its score; the lowest wins. */
export interface ScoredBid {
  readonly bid: Bid
  readonly signs: BidSigns
  /** w_C·Ĉ − V, with Ĉ scaled to [0, 1] over the bidders. */
  readonly score: number
}

/**
 * The auction itself (143): score = w_C·Ĉ − (w_H·H + w_J·jury + w_P·predicted), the best (lowest) first; ties go to the cheaper, then to the one that stands first. O(bids log bids).
 */
export function settle(bids: readonly Bid[], jury: readonly number[], weights: AuctionWeights): readonly ScoredBid[] {
  const costs = minMax(bids.map(({ cost }) => cost))
  return bids
    .map((bid, index): ScoredBid => {
      const signs = { entropy: planEntropy(bid.plan), jury: jury[index] ?? 0.5, predicted: bid.predicted ?? 0.5 }
      return { bid, signs, score: weights.cost * (costs[index] ?? 0) - valueOf(signs, weights) }
    })
    .sort((a, b) => a.score - b.score || a.bid.cost - b.bid.cost)
}

/** V: what a bid's signs are worth. */
export function valueOf(signs: BidSigns, weights: AuctionWeights): number {
  return weights.entropy * signs.entropy + weights.jury * signs.jury + weights.predicted * signs.predicted
}

/**
 * One step of online logistic regression on an outcome: what really succeeded moves the weights, not only what the jury liked. w ← w + η·(won − σ(b + V))·sign,
 * kept in [0, 3], so that no run of luck turns a sign against itself. Pure. The weight of the cost stays.
 */
export function learnWeights(weights: AuctionWeights, signs: BidSigns, won: boolean, step = 0.05): AuctionWeights {
  const expected = 1 / (1 + Math.exp(-(weights.intercept + valueOf(signs, weights))))
  const move = step * (Number(won) - expected)
  const moved = (weight: number, sign: number) => Math.min(3, Math.max(0, weight + move * sign))
  return {
    cost: weights.cost,
    entropy: moved(weights.entropy, signs.entropy),
    jury: moved(weights.jury, signs.jury),
    predicted: moved(weights.predicted, signs.predicted),
    intercept: Math.min(3, Math.max(-3, weights.intercept + move)),
  }
}

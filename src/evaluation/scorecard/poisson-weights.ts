import { seededRandom, type Random } from '../../statistics/index.js'

/** Chances that a Poisson number of mean 1 is at most 0, 1, 2 …; what is left beyond is below 1e-9. */
const atMost = cumulative(12)

/**
 * How often each draw of a bootstrap takes a request: independent Poisson numbers of mean 1, so that requests may come one by one and
 * nothing is kept (the Poisson bootstrap: Hanley & MacGibbon 2006; Chamandy et al. 2012). Place 0 is the table itself, each request
 * once. The same for all arms of a request, so that arms are compared on the same draws.
 */
export class PoissonWeights {
  private readonly random: Random
  readonly weights: Float64Array

  constructor(draws: number, seed: number) {
    this.random = seededRandom(seed)
    this.weights = new Float64Array(draws + 1)
  }

  /** Draws for the next request, times its own weight. The array is filled again by the next call. O(draws). */
  next(weight: number): Float64Array {
    const { weights, random } = this
    weights[0] = weight
    for (let draw = 1; draw < weights.length; draw++) {
      const chance = random.next()
      let times = 0
      while (times < atMost.length - 1 && chance >= (atMost[times] ?? 1)) times += 1
      weights[draw] = times * weight
    }
    return weights
  }
}

function cumulative(most: number): Float64Array {
  const out = new Float64Array(most)
  let [chance, sum] = [Math.exp(-1), 0]
  for (let times = 0; times < most; times++) {
    sum += chance
    out[times] = sum
    chance /= times + 1
  }
  return out
}

import { logBeta, logBetaBinomial } from './beta.js'

/** How success probabilities of single samples are spread over the questions of a category: p ~ Beta(α, β). */
export interface BetaMixture {
  readonly alpha: number
  readonly beta: number
}

/** Samples of one question (or of `weight` questions alike) that succeeded, and that were drawn. */
export interface SampledQuestion {
  readonly successes: number
  readonly trials: number
  readonly weight?: number | undefined
}

/**
 * What little is believed before anything is seen: concentration α + β around 1.5 within a factor of about twenty, the mean around ½,
 * hardly.
 */
const concentrationCentre = Math.log(1.5)
const concentrationSpread = 1.5
const meanPrior = 0.25

/**
 * Fits Beta(α, β) by maximum (penalised) likelihood of the counts, a few samples a question being enough. One success probability for all
 * questions, which this replaces, is badly wrong: coverage then seems to saturate after a few samples (002, "must-fix").
 * Throws `RangeError` for counts that aren't whole numbers with successes ≤ trials, and where nothing was drawn. Grid search that narrows:
 * O(distinct counts × trials × 500).
 */
export function fitBetaMixture(questions: readonly SampledQuestion[]): BetaMixture {
  const cells = new Map<string, { successes: number; failures: number; weight: number }>()
  for (const { successes, trials, weight = 1 } of questions) {
    if (
      !Number.isInteger(successes) ||
      !Number.isInteger(trials) ||
      successes < 0 ||
      successes > trials ||
      !(weight >= 0 && weight < Infinity)
    )
      throw new RangeError('a beta mixture needs whole numbers of successes, at most as many as trials')
    const key = `${successes}/${trials}`
    const cell = cells.get(key)
    if (cell) cell.weight += weight
    else cells.set(key, { successes, failures: trials - successes, weight })
  }
  const counted = [...cells.values()].filter(({ successes, failures, weight }) => weight > 0 && successes + failures > 0)
  if (counted.length === 0) throw new RangeError('a beta mixture needs at least one sample')
  const objective = (mean: number, concentration: number): number => {
    const [m, c] = [1 / (1 + Math.exp(-mean)), Math.exp(concentration)]
    let log = -0.5 * ((concentration - concentrationCentre) / concentrationSpread) ** 2 + meanPrior * (Math.log(m) + Math.log(1 - m))
    for (const { successes, failures, weight } of counted) log += weight * logBetaBinomial(successes, failures, m * c, (1 - m) * c)
    return log
  }
  let [mean, concentration, best] = [0, concentrationCentre, -Infinity]
  let [meanReach, concentrationReach] = [6, 6]
  for (let level = 0; level < 9; level++) {
    const [centreMean, centreConcentration] = [mean, concentration]
    for (let i = -3; i <= 3; i++)
      for (let j = -3; j <= 3; j++) {
        const [m, c] = [centreMean + (i / 3) * meanReach, centreConcentration + (j / 3) * concentrationReach]
        const value = objective(m, c)
        if (value > best) [mean, concentration, best] = [m, c, value]
      }
    meanReach /= 2.2
    concentrationReach /= 2.2
  }
  const [m, c] = [1 / (1 + Math.exp(-mean)), Math.exp(concentration)]
  return { alpha: m * c, beta: (1 - m) * c }
}

/** What is believed of a question after so many of its samples succeeded and failed. Counts may be fractions. */
export function afterSamples({ alpha, beta }: BetaMixture, successes: number, failures: number): BetaMixture {
  return { alpha: alpha + successes, beta: beta + failures }
}

/** E[F(N)] = F_max (1 − B(α, β + N) / B(α, β)): expected share of questions of which at least one of N samples succeeds (002). */
export function coverage({ alpha, beta }: BetaMixture, samples: number, ceiling = 1): number {
  return ceiling * -Math.expm1(logBeta(alpha, beta + samples) - logBeta(alpha, beta))
}

/** ΔF(N) = F_max E[p (1 − p)^N] = F_max B(α + 1, β + N) / B(α, β): what the sample after N others adds to coverage (002). Falls with N. */
export function marginalGain({ alpha, beta }: BetaMixture, samples: number, ceiling = 1): number {
  return ceiling * Math.exp(logBeta(alpha + 1, beta + samples) - logBeta(alpha, beta))
}

/** N*: the fewest samples after which another adds less than `epsilon` (002), at most `most`. O(log most). */
export function saturationPoint(
  mixture: BetaMixture,
  epsilon: number,
  { ceiling = 1, most = 1024 }: { ceiling?: number; most?: number } = {},
): number {
  let [low, high] = [0, most]
  while (low < high) {
    const middle = (low + high) >> 1
    if (marginalGain(mixture, middle, ceiling) < epsilon) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * F_max of a selector (vote, verifier) that doesn't always pick the right answer where there is one: what fits accuracies seen at so many
 * samples best in least squares, as a share of coverage. 1 where nothing was seen. O(n).
 */
export function selectorCeiling(
  mixture: BetaMixture,
  seen: readonly { readonly samples: number; readonly accuracy: number; readonly weight?: number }[],
): number {
  let [both, squared] = [0, 0]
  for (const { samples, accuracy, weight = 1 } of seen) {
    const covered = coverage(mixture, samples)
    both += weight * accuracy * covered
    squared += weight * covered * covered
  }
  return squared > 0 ? Math.min(1, Math.max(0, both / squared)) : 1
}

import { BursarError } from '../../errors/index.js'
import {
  afterSamples,
  coverage,
  fitBetaMixture,
  marginalGain,
  saturationPoint,
  selectorCeiling,
  type BetaMixture,
  type SampledQuestion,
} from '../../statistics/index.js'

/** What is known of sampling one arm on one kind of question. */
export interface SamplingProfile {
  readonly mixture: BetaMixture
  /** F_max: how often the selector (vote, verifier) picks the right answer where there is one. */
  readonly ceiling: number
  /** Questions that it rests on. */
  readonly questions: number
}

export interface SavedSaturation {
  readonly version: 1
  readonly profiles: readonly (readonly [
    source: string,
    counts: readonly SampledQuestion[],
    ceilings: readonly (readonly [samples: number, right: number, n: number])[],
  ])[]
}

/** A sample's price, and what a right answer is worth more than a wrong one; both in dollars. */
export interface SampleWorth {
  readonly lambda: number
  readonly price: number
}

/** The name under which saturation of an arm on a kind of question is learned. */
export function saturationSource(arm: string, category?: string): string {
  return category === undefined ? arm : `${arm}\0${category}`
}

const MOST_SOURCES = 2000
/** Samples of one question that are counted; more say little more of the category. */
const MOST_TRIALS = 64

interface Source {
  readonly counts: Map<string, { readonly successes: number; readonly trials: number; weight: number }>
  /** Questions by how many samples a selector had, and how often it was right. */
  readonly selected: Map<number, { right: number; n: number }>
  fitted: SamplingProfile | undefined
}

/** Learns from outcomes how far sampling carries, per arm and category (002). Bounded; a fit is made anew when it is asked for after something was learned. */
export class Saturation {
  readonly #sources = new Map<string, Source>()

  /** `prior`: questions, half of them answered rightly, that each fit begins with, so that few outcomes move it little; 0 when absent. */
  constructor(private readonly prior = 0) {}

  static load(saved: unknown, prior = 0): Saturation {
    const loaded = new Saturation(prior)
    if (!isSaved(saved))
      throw new BursarError('This is no saved saturation of this version.', { code: 'invalid_configuration', status: 500 })
    for (const [name, counts, ceilings] of saved.profiles) {
      const source = loaded.#source(name)
      for (const { successes, trials, weight = 1 } of counts) source.counts.set(`${successes}/${trials}`, { successes, trials, weight })
      for (const [samples, right, n] of ceilings) source.selected.set(samples, { right, n })
    }
    return loaded
  }

  save(): SavedSaturation {
    return {
      version: 1,
      profiles: [...this.#sources].map(([name, { counts, selected }]) => [
        name,
        [...counts.values()],
        [...selected].map(([samples, { right, n }]) => [samples, right, n] as const),
      ]),
    }
  }

  /** Learns of a question how many of its samples were right. Throws `RangeError` for anything but whole numbers with successes ≤ trials ≤ 64. */
  learn(source: string, { successes, trials, weight = 1 }: SampledQuestion): void {
    if (
      !Number.isInteger(successes) ||
      !Number.isInteger(trials) ||
      successes < 0 ||
      successes > trials ||
      trials < 1 ||
      trials > MOST_TRIALS ||
      !(weight > 0 && weight < Infinity)
    )
      throw new RangeError('a question has whole numbers of samples, at most 64, and of successes, at most as many')
    const known = this.#source(source)
    const cell = known.counts.get(`${successes}/${trials}`)
    if (cell) cell.weight += weight
    else known.counts.set(`${successes}/${trials}`, { successes, trials, weight })
    known.fitted = undefined
  }

  /** Learns whether a selector was right that chose among so many samples; `weight`: how much that counts. */
  learnSelection(source: string, samples: number, right: number, weight = 1): void {
    if (!Number.isInteger(samples) || samples < 1 || samples > 1024 || !(right >= 0 && right <= 1) || !(weight > 0 && weight < Infinity))
      throw new RangeError('a selection is right in [0, 1], of at least one sample')
    const known = this.#source(source)
    const cell = known.selected.get(samples) ?? { right: 0, n: 0 }
    known.selected.set(samples, { right: cell.right + weight * right, n: cell.n + weight })
    known.fitted = undefined
  }

  /** `undefined` where nothing was learned. */
  profile(source: string): SamplingProfile | undefined {
    const known = this.#sources.get(source)
    if (known === undefined || known.counts.size === 0) return undefined
    if (known.fitted) return known.fitted
    const before =
      this.prior > 0
        ? [
            { successes: 1, trials: 1, weight: this.prior / 2 },
            { successes: 0, trials: 1, weight: this.prior / 2 },
          ]
        : []
    const mixture = fitBetaMixture([...before, ...known.counts.values()])
    const ceiling = selectorCeiling(mixture, [
      ...(this.prior > 0 ? [{ samples: 1, accuracy: coverage(mixture, 1), weight: this.prior }] : []),
      ...[...known.selected].map(([samples, { right, n }]) => ({ samples, accuracy: right / n, weight: n })),
    ])
    return (known.fitted = { mixture, ceiling, questions: [...known.counts.values()].reduce((sum, { weight }) => sum + weight, 0) })
  }

  #source(name: string): Source {
    const known = this.#sources.get(name)
    if (known) return known
    if (this.#sources.size >= MOST_SOURCES) for (const oldest of this.#sources.keys()) if (this.#sources.delete(oldest)) break
    const source: Source = { counts: new Map(), selected: new Map(), fitted: undefined }
    this.#sources.set(name, source)
    return source
  }
}

/** N for a fixed number of samples a question: the most of which each is worth its price, λ · F_max · E[p (1 − p)^N] > price. At least 1. */
export function worthwhileSamples({ mixture, ceiling }: SamplingProfile, { lambda, price }: SampleWorth, most: number): number {
  if (!(price > 0)) return most
  return Math.max(1, Math.min(most, lambda > 0 ? saturationPoint(mixture, price / lambda, { ceiling, most }) : 1))
}

/**
 * VOI of one more sample of a question of which `drawn` samples gave no answer that is known to be right, in dollars: λ · v · (1 − c) · E[p | all failed] − price
 * with E[p | N failed] = α / (α + β + N). c: probability that one of them is right all the same (0 where a verifier would have said so; the
 * agreement's probability where votes speak). Averaged over questions it is λ · v · E[p (1 − p)^N] − price (002).
 */
export function valueOfSample(
  { mixture, ceiling }: SamplingProfile,
  drawn: number,
  already: number,
  { lambda, price }: SampleWorth,
): number {
  const { alpha, beta } = afterSamples(mixture, 0, drawn)
  return lambda * ceiling * (1 - already) * marginalGain({ alpha, beta }, 0) - price
}

function isSaved(value: unknown): value is SavedSaturation {
  if (
    typeof value !== 'object' ||
    value === null ||
    !('version' in value) ||
    value.version !== 1 ||
    !('profiles' in value) ||
    !Array.isArray(value.profiles)
  )
    return false
  const count = (one: unknown): one is number => typeof one === 'number' && one >= 0 && one < Infinity
  return value.profiles.every((profile: unknown) => {
    if (!Array.isArray(profile) || typeof profile[0] !== 'string' || !Array.isArray(profile[1]) || !Array.isArray(profile[2])) return false
    const counts: readonly unknown[] = profile[1]
    const ceilings: readonly unknown[] = profile[2]
    return (
      counts.every(
        (row) =>
          typeof row === 'object' &&
          row !== null &&
          'successes' in row &&
          'trials' in row &&
          count(row.successes) &&
          count(row.trials) &&
          row.successes <= row.trials &&
          (!('weight' in row) || count(row.weight)),
      ) && ceilings.every((row) => Array.isArray(row) && row.length === 3 && row.every(count))
    )
  })
}

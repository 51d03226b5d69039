import { childRandom } from '../../src/statistics/index.js'
import type { ArmFacts, Observation } from '../../src/routing/index.js'
import { createUnderstanding, fitIdf, type Encoder, type Features } from '../../src/understanding/index.js'
import type { RoutingProblem, RoutingRow } from '../data/routing-problem.js'

/** Rows to learn from and rows to be judged on, none in both, nor a text that the other has. */
export interface Split {
  readonly train: readonly RoutingRow[]
  readonly test: readonly RoutingRow[]
}

/** Features of both parts. Document frequencies are those of the training texts; categories are told of training rows only, unless `told`. */
export interface Understood extends Split {
  readonly trainFeatures: readonly Features[]
  readonly testFeatures: readonly Features[]
  readonly observations: readonly Observation[]
}

export function crossValidation(rows: readonly RoutingRow[], folds: number, seed: number): readonly Split[] {
  const random = childRandom(seed, 'cross-validation')
  // Rows of the same text go to the same fold.
  const foldOf = new Map<string, number>()
  for (const { text } of rows) if (!foldOf.has(text)) foldOf.set(text, Math.floor(random.next() * folds))
  return Array.from({ length: folds }, (_, fold) => ({
    train: rows.filter(({ text }) => foldOf.get(text) !== fold),
    test: rows.filter(({ text }) => foldOf.get(text) === fold),
  }))
}

export function heldOut(train: RoutingProblem, test: RoutingProblem): Split {
  const tested = new Set(test.rows.map(({ text }) => text))
  return { train: train.rows.filter(({ text }) => !tested.has(text)), test: test.rows }
}

/** Without the test rows that lack an arm's outcome: what it would have given there, nobody knows. */
export function judgeable({ train, test }: Split, arms: readonly string[]): Split {
  return { train, test: test.filter(({ outcomes }) => arms.every((arm) => outcomes[arm] !== undefined)) }
}

export async function understand({ train, test }: Split, told: boolean, encoder: Encoder | undefined): Promise<Understood> {
  const understanding = createUnderstanding({ idf: fitIdf(train.map(({ text }) => text)), cacheEntries: 0, encoder })
  const vectors = async (rows: readonly RoutingRow[]): Promise<readonly Features[]> => {
    const texts = rows.map(({ text }) => text)
    if (!encoder) return texts.map((text) => understanding.ofText(text))
    return understanding.withDense(texts, new AbortController().signal)
  }
  const trainFeatures = (await vectors(train)).map((features, at) => named(features, train[at]?.category))
  const testFeatures = (await vectors(test)).map((features, at) => named(features, told ? test[at]?.category : undefined))
  const observations = train.flatMap(({ outcomes }, at) =>
    Object.entries(outcomes).map(([arm, { quality, usd, outputTokens }]): Observation => ({
      features: trainFeatures[at] as Features,
      arm,
      quality,
      usd,
      outputTokens,
    })),
  )
  return { train, test, trainFeatures, testFeatures, observations }
}

/** In place of the category by cue words, which isn't the data's. */
function named(features: Features, name: string | undefined): Features {
  return { ...features, category: name === undefined ? undefined : { name, probability: 1 } }
}

export function factsOf(arms: readonly string[]): readonly ArmFacts[] {
  return arms.map((id) => ({ id, card: {} }))
}

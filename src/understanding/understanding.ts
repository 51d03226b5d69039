import { BursarError, InvalidRequest } from '../errors/index.js'
import type { Request } from '../protocol/index.js'
import { cueCategory } from './category/cue-categories.js'
import type { CategoryModel } from './category/category-model.js'
import type { Category, Difficulty, Encoder, Features, SparseVector } from './features.js'
import { folded, wordsOf } from './lexical/characters.js'
import type { Idf } from './lexical/idf.js'
import { foldedVector } from './lexical/vector.js'
import { createDenseVectors, type EncoderFaults } from './dense-vectors.js'
import { asked, askedOf, type Asked } from './request/asked-text.js'
import { lexicalDifficulty, type LevelCuts } from './request/difficulty.js'
import { textTraits, traitsOf, type TextTraits } from './request/traits.js'
import { TextCache } from './text-cache.js'

export interface UnderstandingOptions {
  /** Adds `dense`. Without one, everything is known at once. */
  readonly encoder?: Encoder | undefined
  /** How long a request waits for its dense vector: 0.25 s when absent. What comes later is kept for the next request with this text. */
  readonly encoderWaitSeconds?: number | undefined
  /** Document frequencies. Without them stop words weigh less, and all else the same. */
  readonly idf?: Idf | undefined
  /** In place of the cue words. Must have been trained on vectors of the same salt (and should on the same idf). */
  readonly categories?: CategoryModel | undefined
  /** Where difficulty's levels begin: even fifths when absent (see `levelCuts`). */
  readonly levels?: LevelCuts | undefined
  /** Most texts remembered: 2,048 when absent; never more than 4 million characters. 0 remembers none. */
  readonly cacheEntries?: number | undefined
  /** Of the hashes; the idf's, else 0, when absent. Whoever keeps vectors must keep it too. */
  readonly salt?: number | undefined
}

/** Turns requests into features. */
export interface Understanding {
  readonly salt: number
  /**
   * A request's features: at once, or as a promise where an encoder is set and its vector isn't known yet. An encoder that fails or is late leaves
   * `dense` absent and is counted. The promise is rejected only when the signal is aborted, with its reason. CPU: linear in the text asked about, of
   * which at most `longestText` characters are looked at closely.
   */
  of(request: Request, signal?: AbortSignal): Features | Promise<Features>
  /** Features of a text as if it were the only message. Never with `dense`, unless it is known already. */
  ofText(text: string): Features
  /**
   * Features of many texts, all with `dense`, in batches. Rejects with the encoder's `BursarError` when it can't work, with `invalid_configuration` when
   * there is none, and with the signal's reason.
   */
  withDense(texts: readonly string[], signal: AbortSignal): Promise<readonly Features[]>
  /** How often requests went without a dense vector, by reason. */
  faults(): EncoderFaults
  /** Ends the encoder, and everything that waits for it. */
  close(): Promise<void>
}

const defaultCacheEntries = 2048
const mostCachedCharacters = 4_000_000
const defaultWaitSeconds = 0.25

/** What is known of a text, whatever request it stands in. */
interface Known {
  readonly text: string
  readonly lexical: SparseVector
  readonly category: Category | undefined
  readonly difficulty: Difficulty
  readonly traits: TextTraits
}

/** Throws `InvalidRequest` for options that can't be used, `path` naming the option. */
export function createUnderstanding(options: UnderstandingOptions = {}): Understanding {
  const { encoder, idf, categories, levels, encoderWaitSeconds = defaultWaitSeconds, cacheEntries = defaultCacheEntries } = options
  const salt = (options.salt ?? idf?.salt ?? 0) >>> 0
  if (!(encoderWaitSeconds > 0 && encoderWaitSeconds <= 600))
    throw new InvalidRequest(`encoderWaitSeconds must be above 0 and at most 600, not ${encoderWaitSeconds}.`, {
      path: 'encoderWaitSeconds',
    })
  if (!Number.isSafeInteger(cacheEntries) || cacheEntries < 0)
    throw new InvalidRequest(`cacheEntries must be a whole number of 0 or more, not ${cacheEntries}.`, { path: 'cacheEntries' })
  if (idf !== undefined && idf.salt !== salt)
    throw new InvalidRequest('The document frequencies were counted under another salt.', { path: 'idf' })
  if (categories !== undefined && categories.salt !== salt)
    throw new InvalidRequest('The category model was trained under another salt.', { path: 'categories' })
  const cache = new TextCache<Known>(cacheEntries, mostCachedCharacters)
  const dense =
    encoder === undefined
      ? undefined
      : createDenseVectors(encoder, { waitSeconds: encoderWaitSeconds, cacheEntries, cacheCharacters: mostCachedCharacters })

  function know(given: Asked): Known {
    // What was cut away matters to the rules on the safe side, so such a text is remembered by the whole.
    const known = cache.get(given.whole)
    if (known !== undefined) return known
    const same = folded(given.text)
    const words = wordsOf(same)
    const lexical = foldedVector(same, idf, salt)
    const traits = textTraits(given, words)
    const category = categories === undefined ? cueCategory(given.text, words, traits) : categories.categorise(lexical)
    const fresh: Known = { text: given.text, lexical, category, difficulty: lexicalDifficulty(traits, words, levels), traits }
    cache.set(given.whole, fresh)
    return fresh
  }

  function featuresOf(known: Known, request: Request, vector: Float32Array | undefined): Features {
    const { text, lexical, category, difficulty } = known
    return {
      text,
      lexical,
      ...(vector === undefined ? {} : { dense: vector }),
      ...(category === undefined ? {} : { category }),
      difficulty,
      traits: traitsOf(request, known.traits),
    }
  }

  return {
    salt,
    of(request, signal) {
      const known = know(askedOf(request))
      if (dense === undefined || known.text === '') return featuresOf(known, request, undefined)
      const vector = dense.known(known.text)
      if (vector !== undefined) return featuresOf(known, request, vector)
      return dense.soon(known.text, signal).then((found) => featuresOf(known, request, found))
    },
    ofText(text) {
      const known = know(asked(text))
      return featuresOf(known, requestOf(text), dense?.known(known.text))
    },
    async withDense(texts, signal) {
      if (dense === undefined)
        throw new BursarError('Dense vectors need an encoder, and none is configured.', { code: 'invalid_configuration', status: 500 })
      const known = texts.map((text) => know(asked(text)))
      const vectors = await dense.all(
        known.map(({ text }) => text),
        signal,
      )
      return known.map((one, at) => featuresOf(one, requestOf(texts[at] ?? ''), vectors[at]))
    },
    faults: () => dense?.faults() ?? { failed: 0, late: 0, refused: 0 },
    close: async () => dense?.close(),
  }
}

function requestOf(text: string): Request {
  return { model: '', messages: [{ role: 'user', parts: [{ type: 'text', text }] }], stream: false, paths: {}, extra: [] }
}

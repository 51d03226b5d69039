/** Tokens of a question that is answered alone or with others in one call (DRQA, 107). */
export interface BatchTokens {
  /** What every call says again: system prompt, instructions. */
  readonly shared: number
  readonly question: number
  readonly answer: number
}

/**
 * Tokens a question takes when `size` of them share a call, and each of the others spoils it with probability ε (`crossTalk`), which costs a call
 * of its own: shared/n + question + answer + (1 − (1 − ε)^(n−1)) · (shared + question + answer). For size 1 that is the whole of a single call.
 * Throws `RangeError` for what is no number of tokens, size or probability.
 */
export function tokensAQuestion({ shared, question, answer }: BatchTokens, size: number, crossTalk = 0): number {
  if (![shared, question, answer].every((tokens) => tokens >= 0 && tokens < Infinity)) throw new RangeError('not a number of tokens')
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`not a size of a batch: ${size}`)
  if (!(crossTalk >= 0 && crossTalk <= 1)) throw new RangeError(`not a probability: ${crossTalk}`)
  const spoiled = 1 - (1 - crossTalk) ** (size - 1)
  return shared / size + question + answer + spoiled * (shared + question + answer)
}

/** The size, 1 to `most`, at which a question takes the fewest tokens; the smallest of equal ones. O(most). */
export function bestBatchSize(tokens: BatchTokens, crossTalk: number, most = LARGEST_BATCH): number {
  let best = 1
  for (let size = 2; size <= most; size++)
    if (tokensAQuestion(tokens, size, crossTalk) < tokensAQuestion(tokens, best, crossTalk)) best = size
  return best
}

/** Questions in one call at the most (107: 2 to 5). */
export const LARGEST_BATCH = 5

/** Categories whose sizes are remembered at most. */
const MOST_CATEGORIES = 500

/** How many questions to put into one call, learned by category. */
export interface BatchSizes {
  /** 1 (none share a call) to 5. */
  size(category: string): number
  /** `ok`: every answer of a batch could be used. */
  observe(category: string, ok: boolean): void
  /** A question that might have shared a call was answered alone. */
  answeredAlone(category: string): void
}

/**
 * Additive increase, multiplicative decrease: +1/2 after a batch that worked, half after one that didn't. A category whose batches are given up (below
 * 2) is tried again after some single answers, +1/10 for each. The 500 categories seen last are remembered. Throws `RangeError` for a start that is no size.
 */
export function createBatchSizes(start = 3): BatchSizes {
  if (!(start >= 1 && start <= LARGEST_BATCH)) throw new RangeError(`not a size of a batch: ${start}`)
  const sizes = new Map<string, number>()
  const sizeOf = (category: string) => sizes.get(category) ?? start
  const put = (category: string, size: number) => {
    sizes.delete(category)
    sizes.set(category, Math.min(LARGEST_BATCH, Math.max(1, size)))
    const oldest = sizes.size > MOST_CATEGORIES ? sizes.keys().next().value : undefined
    if (oldest !== undefined) sizes.delete(oldest)
  }
  return {
    size: (category) => Math.floor(sizeOf(category)),
    observe: (category, ok) => put(category, ok ? sizeOf(category) + 0.5 : sizeOf(category) / 2),
    answeredAlone(category) {
      if (sizeOf(category) < 2) put(category, Math.min(2, sizeOf(category) + 0.1))
    },
  }
}

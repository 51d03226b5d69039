/** A sample with the answer it gives and its size. */
export interface SizedSample {
  /** As `answerKey` writes it; `null` where it gives none. */
  readonly answer: string | null
  /** Tokens, characters, or nats (paper 165): what shall be small. */
  readonly size: number
}

/**
 * The smallest of the samples that give the answer on which most agree (paper 048): what to return, and what to keep as an example. Of equally many the answer
 * that was given first, of equal sizes the first sample. `undefined` where no sample gives an answer. O(samples). Throws `RangeError` for a size that is no number.
 */
export function smallestAgreeing<S extends SizedSample>(samples: readonly S[]): S | undefined {
  const votes = new Map<string, { count: number; smallest: S }>()
  for (const sample of samples) {
    if (!Number.isFinite(sample.size)) throw new RangeError(`a sample's size is a number, not ${sample.size}`)
    if (sample.answer === null) continue
    const known = votes.get(sample.answer)
    votes.set(sample.answer, {
      count: (known?.count ?? 0) + 1,
      smallest: known === undefined || sample.size < known.smallest.size ? sample : known.smallest,
    })
  }
  let best: { readonly count: number; readonly smallest: S } | undefined
  for (const vote of votes.values()) if (best === undefined || vote.count > best.count) best = vote
  return best?.smallest
}

/** Characters of a text whose words are compared at most. */
export const LONGEST_COMPARED = 1_000_000

/** Words of a text: runs of letters and digits of any script, in lower case. O(length), of the first 1,000,000 characters. */
export function wordsOf(text: string): readonly string[] {
  return (
    text
      .slice(0, LONGEST_COMPARED)
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  )
}

/** How often each n-gram of the words comes. O(words · n). */
export function gramsOf(words: readonly string[], n: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (let at = 0; at + n <= words.length; at++) {
    const gram = words.slice(at, at + n).join(' ')
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

/** Of n-grams that two texts share: each counts as often as it comes in both. */
export function sharedGrams(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let shared = 0
  for (const [gram, count] of a) shared += Math.min(count, b.get(gram) ?? 0)
  return shared
}

/** Harmonic mean of precision and recall of `shared` among both counts; 1 where both are empty. */
function fMeasure(shared: number, given: number, wanted: number): number {
  if (given === 0 && wanted === 0) return 1
  return shared === 0 ? 0 : (2 * shared) / (given + wanted)
}

/**
 * ROUGE-N of an answer against a reference, as F1 (Lin 2004: R = Σ min(count_answer(g), count_reference(g)) / Σ count_reference(g); P
 * likewise over the answer's). In [0, 1]. Texts shorter than n words have no n-grams: two of those are alike only where they are the
 * same words.
 */
export function rougeN(answer: string, reference: string, n: number): number {
  const [a, b] = [wordsOf(answer), wordsOf(reference)]
  if (b.length < n) return a.join(' ') === b.join(' ') ? 1 : 0
  const [given, wanted] = [Math.max(0, a.length - n + 1), b.length - n + 1]
  return fMeasure(sharedGrams(gramsOf(a, n), gramsOf(b, n)), given, wanted)
}

/**
 * BLEU of one answer (Papineni et al. 2002) in [0, 1]: BP · exp(Σ_{n=1..4} ¼ log p_n), p_n being n-gram precision clipped by the most
 * that any reference holds, BP = 1 where c > r and exp(1 − r/c) else (c, r: words of the answer, and of the reference nearest in
 * length). For n > 1 one is added to both counts of p_n (Lin and Och 2004), since a single sentence seldom shares four words in a row.
 */
export function bleu(answer: string, references: readonly string[]): number {
  const words = wordsOf(answer)
  const held = references.map(wordsOf)
  if (words.length === 0) return held.some((reference) => reference.length === 0) ? 1 : 0
  let logs = 0
  for (let n = 1; n <= 4; n++) {
    const given = gramsOf(words, n)
    const counts = held.map((reference) => gramsOf(reference, n))
    let clipped = 0
    for (const [gram, count] of given) clipped += Math.min(count, Math.max(0, ...counts.map((reference) => reference.get(gram) ?? 0)))
    const added = n === 1 ? 0 : 1
    const precision = (clipped + added) / (Math.max(0, words.length - n + 1) + added)
    if (precision === 0) return 0
    logs += Math.log(precision) / 4
  }
  const nearest = held.map(({ length }) => length).sort((a, b) => Math.abs(a - words.length) - Math.abs(b - words.length) || a - b)[0] ?? 0
  const brevity = words.length > nearest ? 1 : Math.exp(1 - nearest / words.length)
  return brevity * Math.exp(logs)
}

/** Token F1 of SQuAD (Rajpurkar et al. 2016): shared words of both texts, without articles and punctuation. In [0, 1]. */
export function tokenF1(answer: string, reference: string): number {
  const [a, b] = [answer, reference].map((text) => wordsOf(text).filter((word) => !/^(?:a|an|the)$/.test(word)))
  if (a === undefined || b === undefined) return 0
  return fMeasure(sharedGrams(gramsOf(a, 1), gramsOf(b, 1)), a.length, b.length)
}

import { beginsAgain, sentenceEnd } from './rounds.js'
import { statedAnswers } from './stated-answers.js'

export interface WatchSettings {
  /** Checks of an answer that may be made before the next one is cut (083: one). 1 when absent. */
  readonly checks?: number | undefined
  /** How often an answer may be stated again, once a check has begun. 2 when absent. */
  readonly restated?: number | undefined
  /** Sentences after an answer that is never contradicted; only for reasoning, whose text nobody asked for. 16 when absent. */
  readonly after?: number | undefined
  /** Share of the last 64 words' runs of four that must be new. 0.1 when absent; 0: loops aren't looked for. */
  readonly novelty?: number | undefined
}

/** Why it is enough: the answer is checked or stated again and again, nothing comes after it, or the text repeats itself. */
export type EnoughReason = 'checked' | 'restated' | 'idle' | 'loop'

const gramWords = 4
const window = 64
/** Words before a loop can be told from a list. */
const leastWords = 256
const mostGrams = 50_000
/** A sentence that doesn't end is looked at in pieces. */
const longestSentence = 2_000

/**
 * Watches a stream of thoughts for the point from which nothing is gained (papers 083 and 030, without training): the answer is stated and only
 * checked again, or the text goes round in a loop (no new runs of words: the surprisal of paper 165 under the trace's own words). An answer that a check changes begins
 * anew. Code and JSON are never enough. Bounded memory; O(characters).
 */
export class ThinkingWatch {
  /** The answer stated last, as `answerKey` writes it. */
  answer: string | null = null
  private rest = ''
  private checks = 0
  private restatements = 0
  private sentences = 0
  private fenced = false
  private exempt = false
  private begun = false
  private readonly grams = new Set<string>()
  private readonly lastWords: string[] = []
  private readonly news: boolean[] = []
  private words = 0
  private readonly most: { readonly checks: number; readonly restated: number; readonly after: number; readonly novelty: number }

  /** Throws `RangeError` for settings that aren't numbers of at least 0. */
  constructor(
    private readonly kind: 'reasoning' | 'text',
    { checks = 1, restated = 2, after = 16, novelty = 0.1 }: WatchSettings = {},
  ) {
    if (![checks, restated, after, novelty].every((value) => value >= 0))
      throw new RangeError('settings of a watch are numbers of at least 0')
    this.most = { checks, restated, after, novelty }
  }

  /** Takes the next piece; says why it is enough, once it is. */
  push(piece: string): EnoughReason | undefined {
    this.rest += piece
    if (!this.begun && this.rest.trim() !== '') {
      this.begun = true
      this.exempt = this.kind === 'text' && /^\s*[[{]/.test(this.rest)
    }
    for (;;) {
      const found = sentenceEnd.exec(this.rest)
      // The white space may go on, so the last end is not sure before something else has come.
      const whole = found !== null && found.index + found[0].length < this.rest.length
      if (!whole && this.rest.length < longestSentence) return undefined
      const end = whole ? found.index + found[0].length : longestSentence
      const sentence = this.rest.slice(0, end)
      this.rest = this.rest.slice(end)
      const reason = this.take(sentence)
      if (reason !== undefined) return reason
    }
  }

  private take(sentence: string): EnoughReason | undefined {
    if (sentence.includes('```')) {
      this.fenced = sentence.split('```').length % 2 === 0 ? !this.fenced : this.fenced
      // Whoever asked for code wants all of it, and what is said about it.
      if (this.kind === 'text') this.exempt = true
    }
    if (this.exempt || this.fenced) return undefined
    const looped = this.isLoop(sentence)
    const stated = statedAnswers(sentence).at(-1)?.key
    if (stated !== undefined && stated !== this.answer) {
      this.answer = stated
      this.checks = this.restatements = this.sentences = 0
      return undefined
    }
    if (this.answer === null) return looped ? 'loop' : undefined
    this.sentences++
    if (stated !== undefined) this.restatements++
    if (beginsAgain(sentence)) this.checks++
    if (this.checks > this.most.checks) return 'checked'
    if (this.checks > 0 && this.restatements >= this.most.restated) return 'restated'
    if (this.kind === 'reasoning' && this.sentences >= this.most.after) return 'idle'
    return looped ? 'loop' : undefined
  }

  private isLoop(sentence: string): boolean {
    if (this.most.novelty === 0) return false
    for (const word of sentence.toLowerCase().match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []) {
      this.words++
      this.lastWords.push(word)
      if (this.lastWords.length < gramWords) continue
      const gram = this.lastWords.join(' ')
      this.lastWords.shift()
      this.news.push(!this.grams.has(gram))
      if (this.news.length > window) this.news.shift()
      if (this.grams.size < mostGrams) this.grams.add(gram)
    }
    return this.words >= leastWords && this.grams.size < mostGrams && this.news.filter((fresh) => fresh).length < this.most.novelty * window
  }
}

import { statedAnswers } from './stated-answers.js'

/** One attempt at the question within a trace of thoughts. */
export interface Round {
  readonly start: number
  readonly end: number
  /** The last answer that it states, as `answerKey` writes it; `null` where it states none. */
  readonly answer: string | null
}

/** Words with which models begin to check or try again. At the beginning of a sentence. */
const again =
  /^(?:(?:but |okay,? |ok,? |so,? |hmm,? )*)(?:wait\b|hold on\b|hmm\b|alternatively\b|actually\b|on second thought|let(?:'|’)?s (?:double[- ]?check|re-?check|verify|check)|let me (?:double[- ]?check|re-?check|re-?verify|verify|check|try|re-?consider|re-?think)|to (?:verify|double[- ]?check|be sure|confirm)\b|another (?:way|approach)\b|(?:double[- ]?)?checking\b)/iu

/** Whether a sentence begins another round. */
export function beginsAgain(sentence: string): boolean {
  return again.test(sentence.trimStart())
}

/** Where sentences and lines end. A point between digits ends none. */
export const sentenceEnd = /(?<=[.!?]["')\]]?)\s+|\n+/u

/**
 * A trace as rounds (papers 030, 083): a new one begins with a sentence that checks or tries again, and after a stated answer where another sentence
 * states a different one. Rounds cover the text without gaps; an empty text has none. O(characters).
 */
export function splitRounds(text: string): readonly Round[] {
  const rounds: Round[] = []
  let start = 0
  let answer: string | null = null
  let at = 0
  const close = (end: number): void => {
    if (end > start) rounds.push({ start, end, answer })
    start = end
    answer = null
  }
  for (const piece of text.split(/(?<=[.!?]["')\]]?)(?=\s)|(?<=\n)/u)) {
    const stated = statedAnswers(piece).at(-1)?.key ?? null
    if (at > start && (beginsAgain(piece) || (answer !== null && stated !== null && stated !== answer))) close(at)
    answer = stated ?? answer
    at += piece.length
  }
  close(text.length)
  return rounds
}

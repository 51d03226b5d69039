import { InvalidRequest } from '../../errors/index.js'
import { childRandom, normalDraw } from '../../statistics/index.js'

/** A question that simulated models answer. What isn't given is drawn by the world's seed and the id. */
export interface SimulatedQuestion {
  readonly id: string
  /** The right answer; a number of four digits when absent. */
  readonly truth?: string | undefined
  /** Wrong answers, the most tempting first. Absent: numbers beside a numeric truth, other letters beside a choice from A to J. */
  readonly wrong?: readonly string[] | undefined
  /** Standard normal over questions when absent. */
  readonly difficulty?: number | undefined
}

/** A question with everything drawn. */
export interface DrawnQuestion {
  readonly id: string
  readonly truth: string
  readonly difficulty: number
  /** How easy it is for everybody, standard normal. */
  readonly ease: number
  /** Wrong answers that can be told apart. */
  readonly mostWrong: number
  /** The wrong answer of this rank, from 0. */
  wrong(rank: number): string
  /** The last answer to this question, right or wrong, that a text names; `null` where there is none. O(answers × characters). */
  answerOf(text: string): string | null
}

const LETTERS = 'ABCDEFGHIJ'
/** Wrong answers that a text is searched for. */
const MOST_SEARCHED = 64

/** Throws `InvalidRequest` for a question without usable answers. */
export function drawQuestion(question: SimulatedQuestion, seed: number): DrawnQuestion {
  const random = childRandom(seed, `question\0${question.id}`)
  const ease = normalDraw(random)
  const truth = question.truth ?? String(1_000 + Math.floor(random.next() * 9_000))
  const difficulty = question.difficulty ?? -ease
  if (!Number.isFinite(difficulty))
    throw new InvalidRequest(`A difficulty must be a number, not ${difficulty}.`, { path: 'question.difficulty' })
  if (truth.trim() === '') throw new InvalidRequest('A question needs an answer.', { path: 'question.truth' })
  const { count, at } = wrongAnswers(truth, question.wrong)
  return {
    id: question.id,
    truth,
    difficulty,
    ease,
    mostWrong: count,
    wrong: at,
    answerOf(text) {
      let best: string | null = null
      let end = -1
      for (let rank = -1; rank < Math.min(count, MOST_SEARCHED); rank++) {
        const answer = rank < 0 ? truth : at(rank)
        const found = lastPlace(text, answer)
        // Of two that end at the same place the longer one is meant.
        if (found > end || (found === end && found >= 0 && answer.length > (best?.length ?? 0))) [best, end] = [answer, found]
      }
      return best
    },
  }
}

function wrongAnswers(truth: string, given: readonly string[] | undefined): { readonly count: number; at(rank: number): string } {
  if (given) {
    if (given.length === 0 || given.includes(truth) || given.some((answer) => answer.trim() === '') || new Set(given).size < given.length)
      throw new InvalidRequest('Wrong answers must be at least one, differ, and not be the right one.', { path: 'question.wrong' })
    return { count: given.length, at: (rank) => given[rank] ?? '' }
  }
  const number = Number(truth)
  if (/^-?\d+$/.test(truth) && Number.isSafeInteger(number + MOST_SEARCHED))
    return { count: MOST_SEARCHED, at: (rank) => String(number + rank + 1) }
  const letters = [...LETTERS].filter((letter) => letter !== truth)
  if (letters.length < LETTERS.length) return { count: letters.length, at: (rank) => letters[rank] ?? '' }
  throw new InvalidRequest(`Name wrong answers beside "${truth}": they are made up only for whole numbers and letters from A to J.`, {
    path: 'question.wrong',
  })
}

/** Where the last whole-word occurrence of an answer in a text ends; −1 where there is none. */
function lastPlace(text: string, answer: string): number {
  for (let at = text.lastIndexOf(answer); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(answer, at - 1)) {
    const end = at + answer.length
    if (!GOES_BEFORE.test(text.slice(Math.max(0, at - 2), at)) && !GOES_ON.test(text.slice(end, end + 2))) return end
  }
  return -1
}

/** What makes a number or word that follows part of a longer one: letters, digits, a decimal point, a minus sign. */
const GOES_BEFORE = /[\p{L}\p{N}_]$|\d[.,]$|(?:^|[\s(=:])[-−]$/u
const GOES_ON = /^(?:[\p{L}\p{N}_]|[.,]\d)/u

import type { Features } from '../understanding/index.js'
import type { AnswerHint } from './agreement/answer-hint.js'
import type { InstantSignals } from './thinking/gate-inputs.js'

/**
 * What a strategy saw on the way to its answer that somebody's word on the answer can teach something by. Lives in memory from the answer to its outcome: it may hold content
 * (keys of answers, features of the request), so it is never stored or logged.
 */
export type Lesson = PoolLesson | ThoughtLesson | LibraryLesson | AuctionLesson

/** Samples that were drawn of one question, and what they answered. */
export interface PoolLesson {
  readonly kind: 'pool'
  /** Who was sampled, by the name in the calibration (`agreementArm`). */
  readonly arm: string
  /** Kind of question, as the strategy knew it. */
  readonly category?: string | undefined
  /** How these samples' answers were read, so that the one that goes out is read alike. */
  readonly hint?: AnswerHint | undefined
  /** The pool after each round of samples, with the answer that led then; empty where votes didn't decide. */
  readonly rounds: readonly { readonly top: number; readonly total: number; readonly winner: string | null }[]
  /** Samples in all, those that can't be compared included. */
  readonly samples: number
  /** Samples by answer. */
  readonly answers: ReadonlyMap<string, number>
}

/** A decision whether to think (169). */
export interface ThoughtLesson {
  readonly kind: 'thought'
  readonly features: Features
  readonly mode: 'instant' | 'reasoned'
  /** Probability with which the mode was chosen, in (0, 1]. */
  readonly propensity: number
  readonly signals?: InstantSignals | undefined
  readonly outputTokens: number
}

/** A stored strategy that answered (109). */
export interface LibraryLesson {
  readonly kind: 'library'
  /** The library's name. */
  readonly library: string
  readonly cluster: string
  /** Of the strategy: `specHash`. */
  readonly hash: string
  /** Dollars of the run; `null` where they aren't known. */
  readonly usd: number | null
  /** What the strategy found of its own answer, in [0, 1]: weak evidence. */
  readonly found?: number | undefined
}

/** An auction whose winner answered (143). */
export interface AuctionLesson {
  readonly kind: 'auction'
  /** Of the record in the auction's memory; empty where none was held. */
  readonly id: string
  /** Who answered. */
  readonly winner: string
}

/** Lessons of one answer that are kept at most: the newest. */
const MOST_LESSONS = 64

/** Two lists as one, bounded. */
export function lessonsOf(before: readonly Lesson[], more: readonly Lesson[] = []): readonly Lesson[] {
  return more.length === 0 ? before : [...before, ...more].slice(-MOST_LESSONS)
}

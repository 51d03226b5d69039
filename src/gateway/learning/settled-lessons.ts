import {
  answerShape,
  completionKey,
  type Answer,
  type Lesson,
  type LibraryLesson,
  type PoolLesson,
  type ThoughtLesson,
  type AuctionLesson,
} from '../../strategies/index.js'

/** Samples of one question as they are kept until somebody speaks of the answer: without what they answered. */
export interface SettledPool extends Pick<PoolLesson, 'kind' | 'arm' | 'category'> {
  /** The pool after each round, and whether the answer that led then is the one that went out. */
  readonly rounds: readonly { readonly top: number; readonly total: number; readonly given: boolean }[]
  /** Samples that could be compared; those that gave the answer that went out; and whether more gave it than any other. */
  readonly samples: number
  readonly agreeing: number
  readonly selected: boolean
  /** Shapes of the answers, each once. */
  readonly shapes: readonly { readonly shape: string; readonly given: boolean }[]
}

/** What an outcome of an answer can teach, as it is kept in memory until then. */
export type SettledLesson = SettledPool | ThoughtLesson | LibraryLesson | AuctionLesson

/** Sampled questions are counted up to so many samples. */
const MOST_TRIALS = 64

/** What can be learned of an answer, now that it is known which one went out. A pool that can't be held against it (it went out as bytes) teaches nothing. O(answers). */
export function settled({ lessons = [], completion }: Pick<Answer, 'lessons' | 'completion'>): readonly SettledLesson[] {
  return lessons.flatMap((lesson: Lesson): readonly SettledLesson[] => {
    if (lesson.kind !== 'pool') return [lesson]
    const given = completionKey(completion, lesson.hint)
    if (given === null) return []
    const { kind, arm, category, rounds, samples, answers } = lesson
    const agreeing = answers.get(given) ?? 0
    return [
      {
        kind,
        arm,
        category,
        rounds: rounds.filter(({ winner }) => winner !== null).map(({ top, total, winner }) => ({ top, total, given: winner === given })),
        samples: Math.min(MOST_TRIALS, samples),
        agreeing: Math.min(MOST_TRIALS, agreeing),
        selected: agreeing > 0 && agreeing === Math.max(...answers.values()),
        shapes: [...answers.keys()].map((key) => ({ shape: answerShape(key), given: key === given })),
      },
    ]
  })
}

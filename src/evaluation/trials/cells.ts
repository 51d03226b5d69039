import type { Money } from '../../quantities/index.js'

/** What a method answered on an item, and what it took. */
export interface KeptAnswer {
  readonly answer: string
  /** `null`: the price isn't known. */
  readonly usd: Money | null
  readonly seconds: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the output tokens, those of reasoning. */
  readonly reasoningTokens: number
  /** Model calls that the answer took. */
  readonly calls: number
}

/** What a check said of an answer. */
export interface KeptGrade {
  readonly score: number
  readonly passed: boolean
  readonly reason: string
  readonly usd: Money | null
}

/**
 * What stands between a cell and paying for it: `answered`: it was paid for before. `mine`: nobody else is at it, and nobody else will
 * be until it is kept or given back. `taken`: another process is at it.
 */
export type Claim = { readonly state: 'answered'; readonly answer: KeptAnswer } | { readonly state: 'mine' } | { readonly state: 'taken' }

/** Names for people who look into the file. */
export interface CellName {
  readonly method: string
  readonly item: string
}

/** Answers and grades that were paid for. Whoever claims an answer keeps or gives back it. */
export interface Cells {
  /** Where they are kept; `undefined` where they are forgotten with the process. */
  readonly file: string | undefined
  claim(key: string): Claim
  keepAnswer(key: string, name: CellName, answer: KeptAnswer): void
  giveBack(key: string): void
  grade(answerKey: string, gradeKey: string): KeptGrade | undefined
  keepGrade(answerKey: string, gradeKey: string, kind: string, grade: KeptGrade): void
  close(): void
}

/** Cells that are forgotten with the process: within it nothing is paid for twice all the same. Memory grows with the answers. */
export function memoryCells(): Cells {
  const answers = new Map<string, KeptAnswer | null>()
  const grades = new Map<string, KeptGrade>()
  return {
    file: undefined,
    claim(key) {
      const known = answers.get(key)
      if (known) return { state: 'answered', answer: known }
      if (known === null) return { state: 'taken' }
      answers.set(key, null)
      return { state: 'mine' }
    },
    keepAnswer: (key, _name, answer) => void answers.set(key, answer),
    giveBack(key) {
      if (answers.get(key) === null) answers.delete(key)
    },
    grade: (answer, grade) => grades.get(`${answer} ${grade}`),
    keepGrade: (answer, key, _kind, grade) => void grades.set(`${answer} ${key}`, grade),
    close() {},
  }
}

import { z } from 'zod'
import type { DataSource } from '../report.js'
import { oneFile, readRows } from './source.js'

/** A question with solutions that were written out. */
export interface SolvedQuestion {
  readonly id: string
  readonly question: string
  readonly solutions: readonly { readonly text: string; readonly right: boolean }[]
}
export interface SolutionTexts {
  readonly name: string
  readonly questions: readonly SolvedQuestion[]
  readonly source: DataSource
}

const solution = z.object({ solution: z.string(), is_correct: z.boolean() })
const gsm8k = z.looseObject({ id: z.string().min(1), question: z.string().min(1) })

/** GSM8K's problems with the solutions of four systems. */
export function loadGsm8kSolutions(folder: string): SolutionTexts {
  const { rows, source } = readRows(oneFile(folder, /^test_with_.*solutions.*\.jsonl(\.gz)?$/), gsm8k)
  return {
    name: 'gsm8k',
    source,
    questions: rows.map((row) => ({
      id: row.id,
      question: row.question,
      solutions: Object.values(row).flatMap((value) => {
        const read = solution.safeParse(value)
        return read.success ? [{ text: read.data.solution, right: read.data.is_correct }] : []
      }),
    })),
  }
}

const qwen = z.object({ idx: z.int(), question: z.string().min(1), responses: z.array(z.string()), correct: z.array(z.boolean()) })

/** MATH questions with the eight solutions of Qwen2.5-Math. */
export function loadQwenSolutions(folder: string): SolutionTexts {
  const { rows, source } = readRows(oneFile(folder, /^qwen25_math.*samples.*\.jsonl(\.gz)?$/), qwen)
  return {
    name: 'qwen25_math',
    source,
    questions: rows.map(({ idx, question, responses, correct }) => ({
      id: `qwen-${idx}`,
      question,
      solutions: responses.map((text, index) => ({ text, right: correct[index] ?? false })),
    })),
  }
}

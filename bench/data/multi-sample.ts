import { z } from 'zod'
import type { LoadedRows } from './mot-cascade.js'
import { oneFile, readRows } from './source.js'

const letters = z.object({
  question: z.string(),
  answer: z.string(),
  samples_extracted: z.array(z.string()).min(1),
  samples_chars: z.array(z.number()),
})
const qwen = z.object({
  idx: z.number(),
  question: z.string(),
  level: z.string().optional(),
  pred: z.array(z.string()),
  correct: z.array(z.boolean()),
  reward_model_score: z.array(z.number()),
  response_chars: z.array(z.number()),
})

/** The arm of the last-letter samples. */
export const lettersArm = 'gpt-3.5-turbo'
/** The arm of the MATH samples. */
export const qwenArm = 'qwen2.5-math'

/**
 * GPT-3.5's samples (T = 0.7) of last-letter concatenation: the extracted answers, right where equal to the solution. Tokens: a quarter
 * of the characters.
 */
export function loadLastLetters(folder: string): LoadedRows {
  const { rows, source } = readRows(oneFile(folder, /^gpt35_last_letters.*\.jsonl(\.gz)?$/), letters)
  return {
    name: 'last_letters',
    source,
    rows: rows.map(({ question, answer, samples_extracted, samples_chars }, index) => ({
      id: `letters-${index}`,
      category: 'last_letters',
      request: { messages: [{ role: 'user', content: question }] },
      outcomes: {
        [lettersArm]: {
          samples: samples_extracted.map((one, at) => ({
            answer: one,
            quality: one === answer ? 1 : 0,
            outputTokens: Math.ceil((samples_chars[at] ?? 0) / 4),
          })),
        },
      },
    })),
  }
}

/** Qwen2.5-Math's eight samples of MATH questions, with the reward model's scores. */
export function loadQwenMath(folder: string): LoadedRows & { readonly rewards: ReadonlyMap<string, ReadonlyMap<string, number>> } {
  const { rows, source } = readRows(oneFile(folder, /^qwen25_math.*\.jsonl(\.gz)?$/), qwen)
  const rewards = new Map<string, Map<string, number>>()
  return {
    name: 'qwen_math',
    source,
    rewards,
    rows: rows.map(({ idx, question, pred, correct, reward_model_score, response_chars }, index) => {
      const id = `qwen-${idx}-${index}`
      // Equal predictions of different samples have scores of their own: a mark makes each sample's text its own, and the answer stays
      // what it is.
      const samples = pred.map((one, at) => ({
        answer: `${at + 1} | The answer is ${boxed(one)}`,
        quality: correct[at] === true ? 1 : 0,
        outputTokens: Math.ceil((response_chars[at] ?? 0) / 4),
      }))
      rewards.set(id, new Map(samples.map(({ answer }, at) => [answer, reward_model_score[at] ?? NaN])))
      return { id, category: 'math', request: { messages: [{ role: 'user', content: question }] }, outcomes: { [qwenArm]: { samples } } }
    }),
  }
}

function boxed(answer: string): string {
  return `\\boxed{${answer}}`
}

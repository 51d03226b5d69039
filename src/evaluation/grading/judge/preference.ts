import { z } from 'zod'
import type { Environment } from '../../../environment/index.js'
import { addCost, noCost, type Cost } from '../../../quantities/index.js'
import { askJudge, JUDGE_RULE, quoted } from './ask-judge.js'

export interface PreferenceQuestion {
  /** What both answers answer. */
  readonly question: string
  /** What makes an answer better; absent: how correct, complete and helpful it is. */
  readonly criterion?: string | undefined
  /** The judging model, in Bursar's names. */
  readonly judge: string
}

export interface AnswerPreference {
  /** Of the first answer: 1 preferred, 0 the other is, ½ a tie; the mean over both orders. */
  readonly first: number
  /** Whether both orders gave the same. Where they don't, the order decided, and the preference is ½ or ¼ and ¾. */
  readonly consistent: boolean
  readonly reason: string
  readonly cost: Cost
}

const INSTRUCTION = `You compare two answers to one question. ${JUDGE_RULE} The order in which the answers stand, their length and their tone say nothing about which is better.`
const choice = z.object({ reason: z.string().default(''), better: z.enum(['A', 'B', 'tie']) })
const shares = { A: 1, tie: 0.5, B: 0 } as const
const usualCriterion = 'Which answer is more correct, complete and helpful?'

/** What the judge is told, for fingerprints. */
export const preferencePrompt = `${INSTRUCTION}\n${usualCriterion}`

/**
 * Which of two answers a judge prefers. It is asked twice, with the answers in either order, since judges lean to a place (Zheng et al.
 * 2023), and may call it a tie. Two answers that are the same text are a tie without a call. Throws what `askJudge` throws.
 */
export async function preferenceOf(
  environment: Environment,
  asked: PreferenceQuestion,
  first: string,
  second: string,
): Promise<AnswerPreference> {
  if (first.trim() === second.trim()) return { first: 0.5, consistent: true, reason: 'Both answers are the same.', cost: noCost }
  const ask = (a: string, b: string) =>
    askJudge(
      environment,
      asked.judge,
      INSTRUCTION,
      `${quoted('question', asked.question)}\n\n${quoted('answer_a', a)}\n\n${quoted('answer_b', b)}\n\n${quoted('criterion', asked.criterion ?? usualCriterion)}\n\nReply: {"reason": "one sentence", "better": "A" or "B" or "tie"}`,
      choice,
    )
  const [forward, backward] = [await ask(first, second), await ask(second, first)]
  const [before, after] = [shares[forward.verdict.better], 1 - shares[backward.verdict.better]]
  return {
    first: (before + after) / 2,
    consistent: before === after,
    reason: forward.verdict.reason,
    cost: addCost(forward.cost, backward.cost),
  }
}

const best = z.object({ reason: z.string().default(''), best: z.union([z.int().min(1), z.literal('tie')]) })

export interface Selection {
  /** Of each answer, in the order given: its share of the votes, 1 in all. */
  readonly shares: readonly number[]
  readonly consistent: boolean
  readonly cost: Cost
}

/**
 * Which of several answers a judge finds best: promptfoo's `select-best`, asked in the order given and in the reverse; a tie is shared
 * by all. For two answers `preferenceOf` is clearer. At most 20 answers. Throws `RangeError` for none or more than 20, and what
 * `askJudge` throws.
 */
export async function selectBest(environment: Environment, asked: PreferenceQuestion, answers: readonly string[]): Promise<Selection> {
  if (answers.length === 0 || answers.length > 20)
    throw new RangeError(`from 1 to 20 answers can be compared at once, not ${answers.length}`)
  if (answers.length === 1) return { shares: [1], consistent: true, cost: noCost }
  const votes = answers.map(() => 0)
  const chosen: (number | 'tie')[] = []
  let cost: Cost = noCost
  for (const order of [answers.map((_, index) => index), answers.map((_, index) => answers.length - 1 - index)]) {
    const listed = order.map((index, place) => quoted(`answer_${place + 1}`, answers[index] ?? '')).join('\n\n')
    const type = best.refine((said) => said.best === 'tie' || said.best <= answers.length, `there are ${answers.length} answers`)
    const told = await askJudge(
      environment,
      asked.judge,
      INSTRUCTION.replace('two answers', 'several answers'),
      `${quoted('question', asked.question)}\n\n${listed}\n\n${quoted('criterion', asked.criterion ?? 'Which answer is the most correct, complete and helpful?')}\n\nReply: {"reason": "one sentence", "best": the number of the best answer, or "tie"}`,
      type,
    )
    cost = addCost(cost, told.cost)
    const said = told.verdict.best
    const index = said === 'tie' ? 'tie' : (order[said - 1] ?? 'tie')
    chosen.push(index)
    for (const each of votes.keys()) votes[each] = (votes[each] ?? 0) + (index === 'tie' ? 0.5 / answers.length : index === each ? 0.5 : 0)
  }
  return { shares: votes, consistent: chosen[0] === chosen[1], cost }
}

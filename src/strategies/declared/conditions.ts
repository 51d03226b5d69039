import { z } from 'zod'
import { type Regime } from '../../quantities/index.js'
import type { Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import { likelyTokens } from '../../understanding/index.js'
import { isCut, jsonIn, questionOf, textOf } from '../calls.js'
import type { Answer } from '../strategy.js'
import { listing } from './fields.js'
import type { FullContext } from './kind.js'

/** What a request or an answer is asked in a declared strategy: data, one question each, which combine by all, any and not. */
export type RequestCondition = z.output<typeof requestCondition>
export type AnswerCondition = z.output<typeof answerCondition>

const words = z.array(z.string().min(1).max(100)).min(1).max(20)

/** Conditions nest at most this deep. */
const MAX_DEPTH = 4

const requestLeaf = z.union(
  [
    z.strictObject({
      level_at_least: z.int().min(1).max(5).describe('Difficulty, 1 to 5; where it isn’t known, the condition does not hold.'),
    }),
    z.strictObject({ input_tokens_over: z.int().nonnegative().max(1e9) }),
    z.strictObject({ turns_over: z.int().nonnegative().max(1e6) }),
    z.strictObject({ tools: z.boolean() }),
    z.strictObject({ images: z.boolean() }),
    z.strictObject({ structured: z.boolean() }),
    z.strictObject({ says: words.describe('Holds when the question has one of these words, in any case.') }),
    z.strictObject({ budget: z.enum(['tight', 'last_call']).describe('Holds when the budget is at least so tight.') }),
  ],
  { error: 'expected one of level_at_least, input_tokens_over, turns_over, tools, images, structured, says, budget, all, any, not' },
)

type RequestLeaf = z.output<typeof requestLeaf>
type RequestTree = RequestLeaf | { all: RequestTree[] } | { any: RequestTree[] } | { not: RequestTree }

export const requestCondition: z.ZodType<RequestTree> = treeOf(requestLeaf)

const answerLeaf = z.union(
  [
    z.strictObject({ complete: z.literal(true).describe('No limit cut the answer.') }),
    z.strictObject({ json: z.literal(true).describe('The answer holds JSON.') }),
    z.strictObject({ says: words }),
    z.strictObject({ number: z.literal(true).describe('The answer has a number in it.') }),
    z.strictObject({ characters_at_least: z.int().positive().max(1e7) }),
    z.strictObject({ characters_at_most: z.int().positive().max(1e7) }),
    z.strictObject({
      evidence_at_least: z.number().min(0).max(1).describe('What the strategy itself found of its answer: agreement, a verifier, a judge.'),
    }),
  ],
  { error: 'expected one of complete, json, says, number, characters_at_least, characters_at_most, evidence_at_least, all, any, not' },
)

type AnswerLeaf = z.output<typeof answerLeaf>
type AnswerTree = AnswerLeaf | { all: AnswerTree[] } | { any: AnswerTree[] } | { not: AnswerTree }

export const answerCondition: z.ZodType<AnswerTree> = treeOf(answerLeaf)

/** Whether a request is as the condition says. Linear in the length of the question; no call goes out. */
export function holds(
  condition: RequestTree,
  request: Request,
  env: Pick<Environment, 'budget'>,
  context: Pick<FullContext, 'difficultyOf'>,
): boolean {
  if ('all' in condition) return condition.all.every((one) => holds(one, request, env, context))
  if ('any' in condition) return condition.any.some((one) => holds(one, request, env, context))
  if ('not' in condition) return !holds(condition.not, request, env, context)
  if ('level_at_least' in condition) return (context.difficultyOf(request)?.level ?? 0) >= condition.level_at_least
  if ('input_tokens_over' in condition) return likelyTokens(request) > condition.input_tokens_over
  if ('turns_over' in condition) return request.messages.filter(({ role }) => role === 'user').length > condition.turns_over
  if ('tools' in condition) return (request.tools !== undefined && request.tools.length > 0) === condition.tools
  if ('images' in condition) return request.messages.some(({ parts }) => parts.some((part) => part.type === 'image')) === condition.images
  if ('structured' in condition)
    return (request.responseFormat !== undefined && request.responseFormat.type !== 'text') === condition.structured
  if ('says' in condition) return saysOne(questionOf(request), condition.says)
  return tightness[env.budget.regime()] >= tightness[condition.budget]
}

/** Whether an answer is as the condition says. Linear in its length; no call goes out. */
export function answers(condition: AnswerTree, answer: Answer): boolean {
  if ('all' in condition) return condition.all.every((one) => answers(one, answer))
  if ('any' in condition) return condition.any.some((one) => answers(one, answer))
  if ('not' in condition) return !answers(condition.not, answer)
  if ('complete' in condition) return !isCut(answer.completion)
  if ('evidence_at_least' in condition)
    return answer.evidence !== undefined && (answer.evidence.probability ?? answer.evidence.signal) >= condition.evidence_at_least
  const text = textOf(answer.completion)
  if ('json' in condition) return jsonIn(text) !== undefined
  if ('says' in condition) return saysOne(text, condition.says)
  if ('number' in condition) return /\d/.test(text)
  if ('characters_at_least' in condition) return text.length >= condition.characters_at_least
  return text.length <= condition.characters_at_most
}

/** A condition in plain words that can follow "when". */
export function sayRequest(condition: RequestTree): string {
  if ('all' in condition) return listing(condition.all.map(sayRequest))
  if ('any' in condition) return listing(condition.any.map(sayRequest), 'or')
  if ('not' in condition) return `not (${sayRequest(condition.not)})`
  if ('level_at_least' in condition) return `the difficulty is at least ${condition.level_at_least} of 5`
  if ('input_tokens_over' in condition) return `the input has more than ${condition.input_tokens_over} tokens`
  if ('turns_over' in condition) return `the conversation has more than ${condition.turns_over} questions`
  if ('tools' in condition) return condition.tools ? 'tools are offered' : 'no tools are offered'
  if ('images' in condition) return condition.images ? 'there are images' : 'there are no images'
  if ('structured' in condition) return condition.structured ? 'JSON is asked for' : 'no JSON is asked for'
  if ('says' in condition)
    return `the question says ${listing(
      condition.says.map((word) => JSON.stringify(word)),
      'or',
    )}`
  return condition.budget === 'tight' ? 'the budget is tight' : 'the budget has room for one call'
}

/** A condition in plain words that can follow "the answer". */
export function sayAnswer(condition: AnswerTree): string {
  if ('all' in condition) return listing(condition.all.map(sayAnswer))
  if ('any' in condition) return listing(condition.any.map(sayAnswer), 'or')
  if ('not' in condition) return `not (${sayAnswer(condition.not)})`
  if ('complete' in condition) return 'is complete'
  if ('json' in condition) return 'holds JSON'
  if ('says' in condition)
    return `says ${listing(
      condition.says.map((word) => JSON.stringify(word)),
      'or',
    )}`
  if ('number' in condition) return 'has a number'
  if ('characters_at_least' in condition) return `has at least ${condition.characters_at_least} characters`
  if ('characters_at_most' in condition) return `has at most ${condition.characters_at_most} characters`
  return `is right with a probability of at least ${condition.evidence_at_least}`
}

const tightness: Readonly<Record<Regime, number>> = { ample: 0, tight: 1, last_call: 2 }

function saysOne(text: string, wanted: readonly string[]): boolean {
  const lower = text.toLowerCase()
  return wanted.some((word) => lower.includes(word.toLowerCase()))
}

type TreeOf<Leaf> = Leaf | { all: TreeOf<Leaf>[] } | { any: TreeOf<Leaf>[] } | { not: TreeOf<Leaf> }

/** Leaves, and `all`, `any` and `not` of them to a limited depth. A mapping's own key says which form is meant, so that faults are told of that one. */
function treeOf<Leaf>(leaf: z.ZodType<Leaf>, depth = 0): z.ZodType<TreeOf<Leaf>> {
  if (depth === MAX_DEPTH) return leaf
  const inner = treeOf(leaf, depth + 1)
  const forms = {
    all: z.strictObject({ all: z.array(inner).min(1).max(10) }),
    any: z.strictObject({ any: z.array(inner).min(1).max(10) }),
    not: z.strictObject({ not: inner }),
  }
  return z.unknown().transform((value, context): TreeOf<Leaf> => {
    const has = (key: string) => typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    const form: z.ZodType<TreeOf<Leaf>> = has('all') ? forms.all : has('any') ? forms.any : has('not') ? forms.not : leaf
    const read = form.safeParse(value)
    if (read.success) return read.data
    for (const issue of read.error.issues)
      context.issues.push({ code: 'custom', path: [...issue.path], message: issue.message, input: value })
    return z.NEVER
  })
}

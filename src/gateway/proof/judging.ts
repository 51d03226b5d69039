import type { LiveEnvironment } from '../../environment/index.js'
import { BursarError } from '../../errors/index.js'
import type { Request } from '../../protocol/index.js'
import { addMoney, picoUsd, zeroMoney, type Money } from '../../quantities/index.js'
import { finish, type Strategy } from '../../strategies/index.js'
import type { CallingState } from '../own-environment.js'
import type { WorkResult } from './background.js'
import type { DailyAllowance } from './daily-allowance.js'
import { answerText, gradeIn, gradeRequest, gradesIn, pairRequest } from './judge-prompt.js'
import { mostUsd, withOwnCalls } from './own-calls.js'

export interface JudgingParts {
  /** The newest state of the gateway. */
  current(): CallingState
  readonly model: string
  readonly judgeAllowance: DailyAllowance
  readonly shadowAllowance: DailyAllowance
}

/** An answer that went out, and what it answered. Kept until it is judged, in memory only. */
export interface JudgedAnswer {
  readonly request: Request
  readonly text: string
}

/** The arm that a shadow call asks: the reference. */
export interface ShadowArm {
  readonly strategy: Strategy
  readonly model: string
  /** What it is expected to cost; `null` where its price is unknown. */
  readonly expectedUsd: Money | null
  /** Output tokens that it is expected to write; `null` where nobody knows. */
  readonly expectedOutputTokens: number | null
}

/** A judge's word, or why there is none. */
export type Judged<T> = { readonly result: 'done'; readonly grade: T } | { readonly result: Exclude<WorkResult, 'done'> }

/** How much dearer than expected a shadow call may turn out, when it is taken from the allowance; what remains is given back. */
const SHADOW_ROOM = 3n

/**
 * Output tokens that a shadow call may write where the caller sets no limit: without one, what a dear model could write at most (over a
 * hundred thousand tokens) would have to be reserved, more than most budgets of a day hold. An answer that is cut by it isn't compared.
 */
const SHADOW_TOKENS = 8_000
const SHADOW_TIMES_EXPECTED = 8

/**
 * Asks the judge about one answer. Never spends beyond the day's dollars: what a call that failed has cost is counted by the budget
 * that it was held against. Throws what the call does, other than a budget that is spent.
 */
export async function gradeAnswer(parts: JudgingParts, { request, text }: JudgedAnswer, signal: AbortSignal): Promise<Judged<number>> {
  const asked = gradeRequest(parts.model, request, text, isStructured(parts))
  return askJudge(parts, [asked], signal, ([said]) => (said === undefined ? undefined : gradeIn(said)))
}

/**
 * Has the reference answer the same request, and the judge grade both answers, asked twice with either answer first; the grades are the
 * means of both rounds, so that what a judge gives for standing first falls out.
 */
export async function compareWithReference(
  parts: JudgingParts,
  { request, text }: JudgedAnswer,
  arm: ShadowArm,
  signal: AbortSignal,
): Promise<Judged<{ readonly given: number; readonly reference: number }>> {
  if (arm.expectedUsd === null) return { result: 'unpriced' }
  const taken = picoUsd(arm.expectedUsd * SHADOW_ROOM)
  if (!parts.shadowAllowance.take(taken)) return { result: 'budget_spent' }
  const limit =
    request.maxOutputTokens === undefined
      ? Math.ceil(Math.max(SHADOW_TOKENS, SHADOW_TIMES_EXPECTED * (arm.expectedOutputTokens ?? 0)))
      : undefined
  // Nobody waits for it word by word, and the caller's own bytes ask for a stream.
  const asked: Request = {
    ...request,
    wire: undefined,
    stream: false,
    streamUsage: undefined,
    ...(limit === undefined ? {} : { maxOutputTokens: limit }),
  }
  let shadow: string | undefined
  let spent: Money | null = zeroMoney
  try {
    shadow = await withOwnCalls(parts.current, 'shadow', arm.model, parts.shadowAllowance.perDay, signal, async (env) => {
      const { completion, cost } = await finish(arm.strategy.run(asked, env))
      spent = cost.usd
      const { answer } = completion
      if (answer.kind !== 'reply') return ''
      return limit !== undefined && answer.reply.choices[0]?.finish === 'length' ? undefined : answerText(answer.reply)
    })
  } catch (thrown) {
    if (isBudget(thrown)) return { result: 'budget_spent' }
    throw thrown
  } finally {
    parts.shadowAllowance.settle(taken, spent)
  }
  if (shadow === undefined) return { result: 'cut' }
  const structured = isStructured(parts)
  const rounds = [pairRequest(parts.model, request, text, shadow, structured), pairRequest(parts.model, request, shadow, text, structured)]
  return askJudge(parts, rounds, signal, ([one = '', other = '']) => {
    const [ahead, behind] = [gradesIn(one), gradesIn(other)]
    return ahead && behind && { given: (ahead[0] + behind[1]) / 2, reference: (ahead[1] + behind[0]) / 2 }
  })
}

/** One call a question, one after the other. */
async function askJudge<T>(
  { current, model, judgeAllowance }: JudgingParts,
  questions: readonly Request[],
  signal: AbortSignal,
  read: (said: readonly string[]) => T | undefined,
): Promise<Judged<T>> {
  const { world } = current()
  let taken = zeroMoney
  for (const question of questions) {
    const most = mostUsd(world, model, question)
    if (most === null) return { result: 'unpriced' }
    taken = addMoney(taken, most)
  }
  if (!judgeAllowance.take(taken)) return { result: 'budget_spent' }
  let spent: Money | null = zeroMoney
  const said: string[] = []
  try {
    await withOwnCalls(current, 'judge', model, judgeAllowance.perDay, signal, async (env: LiveEnvironment) => {
      for (const question of questions) {
        const { answer, cost } = await finish(env.call(model, question))
        spent = spent === null || cost.usd === null ? null : addMoney(spent, cost.usd)
        said.push(answer.kind === 'reply' ? answerText(answer.reply) : '')
      }
    })
  } catch (thrown) {
    if (isBudget(thrown)) return { result: 'budget_spent' }
    throw thrown
  } finally {
    judgeAllowance.settle(taken, spent)
  }
  const grade = read(said)
  return grade === undefined ? { result: 'unreadable' } : { result: 'done', grade }
}

function isStructured({ current, model }: JudgingParts): boolean {
  const deployments = current().world.route(model)?.deployments ?? []
  return deployments.length > 0 && deployments.every(({ facts }) => facts.capabilities.jsonSchema === true)
}

function isBudget(thrown: unknown): boolean {
  return BursarError.is(thrown) && thrown.code === 'budget_exceeded'
}

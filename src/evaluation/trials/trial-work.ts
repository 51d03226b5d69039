import type { Environment } from '../../environment/index.js'
import { BudgetExceeded, BursarError } from '../../errors/index.js'
import type { Request } from '../../protocol/index.js'
import { noCost, totalInputTokens, totalOutputTokens, zeroMoney, type Money } from '../../quantities/index.js'
import { finish, textOf, type Answer } from '../../strategies/index.js'
import { gradeItem } from '../grading/index.js'
import type { Check, GradingContext, TestItem } from '../suite/contract.js'
import { gradeKey } from './cell-key.js'
import type { Cells, KeptAnswer } from './cells.js'
import type { OpenTrial, Trial, TrialWorld } from './world.js'

/** An answer that was paid for just now, with the quality that the world knows of it where it knows any. */
export interface NewAnswer extends KeptAnswer {
  readonly quality: number | null
}

/**
 * Asks a method about an item. Throws what the world and the strategy throw; `BudgetExceeded` also for an answer that the budget cut
 * off, since it would be graded for what the method didn't do.
 */
export async function answerTrial(world: TrialWorld, trial: Trial): Promise<NewAnswer> {
  const opened: OpenTrial = await world.open(trial)
  const began = world.clock.monotonic()
  const request: Request = opened.request ?? trial.request
  const answer: Answer = await finish(opened.strategy.run(request, opened.environment))
  const { completion, usage, cost } = answer
  const { reply } = completion.answer.kind === 'reply' ? completion.answer : { reply: undefined }
  if (reply === undefined) throw new BursarError('The answer came as bytes, not as a reply.', { code: 'internal_error', status: 500 })
  const cutByBudget =
    reply.choices[0]?.finish === 'length' &&
    request.maxOutputTokens === undefined &&
    completion.warnings.some((warning) => warning.startsWith('the budget has room for'))
  if (cutByBudget) throw new BudgetExceeded('The budget had room for a part of an answer only.')
  return {
    answer: textOf(completion),
    usd: cost.usd,
    seconds: world.clock.monotonic() - began,
    inputTokens: totalInputTokens(usage),
    outputTokens: totalOutputTokens(usage),
    reasoningTokens: usage.reasoningTokens,
    calls: Math.max(1, answer.steps?.length ?? 1),
    quality: opened.qualityOf?.(completion) ?? null,
  }
}

export interface Graded {
  /** Weighted mean over the item's checks, in [0, 1]. */
  readonly score: number
  readonly passed: boolean
  readonly reasons: readonly string[]
  /** What grades took that weren't kept: judges. `null`: not known. */
  readonly usd: Money | null
}

/** The grade of an answer that nobody checked but whose quality the world told. */
const WORLDS_OWN = 'world'

/**
 * Asks all checks of an item about an answer; grades that are kept aren't asked again. Throws what checks throw: no judge to be had,
 * aborted.
 */
export async function gradeTrial(
  item: TestItem,
  request: Request,
  key: string,
  answer: KeptAnswer,
  quality: number | null,
  cells: Cells,
  environment: () => Environment,
): Promise<Graded> {
  if (item.checks.length === 0) {
    if (quality !== null)
      cells.keepGrade(key, WORLDS_OWN, WORLDS_OWN, {
        score: quality,
        passed: quality >= 1,
        reason: 'as the world knows it',
        usd: zeroMoney,
      })
    const known = cells.grade(key, WORLDS_OWN)
    if (known) return { score: known.score, passed: known.passed, reasons: [], usd: zeroMoney }
  }
  const { usd, seconds, outputTokens } = answer
  let opened: Environment | undefined
  const context: GradingContext = {
    item,
    request,
    // Opened when it is touched, and once for all checks of the answer.
    get environment() {
      return (opened ??= environment())
    },
    taken: { cost: { usd, seconds, joules: null, gramsCO2e: null }, seconds, outputTokens },
  }
  const grade = await gradeItem({ ...item, checks: item.checks.map((check) => kept(check, item, key, cells)) }, answer.answer, context)
  return {
    score: Math.min(1, Math.max(0, grade.score)),
    passed: grade.passed,
    reasons: grade.grades.flatMap(({ passed, kind, reason }) => (passed ? [] : [`${kind}: ${reason}`])),
    usd: grade.cost.usd,
  }
}

/** The same check, with its grades kept. A kept grade takes nothing. */
function kept(check: Check, item: TestItem, key: string, cells: Cells): Check {
  const { kind, weight, threshold, fingerprint } = check
  return {
    kind,
    weight,
    threshold,
    fingerprint,
    async grade(answer, context) {
      const id = gradeKey(check, item)
      const known = cells.grade(key, id)
      if (known) return { score: known.score, passed: known.passed, reason: known.reason, cost: noCost }
      const grade = await check.grade(answer, context)
      if (!(grade.score >= 0 && grade.score <= 1))
        throw new BursarError(`The check "${kind}" of item "${item.id}" gave ${grade.score}, which is no score between 0 and 1.`, {
          code: 'internal_error',
          status: 500,
        })
      cells.keepGrade(key, id, kind, { score: grade.score, passed: grade.passed, reason: grade.reason, usd: grade.cost.usd })
      return grade
    },
  }
}

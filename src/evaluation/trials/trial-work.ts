import type { Environment } from '../../environment/index.js'
import { BudgetExceeded, BursarError } from '../../errors/index.js'
import type { Request } from '../../protocol/index.js'
import { addMoney, totalInputTokens, totalOutputTokens, zeroMoney, type Money } from '../../quantities/index.js'
import { finish, textOf, type Answer } from '../../strategies/index.js'
import type { TestItem } from '../suite/contract.js'
import { gradeKey } from './cell-key.js'
import type { Cells, KeptAnswer, KeptGrade } from './cells.js'
import type { OpenTrial, Trial, TrialWorld } from './world.js'

/** An answer that was paid for just now, with the quality that the world knows of it where it knows any. */
export interface NewAnswer extends KeptAnswer {
  readonly quality: number | null
}

/**
 * Asks a method about an item. Throws what the world and the strategy throw; `BudgetExceeded` also for an answer that the budget cut off, since it would be graded for what
 * the method didn't do.
 */
export async function answerTrial(world: TrialWorld, trial: Trial): Promise<NewAnswer> {
  const opened: OpenTrial = await world.open(trial)
  const began = world.clock.monotonic()
  const request: Request = opened.request ?? trial.request
  const answer: Answer = await finish(opened.strategy.run(request, opened.environment))
  const { completion, usage, cost } = answer
  const { reply } = completion.answer.kind === 'reply' ? completion.answer : { reply: undefined }
  if (reply === undefined) throw new BursarError('The answer came as bytes, not as a reply.', { code: 'internal_error', status: 500 })
  const cutByBudget = reply.choices[0]?.finish === 'length' && request.maxOutputTokens === undefined && completion.warnings.some((warning) => warning.startsWith('the budget has room for'))
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

/** Asks all checks of an item about an answer; grades that are kept aren't asked again. Throws what checks throw: no judge to be had, aborted. */
export async function gradeTrial(item: TestItem, request: Request, key: string, answer: KeptAnswer, quality: number | null, cells: Cells, environment: () => Environment): Promise<Graded> {
  if (item.checks.length === 0) {
    if (quality === null) throw new BursarError(`The item "${item.id}" has no check, and nobody knows its answer's quality.`, { code: 'invalid_request', status: 400, path: `items.${item.id}.checks` })
    return { score: quality, passed: quality >= 1, reasons: [], usd: zeroMoney }
  }
  const { answer: text, seconds, outputTokens } = answer
  let usd: Money | null = zeroMoney
  let sum = 0
  let weights = 0
  let passed = true
  const reasons: string[] = []
  for (const check of item.checks) {
    const id = gradeKey(check, item)
    let grade: KeptGrade | undefined = cells.grade(key, id)
    if (!grade) {
      const given = await check.grade(text, {
        item,
        request,
        // Checks that need no model never touch it, so nothing is opened for them.
        get environment() {
          return environment()
        },
        taken: { cost: { usd: answer.usd, seconds, joules: null, gramsCO2e: null }, seconds, outputTokens },
      })
      if (!(given.score >= 0 && given.score <= 1)) throw new BursarError(`The check "${check.kind}" of item "${item.id}" gave ${given.score}, which is no score between 0 and 1.`, { code: 'internal_error', status: 500 })
      grade = { score: given.score, passed: given.passed, reason: given.reason, usd: given.cost.usd }
      cells.keepGrade(key, id, check.kind, grade)
      usd = usd === null || grade.usd === null ? null : addMoney(usd, grade.usd)
    }
    sum += check.weight * grade.score
    weights += check.weight
    passed &&= grade.passed
    if (!grade.passed) reasons.push(`${check.kind}: ${grade.reason}`)
  }
  const score = weights > 0 ? Math.min(1, Math.max(0, sum / weights)) : Number(passed)
  return { score, passed: item.threshold === undefined ? passed : score >= item.threshold, reasons, usd }
}

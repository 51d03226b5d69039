import { InvalidRequest } from '../../errors/index.js'
import { addCost, noCost } from '../../quantities/index.js'
import type { Check, Grade, GradingContext, TestItem } from '../suite/contract.js'

/** A graded answer: the item's score, and what each of its checks said, in their order. */
export interface ItemGrade extends Grade {
  readonly grades: readonly (Grade & { readonly kind: string })[]
}

/**
 * Grades an answer by all checks of an item, one after the other. `score` is their weighted mean; `passed`: it reaches the item's
 * `threshold`, or, without one, every check that has weight passed (promptfoo's rule); `cost` is what all of them took. Throws
 * `InvalidRequest` for an item without checks, and what checks throw: no judge to be had, no sandbox, aborted.
 */
export async function gradeItem(
  item: Pick<TestItem, 'id' | 'checks' | 'threshold'>,
  answer: string,
  context: GradingContext,
): Promise<ItemGrade> {
  if (item.checks.length === 0)
    throw new InvalidRequest(
      `The item ${item.id} has no checks, so nothing tells how good an answer is. Add \`assert\` to its test, or \`--check\`.`,
      { path: 'assert' },
    )
  return gradeAll(item.checks, item.threshold, answer, context)
}

/** The same for any checks. The reason is that of the first check that failed, else of the first. */
export async function gradeAll(
  checks: readonly Check[],
  threshold: number | undefined,
  answer: string,
  context: GradingContext,
): Promise<ItemGrade> {
  const grades: (Grade & { kind: string })[] = []
  let [sum, weights, cost] = [0, 0, noCost]
  for (const check of checks) {
    const grade = await check.grade(answer, context)
    grades.push({ ...grade, kind: check.kind })
    sum += check.weight * grade.score
    weights += check.weight
    cost = addCost(cost, grade.cost)
  }
  // Checks that only tell something decide nothing: all of them without weight is a pass.
  const score = weights === 0 ? 1 : sum / weights
  const failed = grades.find(({ passed }, index) => !passed && (checks[index]?.weight ?? 0) > 0)
  const passed = threshold === undefined ? failed === undefined : score >= threshold
  return { score, passed, reason: (failed ?? grades[0])?.reason ?? 'There was nothing to check.', cost, grades }
}

import type { TrialRecord } from '../../ledger/index.js'
import type { Decision, Situation } from '../../routing/index.js'
import type { Assignment } from './assignments.js'

/** Whether the reference may answer this request, and something else could have: only then is there anything to compare. */
export function mayBeHeldOut(
  { excluded, propensities, propensity }: Decision,
  { arms, reference, objective }: Pick<Situation, 'arms' | 'reference' | 'objective'>,
): boolean {
  if (objective.explore === false || arms.length < 2) return false
  // What a policy drew without saying how can't be mixed with.
  if (propensities === undefined && propensity !== 1) return false
  return arms.some(({ id }) => id === reference) && excluded?.some(({ arm }) => arm === reference) !== true
}

/**
 * A decision with the holdout drawn upon it: with probability h the reference answers, else what the policy chose. The propensity is
 * that of both draws, P(arm) = h·1[arm = reference] + (1 - h)·p(arm), so it sums to one over the arms. Call it for decisions that
 * `mayBeHeldOut`. O(arms).
 */
export function withHoldout(
  own: Decision,
  { arms, reference }: Pick<Situation, 'arms' | 'reference'>,
  { heldOut, holdout, unit }: Assignment,
  stratum: string | undefined,
): { readonly decision: Decision; readonly trial: TrialRecord } {
  const inner = own.propensities ?? arms.map(({ id }) => (id === own.arm.id ? 1 : 0))
  const propensities = arms.map(({ id }, index) => (id === reference ? holdout : 0) + (1 - holdout) * (inner[index] ?? 0))
  const arm = heldOut ? (arms.find(({ id }) => id === reference) ?? own.arm) : own.arm
  const decision: Decision = {
    ...own,
    policy: `holdout(${own.policy})`,
    arm,
    propensities,
    propensity: propensities[arms.findIndex(({ id }) => id === arm.id)] ?? own.propensity,
    ...(heldOut
      ? {
          explored: false,
          expected: own.alternatives.find((estimate) => estimate.arm === arm.id),
          reason: `"${arm.id}" answers: the request was held out to the reference, as ${percent(holdout)} of them are, drawn at random, so that savings can be proven${own.arm.id === arm.id ? '' : `; otherwise "${own.arm.id}" would have answered`}.`,
        }
      : {}),
  }
  return { decision, trial: { heldOut, holdout, policyArm: own.arm.id, unit, ...(stratum === undefined ? {} : { stratum }) } }
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

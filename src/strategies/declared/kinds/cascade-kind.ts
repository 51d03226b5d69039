import { z } from 'zod'
import { acceptByAll, acceptByCheck, acceptByEvidence, acceptByScore, cascade, type AcceptTest } from '../../cascade/index.js'
import { judge } from '../../verification/index.js'
import { answerCondition, answers, sayAnswer } from '../conditions.js'
import { checkName, checks, listing, modelUse, sayUse, useOf } from '../fields.js'
import { strategyKind } from '../kind.js'

const share = z.number().min(0).max(1)

const acceptOne = z.union(
  [
    z.strictObject({ evidence: share.describe('What the rung found of its own answer: agreement, a judge’s word.') }),
    z.strictObject({ judge: modelUse(), at_least: share.default(0.7) }),
    z.strictObject({ check: checkName }),
    z.strictObject({ answer: answerCondition }),
  ],
  { error: 'expected one of evidence, judge, check, answer; or a list of them, all of which must hold' },
)
type Accept = z.output<typeof acceptOne>

const accept = z.union([acceptOne, z.array(acceptOne).min(1).max(5)], {
  error: 'expected one of evidence, judge, check, answer; or a list of them, all of which must hold',
})

function asList(wanted: z.output<typeof accept>): readonly Accept[] {
  return Array.isArray(wanted) ? wanted : [wanted]
}

function testOf(one: Accept): AcceptTest {
  if ('evidence' in one) return acceptByEvidence(one.evidence)
  if ('judge' in one) return acceptByScore({ scorer: judge(useOf(one.judge)), threshold: one.at_least })
  if ('check' in one) return acceptByCheck(checks[one.check])
  const { answer: condition } = one
  return {
    id: `answer ${sayAnswer(condition)}`,
    plan: [],
    test: (_request, answer) => {
      const accepted = answers(condition, answer)
      return Promise.resolve({
        accepted,
        probability: null,
        signal: accepted ? 1 : 0,
        note: accepted ? 'the answer is as wanted' : 'the answer is not as wanted',
        completions: [],
      })
    },
  }
}

function sayTest(one: Accept): string {
  if ('evidence' in one) return `its own evidence is at least ${one.evidence}`
  if ('judge' in one) return `${sayUse(one.judge)} grades it at least ${one.at_least}`
  if ('check' in one) return `the check "${one.check}" holds`
  return `it ${sayAnswer(one.answer)}`
}

/** `cascade`: from cheap to dear, until an answer is accepted. */
export const cascadeKind = strategyKind({
  kind: 'cascade',
  about: 'Asks strategies from cheap to dear; the first answer that is accepted goes out.',
  fields: (nested) =>
    z.strictObject({
      rungs: z
        .array(z.strictObject({ strategy: nested, accept: accept.optional() }))
        .min(2)
        .max(8)
        .superRefine((rungs, context) => {
          for (const [index, rung] of rungs.entries()) {
            const last = index === rungs.length - 1
            if (!last && rung.accept === undefined)
              context.addIssue({
                code: 'custom',
                path: [index, 'accept'],
                message: 'is missing; expected when the answer of this rung is accepted',
              })
            if (last && rung.accept !== undefined)
              context.addIssue({ code: 'custom', path: [index, 'accept'], message: 'the last rung answers in any case' })
          }
        }),
    }),
  build: ({ rungs }, scope) =>
    cascade({
      rungs: rungs.map(({ strategy, accept: wanted }) => ({
        strategy: scope.strategy(strategy),
        accept: wanted === undefined ? undefined : acceptByAll(asList(wanted).map(testOf)),
      })),
    }),
  describe: ({ rungs }, say) =>
    rungs
      .map(({ strategy, accept: wanted }) =>
        wanted === undefined ? say(strategy) : `${say(strategy)} (accepted when ${listing(asList(wanted).map(sayTest))})`,
      )
      .join('; else '),
})

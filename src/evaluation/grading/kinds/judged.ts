import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import { questionOf } from '../../../strategies/index.js'
import { noConfig, readConfig, scoreThreshold, textValue, type CheckKind, type DeclaredCheck } from '../check-kind.js'
import { askJudge, JUDGE_RULE, quoted } from '../judge/ask-judge.js'
import { preferenceOf, preferencePrompt } from '../judge/preference.js'

function judgeOf(declared: DeclaredCheck, path: string): string {
  if (declared.model !== undefined) return declared.model
  throw new InvalidRequest(
    `${declared.type} needs a model that judges. Name one: \`--judge openai/gpt-5-mini\`, \`provider\` in the check, or \`defaultTest: {options: {provider: …}}\` in the file.`,
    { path: `${path}.provider` },
  )
}

const RUBRIC = `You grade one answer to one question by a criterion. ${JUDGE_RULE}`
const graded = z
  .object({
    reason: z.string().default('The judge gave no reason.'),
    score: z.number().min(0).max(1).optional(),
    pass: z.boolean().optional(),
  })
  .refine(({ score, pass }) => score !== undefined || pass !== undefined, 'neither score nor pass')

/** A judge holds the answer against a criterion in words. */
const rubric: CheckKind = {
  kind: 'llm-rubric',
  aliases: ['judge', 'model-graded-closedqa'],
  about:
    'A judge finds that the answer meets the criterion `value`, written in words. `provider` names the judge; `threshold`: the least score in [0, 1], when absent the judge says what passes.',
  bind(declared, path) {
    readConfig(noConfig, declared, path)
    const model = judgeOf(declared, path)
    const criterion = textValue(declared, path)
    const system = declared.rubricPrompt === undefined ? RUBRIC : `${declared.rubricPrompt}\n\n${JUDGE_RULE}`
    const threshold = declared.threshold === undefined ? undefined : scoreThreshold(declared, path, 0.5)
    return {
      threshold: threshold ?? 0.5,
      depends: { system },
      async grade(answer, { environment, request }) {
        const user = `${quoted('question', questionOf(request))}\n\n${quoted('answer', answer)}\n\n${quoted('criterion', criterion)}\n\nReply: {"reason": "one sentence", "score": from 0 (not met at all) to 1 (fully met), "pass": true or false}`
        const { verdict, cost } = await askJudge(environment, model, system, user, graded)
        const score = verdict.score ?? (verdict.pass === true ? 1 : 0)
        const passed = (verdict.pass ?? score >= 0.5) && (threshold === undefined || score >= threshold)
        return { score, passed, reason: verdict.reason, cost }
      },
    }
  },
}

const FACTS = `You compare the facts of an answer with those of a reference that is right. Differences of style, grammar and order don't count. ${JUDGE_RULE}`
const relation = z.object({ reason: z.string().default('The judge gave no reason.'), category: z.enum(['A', 'B', 'C', 'D', 'E']) })
const relations = {
  A: { name: 'subset', said: 'is a part of the reference and agrees with it' },
  B: { name: 'superset', said: 'says more than the reference and agrees with it' },
  C: { name: 'agree', said: 'says the same as the reference' },
  D: { name: 'disagree', said: 'contradicts the reference' },
  E: { name: 'differButFactual', said: 'differs from the reference in what doesn’t matter for the facts' },
} as const
const share = z.number().min(0).max(1)
const factsConfig = z.strictObject({
  subset: share.default(1),
  superset: share.default(1),
  agree: share.default(1),
  disagree: share.default(0),
  differButFactual: share.default(1),
})

/** A judge says how an answer's facts stand to a reference's, in the five categories of OpenAI's evals (`fact.yaml`). */
const factuality: CheckKind = {
  kind: 'factuality',
  aliases: ['model-graded-factuality'],
  about:
    'A judge finds no contradiction between the answer and the reference `value`. `config`: scores of `subset`, `superset`, `agree`, `disagree`, `differButFactual` (0 for `disagree`, else 1, when absent).',
  bind(declared, path) {
    const scores = readConfig(factsConfig, declared, path)
    const model = judgeOf(declared, path)
    const reference = textValue(declared, path)
    const categories = Object.entries(relations).map(([letter, { said }]) => `${letter}: the answer ${said}`)
    return {
      threshold: scoreThreshold(declared, path, 0.5),
      depends: { system: FACTS, categories },
      async grade(answer, { environment, request }) {
        const user = `${quoted('question', questionOf(request))}\n\n${quoted('reference', reference)}\n\n${quoted('answer', answer)}\n\n${categories.join('\n')}\n\nReply: {"reason": "one sentence", "category": one of "A", "B", "C", "D", "E"}`
        const { verdict, cost } = await askJudge(environment, model, FACTS, user, relation)
        const { name, said } = relations[verdict.category]
        return { score: scores[name], reason: `The answer ${said}: ${verdict.reason}`, cost }
      },
    }
  },
}

const pairConfig = z.strictObject({ criterion: z.string().min(1).optional() })

/**
 * A judge prefers the answer to a reference answer, asked in both orders: 1 preferred, ½ a tie, 0 the reference is better. The mean
 * over a suite is the win rate that AlpacaEval reports.
 */
const pairwise: CheckKind = {
  kind: 'pairwise',
  about:
    'A judge prefers the answer to the reference answer `value`, or finds them as good; asked in both orders. Score 1, 0.5 for a tie, 0; `threshold` 0.5 when absent. `config`: `criterion`.',
  bind(declared, path) {
    const { criterion } = readConfig(pairConfig, declared, path)
    const judge = judgeOf(declared, path)
    const reference = textValue(declared, path)
    return {
      threshold: scoreThreshold(declared, path, 0.5),
      depends: { prompt: preferencePrompt },
      async grade(answer, { environment, request }) {
        const { first, consistent, reason, cost } = await preferenceOf(
          environment,
          { question: questionOf(request), criterion, judge },
          answer,
          reference,
        )
        return { score: first, reason: consistent ? reason : `The judge changed its mind with the order. ${reason}`, cost }
      },
    }
  },
}

/** Checks that ask a model. */
export const judgedKinds: readonly CheckKind[] = [rubric, factuality, pairwise]

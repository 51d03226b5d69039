import { z } from 'zod'
import type { StopRule } from '../../agreement/index.js'
import { bestOfN, modelSwitch, revise, selfConsistency, type SelfConsistencySettings } from '../../sampling/index.js'
import { judge, verifierScorer } from '../../verification/index.js'
import { checkName, checks, listing, modelId, modelUse, sayUse, strategies, useOf } from '../fields.js'
import { strategyKind, type BuildScope } from '../kind.js'

const stopFields = z
  .union(
    [
      z.literal('never'),
      z.strictObject({ confidence: z.number().min(0.5).max(1) }),
      z.strictObject({ window: z.int().min(1).max(50) }),
      z.strictObject({ lambda: z.number().min(0).max(1e9) }),
    ],
    {
      error:
        'expected never, or one of `confidence` (that the leading answer stays ahead), `window` (equal answers in a row), `lambda` (dollars that a right answer is worth)',
    },
  )
  .default({ confidence: 0.95 })

function stopRule(stop: z.output<typeof stopFields>): StopRule {
  if (stop === 'never') return { rule: 'none' }
  if ('confidence' in stop) return { rule: 'beta', confidence: stop.confidence }
  return 'window' in stop ? { rule: 'window', size: stop.window } : { rule: 'value', lambda: stop.lambda }
}

function sayStop(stop: z.output<typeof stopFields>): string {
  if (stop === 'never') return ''
  if ('confidence' in stop) return `, fewer when the leading answer is ahead with probability ${stop.confidence}`
  return 'window' in stop
    ? `, fewer after ${stop.window} equal answers in a row`
    : `, fewer when another isn't worth its price at $${stop.lambda} for a right answer`
}

/** What was learned of votes, by the kind of question; where nothing is lent, nothing is looked up. */
function learnedVotes({
  context: { calibration, shapes, saturation, categoryOf },
}: BuildScope): Pick<SelfConsistencySettings, 'calibration' | 'shapes' | 'saturation' | 'category'> {
  return (calibration ?? shapes ?? saturation) === undefined ? {} : { calibration, shapes, saturation, category: categoryOf }
}

/** `self_consistency`: samples of one model, and the answer that most of them give. */
export const selfConsistencyKind = strategyKind({
  kind: 'self_consistency',
  about: 'Asks a model several times and takes the answer that most samples give.',
  fields: () =>
    z.strictObject({
      model: modelId(),
      most: z.int().min(2).max(40).default(5),
      stop: stopFields,
      together: z.int().min(1).max(40).default(1).describe('Samples under way at once.'),
      temperature: z.number().min(0.6).max(2).optional(),
    }),
  build: ({ model, most, stop, together, temperature }, scope) =>
    selfConsistency({ samplers: [{ model, temperature }], most, stop: stopRule(stop), together, ...learnedVotes(scope) }),
  describe: ({ model, most, stop }) => `asks ${model} up to ${most} times${sayStop(stop)}, and gives the answer of the majority`,
})

/** `vote`: several strategies answer, the majority wins. */
export const voteKind = strategyKind({
  kind: 'vote',
  about: 'Lets several strategies answer and takes the answer that most of them give.',
  fields: (nested) =>
    z
      .strictObject({
        strategies: strategies(nested, 2),
        times: z.int().min(1).max(10).default(1).describe('How often each answers.'),
        weights: z.array(z.number().min(0).max(1000)).optional().describe('How much the vote of each counts; 1 for all when absent.'),
        stop: stopFields,
      })
      .refine(({ strategies: specs, weights }) => weights === undefined || weights.length === specs.length, {
        path: ['weights'],
        message: 'expected as many weights as strategies',
      })
      .refine(({ weights }) => weights === undefined || weights.some((weight) => weight > 0), {
        path: ['weights'],
        message: 'expected a weight above 0',
      }),
  build: ({ strategies: specs, times, weights, stop }, scope) => {
    const members = specs.map((spec) => scope.strategy(spec))
    return selfConsistency({
      samplers: members.map((strategy, index) => ({
        model: strategy.plan[0]?.model ?? strategy.id,
        strategy,
        weight: weights?.[index] ?? 1,
        temperature: times > 1 ? undefined : null,
      })),
      most: members.length * times,
      stop: stopRule(stop),
      together: members.length,
      ...learnedVotes(scope),
    })
  },
  describe: ({ strategies: specs, times }, say) =>
    `lets these answer${times > 1 ? ` ${times} times each` : ''} and gives the answer of the majority: ${listing(specs.map((spec) => say(spec)))}`,
})

/** `model_switch`: the next model is asked only when one doesn't agree with itself (041). */
export const modelSwitchKind = strategyKind({
  kind: 'model_switch',
  about: 'Asks a model a few times, and the next one only when the samples disagree.',
  fields: () =>
    z.strictObject({
      models: z
        .array(modelId())
        .min(2)
        .max(8)
        .refine((models) => new Set(models).size === models.length, 'expected different models'),
      samples: z.int().min(1).max(20).default(3).describe('Samples of each model at the most.'),
      threshold: z
        .number()
        .min(0)
        .max(1)
        .default(0.8)
        .describe('Share of a model’s samples that must agree; a probability where agreement is calibrated.'),
      stop: stopFields,
    }),
  build: ({ models, samples, threshold, stop }, scope) => {
    const { saturation: _saturation, ...learned } = learnedVotes(scope)
    return modelSwitch({ rungs: models.map((model) => ({ model })), samplesEach: samples, threshold, stop: stopRule(stop), ...learned })
  },
  describe: ({ models, samples, threshold }) =>
    `asks ${models[0]} up to ${samples} times, and ${listing(models.slice(1), 'or')} where less than ${threshold} of the samples agree`,
})

/** `best_of_n`: samples, and the one that a judge or a check likes best (097). */
export const bestOfNKind = strategyKind({
  kind: 'best_of_n',
  about: 'Asks a model several times and takes the answer that a judge or a check likes best.',
  fields: () =>
    z
      .strictObject({
        model: modelId(),
        n: z.int().min(2).max(16).default(4),
        judge: modelUse().optional().describe('A model that grades each sample.'),
        check: checkName.optional().describe('A check that calls no model, instead of a judge.'),
        choose: z.enum(['weighted', 'best']).default('weighted').describe('`weighted` adds the grades of equal answers up.'),
        enough: z.number().min(0).max(1).optional().describe('A grade from which no further sample is drawn.'),
        lambda: z
          .number()
          .min(0)
          .max(1e9)
          .optional()
          .describe(
            'Dollars that a right answer is worth: samples are drawn one after the other, each while it is worth its price as far as was learned.',
          ),
      })
      .refine(({ judge: by, check }) => (by === undefined) !== (check === undefined), {
        path: ['judge'],
        message: 'expected either a judge or a check',
      }),
  build: ({ model, n, judge: by, check, choose, enough, lambda }, { context: { saturation, categoryOf } }) =>
    bestOfN({
      model,
      n,
      choose,
      enough,
      ...(saturation === undefined ? {} : { category: categoryOf }),
      ...(lambda === undefined ? {} : { worth: { lambda, profile: (source: string) => saturation?.profile(source) } }),
      scorer: by === undefined ? verifierScorer(checks[check ?? 'form']) : judge(useOf(by)),
    }),
  describe: ({ model, n, judge: by, check }) =>
    `asks ${model} up to ${n} times, and gives the answer that ${by === undefined ? `the check "${check ?? 'form'}"` : sayUse(by)} likes best`,
})

/** `revise`: the model checks its own answer (097). */
export const reviseKind = strategyKind({
  kind: 'revise',
  about: 'Lets a model check and correct its own answer.',
  fields: () =>
    z.strictObject({
      model: modelId(),
      rounds: z.int().min(1).max(8).default(1),
      until: checkName.optional().describe('A check that ends the revisions.'),
    }),
  build: ({ model, rounds, until }) => revise({ model, rounds, until: until === undefined ? undefined : checks[until] }),
  describe: ({ model, rounds, until }) =>
    `asks ${model}, and lets it correct itself up to ${rounds} ${rounds === 1 ? 'time' : 'times'}${until === undefined ? '' : `, until the check "${until}" holds`}`,
})

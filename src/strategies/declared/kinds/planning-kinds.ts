import { z } from 'zod'
import { batchQuota } from '../../batch/index.js'
import { guided } from '../../guides/index.js'
import { planAndBudget, planVariants, schedules, selective } from '../../planning/index.js'
import { modelUse, sayUse, useOf } from '../fields.js'
import { strategyKind } from '../kind.js'

/** `plan_and_budget` (037). */
export const planAndBudgetKind = strategyKind({
  kind: 'plan_and_budget',
  about: 'Splits the question in a cheap call and answers it with words allotted to each part.',
  fields: () =>
    z.strictObject({
      planner: modelUse(),
      solver: modelUse(),
      schedule: z.enum(schedules).default('linear').describe('How words decay from the first part to the last.'),
      variant: z.enum(planVariants).default('planned_weighted'),
      limit_thinking: z.boolean().default(false).describe('Tells the solver its budget as a ceiling of thinking tokens too.'),
    }),
  build: ({ planner, solver, schedule, variant, limit_thinking: limitThinking }, { context }) =>
    planAndBudget({ planner: useOf(planner), solver: useOf(solver), schedule, variant, limitThinking, difficultyOf: context.difficultyOf }),
  describe: ({ planner, solver, schedule, variant }) =>
    variant === 'global'
      ? `asks ${sayUse(solver)} for an answer within a budget of words (no plan by ${sayUse(planner)})`
      : `lets ${sayUse(planner)} plan the parts of the answer, and ${sayUse(solver)} write it${variant === 'planned' ? '' : `, within a budget of words (${variant === 'planned_weighted' ? `${schedule} over the parts` : variant === 'planned_uniform' ? 'the same for each part' : 'for the whole'})`}`,
})

/** `selective` (SCALE, 046). */
export const selectiveKind = strategyKind({
  kind: 'selective',
  about: 'Outlines the answer in steps; easy steps go to a cheap model, hard ones to a strong one.',
  fields: () =>
    z.strictObject({
      outliner: modelUse(),
      cheap: modelUse(),
      strong: modelUse(),
      threshold: z.number().min(0).max(1).default(0.5).describe('Steps harder than this go to the strong model.'),
      outlines: z.int().min(1).max(8).default(3),
      verify: z.boolean().default(false).describe('Whether steps of middling difficulty are done twice and compared.'),
    }),
  build: ({ outliner, cheap, strong, threshold, outlines, verify }) =>
    selective({ outliner: useOf(outliner), cheap: useOf(cheap), strong: useOf(strong), threshold, outlines, verify }),
  describe: ({ outliner, cheap, strong, threshold }) =>
    `lets ${sayUse(outliner)} outline the steps, ${sayUse(cheap)} do those up to difficulty ${threshold}, and ${sayUse(strong)} the others and the last`,
})

/** `guided` (063 and 167). */
export const guidedKind = strategyKind({
  kind: 'guided',
  about:
    'A small and a large model in two stages: the small one marks evidence for the large one, or the large one gives hints to the small one.',
  fields: () =>
    z.strictObject({
      direction: z.enum(['small-plans', 'large-hints']),
      small: modelUse(),
      large: modelUse(),
      words: z.int().min(5).max(500).optional().describe('Words of the large model’s answer (15) or hints (60).'),
      verify: z.boolean().default(true).describe('Whether two samples of the small model must agree.'),
    }),
  build: ({ direction, small, large, words, verify }) => {
    const [guide, writer] = direction === 'small-plans' ? [small, large] : [large, small]
    return guided({ direction, guide: useOf(guide), writer: useOf(writer), words, verify })
  },
  describe: ({ direction, small, large }) =>
    direction === 'small-plans'
      ? `lets ${sayUse(small)} mark the evidence, and ${sayUse(large)} answer shortly`
      : `lets ${sayUse(large)} give hints, and ${sayUse(small)} answer`,
})

/** `batch_quota`: the single-question form of 107. */
export const batchQuotaKind = strategyKind({
  kind: 'batch_quota',
  about: 'Tells a model that the question is one of several that share an allowance, which makes it brief.',
  fields: () =>
    z.strictObject({
      model: modelUse(),
      questions: z.int().min(2).max(20).default(4),
      words: z.int().min(20).max(100_000).optional().describe('Words that the questions share; 100 each when absent.'),
    }),
  build: ({ model, questions, words }) => batchQuota({ use: useOf(model), questions, words }),
  describe: ({ model, questions }) => `asks ${sayUse(model)} as if for the first of ${questions} questions with one allowance`,
})

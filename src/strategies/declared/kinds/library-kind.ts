import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import type { PlannedUse, Strategy } from '../../strategy.js'
import { listing, modelId, modelUse, nonEmpty, sayUse, strategies, useOf } from '../fields.js'
import { strategyKind } from '../kind.js'
import { eitherPlan } from '../either-plan.js'

/** `library`: strategies that are chosen among by what they gave on each kind of question (109). */
export const libraryKind = strategyKind({
  kind: 'library',
  about: 'Chooses among strategies by what each gave and took on such questions, as learned so far.',
  fields: (nested) =>
    z.strictObject({
      name: z
        .string()
        .regex(/^[\w.-]{1,64}$/, 'expected a name of letters, digits and ". _ -", at most 64 long')
        .default('library')
        .describe('Of the library: strategies that name the same one share what it learned.'),
      strategies: strategies(nested).describe('What is in it from the beginning, the one to begin with first.'),
      lambda: z.number().min(0).max(1e9).default(0.01).describe('Dollars that a right answer is worth more than a wrong one.'),
      explore: z
        .number()
        .min(0)
        .max(0.5)
        .default(0.1)
        .describe('Largest share of its requests that are used to try what isn’t known to be the best.'),
      guide: z
        .strictObject({
          model: modelUse().describe('Asked for new strategies; it is told how those in the library did, never what anybody asked.'),
          models: z
            .array(modelId())
            .min(1)
            .max(16)
            .optional()
            .describe('Models that its proposals may call; those of `strategies` when left out.'),
          every_failures: z
            .int()
            .min(1)
            .max(100_000)
            .default(20)
            .describe('Answers that must have been found wrong since it was asked last.'),
          most_calls: z.int().min(1).max(64).default(8).describe('Calls that a proposal may take for a request at worst.'),
        })
        .optional()
        .describe('Absent: nothing new comes in.'),
    }),
  build: ({ name, strategies: specs, lambda, explore, guide }, scope) => {
    const seeds = specs.map((spec) => scope.strategy(spec))
    if (specs.some(({ kind }) => kind === 'library'))
      throw new InvalidRequest('strategies: a library holds no libraries.', { code: 'invalid_configuration', path: 'strategies' })
    const own = eitherPlan(seeds.map(({ plan }) => plan))
    const models = guide === undefined ? [] : (guide.models ?? own.map(({ model }) => model))
    const plan = withProposals(own, models, guide?.most_calls ?? 0)
    const use = guide && { model: useOf(guide.model), models, everyFailures: guide.every_failures, mostCalls: guide.most_calls }
    return (
      scope.context.library?.({ name, seeds: nonEmpty(specs), lambda, explore, guide: use, plan }) ?? first(name, nonEmpty(seeds), plan)
    )
  },
  describe: ({ name, strategies: specs, guide }, say) =>
    `chooses, by what the library "${name}" has learned, among: ${listing(
      specs.map((spec) => say(spec)),
      'or',
    )}${guide === undefined ? '' : `; ${sayUse(guide.model)} proposes new ones`}`,
})

/** Where nothing is remembered there is nothing to choose by: the first answers. */
function first(name: string, seeds: readonly [Strategy, ...Strategy[]], plan: readonly PlannedUse[]): Strategy {
  return { id: `library(${name})`, plan, run: (request, env, options) => seeds[0].run(request, env, options) }
}

/** What proposals may call beside it: nothing is expected of them, and no more than they are let. */
function withProposals(plan: readonly PlannedUse[], models: readonly string[], most: number): readonly PlannedUse[] {
  const raised = plan.map((use) => (models.includes(use.model) ? { ...use, most: Math.max(use.most, most) } : use))
  return [...raised, ...models.filter((model) => !plan.some((use) => use.model === model)).map((model) => ({ model, expected: 0, most }))]
}

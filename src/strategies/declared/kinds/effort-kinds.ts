import { z } from 'zod'
import { efforts } from '../../../protocol/index.js'
import { createUnderstanding, type Understanding } from '../../../understanding/index.js'
import { createEffortController, withEffort, type EffortController } from '../../effort/index.js'
import { styled, styleIds } from '../../styles/index.js'
import { strategyKind, type BuildContext } from '../kind.js'

/** `styled`: a strategy whose models are told how to work (032). */
export const styledKind = strategyKind({
  kind: 'styled',
  about: 'Tells the models of a strategy in which style to work.',
  fields: (nested) => z.strictObject({ style: z.enum(styleIds), strategy: nested }),
  build: ({ style, strategy }, scope) => styled(style, scope.strategy(strategy)),
  describe: ({ style, strategy }, say) => `${say(strategy)}, in the style "${style.replaceAll('_', ' ')}"`,
})

/** `effort`: a strategy at a share of the tokens that it takes of itself (077). */
export const effortKind = strategyKind({
  kind: 'effort',
  about: 'Runs a strategy at a share of the tokens it would take of itself.',
  fields: (nested) =>
    z.strictObject({
      effort: z.number().gt(0).max(1).describe('Share of the usual tokens.'),
      strategy: nested,
      takes: z.enum(['none', 'effort', 'budget']).default('none').describe('Whether the model takes a named effort, a budget of thinking tokens, or none of them: then it is told in words.'),
      efforts: z.array(z.enum(efforts)).min(1).max(7).optional().describe('The named efforts that the model takes.'),
    }),
  build: ({ effort, strategy: spec, takes, efforts: names }, scope) => {
    const strategy = scope.strategy(spec)
    const { context } = scope
    return withEffort(strategy, effort, {
      controller: context.effort ?? learnedBy(context).controller,
      target: { arm: strategy.id, takes, efforts: names },
      featuresOf: context.featuresOf ?? ((request) => learnedBy(context).understanding.of(request)),
    })
  },
  describe: ({ effort, strategy }, say) => `${say(strategy)}, at ${Math.round(effort * 100)} % of the usual effort`,
})

interface Learned {
  readonly controller: EffortController
  readonly understanding: Understanding
}

/** What a context that brings none of its own learns: shared by all its strategies. */
const learned = new WeakMap<BuildContext, Learned>()

function learnedBy(context: BuildContext): Learned {
  let own = learned.get(context)
  if (own === undefined) learned.set(context, (own = { controller: createEffortController(), understanding: createUnderstanding() }))
  return own
}

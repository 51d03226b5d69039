import { z } from 'zod'
import { efforts } from '../../../protocol/index.js'
import { withEffort } from '../../effort/index.js'
import { styled, styleIds } from '../../styles/index.js'
import { cutThinking, thinkIfNeeded } from '../../thinking/index.js'
import { modelId } from '../fields.js'
import { strategyKind } from '../kind.js'

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
      takes: z
        .enum(['none', 'effort', 'budget'])
        .default('none')
        .describe('Whether the model takes a named effort, a budget of thinking tokens, or none of them: then it is told in words.'),
      efforts: z.array(z.enum(efforts)).min(1).max(7).optional().describe('The named efforts that the model takes.'),
    }),
  build: ({ effort, strategy: spec, takes, efforts: names }, scope) => {
    const strategy = scope.strategy(spec)
    const { context } = scope
    return withEffort(strategy, effort, {
      controller: context.effort,
      target: { arm: strategy.id, takes, efforts: names },
      featuresOf: context.featuresOf,
    })
  },
  describe: ({ effort, strategy }, say) => `${say(strategy)}, at ${Math.round(effort * 100)} % of the usual effort`,
})

/** `think_if_needed`: thinks only where that pays (169, 116). */
export const thinkIfNeededKind = strategyKind({
  kind: 'think_if_needed',
  about: 'Answers at once where that is as good, and thinks where it pays, as learned so far.',
  fields: (nested) =>
    z.strictObject({
      instant: nested.describe('Answers at once.'),
      reasoned: nested.describe('Thinks first.'),
      quality_per_token: z
        .number()
        .min(0)
        .max(1)
        .default(0.0001)
        .describe('Quality that an output token is worth: 0.0001 is a point of a hundred for a hundred tokens.'),
      look: z
        .number()
        .min(0)
        .max(1)
        .default(0.15)
        .describe('Unclear cases (a net gain of thinking within this of 0) are looked at before they go out; 0 never.'),
      repeat: z.boolean().default(false).describe('Whether very unclear ones are answered twice and compared.'),
    }),
  build: ({ instant, reasoned, quality_per_token: qualityPerToken, look, repeat }, scope) => {
    const { thinkGate: gate, featuresOf, onThink: decided, explore } = scope.context
    return thinkIfNeeded({
      instant: scope.strategy(instant),
      reasoned: scope.strategy(reasoned),
      gate,
      featuresOf,
      qualityPerToken,
      look,
      repeat,
      decided,
      explore,
    })
  },
  describe: ({ instant, reasoned }, say) => `where an instant answer will do, ${say(instant)}; where thinking pays, ${say(reasoned)}`,
})

/** `cut_thinking`: ends visible thinking that only checks itself again (083, 030). */
export const cutThinkingKind = strategyKind({
  kind: 'cut_thinking',
  about: 'Ends the visible thinking of a model where it only checks its answer again, or goes round in a loop.',
  fields: () =>
    z.strictObject({
      model: modelId(),
      finisher: modelId().optional().describe('Says the answer from thoughts that were cut before it; the model itself when absent.'),
      checks: z.int().min(1).max(10).default(1).describe('Checks of an answer that may be made.'),
    }),
  build: ({ model, finisher, checks }) => cutThinking({ model, finisher, checks }),
  describe: ({ model, finisher, checks }) =>
    `asks ${model}, and ends its thinking after ${checks} ${checks === 1 ? 'check' : 'checks'} of an answer${finisher === undefined ? '' : ` (finished by ${finisher})`}`,
})

import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { policyKinds } from '../../routing/index.js'
import { parseStrategy, styleIds } from '../../strategies/index.js'
import { modelName, modelPattern, seconds } from './fields.js'

const effort = () => z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
const dollars = () => z.number().nonnegative().max(1e9)

/** A name of the configuration's own: what may stand after `auto:`, and what names an arm. */
const ownName = () =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$/, 'expected a name of letters, digits and ". _ : / @ + -", at most 200 long')

/** A declared strategy, read and checked; what is at fault is told with its own path. */
const strategy = () =>
  z.unknown().transform((value, context) => {
    try {
      return parseStrategy(value, '')
    } catch (thrown) {
      if (!BursarError.is(thrown)) throw thrown
      const path = (thrown.path ?? '').split(/[.[\]]+/).filter((part) => part !== '')
      context.issues.push({ code: 'custom', message: thrown.message.replace(/^[\w.[\]]+: /, ''), path, input: value })
      return z.NEVER
    }
  })

const arm = z
  .strictObject({
    name: ownName()
      .optional()
      .describe(
        'What the arm is called in answers and reports, and what callers may name as their model. Made from the rest when left out.',
      ),
    model: modelName().optional().describe('Model that answers: a name of `models`, or `provider/model`. Or give `strategy`.'),
    strategy: strategy().optional().describe('A declared strategy (see docs/strategies.md) instead of one call of `model`.'),
    effort: effort().optional().describe("Reasoning effort, in place of the model's own default. A caller's own wish counts before it."),
    style: z.enum(styleIds).optional().describe('Prompt style, such as `chain_of_draft`: text that is added after the system prompt.'),
    tier: z
      .enum(['small', 'medium', 'large'])
      .optional()
      .describe('Arms of a tier share what is known of the newest of them. By the list price when left out.'),
    mode: z
      .enum(['instant', 'reason', 'agentic'])
      .optional()
      .describe('How it works, for `policy.prefer_instant`: arms of one model with different efforts or styles.'),
    place: z.enum(['device', 'edge', 'cloud']).optional().describe('Where it runs. Requests that must stay `private` go to `device` only.'),
    quality: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('How good its answers are believed to be until something was learned: share of right answers. By the tier when left out.'),
  })
  .meta({ title: 'Arm with settings' })
  .refine(({ model, strategy: declared }) => (model === undefined) !== (declared === undefined), {
    error: 'expected either `model` or `strategy`',
  })
  .refine(({ name, strategy: declared }) => declared === undefined || name !== undefined, {
    error: 'is missing; a strategy needs a name, which callers and reports know it by',
    path: ['name'],
  })

const objective = z
  .strictObject({
    lambda: z
      .union([dollars(), z.literal('inf')])
      .optional()
      .describe('Dollars that a right answer is worth more than a wrong one; `inf` lets quality alone count.'),
    relative_lambda: z
      .number()
      .nonnegative()
      .max(1e9)
      .optional()
      .describe(
        "The same as a multiple of the reference's expected dollars. `cheap` is 4, `balanced` 20, `best` 200; multiple of dollars.",
      ),
    quality_floor: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("Least expected quality as a share of the reference's: 0.95 is at most 5 % less; share."),
    max_cost: dollars().optional().describe('Most that an answer may be expected to cost; dollars.'),
    max_latency: seconds().optional().describe('Longest that an answer may be expected to take; seconds.'),
    max_joules: z.number().positive().max(1e12).optional().describe('Most energy that an answer may be expected to take; joules.'),
    usd_per_second: dollars().optional().describe('What a second of waiting is worth; dollars.'),
    usd_per_joule: dollars().optional().describe('What a joule is worth; dollars.'),
    effort: z.number().positive().max(1).optional().describe('Relative effort above 0, up to 1: λ where none is given; share.'),
    explore: z.boolean().optional().describe('`false`: such requests are never used to try something out.'),
    private: z.boolean().optional().describe('`true`: only arms whose `place` is `device` may answer.'),
  })
  .meta({ title: 'Objective' })

const predictor = z.strictObject({
  kind: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('How qualities and lengths are predicted; the default is told by `bursar train --help`.'),
  settings: z.record(z.string(), z.unknown()).prefault({}).describe('Settings of that kind.'),
  train: z
    .string()
    .min(1)
    .optional()
    .describe('Outcome table (JSON Lines, `.gz` too) to begin with where there is no `state` yet, from the folder of this file.'),
  state: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File that keeps what was learned, from the folder of this file. `bursar.routing` beside the ledger when left out; nothing is kept with `ledger.store: memory`, unless it is set.',
    ),
  save_seconds: seconds().default(300).describe('How often it is written where something was learned; it always is at shutdown; seconds.'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('Seed of the training and of the draws of exploration; a whole number.'),
})

const encoder = z.union([
  z.enum(['none', 'embedded']),
  z
    .strictObject({
      endpoint: modelName().describe('Embedding model that texts are sent to.'),
      dimensions: z.int().positive().max(16_384).describe('Length of its vectors; numbers.'),
    })
    .meta({ title: 'Endpoint' }),
  z
    .strictObject({
      onnx: z
        .string()
        .min(1)
        .describe('ONNX file of a sentence encoder, from the folder of this file. Needs the package onnxruntime-node.'),
      vocabulary: z.string().min(1).describe('Its WordPiece vocabulary, `vocab.txt`.'),
      dimensions: z.int().positive().max(16_384).describe('Length of its vectors; numbers.'),
    })
    .meta({ title: 'ONNX file' }),
])

const policy = z
  .strictObject({
    kind: z
      .enum(policyKinds)
      .default('value_of_information')
      .describe(
        'How an arm is picked: the one that is worth most by the objective; by a bandit that learns how arms differ from what is predicted (`thompson`, `lin_ucb`); or under long-run limits (`constrained`).',
      ),
    limits: z
      .strictObject({
        turns: z
          .int()
          .min(1)
          .max(1e6)
          .describe('Requests of a conversation that the limits are for; those without one share a window of as many; requests.'),
        usd: z.number().positive().max(1e9).optional().describe('Most that they may cost together; dollars.'),
        seconds: z
          .number()
          .positive()
          .max(1e9)
          .optional()
          .describe('What they should take together, held by a rising price of time; seconds.'),
        joules: z.number().positive().max(1e15).optional().describe('Most energy that they may take together; joules.'),
      })
      .meta({ title: 'Limits' })
      .optional()
      .describe('Long-run limits of `constrained`.'),
    alpha: z.number().min(0).max(10).optional().describe('`lin_ucb`: how many deviations above its mean an arm is taken at; numbers.'),
    prefer_instant: z
      .union([
        z.boolean(),
        z
          .strictObject({
            threshold: z
              .number()
              .min(0)
              .max(1)
              .default(0.75)
              .describe('Expected quality from which on an instant answer is good enough to doubt dearer modes; share.'),
            exponent: z
              .number()
              .positive()
              .max(20)
              .default(2)
              .describe('How sharply they are doubted: the exponent α of 1 − p^α; numbers.'),
          })
          .meta({ title: 'Preference for instant answers' }),
      ])
      .default(false)
      .describe('Whether an arm of mode `instant` that is sure enough keeps other modes of the same model out.'),
    auction: z
      .strictObject({
        bidders: z
          .array(ownName())
          .min(2)
          .max(8)
          .describe('Names of `arms` that write plans, judge them, and of which the winner does the work.'),
        plan_tokens: z.int().min(16).max(2000).default(256).describe('Longest plan; tokens.'),
        times_plans: z
          .number()
          .min(1)
          .max(10_000)
          .default(20)
          .describe('How many times what the plans cost the work must be expected to cost; multiple of dollars.'),
      })
      .meta({ title: 'Auction' })
      .optional()
      .describe(
        'Long work whose best arm is not known is put up for auction: paid plans decide. With `value_of_information` only. Never held when left out.',
      ),
  })
  .refine(
    ({ kind, limits }) => kind !== 'constrained' || (limits !== undefined && (limits.usd ?? limits.seconds ?? limits.joules) !== undefined),
    { error: 'is missing; `constrained` needs `turns` and at least one of `usd`, `seconds` and `joules`', path: ['limits'] },
  )
  .refine(({ kind, auction }) => auction === undefined || kind === 'value_of_information', {
    error: 'is only held by `value_of_information`',
    path: ['auction'],
  })
  .meta({ title: 'Policy' })

const exploration = z.strictObject({
  share: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.02)
    .describe('Share of the requests that may be used to try another arm than the best one; 0 turns it off.'),
  usd_per_day: dollars().default(1).describe('Most that trying out may cost in a day beyond what the best arm would have; dollars.'),
})

const learning = z.strictObject({
  feedback: z.boolean().default(true).describe('Learn from `POST /v1/feedback`.'),
  verifiers: z.boolean().default(true).describe('Learn from the checks that Bursar makes of answers.'),
  agreement: z.boolean().default(true).describe("Learn from how far a strategy's samples agree, where that is calibrated."),
  max_influence: z
    .number()
    .positive()
    .max(0.99)
    .default(0.2)
    .describe(
      'Most that all feedback of one key may move what is expected of an arm in a day, as a share from 0 to 1. Keys that flip, or that many others disagree with, are set aside besides.',
    ),
  trusted_keys: z
    .array(z.string().min(1).max(256))
    .max(1000)
    .default([])
    .describe('Names of keys whose feedback has no such bound, such as that of an evaluation of your own.'),
  shared: z.boolean().default(false).describe('`true`: all organisations learn together. Else each learns from its own outcomes only.'),
})

/** How a request that names no model is answered. Without the section every model may be picked. */
export const routingSchema = z.strictObject({
  reference: ownName()
    .optional()
    .describe(
      'The arm that callers would use without Bursar: the yardstick of quality and savings, and what answers when in doubt. The first arm when left out.',
    ),
  arms: z
    .array(z.union([modelName().transform((model): z.output<typeof arm> => ({ model })), arm]))
    .min(1)
    .max(100)
    .optional()
    .describe('What may be picked: models, by name or with settings, and strategies. All models when left out.'),
  instead_of: z
    .array(modelPattern())
    .max(1000)
    .default([])
    .describe(
      'Models whose requests are decided too, as if they said `auto`: names, or beginnings of names and `*`. The model that the caller named is the reference then. None when left out.',
    ),
  objective: ownName()
    .default('balanced')
    .describe('What requests aim at that don’t say, of keys that don’t say: `cheap`, `balanced`, `best`, or a name of `objectives`.'),
  objectives: z.record(ownName(), objective).prefault({}).describe('Objectives by the names that callers use: `auto:<name>`.'),
  predictor: predictor.prefault({}).describe('What is believed of the arms.'),
  encoder: encoder
    .default('none')
    .describe('Sentence encoder beside the word statistics: `none`, `embedded` (a worker thread), an embeddings endpoint, or a file.'),
  policy: policy.prefault({}).describe('How an arm is picked among those that may answer.'),
  exploration: exploration.prefault({}).describe('Trying out, to learn. For bandits, `share` is the probability that other arms may get.'),
  sticky: z
    .boolean()
    .default(true)
    .describe('Whether a conversation stays with its arm while leaving would lose more prompt cache than it gains.'),
  learning: learning.prefault({}).describe('What is learned from.'),
})

export type RoutingConfig = z.output<typeof routingSchema>
export type ArmConfig = NonNullable<RoutingConfig['arms']>[number]

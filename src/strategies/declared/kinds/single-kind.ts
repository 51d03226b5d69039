import { z } from 'zod'
import { edit, efforts, type Request } from '../../../protocol/index.js'
import { saidAfter } from '../../calls.js'
import { single } from '../../single.js'
import type { Strategy } from '../../strategy.js'
import { modelId } from '../fields.js'
import { strategyKind } from '../kind.js'

/** `single`: one call, with settings of its own where the spec has any. */
export const singleKind = strategyKind({
  kind: 'single',
  about: 'Asks one model once.',
  fields: () =>
    z.strictObject({
      model: modelId(),
      effort: z.enum(efforts).optional().describe('How much the model shall think.'),
      temperature: z.number().min(0).max(2).optional(),
      max_output_tokens: z.int().positive().max(1e6).optional().describe('A limit on the answer; a lower one of the caller stays.'),
      instruction: z.string().min(1).max(2000).optional().describe('Said after the question.'),
    }),
  build: ({ model, effort, temperature, max_output_tokens: limit, instruction }) => {
    const plain = single(model)
    const changed = (request: Request): Request =>
      edit(request, {
        ...(effort === undefined ? {} : { reasoning: { ...request.reasoning, effort } }),
        ...(temperature === undefined ? {} : { temperature }),
        ...(limit === undefined ? {} : { maxOutputTokens: Math.min(limit, request.maxOutputTokens ?? limit) }),
        ...(instruction === undefined ? {} : { messages: saidAfter(request.messages, instruction) }),
      })
    const settings = [
      effort,
      temperature === undefined ? undefined : `temperature ${temperature}`,
      limit === undefined ? undefined : `at most ${limit} tokens`,
      instruction === undefined ? undefined : 'instructed',
    ]
    const named = settings.filter((setting) => setting !== undefined)
    if (named.length === 0) return plain
    const strategy: Strategy = {
      id: `single(${[model, ...named].join(', ')})`,
      plan: plain.plan,
      run: (request, env, options) => plain.run(changed(request), env, options),
    }
    return strategy
  },
  describe: ({ model, effort, max_output_tokens: limit, instruction }) =>
    `asks ${model}${effort === undefined ? '' : ` (effort ${effort})`}${limit === undefined ? '' : ` for at most ${limit} tokens`}${instruction === undefined ? '' : ' with an instruction'}`,
})

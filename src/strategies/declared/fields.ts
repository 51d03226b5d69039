import { z } from 'zod'
import { efforts } from '../../protocol/index.js'
import type { ModelUse } from '../calls.js'
import { completeCheck, formCheck, jsonCheck, toolArgumentsCheck, type Check } from '../verification/index.js'
import type { StrategySpec } from './kind.js'

/** The name of a model, as configurations and callers write it. */
export const modelId = () =>
  z
    .string()
    .regex(/^\S(.{0,198}\S)?$/, 'expected the name of a model, such as openai/gpt-5-mini')
    .describe('A model, as callers name it.')

/** A model, or a model with how much it shall think. */
export const modelUse = () =>
  z.union([modelId(), z.strictObject({ model: modelId(), effort: z.enum(efforts).optional() })], {
    error: 'expected the name of a model, or `model` with `effort`',
  })

export function useOf(value: z.output<ReturnType<typeof modelUse>>): ModelUse {
  if (typeof value === 'string') return { model: value }
  return { model: value.model, ...(value.effort === undefined ? {} : { reasoning: { effort: value.effort } }) }
}

/** A model's name with its effort, for descriptions. */
export function sayUse(value: z.output<ReturnType<typeof modelUse>>): string {
  return typeof value === 'string' ? value : `${value.model}${value.effort === undefined ? '' : ` (effort ${value.effort})`}`
}

/** At least one strategy. */
export const strategies = (nested: z.ZodType<StrategySpec>, least = 1) => z.array(nested).min(least).max(16)

/** A list that is known to have an entry, as a type that says so. */
export function nonEmpty<Item>(items: readonly Item[]): readonly [Item, ...Item[]] {
  const [first, ...rest] = items
  if (first === undefined) throw new RangeError('an empty list')
  return [first, ...rest]
}

/** "a, b or c". */
export function listing(words: readonly string[], last: 'and' | 'or' = 'and'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}

/** Checks of an answer that call no model. Patterns are none of them: specs may come from models, and a pattern may take for ever. */
export const checks: Readonly<Record<'complete' | 'json' | 'tool_arguments' | 'form', Check>> = {
  complete: completeCheck,
  json: jsonCheck,
  tool_arguments: toolArgumentsCheck,
  form: formCheck,
}

export const checkName = z
  .enum(['complete', 'json', 'tool_arguments', 'form'])
  .describe(
    '`complete`: not cut, not refused. `json`: holds the prescribed form. `tool_arguments`: calls hold their parameters. `form`: all of these.',
  )

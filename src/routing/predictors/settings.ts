import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { PredictorKind } from '../contracts.js'

/** A kind whose settings are checked against a schema before they are used: `BursarError` (`invalid_configuration`) with the field's path for others. */
export function checkedKind<Settings>(kind: PredictorKind<Settings>, schema: z.ZodType<Settings>): PredictorKind {
  const read = (settings: unknown): Settings => {
    const found = schema.safeParse(settings ?? {})
    if (found.success) return found.data
    const issue = found.error.issues[0]
    const path = ['settings', ...(issue?.path ?? [])].join('.')
    throw new BursarError(`Predictor "${kind.kind}": ${path}: ${issue?.message ?? 'has the wrong shape'}.`, {
      code: 'invalid_configuration',
      status: 500,
      path,
    })
  }
  return {
    kind: kind.kind,
    train: (observations, arms, settings, seed) => kind.train(observations, arms, read(settings), seed),
    load: (bytes, arms, settings) => kind.load(bytes, arms, read(settings)),
  }
}

export const positive = z.number().positive().max(1e6)
const scale = z.number().min(0).max(10).optional()
export const scalesSchema = z.strictObject({ words: scale, lexical: scale, dense: scale, traits: scale, category: scale })

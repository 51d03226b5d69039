import { z } from 'zod'
import { formatUsd, inUnit, picoUsd, units } from '../../quantities/index.js'
import type { BudgetRule } from '../budgets/contract.js'
import { objectives, type KeySettings, type LevelSettings } from './contract.js'

const rule = z.object({
  unit: z.enum(units),
  /** Grains: more digits than a double holds. */
  limit: z.string().regex(/^\d+$/).transform(BigInt),
  per: z.enum(['minute', 'day', 'month', 'total']),
  hard: z.boolean(),
})
const rules = z.array(rule)
const rates = z.object({
  requestsPerMinute: z.number().optional(),
  tokensPerMinute: z.number().optional(),
  parallel: z.number().optional(),
})

const levelSettings = {
  rules,
  rates: rates.optional(),
  models: z.array(z.string()).optional(),
  endUserRules: rules.optional(),
  tags: z.record(z.string(), z.string()).optional(),
}
const accountSettings = z.strictObject(levelSettings)
const keySettings = z.strictObject({
  ...levelSettings,
  endpoints: z.array(z.string()).optional(),
  runRules: rules.optional(),
  requestRules: rules.optional(),
  objective: z.enum(objectives).optional(),
  blocked: z.boolean().optional(),
})

/** Settings as the database keeps them. */
export function settingsText({ rules, rates, models, endUserRules, tags, ...more }: LevelSettings & Partial<KeySettings>): string {
  const { endpoints, runRules, requestRules, objective, blocked } = more
  const kept = { rules, rates, models, endUserRules, tags, endpoints, runRules, requestRules, objective, blocked }
  return JSON.stringify(kept, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

/** Throws when the text is not what `settingsText` makes: then nobody may spend by it. */
export function accountSettingsOf(text: string): LevelSettings {
  return accountSettings.parse(JSON.parse(text))
}

export function keySettingsOf(text: string): KeySettings {
  return keySettings.parse(JSON.parse(text))
}

/** A rule as people write it: `{usd: 10, per: 'day', hard: true}`. */
export type PlainRule = { readonly [Unit in (typeof units)[number]]?: number } & Pick<BudgetRule, 'per' | 'hard'>

export function plainRule({ unit, limit, per, hard }: BudgetRule): PlainRule {
  return { [unit]: unit === 'usd' ? Number(formatUsd(picoUsd(limit))) : inUnit(unit, limit), per, hard }
}

import type { z } from 'zod'
import type { AccountPatch, BudgetRule, KeyPatch, LevelSettings, TopUp } from '../../ledger/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { grainsOfLimit, units, usd } from '../../quantities/index.js'
import { ratesOf, rulesOf } from '../configured-accounts.js'
import type { KeyToMake } from './administration.js'
import type { accountPatchBody, keyPatchBody, newAccountBody, newKeyBody, topUpBody } from './schemas.js'

type LevelBody = Pick<z.output<typeof newKeyBody>, 'budget_usd' | 'budgets' | 'rates' | 'models' | 'tags' | 'user_budgets'>
type LevelPatchBody = Pick<z.output<typeof keyPatchBody>, 'budget_usd' | 'budgets' | 'rates' | 'models' | 'tags' | 'user_budgets'>

/** The settings that a body gives a new key. */
export function keyToMake(body: z.output<typeof newKeyBody>): KeyToMake {
  const { name, organisation, team, user, run_budgets, request_budgets, endpoints, objective, expires, blocked } = body
  return {
    name,
    organisation,
    team,
    user,
    ...levelSettings(body),
    runRules: run_budgets && rulesOf(run_budgets),
    requestRules: request_budgets && rulesOf(request_budgets),
    endpoints,
    objective,
    blocked,
    expiresAt: expires === undefined ? undefined : Date.parse(expires) / 1000,
  }
}

export function levelSettings({ budget_usd, budgets, rates, models, tags, user_budgets }: LevelBody): LevelSettings {
  return {
    rules: [...(budget_usd === undefined ? [] : totalUsd(budget_usd)), ...rulesOf(budgets ?? [])],
    rates: rates && ratesOf(rates),
    models,
    tags,
    endUserRules: user_budgets && rulesOf(user_budgets),
  }
}

/** The settings of a new account; its id and name are the caller's to choose. */
export function accountSettings(
  body: z.output<typeof newAccountBody>,
): LevelSettings & { readonly organisation?: string | undefined; readonly team?: string | undefined } {
  return { organisation: body.organisation, team: body.team, ...levelSettings(body) }
}

export function keyPatch(body: z.output<typeof keyPatchBody>, rules: readonly BudgetRule[]): KeyPatch {
  const { organisation, team, user, run_budgets, request_budgets, endpoints, objective, expires, blocked } = body
  return {
    organisation,
    team,
    user,
    endpoints,
    objective,
    blocked,
    ...levelPatch(body, rules),
    runRules: run_budgets && rulesOf(run_budgets),
    requestRules: request_budgets && rulesOf(request_budgets),
    expiresAt: typeof expires === 'string' ? Date.parse(expires) / 1000 : expires,
  }
}

export function accountPatch(body: z.output<typeof accountPatchBody>, rules: readonly BudgetRule[]): AccountPatch {
  const { name, organisation, team } = body
  return { name, organisation, team, ...levelPatch(body, rules) }
}

export function topUpOf(body: z.output<typeof topUpBody>): TopUp {
  const named = units.filter((unit) => body[unit] !== undefined)
  const [unit] = named
  const amount = unit && body[unit]
  if (unit === undefined || amount === undefined || named.length > 1)
    throw new InvalidRequest(`expected one of ${units.join(', ')}, got ${named.length === 0 ? 'none' : named.join(' and ')}.`, {
      path: named[1] ?? 'usd',
    })
  return { unit, amount: grainsOfLimit(unit, unit === 'usd' ? usd(amount) : amount), per: body.per }
}

/** `budgets` replaces all limits; `budget_usd` alone only the hard one in dollars in total. */
function levelPatch({ budget_usd, budgets, rates, models, tags, user_budgets }: LevelPatchBody, rules: readonly BudgetRule[]) {
  const touched = budget_usd !== undefined || budgets !== undefined
  const kept = budgets === undefined ? rules.filter((rule) => budget_usd === undefined || !isTotalUsd(rule)) : rulesOf(budgets ?? [])
  return {
    rules: touched ? [...(budget_usd === undefined || budget_usd === null ? [] : totalUsd(budget_usd)), ...kept] : undefined,
    rates: rates && ratesOf(rates),
    models,
    tags,
    endUserRules: user_budgets && rulesOf(user_budgets),
  }
}

function totalUsd(limit: number): readonly BudgetRule[] {
  return rulesOf([{ usd: limit, per: 'total', hard: true }])
}

function isTotalUsd({ unit, per, hard }: BudgetRule): boolean {
  return unit === 'usd' && per === 'total' && hard
}

import type { IncomingHttpHeaders } from 'node:http'
import { InvalidRequest } from '../errors/index.js'
import type { BudgetRule } from '../ledger/index.js'
import { grainsOfLimit, units, usd, type Unit } from '../quantities/index.js'

/** Whom and what a request says that it is for, beside its key. */
export interface CallerLabels {
  readonly run?: string | undefined
  readonly session?: string | undefined
  /** The end user. */
  readonly user?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Limits that the caller sets for its own run, and for this one request. They can only narrow what the key has. */
  readonly runRules?: readonly BudgetRule[] | undefined
  readonly requestRules?: readonly BudgetRule[] | undefined
}

const MAX_LABEL = 256
const MAX_TAGS = 32

/** Headers by what they tell, Bursar's own first; the others are those that clients of other gateways and agents send. */
const RUN = ['x-bursar-run'] as const
const SESSION = ['x-bursar-session', 'x-session-id', 'x-claude-code-session-id', 'helicone-session-id'] as const
const USER = ['x-bursar-user', 'x-litellm-end-user-id', 'helicone-user-id'] as const

/**
 * Reads the labels of a request; `endUser` is what its body says. Costs a look-up a name for requests that have none. Throws
 * `InvalidRequest` with the header's name as the path: a budget that can't be read must not be taken for none.
 */
export function labelsOf(headers: IncomingHttpHeaders, endUser?: string): CallerLabels {
  return {
    run: first(headers, RUN),
    session: first(headers, SESSION),
    user: first(headers, USER) ?? (endUser === undefined || endUser === '' ? undefined : label('user', endUser)),
    tags: tagsOf(headers['x-bursar-tags']),
    runRules: rulesOf('x-bursar-run-budget', headers['x-bursar-run-budget']),
    requestRules: rulesOf('x-bursar-budget', headers['x-bursar-budget']),
  }
}

function first(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name]
    if (typeof value !== 'string' || value === '') continue
    return label(name, value)
  }
  return undefined
}

/** A label as records hold it; throws when it is too long. Header values are Latin-1, so nothing worse can be in them. */
function label(path: string, value: string): string {
  if (value.length > MAX_LABEL) throw new InvalidRequest(`${path}: expected at most ${MAX_LABEL} characters.`, { path })
  return value
}

/** `team=search, env=prod`. */
function tagsOf(header: string | string[] | undefined): Readonly<Record<string, string>> | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined
  const path = 'x-bursar-tags'
  const tags: Record<string, string> = Object.create(null) as Record<string, string>
  const pairs = header.split(',')
  if (pairs.length > MAX_TAGS) throw new InvalidRequest(`${path}: expected at most ${MAX_TAGS} tags.`, { path })
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals).trim()
    if (equals < 0 || name === '' || name.length > 64)
      throw new InvalidRequest(`${path}: expected name=value pairs with commas between them, such as "feature=search, env=prod".`, { path })
    tags[name] = label(path, pair.slice(equals + 1).trim())
  }
  return { ...tags }
}

/** `usd=0.25; calls=40`: hard limits, for as long as the run or the request lasts. */
function rulesOf(path: string, header: string | string[] | undefined): readonly BudgetRule[] | undefined {
  if (header === undefined) return undefined
  const expected = `${path}: expected limits such as "usd=0.25; calls=40" (${units.join(', ')}).`
  if (typeof header !== 'string') throw new InvalidRequest(expected, { path })
  return header.split(';').map((part): BudgetRule => {
    const [name = '', value = '', ...more] = part.split('=').map((text) => text.trim())
    const unit = units.find((known) => known === name)
    if (unit === undefined || more.length > 0 || !/^\d{1,12}(\.\d{1,12})?$/.test(value)) throw new InvalidRequest(expected, { path })
    return { unit, limit: limitOf(unit, value), per: 'total', hard: true }
  })
}

function limitOf(unit: Unit, value: string): bigint {
  return unit === 'usd' ? usd(value) : grainsOfLimit(unit, Number(value))
}

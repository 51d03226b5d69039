import { InvalidRequest } from '../errors/index.js'
import { usd, type Money } from '../quantities/index.js'
import type { Objective } from './contracts.js'

/**
 * The objectives that every installation has; the configuration may define more, or these anew. `relativeLambda` says how many calls of the reference arm a right answer
 * is worth: an arm that costs next to nothing is preferred to the reference as long as it loses less than 1/relativeLambda of quality:
 * `cheap` 25 points, `balanced` 5, `best` half a point. `cheap` and `balanced` also keep a floor, so that a badly known arm isn't a bargain.
 */
export const namedObjectives: Readonly<Record<'cheap' | 'balanced' | 'best', Objective>> = {
  cheap: { name: 'cheap', relativeLambda: 4, qualityFloor: 0.6 },
  balanced: { name: 'balanced', relativeLambda: 20, qualityFloor: 0.8 },
  best: { name: 'best', relativeLambda: 200 },
}

export type NamedObjectives = Readonly<Record<string, Objective>>

/** Fields of an objective as a body's `bursar: {…}` and the configuration write them. */
export const objectiveFields = [
  'objective',
  'lambda',
  'relative_lambda',
  'quality_floor',
  'max_cost',
  'max_latency',
  'max_joules',
  'usd_per_second',
  'usd_per_joule',
  'effort',
  'explore',
  'private',
] as const

/**
 * Reads an objective from a request's `bursar` field or from the configuration: `objective` names one of `named` to begin with; the
 * other fields change it. Dollars of `lambda` and `max_cost` may be a number or a decimal text; `lambda: "inf"` lets quality alone count. `undefined` and `null` say nothing.
 * Throws `InvalidRequest` with the field's path for unknown fields, names, and values out of range.
 */
export function parseObjective(value: unknown, path: string, named: NamedObjectives = namedObjectives): Objective {
  if (value == null) return {}
  if (!isRecord(value)) throw wrong(path, 'an object')
  for (const field of Object.keys(value))
    if (!(objectiveFields as readonly string[]).includes(field))
      throw new InvalidRequest(`"${field}" is no field of an objective. There are ${objectiveFields.join(', ')}.`, {
        path: `${path}.${field}`,
      })
  const at = (field: (typeof objectiveFields)[number]) => `${path}.${field}`
  const base = value['objective'] == null ? {} : namedObjective(value['objective'], at('objective'), named)
  return mergeObjectives(base, {
    lambda: lambdaOf(value['lambda'], at('lambda')),
    relativeLambda: atLeastZero(value['relative_lambda'], at('relative_lambda')),
    qualityFloor: share(value['quality_floor'], at('quality_floor')),
    maxUsd: money(value['max_cost'], at('max_cost')),
    maxSeconds: aboveZero(value['max_latency'], at('max_latency')),
    maxJoules: aboveZero(value['max_joules'], at('max_joules')),
    usdPerSecond: atLeastZero(value['usd_per_second'], at('usd_per_second')),
    usdPerJoule: atLeastZero(value['usd_per_joule'], at('usd_per_joule')),
    effort: effort(value['effort'], at('effort')),
    explore: onOff(value['explore'], at('explore')),
    private: onOff(value['private'], at('private')),
  })
}

/** Header of each field that has one. */
export const objectiveHeaders = {
  'x-bursar-objective': 'objective',
  'x-bursar-lambda': 'lambda',
  'x-bursar-quality-floor': 'quality_floor',
  'x-bursar-max-cost': 'max_cost',
  'x-bursar-max-latency': 'max_latency',
  'x-bursar-max-joules': 'max_joules',
  'x-bursar-effort': 'effort',
  'x-bursar-explore': 'explore',
  'x-bursar-private': 'private',
} as const satisfies Readonly<Record<string, (typeof objectiveFields)[number]>>

/** Reads an objective from request headers; the error's path is the header's name. `header` gives a header's value by its lower-case name. */
export function objectiveFromHeaders(
  header: (name: string) => string | undefined | null,
  named: NamedObjectives = namedObjectives,
): Objective {
  return Object.entries(objectiveHeaders).reduce<Objective>((objective, [name, field]) => {
    const text = header(name)?.trim()
    if (text == null || text === '') return objective
    try {
      return mergeObjectives(objective, parseObjective({ [field]: text }, '', named))
    } catch (thrown) {
      if (thrown instanceof InvalidRequest) throw new InvalidRequest(thrown.message, { path: name, cause: thrown })
      throw thrown
    }
  }, {})
}

/** Which objective a model name such as `auto`, `auto:cheap` or `openrouter/auto` asks for; `undefined` for the name of a model. An unknown name throws. */
export function objectiveOfModelName(model: string, named: NamedObjectives = namedObjectives): Objective | undefined {
  if (model === 'auto' || model === 'openrouter/auto') return {}
  return model.startsWith('auto:') ? namedObjective(model.slice('auto:'.length), 'model', named) : undefined
}

/**
 * One objective from several, the later said more closely: trade-offs (λ, effort, what seconds and joules are worth) and the name are the
 * last one's, ceilings the lowest, the floor the highest, and "don't explore" and "private" stay once said. So a caller can narrow what an
 * operator set, never widen it.
 */
export function mergeObjectives(...objectives: readonly Objective[]): Objective {
  const merged = objectives.reduce<Objective>((base, next) => {
    const tradesOff = next.lambda !== undefined || next.relativeLambda !== undefined || next.effort !== undefined
    const priced = base.maxPrice ?? next.maxPrice
    return {
      name: next.name ?? base.name,
      lambda: tradesOff ? next.lambda : base.lambda,
      relativeLambda: tradesOff ? next.relativeLambda : base.relativeLambda,
      effort: next.effort ?? base.effort,
      usdPerJoule: next.usdPerJoule ?? base.usdPerJoule,
      usdPerSecond: next.usdPerSecond ?? base.usdPerSecond,
      qualityFloor: most(base.qualityFloor, next.qualityFloor),
      maxUsd: least(base.maxUsd, next.maxUsd),
      maxSeconds: least(base.maxSeconds, next.maxSeconds),
      maxJoules: least(base.maxJoules, next.maxJoules),
      explore: base.explore === false ? false : (next.explore ?? base.explore),
      private: base.private === true ? true : (next.private ?? base.private),
      maxPrice: priced && {
        input: least(base.maxPrice?.input, next.maxPrice?.input),
        output: least(base.maxPrice?.output, next.maxPrice?.output),
      },
    }
  }, {})
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))
}

function namedObjective(name: unknown, path: string, named: NamedObjectives): Objective {
  const found = typeof name === 'string' && Object.hasOwn(named, name) ? named[name] : undefined
  if (found && typeof name === 'string') return { ...found, name }
  throw new InvalidRequest(
    `${typeof name === 'string' ? `"${name}"` : 'That'} is no objective. There are ${Object.keys(named).join(', ')}.`,
    { path },
  )
}

function number(value: unknown, path: string, holds: (value: number) => boolean, expected: string): number | undefined {
  if (value == null) return undefined
  const read = typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value
  if (typeof read !== 'number' || !Number.isFinite(read) || !holds(read)) throw wrong(path, expected)
  return read
}

const share = (value: unknown, path: string) => number(value, path, (read) => read >= 0 && read <= 1, 'a number from 0 to 1')
const atLeastZero = (value: unknown, path: string) => number(value, path, (read) => read >= 0, 'a number of at least 0')
const aboveZero = (value: unknown, path: string) => number(value, path, (read) => read > 0, 'a number above 0')
const effort = (value: unknown, path: string) => number(value, path, (read) => read > 0 && read <= 1, 'a number above 0 and at most 1')

function lambdaOf(value: unknown, path: string): number | undefined {
  if (value === 'inf' || value === 'Infinity' || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
  return number(value, path, (read) => read >= 0, 'dollars of at least 0, or "inf"')
}

/** A ceiling in exact money, at most a billion dollars. */
export function money(value: unknown, path: string): Money | undefined {
  if (value == null) return undefined
  const text = typeof value === 'string' ? value.trim().replace(/^\$/, '') : value
  const dollars = number(text, path, (read) => read >= 0 && read <= 1e9, 'dollars of at least 0')
  if (dollars === undefined) return undefined
  return typeof text === 'string' && !/e/i.test(text) ? usd(text.replace(/^\+/, '')) : usd(dollars)
}

function onOff(value: unknown, path: string): boolean | undefined {
  if (value == null) return undefined
  if (typeof value === 'boolean') return value
  const text = typeof value === 'string' ? value.trim().toLowerCase() : undefined
  if (text === 'on' || text === 'true' || text === '1') return true
  if (text === 'off' || text === 'false' || text === '0') return false
  throw wrong(path, 'true or false (in a header: on or off)')
}

function least<T extends number | bigint>(a: T | undefined, b: T | undefined): T | undefined {
  return a === undefined ? b : b === undefined || a < b ? a : b
}

function most(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined || a > b ? a : b
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(path: string, expected: string): InvalidRequest {
  return new InvalidRequest(`${path === '' ? 'The value' : path} must be ${expected}.`, { path: path === '' ? undefined : path })
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import { issuesInWords, pathWith, type FieldIssue } from './issue-words.js'
import type { StrategyKind, StrategySpec } from './kind.js'

/** The kinds that specs may name. */
export type StrategyRegistry = ReadonlyMap<string, StrategyKind>

/** What a spec may hold at most. */
export const specLimits = {
  /** Strategies within strategies. */
  depth: 6,
  /** Strategies in all. */
  strategies: 64,
  /** Values of any kind, and characters of any one text. */
  values: 2000,
  characters: 4000,
} as const

/** JSON below a spec: deeper than strategies nest, since fields have structure of their own. */
const MAX_JSON_DEPTH = 24

/**
 * Reads a declared strategy: a mapping with `kind`, or just the name of a model, which means one call of it. Gives plain data with every
 * default filled in, so that what is hashed, shown and run is the same. Throws `InvalidRequest` (`invalid_configuration`) with the path of
 * the first field at fault, below `path`, and up to five faults in its words. Linear in the size, which is limited (`specLimits`).
 */
export function readSpec(value: unknown, path: string, registry: StrategyRegistry): StrategySpec {
  const oversize = sizeFault(value)
  if (oversize) throw refused(path, [oversize])
  const result = readNode(value, registry)
  if ('issues' in result) throw refused(path, result.issues)
  return result.spec
}

/** The zod type of a strategy within a strategy, one a registry: schemas are costly to make. */
export function nestedType(registry: StrategyRegistry): z.ZodType<StrategySpec> {
  let type = nestedTypes.get(registry)
  if (type !== undefined) return type
  type = z.unknown().transform((value, context): StrategySpec => {
    const result = readNode(value, registry)
    if (!('issues' in result)) return result.spec
    for (const { path, message } of result.issues) context.issues.push({ code: 'custom', path: [...path], message, input: value })
    return z.NEVER
  })
  nestedTypes.set(registry, type)
  return type
}

const nestedTypes = new WeakMap<StrategyRegistry, z.ZodType<StrategySpec>>()

/** The kind of a spec. Throws where a spec names none that is registered: it was not read with this registry. */
export function kindOf(spec: StrategySpec, registry: StrategyRegistry): StrategyKind {
  const kind = registry.get(spec.kind)
  if (kind === undefined) throw refused('', [{ path: ['kind'], message: unknownKind(spec.kind, registry) }])
  return kind
}

/** The fields of a spec without its kind. */
export function fieldsOf(spec: StrategySpec): Readonly<Record<string, unknown>> {
  const { kind: _kind, ...fields } = spec
  return fields
}

/** SHA-256 of the canonical JSON of a spec (keys in order, no undefined fields), in hexadecimal: equal for equal strategies, in any process. */
export function specHash(spec: StrategySpec): string {
  return createHash('sha256').update(canonical(spec)).digest('hex')
}

/** JSON with the keys of every mapping in order. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

interface Nesting {
  readonly depth: number
  readonly strategies: { count: number }
}

/** Where in a spec the reading is: schemas read what is nested by themselves, synchronously, and have no way to hand this on. */
let nesting: Nesting | undefined

type NodeResult = { readonly spec: StrategySpec } | { readonly issues: readonly FieldIssue[] }

function readNode(value: unknown, registry: StrategyRegistry): NodeResult {
  const around = nesting
  nesting = { depth: around === undefined ? 0 : around.depth + 1, strategies: around?.strategies ?? { count: 0 } }
  try {
    return readWithin(value, registry, nesting)
  } finally {
    nesting = around
  }
}

function readWithin(value: unknown, registry: StrategyRegistry, within: Nesting): NodeResult {
  const fault = (message: string, ...path: PropertyKey[]): NodeResult => ({ issues: [{ path, message }] })
  if (value === undefined) return fault('is missing; expected a strategy: a mapping with `kind`, or the name of a model')
  if (within.depth > specLimits.depth) return fault(`strategies nest at most ${specLimits.depth} deep`)
  if (++within.strategies.count > specLimits.strategies) return fault(`a strategy is made of at most ${specLimits.strategies}`)
  const mapping = typeof value === 'string' ? { kind: 'single', model: value } : value
  if (!isMapping(mapping)) return fault('expected a strategy: a mapping with `kind`, or the name of a model')
  const { kind: name, ...fields } = mapping
  if (typeof name !== 'string')
    return fault(`${name === undefined ? 'is missing; ' : ''}expected one of ${[...registry.keys()].join(', ')}`, 'kind')
  const kind = registry.get(name)
  if (kind === undefined) return fault(unknownKind(name, registry), 'kind')
  const read = kind.read(fields, nestedType(registry))
  if (!read.success) return { issues: issuesInWords(read.error.issues, fields, kind.fieldNames(nestedType(registry))) }
  return { spec: { kind: name, ...read.data } }
}

function unknownKind(name: string, registry: StrategyRegistry): string {
  return `there is no kind of strategy named ${JSON.stringify(name.slice(0, 60))}; expected one of ${[...registry.keys()].join(', ')}`
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What makes a value too large, or no JSON, to look at more closely. Stops at the limit: shared branches of YAML can't blow it up. */
function sizeFault(root: unknown): FieldIssue | undefined {
  let values = 0
  const visit = (value: unknown, path: readonly PropertyKey[]): FieldIssue | undefined => {
    if (++values > specLimits.values) return { path: [], message: `a strategy has at most ${specLimits.values} values` }
    if (path.length > MAX_JSON_DEPTH) return { path, message: `is more than ${MAX_JSON_DEPTH} levels deep` }
    if (typeof value === 'string' && value.length > specLimits.characters)
      return { path, message: `is longer than ${specLimits.characters} characters` }
    if (typeof value === 'number' && !Number.isFinite(value)) return { path, message: 'is not a finite number' }
    if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol')
      return { path, message: 'is not a value of JSON' }
    if (typeof value !== 'object' || value === null) return undefined
    const entries: Iterable<readonly [PropertyKey, unknown]> = Array.isArray(value) ? value.entries() : Object.entries(value)
    for (const [key, item] of entries) {
      const found = visit(item, [...path, key])
      if (found) return found
    }
    return undefined
  }
  return visit(root, [])
}

function refused(base: string, issues: readonly FieldIssue[]): InvalidRequest {
  const told = issues.slice(0, 5).map(({ path, message }) => `${pathWith(base, path) || 'strategy'}: ${message}`)
  const more = issues.length > told.length ? ` And ${issues.length - told.length} more.` : ''
  return new InvalidRequest(`${told.join('. ')}.${more}`, {
    code: 'invalid_configuration',
    path: pathWith(base, issues[0]?.path ?? []) || undefined,
  })
}

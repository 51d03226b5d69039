import { InvalidRequest } from '../../../errors/index.js'
import type { JsonSchema } from '../../../protocol/index.js'
import type { Random } from '../../../statistics/index.js'
import { whole } from './draws.js'
import { hintFor, type Hints } from './hints.js'
import { textForPattern, UnsupportedPattern } from './pattern-text.js'

/** From this depth on only what is required is written. */
const SHALLOW_DEPTH = 4
const DEEPEST = 40
const MOST_VALUES = 10_000
const MOST_STEPS = 20_000
const LONGEST_CHAIN = 100
const LONGEST_STRING = 100_000

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Schema = Readonly<Record<string, unknown>>

/**
 * Makes a value that satisfies a JSON schema, with what the prompt offers where it fits. Understands types, `enum`, `const`,
 * `required`, `properties`, `additionalProperties`, `items`, `prefixItems`, `contains`, lengths and counts, `uniqueItems`, bounds and
 * `multipleOf`, `pattern`, the common formats, `anyOf`, `oneOf`, `allOf` and local `$ref`s, recursive ones too. `not`, `if` and
 * dependencies are not looked at. Throws `InvalidRequest` at `path` for a schema that nothing satisfies or that asks for too much.
 */
export function valueForSchema(schema: JsonSchema, hints: Hints, random: Random, path: string): Json {
  return new Writer(schema, hints, random, path).write(schema, '', 0, 0)
}

class Writer {
  private values = 0
  private steps = 0
  private nextNumber = 0

  constructor(
    private readonly root: Schema,
    private readonly hints: Hints,
    private readonly random: Random,
    private readonly path: string,
  ) {}

  /** `name` is the property's, for hints; `variant` makes items of one array differ. */
  write(given: unknown, name: string, depth: number, variant: number): Json {
    this.values += 1
    if (this.values > MOST_VALUES) throw this.refuse(`asks for more than ${MOST_VALUES} values`)
    if (depth > DEEPEST) throw this.refuse(`requires itself, so that no finite value satisfies it (deeper than ${DEEPEST} levels)`)
    if (given === true || given === undefined) return name === '' ? {} : `example ${name}`
    if (given === false) throw this.refuse(`allows nothing at "${name}"`)
    const schema = this.resolve(given, depth)
    if ('const' in schema) return schema.const as Json
    if (Array.isArray(schema.enum)) return this.choose(schema.enum as Json[], schema, variant)
    switch (this.typeOf(schema, depth)) {
      case 'null':
        return null
      case 'boolean':
        return variant > 0 ? variant % 2 === 1 : this.random.next() < 0.5
      case 'integer':
        return this.number(schema, true, variant)
      case 'number':
        return this.number(schema, false, variant)
      case 'string':
        return this.string(schema, name, variant)
      case 'array':
        return this.array(schema, name, depth)
      case 'object':
        return this.object(schema, depth)
    }
  }

  /** Follows references and merges `allOf` and the chosen branch of `anyOf` or `oneOf` into one flat schema. */
  private resolve(given: unknown, depth: number): Schema {
    let schema = this.asSchema(given)
    for (let links = 0; ; links++) {
      this.steps += 1
      if (this.steps > MOST_STEPS || links > LONGEST_CHAIN || depth > DEEPEST)
        throw this.refuse('refers to itself without end, or to too many parts')
      if (typeof schema.$ref === 'string') {
        const { $ref, ...beside } = schema
        schema = merge(this.lookUp($ref as string), beside)
      } else if (Array.isArray(schema.allOf)) {
        const { allOf, ...beside } = schema
        schema = (allOf as unknown[]).map((part) => this.resolve(part, depth + 1)).reduce<Schema>(merge, beside)
      } else if (Array.isArray(schema.anyOf) || Array.isArray(schema.oneOf)) {
        const { anyOf, oneOf, ...beside } = schema
        const branches = (Array.isArray(anyOf) ? anyOf : oneOf) as unknown[]
        const kept: Schema = Array.isArray(anyOf) && Array.isArray(oneOf) ? { ...beside, oneOf } : beside
        if (branches.length === 0) throw this.refuse('has an empty anyOf or oneOf')
        schema = merge(this.asSchema(this.branch(branches, depth)), kept)
      } else return schema
    }
  }

  /** Any branch while shallow, though not the null one; the one that ends soonest when deep. */
  private branch(branches: readonly unknown[], depth: number): unknown {
    const ranked = branches.filter((branch) => branch !== false).map((branch) => ({ branch, weight: weigh(branch) }))
    if (ranked.length === 0) throw this.refuse('has only branches that allow nothing')
    if (depth >= SHALLOW_DEPTH) return ranked.reduce((best, next) => (next.weight < best.weight ? next : best)).branch
    const real = ranked.filter(({ weight }) => weight > 0)
    const pool = real.length > 0 ? real : ranked
    return pool[Math.floor(this.random.next() * pool.length)]?.branch
  }

  private typeOf(schema: Schema, depth: number): 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object' {
    const named = Array.isArray(schema.type) ? (schema.type as unknown[]) : schema.type === undefined ? [] : [schema.type]
    const pool = named.length > 1 && depth < SHALLOW_DEPTH ? named.filter((type) => type !== 'null') : named
    const chosen = depth >= SHALLOW_DEPTH && pool.includes('null') ? 'null' : pool[0]
    switch (chosen) {
      case 'null':
      case 'boolean':
      case 'integer':
      case 'number':
      case 'string':
      case 'array':
      case 'object':
        return chosen
      case undefined:
        break
      default:
        throw this.refuse(`has the type ${JSON.stringify(chosen)}, which JSON schema doesn't know`)
    }
    // No type named: what the keywords speak of.
    if ('properties' in schema || 'required' in schema || 'additionalProperties' in schema || 'minProperties' in schema) return 'object'
    if ('items' in schema || 'prefixItems' in schema || 'minItems' in schema || 'contains' in schema) return 'array'
    if (
      'minimum' in schema ||
      'maximum' in schema ||
      'multipleOf' in schema ||
      'exclusiveMinimum' in schema ||
      'exclusiveMaximum' in schema
    )
      return 'number'
    return 'string'
  }

  private choose(values: readonly Json[], schema: Schema, variant: number): Json {
    const types = Array.isArray(schema.type) ? (schema.type as unknown[]) : schema.type === undefined ? undefined : [schema.type]
    const allowed = types
      ? values.filter((value) => types.includes(jsonType(value)) || (types.includes('number') && jsonType(value) === 'integer'))
      : values
    if (allowed.length === 0) throw this.refuse('has an enum without a value of its type')
    if (variant > 0) return allowed[variant % allowed.length] as Json
    const said = this.hints.text.toLowerCase()
    const named = allowed.find((value) => typeof value === 'string' && value.length > 1 && said.includes(value.toLowerCase()))
    return named ?? (allowed[Math.floor(this.random.next() * allowed.length)] as Json)
  }

  private number(schema: Schema, integer: boolean, variant: number): number {
    const step = positive(schema.multipleOf) ?? (integer ? 1 : undefined)
    const grain = step ?? 0.01
    let least = -Infinity
    let most = Infinity
    if (typeof schema.minimum === 'number') least = schema.minimum
    if (typeof schema.maximum === 'number') most = schema.maximum
    // Draft 4 wrote these as flags of minimum and maximum.
    const aboveOnly =
      typeof schema.exclusiveMinimum === 'number' ? schema.exclusiveMinimum : schema.exclusiveMinimum === true ? least : undefined
    const belowOnly =
      typeof schema.exclusiveMaximum === 'number' ? schema.exclusiveMaximum : schema.exclusiveMaximum === true ? most : undefined
    const fits = (value: number) =>
      value >= least &&
      value <= most &&
      (aboveOnly === undefined || value > aboveOnly) &&
      (belowOnly === undefined || value < belowOnly) &&
      (!integer || Number.isInteger(value)) &&
      (step === undefined || isMultiple(value, step))
    // Each number of the prompt is used once, so that two arguments don't get the same one.
    while (variant === 0 && this.nextNumber < this.hints.numbers.length) {
      const offered = this.hints.numbers[this.nextNumber++] as number
      if (fits(offered)) return offered
    }
    const low = Math.max(least, aboveOnly ?? -Infinity)
    const high = Math.min(most, belowOnly ?? Infinity)
    const from = Number.isFinite(low) ? low : Number.isFinite(high) ? high - 100 * grain : integer ? 1 : grain
    const span = Math.floor((Math.min(high, from + 100 * Math.max(grain, 1)) - from) / grain)
    const first = Math.ceil(from / grain)
    const draw = variant > 0 ? variant : Math.floor(this.random.next() * (span + 1))
    for (const offset of [draw, 0, 1, span, span - 1]) {
      const value = round((first + offset) * grain)
      if (fits(value)) return value
    }
    const middle = (low + high) / 2
    if (fits(middle)) return middle
    if (fits(low)) return low
    throw this.refuse('has bounds that no number satisfies')
  }

  private string(schema: Schema, name: string, variant: number): string {
    const least = count(schema.minLength) ?? 0
    const most = count(schema.maxLength) ?? Infinity
    if (least > most) throw this.refuse('has a minLength above its maxLength')
    if (least > LONGEST_STRING) throw this.refuse(`asks for a string of ${least} characters; the sandbox writes at most ${LONGEST_STRING}`)
    if (typeof schema.pattern === 'string') return this.patterned(schema.pattern, least, most)
    if (typeof schema.format === 'string') {
      const formatted = this.formatted(schema.format, variant)
      if (formatted !== undefined) return formatted
    }
    const base = hintFor(name, this.hints) ?? (name === '' ? 'example' : `example ${name}`)
    const characters = [...(variant > 0 ? `${base} ${variant + 1}` : base)]
    if (characters.length > most) return (variant > 0 ? [...`${variant}${base}`] : characters).slice(0, most).join('')
    while (characters.length < least) characters.push(...[...' and so on'].slice(0, least - characters.length))
    return characters.join('')
  }

  private patterned(pattern: string, least: number, most: number): string {
    try {
      for (let tries = 0; tries < 200; tries++) {
        const text = textForPattern(pattern, this.random)
        const { length } = [...text]
        if (length >= least && length <= most) return text
      }
    } catch (thrown) {
      if (thrown instanceof UnsupportedPattern)
        throw this.refuse(`has a pattern that the sandbox can't write text for (${thrown.message}): ${pattern}`)
      throw thrown
    }
    throw this.refuse(`has a pattern and lengths that the sandbox found no text for: ${pattern}`)
  }

  private formatted(format: string, variant: number): string | undefined {
    const { hints, random } = this
    const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random.next() * 16).toString(16)).join('')
    const date = variant === 0 && hints.date !== undefined ? hints.date : `2026-${two(whole(random, 1, 12))}-${two(whole(random, 1, 28))}`
    const time = `${two(whole(random, 0, 23))}:${two(whole(random, 0, 59))}:${two(whole(random, 0, 59))}Z`
    switch (format) {
      case 'date':
        return date
      case 'time':
        return time
      case 'date-time':
        return `${date}T${time}`
      case 'duration':
        return `PT${whole(random, 1, 90)}M`
      case 'email':
      case 'idn-email':
        return variant === 0 && hints.email !== undefined ? hints.email : `user${whole(random, 1, 999_999)}@example.com`
      case 'uuid':
        return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
      case 'uri':
      case 'url':
      case 'iri':
      case 'uri-reference':
        return variant === 0 && hints.url !== undefined ? hints.url : `https://example.com/${hex(8)}`
      case 'hostname':
      case 'idn-hostname':
        return `host${whole(random, 1, 999_999)}.example.com`
      case 'ipv4':
        return `192.0.2.${whole(random, 1, 254)}`
      case 'ipv6':
        return `2001:db8::${hex(4).replace(/^0+(?=.)/, '')}`
      default:
        return undefined
    }
  }

  private array(schema: Schema, name: string, depth: number): Json[] {
    const prefix = Array.isArray(schema.prefixItems)
      ? (schema.prefixItems as unknown[])
      : Array.isArray(schema.items)
        ? (schema.items as unknown[])
        : []
    const items = Array.isArray(schema.items) ? schema.additionalItems : schema.items
    const least = Math.max(count(schema.minItems) ?? 0, 'contains' in schema ? (count(schema.minContains) ?? 1) : 0)
    const most = count(schema.maxItems) ?? Infinity
    if (least > most) throw this.refuse('has a minItems above its maxItems')
    if (least > MOST_VALUES) throw this.refuse(`asks for ${least} items`)
    const wished =
      depth >= SHALLOW_DEPTH || (items === undefined && prefix.length === 0 && !('contains' in schema)) ? least : whole(this.random, 1, 3)
    const length = Math.min(
      most,
      Math.max(least, prefix.length > 0 ? prefix.length : wished),
      items === false ? Math.max(prefix.length, 0) : Infinity,
    )
    if (length < least) throw this.refuse('asks for more items than it allows')
    const list: Json[] = []
    const seen = schema.uniqueItems === true ? new Set<string>() : undefined
    const singular = name.replace(/s$/, '')
    for (let index = 0; index < length; index++) {
      const itemSchema =
        index < prefix.length ? prefix[index] : 'contains' in schema && index < least ? both(items, schema.contains) : items
      const value = this.item(itemSchema, singular, depth, index, seen)
      // A wished item more is not worth a failure: a set may simply have no more members.
      if (value === undefined) {
        if (list.length >= least) break
        throw this.refuse(`asks for ${least} different items and there are not so many`)
      }
      list.push(value)
    }
    return list
  }

  private item(schema: unknown, name: string, depth: number, index: number, seen: Set<string> | undefined): Json | undefined {
    for (let tries = 0; tries < 30; tries++) {
      const value = this.write(schema ?? {}, name, depth + 1, index + tries)
      if (!seen) return value
      const text = JSON.stringify(value)
      if (seen.has(text)) continue
      seen.add(text)
      return value
    }
    return undefined
  }

  private object(schema: Schema, depth: number): { [key: string]: Json } {
    const properties = isSchema(schema.properties) ? schema.properties : {}
    const required = new Set(
      Array.isArray(schema.required) ? (schema.required as unknown[]).filter((name) => typeof name === 'string') : [],
    )
    const most = count(schema.maxProperties) ?? Infinity
    const least = count(schema.minProperties) ?? 0
    if (required.size > most || least > most) throw this.refuse('requires more properties than it allows')
    if (least > MOST_VALUES) throw this.refuse(`asks for ${least} properties`)
    const made = new Map<string, Json>()
    const room = () => made.size + [...required].filter((name) => !made.has(name)).length < most
    const optional: string[] = []
    for (const [name, property] of Object.entries(properties)) {
      if (required.has(name)) made.set(name, this.write(property, name, depth + 1, 0))
      else if (property !== false && depth < SHALLOW_DEPTH && room() && this.random.next() < 0.5)
        made.set(name, this.write(property, name, depth + 1, 0))
      else if (property !== false) optional.push(name)
    }
    const open = schema.additionalProperties
    for (const name of required)
      if (!made.has(name)) {
        if (open === false) throw this.refuse(`requires "${name}", which it doesn't allow`)
        made.set(name, this.write(open === true ? {} : (open ?? {}), name, depth + 1, 0))
      }
    // A map from anything to a schema: an entry or two show what it is.
    const wished = isSchema(open) && Object.keys(properties).length === 0 && depth < SHALLOW_DEPTH ? 2 : 0
    for (const name of optional) {
      if (made.size >= least) break
      made.set(name, this.write(properties[name], name, depth + 1, 0))
    }
    for (let index = 1; made.size < Math.min(most, Math.max(least, wished)); index++) {
      if (open === false) throw this.refuse('asks for more properties than it names')
      const name = `key${index}`
      if (!made.has(name)) made.set(name, this.write(open === true ? {} : (open ?? {}), name, depth + 1, index - 1))
    }
    // From a map and not by assignment, so that a property called __proto__ is a property.
    return Object.fromEntries(made)
  }

  private lookUp(reference: string): Schema {
    if (!reference.startsWith('#')) throw this.refuse(`refers to "${reference}"; only references inside the schema (#/…) can be followed`)
    let at: unknown = this.root
    for (const step of reference.slice(1).split('/').slice(1)) {
      const key = decoded(step).replace(/~1/g, '/').replace(/~0/g, '~')
      at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined
    }
    if (at === undefined) throw this.refuse(`refers to "${reference}", which isn't there`)
    return this.asSchema(at)
  }

  private asSchema(given: unknown): Schema {
    if (given === true) return {}
    if (!isSchema(given))
      throw this.refuse(`holds ${given === false ? 'false' : JSON.stringify(given)?.slice(0, 60)} where a schema is needed`)
    return given
  }

  private refuse(why: string): InvalidRequest {
    return new InvalidRequest(`${this.path}: the schema ${why}.`, { path: this.path })
  }
}

/** Both schemas at once; bounds become the tighter ones. */
function merge(left: Schema, right: Schema): Schema {
  const merged: Record<string, unknown> = { ...left }
  for (const [key, value] of Object.entries(right)) {
    const old = merged[key]
    if (old === undefined) merged[key] = value
    else if (key === 'properties' && isSchema(old) && isSchema(value)) merged[key] = mergeProperties(old, value)
    else if (key === 'required' && Array.isArray(old) && Array.isArray(value))
      merged[key] = [...new Set([...(old as unknown[]), ...(value as unknown[])])]
    else if (key === 'enum' && Array.isArray(old) && Array.isArray(value)) {
      const both = new Set((value as unknown[]).map((item) => JSON.stringify(item)))
      merged[key] = (old as unknown[]).filter((item) => both.has(JSON.stringify(item)))
    } else if (TIGHTER_IS_HIGHER.has(key) && typeof old === 'number' && typeof value === 'number') merged[key] = Math.max(old, value)
    else if (TIGHTER_IS_LOWER.has(key) && typeof old === 'number' && typeof value === 'number') merged[key] = Math.min(old, value)
    else if (key === 'type') merged[key] = commonTypes(old, value)
    else if (key === 'allOf' && Array.isArray(old) && Array.isArray(value)) merged[key] = [...(old as unknown[]), ...(value as unknown[])]
    else if ((key === 'anyOf' || key === 'oneOf' || key === '$ref') && JSON.stringify(old) !== JSON.stringify(value)) {
      delete merged[key]
      merged.allOf = [...(Array.isArray(merged.allOf) ? (merged.allOf as unknown[]) : []), { [key]: old }, { [key]: value }]
    } else merged[key] = value
  }
  return merged
}

function mergeProperties(left: Schema, right: Schema): Schema {
  const merged = new Map<string, unknown>(Object.entries(left))
  for (const [name, property] of Object.entries(right)) {
    const old = merged.get(name)
    merged.set(name, isSchema(old) && isSchema(property) ? { allOf: [old, property] } : old === false ? false : property)
  }
  return Object.fromEntries(merged)
}

function commonTypes(left: unknown, right: unknown): unknown {
  const other = Array.isArray(right) ? (right as unknown[]) : [right]
  const one = Array.isArray(left) ? (left as unknown[]) : [left]
  const common = [
    ...one.filter((type) => other.includes(type)),
    ...(one.includes('integer') && other.includes('number') && !other.includes('integer') ? ['integer'] : []),
    ...(one.includes('number') && other.includes('integer') && !one.includes('integer') ? ['integer'] : []),
  ]
  return common.length === 1 ? common[0] : common
}

const TIGHTER_IS_HIGHER = new Set(['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'])
const TIGHTER_IS_LOWER = new Set(['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'])

/** How long a branch is likely to go on: 0 for null, more for what may hold itself. */
function weigh(branch: unknown): number {
  if (!isSchema(branch)) return 1
  if (branch.type === 'null' || branch.const === null) return 0
  if ('const' in branch || 'enum' in branch || (typeof branch.type === 'string' && !['object', 'array'].includes(branch.type))) return 1
  if (branch.type === 'array' && !(Number(branch.minItems) > 0)) return 2
  return '$ref' in branch ? 4 : 3
}

function both(left: unknown, right: unknown): unknown {
  return left === undefined || left === true ? right : { allOf: [left, right] }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function jsonType(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? Math.ceil(value) : undefined
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined
}

function isMultiple(value: number, step: number): boolean {
  const ratio = value / step
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 * Math.max(1, Math.abs(ratio))
}

/** Takes away the dust of binary fractions: 7 × 0.01 is 0.07. */
function round(value: number): number {
  return Number(value.toPrecision(12))
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    return step
  }
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** `not_checked`: nobody can tell, since the schema says something that isn't looked at here, or is too large. */
export type CheckResult = 'held' | 'broken' | 'not_checked'

/** Keywords that say nothing about whether a value holds. */
const SILENT = new Set([
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  'strict',
])
const MOST_STEPS = 20_000
const MOST_DEPTH = 200

type Schema = Readonly<Record<string, unknown>>

/**
 * Whether a JSON value holds a schema, of which the keywords that requests commonly use are looked at. A schema comes from a caller, so it is interpreted
 * within bounds (20,000 steps, 200 levels) and no pattern of its own is ever run: what that leaves open is `not_checked`, never `held`.
 */
export function holdsSchema(schema: unknown, value: unknown): CheckResult {
  const walk = { steps: 0, depth: 0, root: schema }
  return check(schema, value, walk)
}

interface Walk {
  steps: number
  depth: number
  readonly root: unknown
}

function check(schema: unknown, value: unknown, walk: Walk): CheckResult {
  if (++walk.steps > MOST_STEPS || walk.depth >= MOST_DEPTH) return 'not_checked'
  if (schema === true) return 'held'
  if (schema === false) return 'broken'
  if (!isObject(schema)) return 'not_checked'
  let result: CheckResult = 'held'
  walk.depth++
  for (const [keyword, said] of Object.entries(schema)) {
    const one =
      SILENT.has(keyword) || keyword === '$defs' || keyword === 'definitions' ? 'held' : keywordHolds(keyword, said, schema, value, walk)
    if (one === 'not_checked' && result === 'held') result = one
    if (one === 'broken') {
      result = one
      break
    }
  }
  walk.depth--
  return result
}

function keywordHolds(keyword: string, said: unknown, schema: Schema, value: unknown, walk: Walk): CheckResult {
  switch (keyword) {
    case '$ref':
      return typeof said === 'string' ? check(resolved(walk.root, said), value, walk) : 'not_checked'
    case 'type':
      return yes((Array.isArray(said) ? said : [said]).some((type) => isType(type, value)))
    case 'nullable':
      return said === true ? 'not_checked' : 'held'
    case 'const':
      return yes(same(said, value, walk))
    case 'enum':
      return Array.isArray(said) ? yes(said.some((one) => same(one, value, walk))) : 'not_checked'
    case 'minimum':
      return typeof said === 'number' ? yes(typeof value !== 'number' || value >= said) : 'not_checked'
    case 'maximum':
      return typeof said === 'number' ? yes(typeof value !== 'number' || value <= said) : 'not_checked'
    case 'exclusiveMinimum':
      return typeof said === 'number' ? yes(typeof value !== 'number' || value > said) : 'not_checked'
    case 'exclusiveMaximum':
      return typeof said === 'number' ? yes(typeof value !== 'number' || value < said) : 'not_checked'
    case 'minLength':
      return typeof said === 'number' ? yes(typeof value !== 'string' || [...value].length >= said) : 'not_checked'
    case 'maxLength':
      return typeof said === 'number' ? yes(typeof value !== 'string' || [...value].length <= said) : 'not_checked'
    case 'minItems':
      return typeof said === 'number' ? yes(!Array.isArray(value) || value.length >= said) : 'not_checked'
    case 'maxItems':
      return typeof said === 'number' ? yes(!Array.isArray(value) || value.length <= said) : 'not_checked'
    case 'required':
      return Array.isArray(said)
        ? yes(!isObject(value) || said.every((name) => typeof name === 'string' && Object.hasOwn(value, name)))
        : 'not_checked'
    case 'properties':
      if (!isObject(said)) return 'not_checked'
      return isObject(value)
        ? all(Object.entries(said), ([name, inner]) => (Object.hasOwn(value, name) ? check(inner, value[name], walk) : 'held'))
        : 'held'
    case 'additionalProperties': {
      if (!isObject(value)) return 'held'
      if (Object.hasOwn(schema, 'patternProperties')) return 'not_checked'
      const known = isObject(schema['properties']) ? schema['properties'] : {}
      return all(
        Object.keys(value).filter((name) => !Object.hasOwn(known, name)),
        (name) => check(said, value[name], walk),
      )
    }
    case 'items':
      if (!Array.isArray(value)) return 'held'
      return Array.isArray(said) || Object.hasOwn(schema, 'prefixItems')
        ? 'not_checked'
        : all(value as readonly unknown[], (item) => check(said, item, walk))
    case 'allOf':
      return Array.isArray(said) ? all(said as readonly unknown[], (inner) => check(inner, value, walk)) : 'not_checked'
    case 'anyOf':
    case 'oneOf': {
      if (!Array.isArray(said)) return 'not_checked'
      const results = (said as readonly unknown[]).map((inner) => check(inner, value, walk))
      const held = results.filter((result) => result === 'held').length
      if (keyword === 'oneOf' && held > 1) return 'broken'
      if (results.includes('not_checked')) return keyword === 'anyOf' && held > 0 ? 'held' : 'not_checked'
      return yes(held > 0)
    }
    default:
      return 'not_checked'
  }
}

function yes(held: boolean): CheckResult {
  return held ? 'held' : 'broken'
}

function all<T>(items: readonly T[], checked: (item: T) => CheckResult): CheckResult {
  let result: CheckResult = 'held'
  for (const item of items) {
    const one = checked(item)
    if (one === 'broken') return one
    if (one === 'not_checked') result = one
  }
  return result
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isType(type: unknown, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

/** Deep equality within the same bounds; what lies beyond them counts as different, which is never taken for `held`. */
function same(a: unknown, b: unknown, walk: Walk): boolean {
  if (a === b) return true
  if (++walk.steps > MOST_STEPS || walk.depth >= MOST_DEPTH) return false
  walk.depth++
  const equal = sameParts(a, b, walk)
  walk.depth--
  return equal
}

function sameParts(a: unknown, b: unknown, walk: Walk): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => same(item, b[index], walk))
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name], walk))
}

/** What a reference within the schema (`#/$defs/name`) points at; `undefined` where it leads nowhere. */
function resolved(root: unknown, reference: string): unknown {
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return undefined
  let at = root
  for (const step of reference.slice(2).split('/')) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined
    at = at[name]
  }
  return at
}

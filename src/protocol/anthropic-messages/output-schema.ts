import type { JsonSchema } from '../conversation.js'
import { isObject } from '../json-value.js'

/** Keywords that Anthropic's structured output doesn't enforce and refuses. */
const notEnforced = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
])
const schemaMaps = new Set(['properties', '$defs', 'definitions'])
const schemaLists = new Set(['anyOf', 'allOf'])

/**
 * A JSON Schema as Anthropic's structured output takes it: objects are closed, `oneOf` is `anyOf`, and limits that it
 * can't enforce are told to the model in the description. `changed` says whether anything had to be done.
 */
export function outputSchema(schema: JsonSchema): { readonly schema: JsonSchema; readonly changed: boolean } {
  const state = { changed: false }
  return { schema: convert(schema, state), changed: state.changed }
}

function convert(schema: JsonSchema, state: { changed: boolean }): JsonSchema {
  const result: Record<string, unknown> = {}
  const told: string[] = []
  for (const [key, value] of Object.entries(schema)) {
    if (notEnforced.has(key) || (key === 'minItems' && typeof value === 'number' && value > 1)) {
      told.push(`${key}: ${JSON.stringify(value)}`)
    } else if (schemaMaps.has(key) && isObject(value)) {
      result[key] = Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [name, isObject(inner) ? convert(inner, state) : inner]),
      )
    } else if (schemaLists.has(key) && Array.isArray(value)) {
      result[key] = value.map((inner: unknown) => (isObject(inner) ? convert(inner, state) : inner))
    } else if (key === 'oneOf' && Array.isArray(value) && schema['anyOf'] === undefined) {
      state.changed = true
      result['anyOf'] = value.map((inner: unknown) => (isObject(inner) ? convert(inner, state) : inner))
    } else if (key === 'items' && isObject(value)) {
      result[key] = convert(value, state)
    } else result[key] = value
  }
  if ((schema['type'] === 'object' || isObject(schema['properties'])) && schema['additionalProperties'] !== false) {
    state.changed = true
    result['additionalProperties'] = false
  }
  if (told.length > 0) {
    state.changed = true
    const said = typeof schema['description'] === 'string' ? `${schema['description']}\n` : ''
    result['description'] = `${said}(${told.join(', ')})`
  }
  return result
}

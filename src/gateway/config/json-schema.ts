import { z } from 'zod'
import { configSchema } from './schema.js'

/** A JSON Schema, or a part of one, as plain data. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema | readonly JsonSchema[] | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly pattern?: string
  readonly format?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly definitions?: Readonly<Record<string, JsonSchema>>
}

/** What can be written for a zod schema, as JSON Schema (draft 7, which editors know best). */
export function inputSchemaOf(schema: z.ZodType): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // Noise of the generator: the range of safe integers, and defaults that only mean "the defaults inside".
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (isEmpty(jsonSchema.default)) delete jsonSchema.default
    },
  })
  return made as JsonSchema
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

let made: JsonSchema | undefined

/** JSON Schema of the configuration file, for editors and for suggestions. */
export function configJsonSchema(): JsonSchema {
  if (made !== undefined) return made
  const schema = withReferences(inputSchemaOf(configSchema))
  const properties: Record<string, JsonSchema> = {}
  for (const [name, section] of Object.entries(schema.properties ?? {}))
    properties[name] = name === 'providers' ? withoutRequiredType(section) : section
  made = { ...schema, properties, patternProperties: { '^x-': { description: 'Ignored: a place for anchors.' } } }
  return made
}

/**
 * Numbers, booleans and texts with a pattern may also be references such as `${PORT}`. (In JSON Schema `pattern` only holds for
 * texts and `minimum` only for numbers, so the two stand side by side.)
 */
function withReferences(node: JsonSchema): JsonSchema {
  const each = (nodes: readonly JsonSchema[] | undefined) => nodes?.map(withReferences)
  const all = (fields: Readonly<Record<string, JsonSchema>> | undefined) =>
    fields && Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, withReferences(field)]))
  const { properties, items, anyOf, oneOf, additionalProperties } = node
  const within: JsonSchema = {
    ...node,
    ...(properties && { properties: all(properties) ?? {} }),
    ...(typeof items === 'object' && !isList(items) && { items: withReferences(items) }),
    ...(anyOf && { anyOf: each(anyOf) ?? [] }),
    ...(oneOf && { oneOf: each(oneOf) ?? [] }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: withReferences(additionalProperties) }),
  }
  if (node.type === 'number' || node.type === 'integer' || node.type === 'boolean')
    return { ...within, type: [node.type, 'string'], pattern: REFERENCE }
  return node.type === 'string' && node.pattern !== undefined ? { ...within, pattern: `${REFERENCE}|${node.pattern}` } : within
}

const REFERENCE = '\\$\\{'

function isList(value: JsonSchema | readonly JsonSchema[]): value is readonly JsonSchema[] {
  return Array.isArray(value)
}

/** A provider's `type` may be left out where its name is a type, and `groq:` alone is a whole provider. */
function withoutRequiredType(section: JsonSchema): JsonSchema {
  const entry = section.additionalProperties
  if (typeof entry !== 'object') return section
  const branches = entry.oneOf ?? entry.anyOf ?? []
  const loosened = branches.map(({ required, ...rest }) => {
    const others = (required ?? []).filter((name) => name !== 'type')
    return others.length === 0 ? rest : { ...rest, required: others }
  })
  return {
    ...section,
    additionalProperties: {
      anyOf: [...loosened, { type: 'null', description: "The preset of the provider's own name, with its usual key variable." }],
    },
  }
}

/** The text of `bursar.schema.json`. */
export function configJsonSchemaText(): string {
  const { $defs, definitions, ...schema } = configJsonSchema()
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', title: 'Bursar configuration', ...schema, ...($defs && { $defs }), ...(definitions && { definitions }) }, null, 2)}\n`
}

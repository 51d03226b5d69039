import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { BoundedCheck, CheckAnswer, CheckQuestion, SchemaCheck } from './bounded-checks.js'

// Runs in a thread of its own. Formats ("date", "email" …) are not judged; unknown keywords are passed over, as the standard says.
const CACHED_VALIDATORS = 200
/** Schemas that one instance of ajv compiles: it never forgets what it compiled, so another takes its place from time to time. */
const SCHEMAS_PER_INSTANCE = 100
const settings = { strict: false, validateFormats: false, addUsedSchema: false, logger: false, messages: false } as const
const dialects = {
  draft7: { pattern: /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, make: () => new Ajv(settings) },
  draft2020: { pattern: /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, make: () => new Ajv2020(settings) },
}
type Dialect = keyof typeof dialects
const instances = new Map<Dialect, { readonly ajv: Ajv | Ajv2020; compiled: number }>()

/** By the schema's hash; `null` for one that can't be used. The least recently used is dropped first. */
const validators = new Map<string, ValidateFunction | null>()

function validatorOf(schemaText: string): ValidateFunction | null {
  const hash = createHash('sha256').update(schemaText).digest('base64')
  const known = validators.get(hash)
  const validator = known === undefined ? compile(schemaText) : known
  validators.delete(hash)
  validators.set(hash, validator)
  for (const oldest of validators.keys()) {
    if (validators.size <= CACHED_VALIDATORS) break
    validators.delete(oldest)
  }
  return validator
}

function compile(schemaText: string): ValidateFunction | null {
  const schema: unknown = JSON.parse(schemaText)
  if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null)) return null
  for (const dialect of dialectsOf(schema)) {
    const compiled = compileAs(dialect, schema, schemaText)
    if (compiled) return compiled
  }
  return null
}

/** A schema that names no dialect is read by the newest, and by draft 7 where that doesn't know its form (`items` as a list). */
function dialectsOf(schema: AnySchema): readonly Dialect[] {
  const named: unknown = typeof schema === 'boolean' ? undefined : schema['$schema']
  if (named === undefined) return ['draft2020', 'draft7']
  return (['draft7', 'draft2020'] as const).filter((dialect) => typeof named === 'string' && dialects[dialect].pattern.test(named))
}

function compileAs(dialect: Dialect, schema: AnySchema, text: string): ValidateFunction | undefined {
  const ajv = instanceFor(dialect, text)
  try {
    if (typeof schema === 'boolean') return ajv.compile(schema)
    // The dialect was chosen already, and the instance knows it by one spelling only.
    const { $schema: _read, ...rest } = schema as Readonly<Record<string, unknown>>
    const compiled = ajv.compile(rest)
    ajv.removeSchema(rest)
    return '$async' in compiled && compiled.$async === true ? undefined : compiled
  } catch {
    return undefined
  }
}

/** Names that a schema gives to its parts are known to the whole instance: such a schema gets one to itself, so that no two callers' names meet. */
function instanceFor(dialect: Dialect, text: string): Ajv | Ajv2020 {
  const { make } = dialects[dialect]
  if (/"\$(id|anchor|dynamicAnchor)"/.test(text)) return make()
  let instance = instances.get(dialect)
  if (!instance || instance.compiled >= SCHEMAS_PER_INSTANCE) instances.set(dialect, (instance = { ajv: make(), compiled: 0 }))
  instance.compiled++
  return instance.ajv
}

function check(asked: BoundedCheck): CheckAnswer['results'][number] {
  if ('schema' in asked) return checkSchema(asked)
  try {
    return new RegExp(asked.pattern, asked.flags.replace(/[gy]/g, '')).test(asked.text) ? 'held' : 'broken'
  } catch {
    return 'not_checked'
  }
}

function checkSchema({ schema, text }: SchemaCheck): CheckAnswer['results'][number] {
  const validator = validatorOf(schema)
  if (validator === null) return 'not_checked'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'broken'
  }
  return validator(value) === true ? 'held' : 'broken'
}

function answer({ id, checks }: CheckQuestion): CheckAnswer {
  try {
    return { id, results: checks.map(check) }
  } catch {
    // A schema so deep that validating it overflows the stack, for instance.
    return { id, results: checks.map(() => 'not_checked') }
  }
}

parentPort?.on('message', (question: CheckQuestion) => parentPort?.postMessage(answer(question)))
parentPort?.postMessage('ready')

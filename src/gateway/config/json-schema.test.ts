import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { configJsonSchema, type JsonSchema } from './json-schema.js'
import { parseConfig } from './load.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const schema = configJsonSchema()

/** Every field of a schema with its path. */
function* fieldsOf(node: JsonSchema, path = ''): Generator<[string, JsonSchema]> {
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    yield [`${path}.${name}`, field]
    yield* fieldsOf(field, `${path}.${name}`)
  }
  for (const inner of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) yield* fieldsOf(inner, path)
  if (typeof node.additionalProperties === 'object') yield* fieldsOf(node.additionalProperties, `${path}.NAME`)
  if (typeof node.items === 'object' && 'properties' in node.items) yield* fieldsOf(node.items, `${path}[]`)
}

describe('the JSON Schema', () => {
  // An independent reader of JSON Schema, so that the file is tried and not only made.
  const reader = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  const accepts = (text: string) => reader.safeParse(parse(text, { merge: true })).success

  it('describes every field', () => {
    const fields = [...fieldsOf(schema)]
    expect(fields.length).toBeGreaterThan(100)
    for (const [path, field] of fields) expect(field.description, path).toMatch(/\.$/)
  })

  it('says the unit of every number', () => {
    for (const [path, field] of fieldsOf(schema))
      if (field.type?.includes('number') || field.type?.includes('integer'))
        expect(
          /seconds|bytes|tokens|dollars|joules|attempts|faults|calls|requests|levels|port|weight|seed|share|numbers/i.test(
            `${field.description} ${path}`,
          ),
          path,
        ).toBe(true)
  })

  it('holds no secret among its defaults', () => {
    for (const [path, field] of fieldsOf(schema)) if (/key$|headers|secret/.test(path)) expect(field.default, path).not.toBeTypeOf('string')
  })

  it.each([
    'server: { prot: 1 }',
    'serverr: {}',
    'server: { port: x }',
    'models: { a: 3 }',
    'keys: [{ nam: a }]',
    'providers: { a: { type: opnai } }',
    'providers: { a: { type: sandbox, base_url: x } }',
  ])('refuses %s', (text) => {
    expect(accepts(text)).toBe(false)
    expect(() => parseConfig(text, {})).toThrow()
  })

  it.each([
    '{}',
    'providers: { groq: , openai: { api_key: k } }',
    'models: { a: openai/x, b: [openai/x, { provider: openai, model: y }] }',
    'limits: { body_bytes: 1 MiB }',
    'x-anchors: [1]',
    'server: { port: "${PORT}" }',
    'log: { requests: "${LOG:-true}" }',
    'models: { "${A}": "${MODEL}" }',
    'providers: { p: { type: sandbox, speed: instant } }',
  ])('takes %s', (text) => {
    expect(accepts(text)).toBe(true)
  })

  it('takes every example, and so does Bursar', () => {
    const files = readdirSync(`${root}examples`).filter((name) => name.endsWith('.yaml') && !name.startsWith('litellm'))
    expect(files.length).toBeGreaterThan(2)
    for (const name of files) {
      const text = readFileSync(`${root}examples/${name}`, 'utf8')
      expect(text, name).toMatch(/^# yaml-language-server: \$schema=\.\.\/bursar\.schema\.json\n/)
      expect(accepts(text), name).toBe(true)
      const env: Record<string, string> = {}
      for (const [, variable] of text.matchAll(/\$\{([A-Z0-9_]+)\}/g)) if (variable !== undefined) env[variable] = `value-of-${variable}`
      expect(() => parseConfig(text, { ...env, AZURE_OPENAI_ENDPOINT: 'https://example.openai.azure.com' }), name).not.toThrow()
    }
  })
})

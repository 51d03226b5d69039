import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { childRandom, seededRandom } from '../../../statistics/index.js'
import { findHints } from './hints.js'
import { textForPattern } from './pattern-text.js'
import { valueForSchema } from './schema-values.js'

const make = (schema: Record<string, unknown>, seed = 1, text = '') =>
  valueForSchema(schema, findHints(text), seededRandom(seed), 'response_format.json_schema.schema')
/** An independent reading of JSON schema. */
const validates = (schema: Record<string, unknown>, value: unknown) => z.fromJSONSchema(schema).safeParse(value)
const seeds = Array.from({ length: 40 }, (_, index) => index)

const leaf = fc.oneof(
  fc.record({ type: fc.constant('string'), minLength: fc.integer({ min: 0, max: 5 }), maxLength: fc.integer({ min: 5, max: 30 }) }),
  fc.record({ type: fc.constant('integer'), minimum: fc.integer({ min: -50, max: 50 }), maximum: fc.integer({ min: 50, max: 500 }) }),
  fc.record({
    type: fc.constant('integer'),
    exclusiveMinimum: fc.integer({ min: -50, max: 50 }),
    multipleOf: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    type: fc.constant('number'),
    minimum: fc.double({ min: -3, max: 0, noNaN: true }),
    maximum: fc.double({ min: 0, max: 3, noNaN: true }),
  }),
  fc.record({ type: fc.constant('boolean') }),
  fc.record({ type: fc.constant('null') }),
  fc.record({ enum: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }) }),
  fc.record({ const: fc.oneof(fc.string(), fc.integer(), fc.boolean()) }),
  fc.constantFrom(
    { type: 'string', format: 'email' },
    { type: 'string', format: 'uuid' },
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'ipv4' },
  ),
)
const schemas = fc.letrec<{ any: Record<string, unknown> }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.record({
      type: fc.constant('array'),
      items: tie('any'),
      minItems: fc.integer({ min: 0, max: 3 }),
      maxItems: fc.integer({ min: 3, max: 6 }),
    }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie('any'), { maxKeys: 4 }).chain((properties) =>
      fc.record({
        type: fc.constant('object'),
        properties: fc.constant(properties),
        required: fc.subarray(Object.keys(properties)),
        additionalProperties: fc.constant(false),
      }),
    ),
    fc.record({ anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
  ),
})).any

describe('values for JSON schemas', () => {
  it('satisfies any schema of the kinds it knows', () => {
    fc.assert(
      fc.property(schemas, fc.integer(), fc.string(), (schema, seed, text) => {
        const value = make(schema, seed, text)
        const checked = validates(schema, JSON.parse(JSON.stringify(value)))
        expect(checked.success, `${JSON.stringify(value)}: ${checked.error?.message}`).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    [
      'fractions of a step',
      { type: 'number', multipleOf: 0.01, minimum: 0.07, maximum: 0.09 },
      (value: unknown) => [0.07, 0.08, 0.09].includes(value as number),
    ],
    [
      'a gap narrower than a hundredth',
      { type: 'number', exclusiveMinimum: 0.1, exclusiveMaximum: 0.1001 },
      (value: unknown) => (value as number) > 0.1 && (value as number) < 0.1001,
    ],
    ['bounds written as in draft 4', { type: 'integer', minimum: 3, exclusiveMinimum: true, maximum: 4 }, (value: unknown) => value === 4],
    ['large bounds', { type: 'integer', minimum: 9e15 }, (value: unknown) => (value as number) >= 9e15],
    [
      'different items',
      { type: 'array', items: { type: 'string' }, uniqueItems: true, minItems: 5 },
      (value: unknown) => new Set(value as string[]).size === (value as string[]).length,
    ],
    [
      'a set of an enum',
      { type: 'array', items: { enum: ['a', 'b', 'c'] }, uniqueItems: true, minItems: 3 },
      (value: unknown) => new Set(value as string[]).size === 3,
    ],
    [
      'tuples',
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
      (value: unknown) => typeof (value as unknown[])[1] === 'number' && (value as unknown[]).length === 2,
    ],
    ['what an array must contain', { type: 'array', contains: { const: 5 } }, (value: unknown) => (value as unknown[]).includes(5)],
    [
      'allOf',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'integer', minimum: 5 } }, required: ['a'] },
          { properties: { a: { maximum: 6 }, b: { const: 1 } }, required: ['b'] },
        ],
      },
      (value: unknown) => {
        const { a, b } = value as { a: number; b: number }
        return a >= 5 && a <= 6 && b === 1
      },
    ],
    [
      'lengths in characters, not in code units',
      { type: 'string', pattern: '^😀{3}$', minLength: 3, maxLength: 3 },
      (value: unknown) => value === '😀😀😀',
    ],
    [
      'maps',
      { type: 'object', additionalProperties: { type: 'integer' }, minProperties: 3 },
      (value: unknown) => Object.values(value as object).length >= 3 && Object.values(value as object).every(Number.isInteger),
    ],
    ['required properties without a schema', { type: 'object', required: ['x'] }, (value: unknown) => 'x' in (value as object)],
    ['a type among several', { type: ['string', 'null'] }, (value: unknown) => typeof value === 'string'],
  ])('makes %s', (_what, schema, right) => {
    for (const seed of seeds) {
      const value = make(schema, seed)
      expect(right(value), JSON.stringify(value)).toBe(true)
    }
  })

  it('ends schemas that hold themselves', () => {
    const tree = {
      $ref: '#/$defs/node',
      $defs: {
        node: {
          type: 'object',
          properties: {
            name: { type: 'string' },
            children: { type: 'array', items: { $ref: '#/$defs/node' } },
            next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
          },
          required: ['name', 'children', 'next'],
          additionalProperties: false,
        },
      },
    }
    for (const seed of seeds) {
      const text = JSON.stringify(make(tree, seed))
      expect(text.length).toBeLessThan(20_000)
      expect(JSON.parse(text)).toMatchObject({ name: expect.any(String) as string })
    }
  })

  it('takes a property called __proto__ for a property', () => {
    const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"const":1}},"required":["__proto__"]}') as Record<
      string,
      unknown
    >
    expect(JSON.stringify(make(schema))).toBe('{"__proto__":1}')
  })

  it.each([
    ['bounds out of order', { type: 'integer', minimum: 5, maximum: 4 }],
    ['lengths out of order', { type: 'string', minLength: 5, maxLength: 4 }],
    ['more different items than there are', { type: 'array', items: { type: 'boolean' }, uniqueItems: true, minItems: 3 }],
    ['an empty enum', { enum: [] }],
    ['a property that must be and may not', { type: 'object', required: ['x'], additionalProperties: false }],
    [
      'a schema that requires itself',
      { $ref: '#/$defs/a', $defs: { a: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, required: ['a'] } } },
    ],
    ['a reference to itself', { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } }],
    ['references that double', { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } } }],
    ['a reference to nowhere', { $ref: '#/$defs/nothing' }],
    ['a reference elsewhere', { $ref: 'https://example.com/schema.json' }],
    ['a billion items', { type: 'array', items: { type: 'null' }, minItems: 1e9 }],
    ['a billion characters', { type: 'string', minLength: 1e9 }],
    ['a million values', { type: 'array', minItems: 900, items: { type: 'array', minItems: 900, items: { type: 'boolean' } } }],
    ['an unknown type', { type: 'text' }],
    ['a pattern with look-around', { type: 'string', pattern: '^(?=a)b' }],
    ['something that is no schema', { type: 'object', properties: { x: 5 }, required: ['x'] }],
  ])('refuses %s with the path', (_what, schema) => {
    expect(() => make(schema)).toThrow(
      expect.objectContaining({ code: 'invalid_request', path: 'response_format.json_schema.schema' }) as Error,
    )
  })

  it('takes from the prompt what fits', () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer', maximum: 14 }, unit: { enum: ['celsius', 'fahrenheit'] } },
      required: ['city', 'days', 'unit'],
    }
    expect(make(schema, 3, 'What is the weather in New York for 5 days, in Fahrenheit? There are 300 stations.')).toEqual({
      city: 'New York',
      days: 5,
      unit: 'fahrenheit',
    })
  })
})

describe('text for patterns', () => {
  it.each([
    String.raw`^[A-Z]{2}-\d{4}$`,
    String.raw`^(?:foo|bar)+(baz)?$`,
    String.raw`^\w+@\w+\.(com|org)$`,
    String.raw`^[^a-z\s]{3,5}$`,
    String.raw`^\+?[1-9]\d{1,14}$`,
    String.raw`^#(?:[0-9a-fA-F]{3}){1,2}$`,
    String.raw`^(?<year>\d{4})-(?<month>0[1-9]|1[0-2])$`,
    String.raw`^[\w.-]+\/[a-z_\-]*$`,
    String.raw`\u0041\x42`,
    String.raw`^.{0,3}$`,
    String.raw`^a{2,}b*?$`,
    '',
  ])('matches %s', (pattern) => {
    for (const seed of seeds) expect(textForPattern(pattern, childRandom(seed, pattern))).toMatch(new RegExp(pattern, 'u'))
  })
})

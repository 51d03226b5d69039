import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FinishReason, Part, Request, Tool } from '../../protocol/index.js'
import { allChecks, completeCheck, formCheck, gradeIn, holdsSchema, jsonCheck, patternCheck, toolArgumentsCheck } from './index.js'

const request: Request = { model: 'auto', messages: [], stream: false, paths: {}, extra: [] }
const answer = (parts: readonly Part[], finish: FinishReason = 'stop') => ({
  answer: { kind: 'reply' as const, reply: { id: '', model: '', created: 0, choices: [{ parts, finish }], reported: undefined } },
})
const text = (said: string) => answer([{ type: 'text', text: said }])

describe('holdsSchema', () => {
  const schema = fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(
        { type: 'string' },
        { type: 'integer', minimum: 2 },
        { type: ['number', 'null'] },
        { enum: ['a', 1, null] },
        { const: [1, { a: 2 }] },
        { type: 'string', minLength: 2, maxLength: 3 },
        {},
      ),
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.constantFrom(0, 1), maxItems: fc.constant(3) }),
      fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(fc.constantFrom('a', 'b'), tie('schema')),
        required: fc.subarray(['a', 'b']),
        additionalProperties: fc.boolean(),
      }),
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    ),
  })).schema
  const value = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('a', 'abc', 'abcd', 1, 2, 2.5, null, true),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
    ),
  })).value

  it('says what ajv says', () => {
    const ajv = new Ajv({ strict: false, logger: false })
    fc.assert(
      fc.property(schema, value, (rules, one) => {
        expect(holdsSchema(rules, one)).toBe(ajv.validate(rules, one) ? 'held' : 'broken')
      }),
      { numRuns: 60 },
    )
  })

  it('follows references, ends where they go round, and claims nothing of what it doesn’t look at', () => {
    const tree = {
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, additionalProperties: false } },
      $ref: '#/$defs/node',
    }
    expect(holdsSchema(tree, { next: { next: {} } })).toBe('held')
    expect(holdsSchema(tree, { next: { other: 1 } })).toBe('broken')
    expect(holdsSchema({ $ref: '#' }, 1)).toBe('not_checked')
    expect(holdsSchema({ type: 'string', pattern: '(a+)+$' }, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')).toBe('not_checked')
    expect(holdsSchema({ type: 'number', pattern: 'x' }, 'x')).toBe('broken')
    expect(holdsSchema(null, 1)).toBe('not_checked')
  })
})

describe('checks', () => {
  it('of the JSON that a request prescribes', () => {
    const asked: Request = { ...request, responseFormat: { type: 'json_schema', schema: { type: 'object', required: ['a'] } } }
    expect(jsonCheck.check(asked, text('{"a": 1}')).result).toBe('held')
    expect(jsonCheck.check(asked, text('{"b": 1}')).result).toBe('broken')
    expect(jsonCheck.check(asked, text('Sure! {"a": 1}')).result).toBe('broken')
    expect(jsonCheck.check({ ...request, responseFormat: { type: 'json_object' } }, text('[1]')).result).toBe('broken')
    expect(jsonCheck.check(request, text('hello')).result).toBe('not_checked')
  })

  it('of tool calls', () => {
    const tools: readonly Tool[] = [
      { type: 'function', name: 'find', parameters: { type: 'object', required: ['q'], properties: { q: { type: 'string' } } } },
    ]
    const call = (name: string, args: string) => answer([{ type: 'tool_call', id: '1', name, arguments: args }], 'tool_calls')
    const asked: Request = { ...request, tools }
    expect(toolArgumentsCheck.check(asked, call('find', '{"q": "x"}')).result).toBe('held')
    for (const [name, args] of [
      ['find', '{"q": 1}'],
      ['find', '{'],
      ['find', ''],
      ['other', '{}'],
    ] as const)
      expect(toolArgumentsCheck.check(asked, call(name, args)).result).toBe('broken')
    expect(toolArgumentsCheck.check(asked, text('no call')).result).toBe('not_checked')
    expect(toolArgumentsCheck.check({ ...asked, toolChoice: 'required' }, text('no call')).result).toBe('broken')
  })

  it('of wholeness, and all together', () => {
    expect(completeCheck.check(request, text('done')).result).toBe('held')
    expect(completeCheck.check(request, text('  ')).result).toBe('broken')
    expect(completeCheck.check(request, answer([{ type: 'text', text: 'half of' }], 'length')).result).toBe('broken')
    expect(completeCheck.check(request, answer([{ type: 'refusal', text: 'no' }])).result).toBe('broken')
    expect(completeCheck.check(request, { answer: { kind: 'streamed' } }).result).toBe('not_checked')
    expect(formCheck.check(request, text('done')).result).toBe('held')
    expect(allChecks([]).check(request, text('x')).result).toBe('not_checked')
    const digits = patternCheck(/^\d+$/g)
    for (let again = 0; again < 3; again++) expect(digits.check(request, text('123')).result).toBe('held')
    expect(digits.check(request, text('12a')).result).toBe('broken')
  })

  it('reads grades, and none where there is none', () => {
    for (const [said, grade] of [
      ['7', 0.7],
      ['Grade: 9', 0.9],
      ['**Score:** 10', 1],
      ['8/10', 0.8],
      ['I would say 6.', 0.6],
      ['0', 0],
    ] as const)
      expect([said, gradeIn(said)]).toEqual([said, grade])
    for (const said of ['', 'good', '11', 'Grade: 50']) expect([said, gradeIn(said)]).toEqual([said, null])
  })
})

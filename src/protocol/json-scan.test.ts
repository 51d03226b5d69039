import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BursarError } from '../errors/index.js'
import { parseBody, scanTopLevel, spanOfObject, splice } from './json-scan.js'

const limits = { maxDepth: 64 }
const bytesOf = (text: string): Buffer => Buffer.from(text, 'utf8')

function failure(run: () => unknown): BursarError {
  try {
    run()
  } catch (thrown) {
    if (BursarError.is(thrown)) return thrown
    throw thrown
  }
  throw new Error('nothing was thrown')
}

/** Writes JSON with odd white space and escaped names, as a hand-written client might. */
function loose(value: unknown, space: string, escapeKeys: boolean): string {
  if (Array.isArray(value)) return `[${space}${value.map((item) => loose(item, space, escapeKeys)).join(`${space},${space}`)}${space}]`
  if (typeof value === 'object' && value !== null)
    return `{${space}${Object.entries(value)
      .map(([key, item]) => `${keyOf(key, escapeKeys)}${space}:${space}${loose(item, space, escapeKeys)}`)
      .join(`${space},${space}`)}${space}}`
  return JSON.stringify(value)
}
function keyOf(key: string, escape: boolean): string {
  if (!escape) return JSON.stringify(key)
  return `"${Array.from({ length: key.length }, (_, i) => `\\u${key.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
}

describe('scanTopLevel', () => {
  it('finds the exact span of every top-level value of any JSON object', () => {
    const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }))
    fc.assert(
      fc.property(object, fc.constantFrom('', ' ', '\n\t', '\r\n'), fc.boolean(), (value, space, escapeKeys) => {
        // JSON.parse keeps lone surrogates only when they were escaped: that is what JSON.stringify writes.
        const text = `${space}${loose(value, space, escapeKeys)}${space}`
        const bytes = bytesOf(text)
        const spans = scanTopLevel(bytes, limits)
        const parsed = JSON.parse(text) as Record<string, unknown>
        expect([...spans.keys()].sort()).toEqual(Object.keys(parsed).sort())
        for (const [key, span] of spans) expect(JSON.parse(bytes.toString('utf8', span.start, span.end))).toEqual(parsed[key])
      }),
    )
  })

  it('skips long strings full of escaped quotes and backslashes', () => {
    for (const filler of ['\\"', '\\\\', 'x', '\\\\\\"', 'é']) {
      for (const count of [0, 1, 23, 24, 47, 48, 49, 50, 1000]) {
        const text = `{"a":"${filler.repeat(count)}","b":[{"c":"${filler.repeat(count)}"}],"d":1}`
        const bytes = bytesOf(text)
        const span = scanTopLevel(bytes, limits).get('b')
        expect(JSON.parse(bytes.toString('utf8', span?.start, span?.end))).toEqual((JSON.parse(text) as { b: unknown }).b)
      }
    }
  })

  it('refuses a field given twice, also when it is written with escapes', () => {
    expect(failure(() => scanTopLevel(bytesOf('{"model":1,"x":2,"model":3}'), limits))).toMatchObject({
      code: 'duplicate_field',
      path: 'model',
    })
    expect(failure(() => scanTopLevel(bytesOf('{"model":1,"mod\\u0065l":3}'), limits))).toMatchObject({
      code: 'duplicate_field',
      path: 'model',
    })
    expect(scanTopLevel(bytesOf('{"a":{"b":1,"c":{}},"b":1}'), limits).size).toBe(2)
  })

  it('counts nesting from the body itself', () => {
    const nested = (levels: number): Buffer => bytesOf(`{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)},"b":"[[[[{{{{"}`)
    expect(scanTopLevel(nested(5), { maxDepth: 5 }).size).toBe(2)
    expect(failure(() => scanTopLevel(nested(6), { maxDepth: 5 })).code).toBe('too_deep')
    expect(failure(() => parseBody(bytesOf(`{"a":${'['.repeat(2_000_000)}`), limits)).code).toBe('too_deep')
  })

  it.each([
    '',
    '   ',
    '[]',
    '"a"',
    'null',
    '12',
    '{',
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{a:1}',
    '{"a":1}x',
    '{"a":"b}',
    '{"a":[1}',
    '{"a":"\\',
    '{"\\q":1}',
    '{,}',
  ])('refuses %j as invalid JSON, with an offset', (text) => {
    const error = failure(() => parseBody(bytesOf(text), limits))
    expect(error.code).toBe('invalid_json')
    expect(error.message).toMatch(/byte \d+/)
  })
})

describe('parseBody', () => {
  it('gives back what JSON.parse gives, or refuses what it refuses', () => {
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', '}', ']', ',', ':', '\\', '01', 'nul', '\u0001', '-', '.5', '{'))
      .map(([text, at, junk]) => {
        const body = `{"a":${text},"b":"c"}`
        const cut = at % (body.length + 1)
        return body.slice(0, cut) + junk + body.slice(cut)
      })
    fc.assert(
      fc.property(broken, (text) => {
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          expected = undefined
        }
        if (expected === undefined)
          expect(failure(() => parseBody(bytesOf(text), limits)).message).toMatch(
            /^The body is not valid JSON: .*at byte \d+|given more than once/,
          )
        else {
          try {
            expect(parseBody(bytesOf(text), limits).json).toEqual(expected)
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'duplicate_field' })
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it('points at the byte where the grammar breaks, without quoting the text', () => {
    const at = (text: string): string => failure(() => parseBody(bytesOf(text), limits)).message
    expect(at('{"é":tru}')).toContain('(at byte 6)')
    expect(at('{"a":[1,2 3]}')).toContain('a comma or ] was expected (at byte 10)')
    expect(at('{"a":{"b":"secret\u0001"}}')).not.toContain('secret')
    expect(at('{"a":[1}}')).toContain('(at byte 7)')
  })

  it('refuses bytes that are not UTF-8, UTF-16 and a byte order mark', () => {
    expect(failure(() => parseBody(Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), limits)).code).toBe('invalid_utf8')
    expect(failure(() => parseBody(Buffer.from('\ufeff{"a":1}', 'utf16le'), limits)).code).toBe('invalid_utf8')
    expect(failure(() => parseBody(bytesOf('\ufeff{"a":1}'), limits)).message).toContain('byte order mark')
  })

  it('keeps a field named __proto__ as data', () => {
    const { json, fields } = parseBody(bytesOf('{"__proto__":{"x":1},"constructor":2}'), limits)
    expect(Object.keys(json)).toEqual(['__proto__', 'constructor'])
    expect(fields.has('__proto__')).toBe(true)
  })

  it('reads a plain Uint8Array that is a window into a larger buffer', () => {
    const whole = new Uint8Array(bytesOf('xx{"a":"b"}yy'))
    expect(parseBody(whole.subarray(2, 11), limits).json).toEqual({ a: 'b' })
  })
})

describe('spanOfObject and splice', () => {
  it('finds the end of a value of any kind', () => {
    const text = ' {"a":[1,"]}"]} , "x\\"" , -1.5e3, true]'
    const bytes = bytesOf(text)
    expect(spanOfObject(bytes, 1)).toBe(15)
    expect(spanOfObject(bytes, 18)).toBe(23)
    expect(spanOfObject(bytes, 26)).toBe(32)
    expect(failure(() => spanOfObject(bytesOf('{"a":1'), 0)).code).toBe('invalid_json')
  })

  it('equals the same edits done on text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.array(fc.tuple(fc.nat(5), fc.nat(5), fc.string({ unit: 'grapheme' }))),
        (source, steps) => {
          const bytes = bytesOf(source)
          const edits = []
          const pieces = []
          let at = 0
          for (const [gap, length, text] of steps) {
            const start = Math.min(bytes.length, at + gap)
            const end = Math.min(bytes.length, start + length)
            pieces.push(bytes.subarray(at, start), bytesOf(text))
            edits.push({ start, end, text })
            at = end
          }
          pieces.push(bytes.subarray(at))
          expect(splice(bytes, edits)).toEqual(Buffer.concat(pieces))
        },
      ),
    )
    expect(() =>
      splice(bytesOf('abc'), [
        { start: 2, end: 3, text: '' },
        { start: 1, end: 2, text: '' },
      ]),
    ).toThrow(RangeError)
  })
})

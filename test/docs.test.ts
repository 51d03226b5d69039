import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { generate } from '../scripts/docs.js'
import { TablePage } from '../scripts/schema-tables.js'

const root = fileURLToPath(new URL('..', import.meta.url))

describe('the generated documents', () => {
  const files = [...generate()]
  it.each(files)('%s is what `npm run docs` makes', (name, text) => {
    expect(existsSync(`${root}${name}`), `${name} is missing: npm run docs`).toBe(true)
    expect(readFileSync(`${root}${name}`, 'utf8') === text, `${name} is stale: npm run docs`).toBe(true)
  })

  it.each(files.filter(([name]) => name.endsWith('.md')))('%s has a target for every link, and no row without a type', (_name, text) => {
    const anchors = [...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id)
    expect(new Set(anchors).size).toBe(anchors.length)
    for (const [, target] of text.matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(target)
    for (const line of text.split('\n').filter((row) => row.startsWith('| `')))
      expect(line.split(/(?<!\\)\|/).length, line).toBeGreaterThanOrEqual(4)
  })
})

describe('schema tables', () => {
  it('tell type, range, default, need and nesting', () => {
    const text = new TablePage().tables(
      {
        required: ['a'],
        properties: {
          a: { type: 'integer', minimum: 1, maximum: 9, description: 'One | two.' },
          b: { type: ['boolean', 'null'], default: true },
          c: { type: 'array', items: { type: 'object', properties: { d: { enum: ['x', 'y'] } } } },
          e: { type: 'object', additionalProperties: { type: 'number', exclusiveMinimum: 0 } },
        },
      },
      { level: 3 },
    )
    expect(text).toBe(`| field | type | default | what it does |
|---|---|---|---|
| \`a\` | whole number ≥ 1, ≤ 9 | required | One \\| two. |
| \`b\` | \`true\`, \`false\` | \`true\` |  |
| \`c\` | list of object |  |  |
| \`c[].d\` | \`"x"\`, \`"y"\` |  |  |
| \`e\` | mapping of names to number > 0 |  |  |
`)
  })

  it('give each alternative a section, and a named shape only one', () => {
    const named = (description: string) => ({ type: 'object', title: 'Shape', description, properties: { x: { type: 'string' } } }) as const
    const text = new TablePage().tables(
      {
        properties: {
          one: {
            anyOf: [
              { type: 'object', properties: { type: { const: 'a' } } },
              { type: 'object', properties: { type: { const: 'b' } } },
              { type: 'null' },
            ],
          },
          two: named('Here.'),
          three: { type: 'array', items: named('There.') },
        },
      },
      { level: 3 },
    )
    expect(text).toContain('| `one` | [a](#one-a) or [b](#one-b) |')
    expect(text).toContain('| `two` | [Shape](#shape-fields) |  | Here. |')
    expect(text).toContain('| `three` | list of [Shape](#shape-fields) |')
    expect(text.match(/<a id="shape-fields">/g)).toHaveLength(1)
    expect(text).toContain('### <a id="one-b"></a>`one`: b')
  })
})

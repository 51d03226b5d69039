import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTemplate, renderWhereNamed } from './template.js'

const render = (source: string, variables: Record<string, unknown> = {}) => parseTemplate(source).render(variables)

describe('a template', () => {
  it.each([
    ['Hello {{ name }}!', { name: 'Ada' }, 'Hello Ada!'],
    ['{{a.b[1].c}} {{ a["b"][0] }}', { a: { b: ['x', { c: 7 }] } }, '7 x'],
    ['{{ name | trim | upper }}', { name: ' ada ' }, 'ADA'],
    ['{{ data | dump | safe }}', { data: { a: '"' } }, '{"a":"\\""}'],
    ['{{ data }}', { data: { a: [1] } }, '{"a":[1]}'],
    ['{{ gone | default("x") }}{{ gone | d }}', {}, 'x'],
    ['{% if vip and not old %}A{% elif old %}B{% else %}C{% endif %}', { vip: true, old: false }, 'A'],
    ['{% if n > 2 and n <= 3 %}yes{% endif %}{% if x is defined %}no{% endif %}', { n: 3 }, 'yes'],
    [
      '{% for item in items %}{{ loop.index }}.{{ item }}{% if not loop.last %}, {% endif %}{% endfor %}',
      { items: ['a', 'b'] },
      '1.a, 2.b',
    ],
    ['{% for key, value in map %}{{key}}={{value}};{% endfor %}', { map: { a: 1, b: 2 } }, 'a=1;b=2;'],
    ['{% for x in items %}{{x}}{% else %}none{% endfor %}', { items: [] }, 'none'],
    ['a  {%- set n = 2 * 3 + 1 -%}  b{{ n }}', {}, 'ab7'],
    ['{% raw %}{{ as it is }}{% endraw %}{# gone #}', {}, '{{ as it is }}'],
    ['{{ "yes" if ok else "no" }} {{ "}}" ~ 1 }}', { ok: false }, 'no }}1'],
    ['{{ (context | load).city }}', { context: '{"city":"Oslo"}' }, 'Oslo'],
    ['{{ "b" in ["a", "b"] }} {{ "x" not in "abc" }} {{ not a == b }}', { a: 1, b: 2 }, 'true true true'],
    ['<b>{{ html }}</b> {', { html: '<i>&' }, '<b><i>&</b> {'],
  ])('%s', (source, variables, wanted) => {
    expect(render(source, variables)).toBe(wanted)
  })

  it.each([
    ['{{ nmae }}', 'The variable "nmae" is used and isn\'t there. There are name.'],
    ['{{ name.first.x }}', 'uses a field'],
    ['{{ name | shout }}', 'There is no filter "shout". There are upper, lower'],
    ['{{ fetch("x") }}', 'calls a function'],
    ['{% include "x" %}', "{% include %}, which isn't supported"],
    ['{% if name %}', 'lacks {% endif %}'],
    ['{% endfor %}', 'wrong place'],
    ['{{ name', 'never closes it with }}'],
    ['{{ }}', 'ends too early'],
    ['{{ env.HOME }}', 'environment variables'],
    ['{{ a b }}', 'b too much'],
    [`{{ ${'('.repeat(60)}1${')'.repeat(60)} }}`, 'more than 50 deep'],
  ])('%s is refused in words', (source, words) => {
    expect(() => render(source, { name: 'Ada' })).toThrow(words)
  })

  it('reaches only data of its own', () => {
    expect(() => render('{{ name.constructor }}', { name: 'x' })).toThrow('uses a field')
    expect(() => render('{{ constructor }}', {})).toThrow('"constructor" is used')
    expect(() =>
      render('{% for a in l %}{% for b in l %}{% for c in l %}{{ a }}{% endfor %}{% endfor %}{% endfor %}', {
        l: new Array(200).fill('x'),
      }),
    ).toThrow('loops without end')
  })

  it('knows which names it takes', () => {
    expect([...parseTemplate('{% set a = b %}{{ a }}{% for c in d %}{{ c }}{{ loop.index }}{% endfor %}{{ c }}').names]).toEqual([
      'b',
      'd',
      'c',
    ])
  })

  it('never fails on a text without marks, and prints any value of a variable unchanged', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, value) => {
        const plain = text.replace(/[{}]/g, '')
        expect(render(plain, {})).toBe(plain)
        expect(render(`${plain}{{v}}`, { v: value })).toBe(plain + value)
      }),
    )
  })
})

it('texts that only look like templates stay as they are', () => {
  const variables = { name: 'Ada' }
  for (const text of ['\\frac{{1}}{{2}}', 'f"{{x}}"', '{% nonsense', '{{ other }}', '{{'])
    expect(renderWhereNamed(text, variables)).toBe(text)
  expect(renderWhereNamed('I am {{name}}', variables)).toBe('I am Ada')
})

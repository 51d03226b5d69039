import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import type { ReportDocument, ReportPlot } from './document.js'
import { htmlOf } from './html.js'
import { cutToPixels, pixelWidth, placeLabels } from './labels.js'
import { markBox } from './marks.js'
import { textOf } from './text.js'

/** What a caller may call a model. */
const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\u202egpj\u0000\n\ud800 ]]> --> </svg></style>`

function plot(changes: Partial<ReportPlot>): ReportPlot {
  return {
    kind: 'plot',
    shape: 'scatter',
    caption: 'Cost and quality',
    x: { title: 'Cost', unit: '$' },
    y: { title: 'Quality', unit: '%' },
    series: [
      {
        name: 'models',
        points: [
          { x: 1, y: { value: 60, low: 55, high: 65 }, label: 'small' },
          { x: { value: 9, low: 8, high: 10 }, y: 90, label: 'large' },
        ],
      },
      {
        name: 'policies',
        joined: true,
        points: [
          { x: 2, y: 80, label: 'balanced' },
          { x: 8, y: 91 },
        ],
      },
    ],
    ...changes,
  }
}

function page(...blocks: ReportDocument['sections'][number]['blocks']): ReportDocument {
  return { title: 'A report', subtitle: 'of something', sections: [{ heading: 'Section', blocks }] }
}

const everything = page(
  { kind: 'text', text: 'First.\n\nSecond & last.' },
  {
    kind: 'figures',
    figures: [
      { label: 'Saved', text: '$5', note: 'at least', tone: 'good' },
      { label: 'Lost', text: '1 point', tone: 'bad' },
    ],
  },
  { kind: 'table', caption: 'Rows', columns: [{ title: 'Name' }, { title: 'Value', align: 'right' }], rows: [['a', '1'], ['b']] },
  plot({}),
  plot({ shape: 'line', x: { title: 'Day', as: 'days' }, guide: { name: 'margin', from: { x: 0, y: 70 }, to: { x: 9, y: 70 } } }),
  plot({ shape: 'bars', x: { title: 'Model' } }),
)

/** Whether each tag that opens closes, and in order; void elements need not. */
function unbalanced(html: string): string | undefined {
  const open: string[] = []
  for (const [, closes, name = '', rest = ''] of html
    .replace(/<!doctype html>/, '')
    .matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:[^>"]|"[^"]*")*)>/g)) {
    if (closes) {
      if (open.pop() !== name) return `</${name}>`
    } else if (!rest.endsWith('/') && !['meta', 'link', 'br'].includes(name)) open.push(name)
  }
  return open.length === 0 ? undefined : open.join(' ')
}

describe('htmlOf', () => {
  it('gives one balanced page without scripts and without anything to fetch, the same each time', () => {
    const html = htmlOf(everything)
    expect(unbalanced(html)).toBeUndefined()
    expect(htmlOf(everything)).toBe(html)
    expect(html).not.toMatch(/<script|javascript:|https?:|\son\w+=|NaN|Infinity|undefined/i)
    expect(html.match(/<svg /g)).toHaveLength(3)
    expect(html).toContain('<p>Second &#38; last.</p>')
    expect(html).toContain('<span class="hidden">bad: </span>1 point')
    expect(html).toContain('<td class="right">1</td>')
  })

  it('has ids that are told once, and no reference without its target', () => {
    const html = htmlOf(everything)
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const targets = [...html.matchAll(/url\(#([^)]+)\)|aria-labelledby="([^"]+)"|href="#([^"]+)"/g)].flatMap(([, ...found]) =>
      found.filter(Boolean).flatMap((found) => found?.split(' ') ?? []),
    )
    expect(targets.length).toBeGreaterThan(6)
    for (const target of targets) expect(ids).toContain(target)
  })

  it('escapes whatever names hold, everywhere', () => {
    const bad = plot({
      caption: hostile,
      x: { title: hostile, unit: hostile },
      y: { title: hostile, unit: hostile },
      series: [
        { name: hostile, points: [{ x: 1, y: 1, label: hostile }] },
        { name: hostile, points: [] },
      ],
      guide: { name: hostile, from: { x: 0, y: 0 }, to: { x: 1, y: 1 } },
    })
    const html = htmlOf({
      title: hostile,
      subtitle: hostile,
      sections: Array.from({ length: 4 }, () => ({
        heading: hostile,
        blocks: [
          { kind: 'text', text: hostile },
          { kind: 'figures', figures: [{ label: hostile, text: hostile, note: hostile }] },
          { kind: 'table', caption: hostile, columns: [{ title: hostile }], rows: [[hostile]] },
          bad,
          { ...bad, shape: 'bars' },
          { ...bad, shape: 'line' },
        ],
      })),
    })
    expect(unbalanced(html)).toBeUndefined()
    // The one style element is ours, and no element or attribute came out of a name.
    expect(html).not.toMatch(/<script|<img|<\/style>(?![^]*<body)/)
    expect([...html.matchAll(/<([a-z]+)/g)].every(([, name]) => name !== 'script' && name !== 'img')).toBe(true)
    expect(html).not.toMatch(/[\u0000\u202e]|\p{Surrogate}/u)
    expect(textOf(page({ kind: 'text', text: hostile }))).not.toMatch(/[\u0000\u202e]|\p{Surrogate}/u)
  })

  it('tells what it cannot draw', () => {
    const html = htmlOf(
      page(
        plot({
          x: { title: 'Cost', scale: 'log' },
          series: [
            {
              name: 's',
              points: [
                { x: 0, y: 1 },
                { x: 1, y: NaN },
                { x: 2, y: 3 },
              ],
            },
          ],
        }),
      ),
    )
    expect(html).toContain('2 points have no place in this plot')
    for (const shape of ['scatter', 'line', 'bars'] as const) {
      expect(htmlOf(page(plot({ shape, series: [] })))).toContain('Nothing to draw.')
      expect(htmlOf(page(plot({ shape, series: [{ name: 's', points: [{ x: NaN, y: Infinity }] }] })))).toContain('Nothing to draw.')
    }
  })

  it('draws intervals without end to the edge, without a cap', () => {
    const html = htmlOf(
      page(
        plot({
          series: [
            {
              name: 's',
              points: [
                { x: 1, y: { value: 1, low: -Infinity, high: Infinity } },
                { x: 2, y: 3 },
              ],
            },
          ],
        }),
      ),
    )
    expect(html).toMatch(/<path class="whisker" d="M[\d.]+ [\d.]+V[\d.]+"\/>/)
  })

  it('stays bounded', () => {
    const points = Array.from({ length: 5_000 }, (_, x) => ({
      x,
      y: { value: Math.sin(x), low: Math.sin(x) - 1, high: Math.sin(x) + 1 },
      label: `name ${x}`,
    }))
    for (const shape of ['scatter', 'line', 'bars'] as const) {
      const html = htmlOf(page(plot({ shape, series: [{ name: 's', points }] })))
      expect(html.length).toBeLessThan(1_500_000)
      expect(html).toMatch(/of 5000 (points|bars) are drawn/)
      expect(textOf(page(plot({ shape, series: [{ name: 's', points }] }))).split('\n').length).toBeLessThan(50)
    }
  })

  it('keeps bars of one name apart, and draws those below nothing', () => {
    const html = htmlOf(
      page(
        plot({
          shape: 'bars',
          series: [
            {
              name: 's',
              points: [
                { x: 0, y: -2, label: 'a' },
                { x: 1, y: 3, label: 'a' },
              ],
            },
          ],
        }),
      ),
    )
    expect(html.match(/<rect class="bar"/g)).toHaveLength(2)
    expect(html).toContain('a (2)')
  })
})

describe('placeLabels', () => {
  it('covers neither another name nor a point, and leaves out what has no place', () => {
    const random = childRandom(7, 'labels')
    const wanted = Array.from({ length: 40 }, (_, index) => {
      const [x, y] = [40 + random.next() * 600, 30 + random.next() * 250]
      return { x, y, text: `model-${index}`, own: markBox(x, y) }
    })
    const solid = wanted.map(({ x, y }) => markBox(x, y))
    const placed = placeLabels(wanted, solid, [], { left: 0, top: 0, right: 760, bottom: 320 })
    expect(placed.length).toBeGreaterThan(30)
    for (const [index, { box }] of placed.entries()) {
      expect(box.left >= 0 && box.right <= 760 && box.top >= 0 && box.bottom <= 320).toBe(true)
      for (const other of [...solid, ...placed.slice(index + 1).map((one) => one.box)])
        expect(box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom).toBe(false)
    }
    expect(placeLabels(wanted, solid, [], { left: 0, top: 0, right: 10, bottom: 10 })).toEqual([])
  })

  it('cuts names in the middle', () => {
    expect(cutToPixels('short', 100)).toBe('short')
    const cut = cutToPixels('a-very-long-name-of-a-model-2026-11-21', 100)
    expect(cut).toMatch(/^a-very.*….*21$/)
    expect(pixelWidth(cut)).toBeLessThanOrEqual(100)
  })
})

describe('textOf', () => {
  it('says the same in a terminal', () => {
    expect(textOf(everything, 60)).toMatchInlineSnapshot(`
      "A report
      ========
      of something

      Section
      -------
      First.

      Second & last.

      Saved: $5
        at least
      Lost: 1 point (!)

      Rows
      Name  Value
      a         1
      b

      Cost and quality
      Name      Series    Cost  Interval  Quality  Interval
      small     models      $1               60 %  55 to 65
      large     models      $9   8 to 10     90 %
      balanced  policies    $2               80 %
                policies    $8               91 %

      Cost and quality
      Name      Series           Day (UTC)                              Interval  Quality  Interval
      small     models    1970-01-01 00:00                                           60 %  55 to 65
      large     models    1970-01-01 00:00  1970-01-01 00:00 to 1970-01-01 00:00     90 %
      balanced  policies  1970-01-01 00:00                                           80 %
                policies  1970-01-01 00:00                                           91 %
      margin: 70 %

      Cost and quality
      small, models       60 % [55, 65]  ████████████████
      large, models                90 %  █████████████████████████
      balanced, policies           80 %  ██████████████████████
      8, policies                  91 %  █████████████████████████
      "
    `)
  })

  it.each([40, 80, 120])('keeps to %s columns as far as numbers allow', (width) => {
    const names = page({
      kind: 'table',
      columns: [{ title: 'Model' }, { title: 'Cost of a thousand requests', align: 'right' }],
      rows: [
        ['a'.repeat(200), '$5'],
        ['模型'.repeat(40), '$6'],
      ],
    })
    for (const line of textOf(names, width).split('\n')) expect([...line].length).toBeLessThanOrEqual(width)
  })
})

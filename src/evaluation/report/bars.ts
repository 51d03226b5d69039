import type { ReportPlot } from './document.js'
import { axisTitle, barName, plotWidth, xTicks, type PlotBody } from './frame.js'
import { cutToPixels, pixelWidth } from './labels.js'
import { barFill, looks, px, whisker } from './marks.js'
import { extentOf, placeable, scaleOf } from './scale.js'
import { escaped, readingText, spanOf } from './shown.js'

/** Most groups of bars that are drawn. */
const mostGroups = 60
const gap = 9

/** Lying bars: long names stand left of them, each number at its end. */
export function barsOf(plot: ReportPlot, id: string): PlotBody {
  const groups = new Map<string, Map<number, ReportPlot['series'][number]['points'][number]>>()
  for (const [index, { points }] of plot.series.entries())
    for (const point of points) {
      const name = barName(point, plot.x)
      const group = groups.get(name) ?? new Map()
      // A second bar of one name in one series gets a group of its own: nothing is drawn over.
      if (group.has(index)) groups.set(`${name} (${groups.size + 1})`, new Map([[index, point]]))
      else groups.set(name, group.set(index, point))
    }
  const drawn = [...groups].slice(0, mostGroups)
  const spans = drawn.flatMap(([, bars]) => [...bars.values()].map(({ y }) => spanOf(y)))
  const lost = spans.filter(({ value }) => !placeable(value, plot.y)).length
  const notes = [
    ...(groups.size > mostGroups ? [`${mostGroups} of ${groups.size} bars are drawn; the table has the others.`] : []),
    ...(lost > 0
      ? [`${lost === 1 ? '1 bar has' : `${lost} bars have`} no length: unknown, without bound, or not above 0 on a logarithmic axis.`]
      : []),
  ]
  const also = [...(plot.y.scale === 'log' ? [] : [0]), ...(plot.guide ? [plot.guide.from.y, plot.guide.to.y] : [])]
  const extent = extentOf(spans, plot.y, also)
  if (!extent || lost === spans.length) return { body: '', height: 0, notes: [...notes, 'Nothing to draw.'] }
  const names = drawn.map(([name]) => cutToPixels(name, 230))
  const left = Math.max(24, ...names.map((name) => pixelWidth(name) + 12))
  const told = (bars: (typeof drawn)[number][1]) => [...bars.values()].map(({ y }) => readingText(spanOf(y).value, plot.y))
  const room = Math.max(...drawn.flatMap(([, bars]) => told(bars).map(pixelWidth)))
  const x = scaleOf(plot.y, extent, left, plotWidth - Math.max(20, room + 10), 6)
  const base = x.at(x.holds(0) ? 0 : x.low)
  const thick = plot.series.length === 1 ? 18 : 13
  const top = 6
  let y = top + gap / 2
  const rows = drawn.map(([, bars], index) => {
    const height = thick * Math.max(1, bars.size)
    const name = `<text x="${px(left - 8)}" y="${px(y + height / 2 + 4.5)}" text-anchor="end">${escaped(names[index] ?? '')}</text>`
    const body = [...bars].map(([series, point], place) => barSvg(plot, id, series, point, { x, base, y: y + place * thick, thick }))
    y += height + gap
    return name + body.join('')
  })
  const bottom = y - gap / 2
  const guide = plot.guide
    ? `<path class="guide" d="M${px(x.at(plot.guide.from.y))} ${px(top)}L${px(x.at(plot.guide.to.y))} ${px(bottom)}"/>`
    : ''
  const body = [
    `<defs>${plot.series
      .slice(0, looks)
      .map((_, series) => barFill(series, id).pattern)
      .join('')}</defs>`,
    xTicks(x, top, bottom),
    ...rows,
    `<path class="axis" d="M${px(base)} ${px(top)}V${px(bottom)}"/>`,
    guide,
    `<text x="${px(plotWidth - Math.max(20, room + 10))}" y="${px(bottom + 40)}" text-anchor="end">${escaped(cutToPixels(axisTitle(plot.y), plotWidth))}</text>`,
  ].join('')
  return { body, height: bottom + 48, notes }
}

interface BarPlace {
  readonly x: ReturnType<typeof scaleOf>
  readonly base: number
  readonly y: number
  readonly thick: number
}

function barSvg(
  plot: ReportPlot,
  id: string,
  series: number,
  point: ReportPlot['series'][number]['points'][number],
  { x, base, y, thick }: BarPlace,
): string {
  const span = spanOf(point.y)
  const middle = y + thick / 2
  const text = escaped(readingText(span.value, plot.y))
  if (!placeable(span.value, plot.y)) return `<text class="soft" x="${px(base + 6)}" y="${px(middle + 4.5)}">${text}</text>`
  const end = x.at(span.value)
  const reach = [span.low, span.high].filter((value) => x.holds(value)).map((value) => x.at(value))
  // A number stands beyond its bar and its whisker, on the side to which the bar points.
  const forwards = end >= base
  const at = forwards ? Math.max(end, ...reach) + 6 : Math.max(base, ...reach) + 6
  return [
    `<g class="s${series % looks}"><title>${escaped(`${plot.series[series]?.name ?? ''}: ${barName(point, plot.x)}, ${readingText(point.y, plot.y)}`)}</title>`,
    `<rect class="bar" x="${px(Math.min(base, end))}" y="${px(y + 1)}" width="${px(Math.abs(end - base))}" height="${px(thick - 2)}"${barFill(series, id).fill}/>`,
    whisker(x, span, middle, 'x', 'reach'),
    `<text class="halo" x="${px(at)}" y="${px(middle + 4.5)}">${text}</text></g>`,
  ].join('')
}

import { barsOf } from './bars.js'
import type { ReportPlot } from './document.js'
import { axisTitle, hasInterval, plotWidth, xTicks, type PlotBody } from './frame.js'
import { cutToPixels, pixelWidth, placeLabels, type Box, type Wanted } from './labels.js'
import { dash, endOf, looks, mark, markBox, px, whisker } from './marks.js'
import { extentOf, placeable, scaleOf, type Scale } from './scale.js'
import { escaped, readingText, shown, spanOf } from './shown.js'

const areaHeight = 310
const rowHeight = 20

/** Most points of a series that are drawn, and most names: more would be a smear, and a page without bounds. */
const mostPoints = 2_000
const mostNames = 60
/** Marks along a line. */
const mostMarks = 16

/** A drawn plot, and what a reader must know that can't be seen in it. */
export interface DrawnPlot {
  /** Empty where there is nothing to draw. */
  readonly svg: string
  readonly notes: readonly string[]
}

/** A point of a series that has a place on both axes. */
interface Placed {
  readonly series: number
  readonly x: Span
  readonly y: Span
  readonly label: string | undefined
  readonly told: string
}

type Span = ReturnType<typeof spanOf>

/**
 * A plot as SVG. `id` tells it apart from the page's others. No scripts, no fonts, no clock: the same plot gives the same bytes.
 * O(points · names).
 */
export function plotSvg(plot: ReportPlot, id: string): DrawnPlot {
  const drawn = plot.shape === 'bars' ? barsOf(plot, id) : pointsOf(plot)
  if (drawn.body === '') return { svg: '', notes: drawn.notes }
  const legend = legendOf(plot, id)
  const height = legend.height + drawn.height
  const svg = [
    `<svg viewBox="0 0 ${plotWidth} ${px(height)}" role="img" aria-labelledby="${id}-title ${id}-about">`,
    `<title id="${id}-title">${escaped(plot.caption)}</title>`,
    `<desc id="${id}-about">${escaped(aboutOf(plot))}</desc>`,
    legend.svg,
    `<g transform="translate(0 ${px(legend.height)})">${drawn.body}</g>`,
    '</svg>',
  ].join('')
  return { svg, notes: drawn.notes }
}

function pointsOf(plot: ReportPlot): PlotBody {
  const { points, notes } = placedPoints(plot)
  const guide = plot.guide
  const ends = guide ? [guide.from, guide.to] : []
  const [extentX, extentY] = [
    extentOf(
      points.map(({ x }) => x),
      plot.x,
      ends.map(({ x }) => x),
    ),
    extentOf(
      points.map(({ y }) => y),
      plot.y,
      ends.map(({ y }) => y),
    ),
  ]
  if (!extentX || !extentY || points.length === 0) return { body: '', height: 0, notes: [...notes, 'Nothing to draw.'] }
  const [top, right] = [26, plotWidth - 18]
  const bottom = top + areaHeight
  const y = scaleOf(plot.y, extentY, bottom, top, 6)
  const left = Math.min(180, Math.max(36, ...y.ticks.map(({ text }) => pixelWidth(text) + 14)))
  const x = scaleOf(plot.x, extentX, left, right, 7)
  const area = { left, top, right, bottom }
  const parts = [axesOf(plot, x, y, area)]
  const bands: string[] = []
  const soft: Box[] = []
  const solid = points.map((point) => markBox(x.at(point.x.value), y.at(point.y.value)))
  for (const [index, series] of plot.series.entries()) {
    const own = points.filter((point) => point.series === index)
    const lined = plot.shape === 'line' || series.joined === true
    const parted =
      plot.shape === 'line'
        ? lineOf(own, x, y)
        : plot.shape === 'scatter' && lined
          ? { line: pathThrough(own, x, y), band: '', softly: boxesAlong(own, x, y) }
          : { line: '', band: '', softly: [] }
    soft.push(...parted.softly)
    // Along a line some marks are enough to tell it from the others, and its dashes stay visible between them.
    const every = plot.shape === 'line' ? Math.ceil(own.length / mostMarks) : 1
    const marks = own.map((point, place) => {
      const [cx, cy] = [x.at(point.x.value), y.at(point.y.value)]
      const whiskers = plot.shape === 'scatter' ? whisker(y, point.y, cx, 'y') + whisker(x, point.x, cy, 'x') : ''
      if (whiskers !== '') soft.push(...whiskerBoxes(point, x, y))
      return place % every === 0 ? `<g><title>${escaped(point.told)}</title>${whiskers}${mark(index, cx, cy)}</g>` : ''
    })
    const path = parted.line === '' ? '' : `<path class="path" d="${parted.line}"${dash(index)}/>`
    if (parted.band !== '') bands.push(`<g class="s${index % looks}">${parted.band}</g>`)
    parts.push(`<g class="s${index % looks}">${path}${marks.join('')}</g>`)
  }
  // All bands lie below all lines.
  parts.splice(1, 0, ...bands)
  if (guide) parts.push(guideOf(guide, x, y))
  const names = namesOf(points, x, y)
  parts.push(...placeLabels(names, solid, soft, { left: left + 2, top, right: plotWidth, bottom: bottom - 2 }).map(labelSvg))
  return { body: parts.join(''), height: bottom + 48, notes }
}

/** The points that can be drawn, and how many can't. */
function placedPoints(plot: ReportPlot): { readonly points: readonly Placed[]; readonly notes: readonly string[] } {
  const notes: string[] = []
  let lost = 0
  const points = plot.series.flatMap((series, index) => {
    const placed = series.points.flatMap((point): Placed[] => {
      const [x, y] = [spanOf(point.x), spanOf(point.y)]
      if (!placeable(x.value, plot.x) || !placeable(y.value, plot.y)) {
        lost += 1
        return []
      }
      const label = point.label === undefined ? undefined : shown(point.label)
      return [
        { series: index, x, y, label, told: `${label ?? series.name}: ${readingText(point.x, plot.x)}, ${readingText(point.y, plot.y)}` },
      ]
    })
    const sorted = plot.shape === 'line' || series.joined === true ? placed.sort((a, b) => a.x.value - b.x.value) : placed
    if (sorted.length <= mostPoints) return sorted
    notes.push(`${shown(series.name)}: ${mostPoints} of ${sorted.length} points are drawn, evenly taken.`)
    return Array.from({ length: mostPoints }, (_, at) => sorted[Math.round((at * (sorted.length - 1)) / (mostPoints - 1))]).filter(
      (point) => point !== undefined,
    )
  })
  if (lost > 0)
    notes.push(
      `${lost === 1 ? '1 point has' : `${lost} points have`} no place in this plot: unknown, without bound, or not above 0 on a logarithmic axis.`,
    )
  return { points, notes }
}

function lineOf(points: readonly Placed[], x: Scale, y: Scale) {
  const unsure = points.filter(({ y: { low, high } }) => !Number.isNaN(low) && !Number.isNaN(high))
  const edge = (end: 'low' | 'high') => unsure.map((point) => `${px(x.at(point.x.value))} ${px(endOf(y, point.y[end], end))}`)
  const wide = unsure.length > 1 && unsure.some(({ y: { low, high } }) => low < high)
  const band = wide ? `<path class="band" d="M${[...edge('high'), ...edge('low').reverse()].join('L')}z"/>` : ''
  return { line: pathThrough(points, x, y), band, softly: boxesAlong(points, x, y) }
}

function pathThrough(points: readonly Placed[], x: Scale, y: Scale): string {
  return points.length < 2 ? '' : `M${points.map((point) => `${px(x.at(point.x.value))} ${px(y.at(point.y.value))}`).join('L')}`
}

/** Small boxes along a line, so that names keep off it. */
function boxesAlong(points: readonly Placed[], x: Scale, y: Scale): Box[] {
  if (points.length > 200) return []
  return points.slice(1).flatMap((point, index) => {
    const before = points[index] ?? point
    const [ax, ay, bx, by] = [x.at(before.x.value), y.at(before.y.value), x.at(point.x.value), y.at(point.y.value)]
    const steps = Math.max(1, Math.ceil(Math.hypot(bx - ax, by - ay) / 8))
    return Array.from({ length: steps }, (_, step) => {
      const [cx, cy] = [ax + ((bx - ax) * step) / steps, ay + ((by - ay) * step) / steps]
      return { left: cx - 2, top: cy - 2, right: cx + 2, bottom: cy + 2 }
    })
  })
}

function whiskerBoxes(point: Placed, x: Scale, y: Scale): Box[] {
  const [cx, cy] = [x.at(point.x.value), y.at(point.y.value)]
  const span = (scale: Scale, { low, high, value }: Span) =>
    low === value && high === value ? undefined : [endOf(scale, low, 'low'), endOf(scale, high, 'high')].sort((a, b) => a - b)
  const [across, upright] = [span(x, point.x), span(y, point.y)]
  return [
    ...(across ? [{ left: across[0] ?? cx, right: across[1] ?? cx, top: cy - 3, bottom: cy + 3 }] : []),
    ...(upright ? [{ left: cx - 3, right: cx + 3, top: upright[0] ?? cy, bottom: upright[1] ?? cy }] : []),
  ]
}

function namesOf(points: readonly Placed[], x: Scale, y: Scale): Wanted[] {
  const named = points.flatMap((point) => {
    if (point.label === undefined) return []
    const [atX, atY] = [x.at(point.x.value), y.at(point.y.value)]
    const own = whiskerBoxes(point, x, y).reduce(
      (all, box) => ({
        left: Math.min(all.left, box.left),
        top: Math.min(all.top, box.top),
        right: Math.max(all.right, box.right),
        bottom: Math.max(all.bottom, box.bottom),
      }),
      markBox(atX, atY),
    )
    return [{ x: atX, y: atY, text: cutToPixels(point.label, 190), own }]
  })
  return named.slice(0, mostNames)
}

function labelSvg({
  box,
  text,
  x,
  y,
  lead,
}: {
  readonly box: Box
  readonly text: string
  readonly x: number
  readonly y: number
  readonly lead: boolean
}): string {
  const line = lead
    ? `<path class="lead" d="M${px(x)} ${px(y)}L${px(Math.min(box.right, Math.max(box.left, x)))} ${px(Math.min(box.bottom - 3, Math.max(box.top + 3, y)))}"/>`
    : ''
  // The estimate of a width is rather too wide: a name that stands left of its point must end there.
  const anchor = box.right <= x ? 'end' : box.left >= x ? 'start' : 'middle'
  const at = anchor === 'end' ? box.right : anchor === 'start' ? box.left : (box.left + box.right) / 2
  return `${line}<text class="halo" x="${px(at)}" y="${px(box.bottom - 4)}" text-anchor="${anchor}">${escaped(text)}</text>`
}

/** Grid, ticks and titles. The title of y stands above it, where it reads without turning the head. */
function axesOf(plot: ReportPlot, x: Scale, y: Scale, { left, top, right, bottom }: Box): string {
  const rows = y.ticks.map(({ value, text }) => {
    const at = px(y.at(value))
    return `<path class="grid" d="M${px(left)} ${at}H${px(right)}"/><text class="soft" x="${px(left - 8)}" y="${px(y.at(value) + 4.5)}" text-anchor="end">${escaped(text)}</text>`
  })
  return [
    ...rows,
    xTicks(x, top, bottom),
    `<path class="axis" d="M${px(left)} ${px(bottom)}H${px(right)}"/>`,
    `<text x="0" y="12">${escaped(cutToPixels(axisTitle(plot.y), plotWidth))}</text>`,
    `<text x="${px(right)}" y="${px(bottom + 40)}" text-anchor="end">${escaped(cutToPixels(axisTitle(plot.x), plotWidth))}</text>`,
  ].join('')
}

function guideOf({ from, to }: NonNullable<ReportPlot['guide']>, x: Scale, y: Scale): string {
  return `<path class="guide" d="M${px(x.at(from.x))} ${px(y.at(from.y))}L${px(x.at(to.x))} ${px(y.at(to.y))}"/>`
}

/** A row of marks and names; nothing where there is but one series and no guide. */
function legendOf({ shape, series, guide }: ReportPlot, id: string): { readonly svg: string; readonly height: number } {
  if (series.length < 2 && !guide) return { svg: '', height: 0 }
  const entries = [
    ...series.map(({ name, joined }, index) => ({
      name,
      swatch: (x: number, y: number) => swatchOf(shape, joined === true, index, id, x, y),
    })),
    ...(guide ? [{ name: guide.name, swatch: (x: number, y: number) => `<path class="guide" d="M${px(x)} ${px(y)}h24"/>` }] : []),
  ]
  let [x, row] = [0, 0]
  const parts = entries.map(({ name, swatch }) => {
    const text = cutToPixels(shown(name), 300)
    const width = 32 + pixelWidth(text) + 18
    if (x > 0 && x + width > plotWidth) [x, row] = [0, row + 1]
    const y = row * rowHeight + 11
    const part = `${swatch(x, y)}<text x="${px(x + 31)}" y="${px(y + 4.5)}">${escaped(text)}</text>`
    x += width
    return part
  })
  return { svg: parts.join(''), height: (row + 1) * rowHeight + 10 }
}

function swatchOf(shape: ReportPlot['shape'], joined: boolean, index: number, id: string, x: number, y: number): string {
  const kind = index % looks
  if (shape === 'bars')
    return `<rect class="bar s${kind}" x="${px(x)}" y="${px(y - 6)}" width="24" height="12"${kind === 0 ? '' : ` style="fill:url(#${id}-h${kind})"`}/>`
  const line = shape === 'line' || joined ? `<path class="path" d="M${px(x)} ${px(y)}h24"${dash(index)}/>` : ''
  return `<g class="s${kind}">${line}${mark(index, x + 12, y)}</g>`
}

/** For readers who can't see the plot. */
function aboutOf({ shape, x, y, series, guide }: ReportPlot): string {
  const kind = { scatter: 'Scatter plot', line: 'Line plot', bars: 'Bar chart' }[shape]
  const points = series.reduce((sum, one) => sum + one.points.length, 0)
  const unsure = series.some((one) => one.points.some((point) => hasInterval(point.y) || hasInterval(point.x)))
  const names = series
    .slice(0, 12)
    .map(({ name }) => shown(name))
    .join(', ')
  return [
    shape === 'bars' ? `${kind} of ${axisTitle(y)}.` : `${kind} of ${axisTitle(y)} against ${axisTitle(x)}.`,
    `${points} points in ${series.length} series: ${names}${series.length > 12 ? ' and others' : ''}.`,
    ...(unsure ? [shape === 'line' ? 'A band shows the interval.' : 'Whiskers show intervals.'] : []),
    ...(guide ? [`Dashed: ${shown(guide.name)}.`] : []),
    'The figures stand in the table below.',
  ].join(' ')
}

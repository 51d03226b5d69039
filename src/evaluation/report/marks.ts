import type { Box } from './labels.js'
import type { Scale } from './scale.js'

/** How many series look different; further ones begin again. */
export const looks = 8

const radius = 5

/** A number of pixels in SVG: a hundredth is finer than any eye, and keeps the bytes the same on every machine. */
export function px(value: number): string {
  const rounded = Math.round(value * 100) / 100
  return String(Object.is(rounded, -0) ? 0 : rounded)
}

/** The mark of a series' points. Each has a shape of its own, so that it needs no colour. */
export function mark(series: number, x: number, y: number): string {
  const r = radius
  const path = (d: string, kind = 'mark') => `<path class="${kind}" d="${d}"/>`
  const at = (dx: number, dy: number) => `${px(x + dx)} ${px(y + dy)}`
  switch (series % looks) {
    case 0:
      return `<circle class="mark" cx="${px(x)}" cy="${px(y)}" r="${r}"/>`
    case 1:
      return path(`M${at(-r, -r)}h${2 * r}v${2 * r}h${-2 * r}z`)
    case 2:
      return path(`M${at(0, -r - 1)}L${at(r + 1, r - 1)}L${at(-r - 1, r - 1)}z`)
    case 3:
      return path(`M${at(0, -r - 1)}L${at(r + 1, 0)}L${at(0, r + 1)}L${at(-r - 1, 0)}z`)
    case 4:
      return path(`M${at(-r + 1, -r + 1)}l${2 * r - 2} ${2 * r - 2}M${at(r - 1, -r + 1)}l${2 - 2 * r} ${2 * r - 2}`, 'bare')
    case 5:
      return path(`M${at(0, r + 1)}L${at(r + 1, 1 - r)}L${at(-r - 1, 1 - r)}z`)
    case 6:
      return path(`M${at(-r, 0)}h${2 * r}M${at(0, -r)}v${2 * r}`, 'bare')
    default:
      return `<circle class="bare" cx="${px(x)}" cy="${px(y)}" r="${r - 1}"/>`
  }
}

/** What a mark covers. */
export function markBox(x: number, y: number): Box {
  return { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
}

const dashes = ['', '8 4', '2 3', '10 3 2 3', '14 4', '5 2 1 2', '4 4', '1 4']

/** The dash of a series' line, as an attribute; the first is whole. */
export function dash(series: number): string {
  const pattern = dashes[series % looks]
  return pattern ? ` stroke-dasharray="${pattern}"` : ''
}

/** A whisker from `low` to `high` with caps at its ends; an end beyond the plot has none, since there it goes on. */
export function whisker(
  scale: Scale,
  { low, high }: { readonly low: number; readonly high: number },
  across: number,
  lies: 'x' | 'y',
  kind = 'whisker',
): string {
  if (Number.isNaN(low) || Number.isNaN(high) || low === high) return ''
  const [from, to] = [endOf(scale, low, 'low'), endOf(scale, high, 'high')]
  const cap = (value: number, at: number) =>
    scale.holds(value) ? (lies === 'x' ? `M${px(at)} ${px(across - 4)}v8` : `M${px(across - 4)} ${px(at)}h8`) : ''
  const line = lies === 'x' ? `M${px(from)} ${px(across)}H${px(to)}` : `M${px(across)} ${px(from)}V${px(to)}`
  return `<path class="${kind}" d="${line}${cap(low, from)}${cap(high, to)}"/>`
}

/** Where an interval ends on the plot: at its edge where the end lies beyond, or has no place on a logarithmic axis. */
export function endOf(scale: Scale, value: number, end: 'low' | 'high'): number {
  if (scale.holds(value)) return scale.at(value)
  return scale.at(value > scale.high ? scale.high : value < scale.low ? scale.low : end === 'low' ? scale.low : scale.high)
}

/** The fill of a series' bars: the first is solid, the others are hatched each in its own way. `patterns` stand once in each plot. */
export function barFill(series: number, plot: string): { readonly fill: string; readonly pattern: string } {
  const kind = series % looks
  if (kind === 0) return { fill: '', pattern: '' }
  const id = `${plot}-h${kind}`
  const hatch = [
    '',
    '<path d="M0 0v8" stroke-width="5"/>',
    '<path d="M0 0h8" stroke-width="4"/>',
    '<path d="M0 0h8M0 0v8" stroke-width="2.5"/>',
    '<circle cx="2" cy="2" r="1.6" stroke-width="1"/><circle cx="6" cy="6" r="1.6" stroke-width="1"/>',
    '<path d="M0 0v8" stroke-width="2"/>',
    '<path d="M0 0h8" stroke-width="2"/>',
    '<path d="M4 0v8" stroke-width="1"/>',
  ][kind]
  const turned = kind === 1 || kind === 5 ? ' patternTransform="rotate(45)"' : kind === 7 ? ' patternTransform="rotate(-45)"' : ''
  const pattern = `<pattern id="${id}" class="s${kind}" width="8" height="8" patternUnits="userSpaceOnUse"${turned}><g fill="var(--c)" stroke="var(--c)">${hatch}</g></pattern>`
  return { fill: ` style="fill:url(#${id})"`, pattern }
}

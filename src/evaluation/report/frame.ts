import type { Axis, Reading } from './document.js'
import { pixelWidth } from './labels.js'
import { px } from './marks.js'
import type { Scale } from './scale.js'
import { dayText, escaped, readingText, shown, spanOf } from './shown.js'

/** Pixels across; the page scales plots as a whole. */
export const plotWidth = 760

/** A plot without its legend. Empty where there is nothing to draw; notes say what can't be seen in it. */
export interface PlotBody {
  readonly body: string
  readonly height: number
  readonly notes: readonly string[]
}

/** Upright grid lines with their numbers below; a number that would touch its neighbour is left out. */
export function xTicks(x: Scale, top: number, bottom: number): string {
  let taken = -Infinity
  return x.ticks
    .map(({ value, text }) => {
      const at = x.at(value)
      const half = pixelWidth(text) / 2
      const centre = Math.min(plotWidth - half, at)
      const free = centre - half > taken + 6
      if (free) taken = centre + half
      return `<path class="grid" d="M${px(at)} ${px(top)}V${px(bottom)}"/>${free ? `<text class="soft" x="${px(centre)}" y="${px(bottom + 19)}" text-anchor="middle">${escaped(text)}</text>` : ''}`
    })
    .join('')
}

/** The unit stands with the ticks; a title tells it only where no tick does. */
export function axisTitle({ title, scale, as }: Axis): string {
  return `${title}${as === 'days' ? ' (UTC)' : ''}${scale === 'log' ? ' (logarithmic)' : ''}`
}

/** Whether a reading is an estimate with an interval. */
export function hasInterval(reading: Reading): boolean {
  const { value, low, high } = spanOf(reading)
  return !Object.is(low, value) || !Object.is(high, value)
}

/** A bar without a name is called by its x. */
export function barName(point: { readonly x: Reading; readonly label?: string | undefined }, axis: Axis): string {
  if (point.label !== undefined) return shown(point.label)
  const { value } = spanOf(point.x)
  return axis.as === 'days' && Number.isFinite(value) ? dayText(value) : readingText(value, axis)
}

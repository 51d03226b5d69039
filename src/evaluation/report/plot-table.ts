import type { ReportPlot, ReportTable } from './document.js'
import { axisTitle, barName, hasInterval } from './frame.js'
import { numberText, spanOf, valueText } from './shown.js'

/**
 * A plot's figures as a table: for readers who can't see it, or don't trust it. At most `most` rows, evenly taken; `left`: how many
 * aren't in it.
 */
export function plotTable(plot: ReportPlot, most = 500): { readonly table: ReportTable; readonly left: number } {
  const several = plot.series.length > 1
  const all = plot.series.flatMap((series) => series.points.map((point) => ({ series, point })))
  const kept =
    all.length <= most
      ? all
      : Array.from({ length: most }, (_, index) => all[Math.round((index * (all.length - 1)) / Math.max(1, most - 1))]).filter(
          (one) => one !== undefined,
        )
  const bars = plot.shape === 'bars'
  const named = bars || all.some(({ point }) => point.label !== undefined)
  const [unsureX, unsureY] = [!bars && all.some(({ point }) => hasInterval(point.x)), all.some(({ point }) => hasInterval(point.y))]
  const columns: ReportTable['columns'] = [
    ...(named ? [{ title: 'Name' }] : []),
    ...(several ? [{ title: 'Series' }] : []),
    ...(bars
      ? []
      : [{ title: axisTitle(plot.x), align: 'right' as const }, ...(unsureX ? [{ title: 'Interval', align: 'right' as const }] : [])]),
    { title: axisTitle(plot.y), align: 'right' },
    ...(unsureY ? [{ title: 'Interval', align: 'right' as const }] : []),
  ]
  const interval = (reading: Parameters<typeof spanOf>[0], days: boolean) => {
    const { low, high } = spanOf(reading)
    return hasInterval(reading)
      ? `${days ? valueText(low, plot.x) : numberText(low)} to ${days ? valueText(high, plot.x) : numberText(high)}`
      : ''
  }
  const rows = kept.map(({ series, point }) => [
    ...(named ? [bars ? barName(point, plot.x) : (point.label ?? '')] : []),
    ...(several ? [series.name] : []),
    ...(bars ? [] : [valueText(spanOf(point.x).value, plot.x), ...(unsureX ? [interval(point.x, plot.x.as === 'days')] : [])]),
    valueText(spanOf(point.y).value, plot.y),
    ...(unsureY ? [interval(point.y, false)] : []),
  ])
  return { table: { kind: 'table', columns, rows }, left: all.length - kept.length }
}

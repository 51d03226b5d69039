import { numberText, type ReportDocument } from '../../evaluation/index.js'

/** What a forecast hands to the printers: the report, and its figures for `--json`. */
export interface PredictionReport {
  readonly document: ReportDocument
  readonly figures: unknown
}

/** From here on all digits would fill the line, and mean nothing. */
const tooLong = 1e15

/** Three significant digits, thousands parted. */
export function short(value: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= tooLong) return numberText(value)
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))
}

export function span({ low, high }: { readonly low: number; readonly high: number }): string {
  return Number.isFinite(high) ? `${short(low)} to ${short(high)}` : 'unknown'
}

export function dollars(value: number): string {
  const size = Math.abs(value)
  if (!(size < tooLong)) return `${value < 0 ? '-' : ''}$${numberText(size)}`
  return `${value < 0 ? '-' : ''}$${size >= 1000 ? Math.round(size).toLocaleString('en-US') : size >= 1 ? size.toFixed(2) : String(Number(size.toPrecision(3)))}`
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Column titles; those of numbers stand right. */
export function columns(
  ...titles: readonly (string | readonly [string])[]
): readonly { readonly title: string; readonly align?: 'right' }[] {
  return titles.map((title) => (typeof title === 'string' ? { title } : { title: title[0], align: 'right' }))
}

/** The report as a terminal shows it: without plots, whose figures are in its tables or on the page. */
export function withoutPlots(document: ReportDocument): ReportDocument {
  const sections = document.sections.map(({ heading, blocks }) => ({ heading, blocks: blocks.filter(({ kind }) => kind !== 'plot') }))
  return { ...document, sections: sections.filter(({ blocks }) => blocks.length > 0) }
}

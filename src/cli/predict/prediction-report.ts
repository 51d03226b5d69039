import type { ReportDocument } from '../../evaluation/index.js'

/** What a forecast hands to the printers: the report, and its figures for `--json`. */
export interface PredictionReport {
  readonly document: ReportDocument
  readonly figures: unknown
}

/** Three significant digits, thousands parted. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return value === Infinity ? '∞' : '?'
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))
}

export function span({ low, high }: { readonly low: number; readonly high: number }): string {
  return Number.isFinite(high) ? `${short(low)} to ${short(high)}` : 'unknown'
}

export function dollars(value: number): string {
  return `$${Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : Math.abs(value) >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(3)))}`
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Column titles; those of numbers stand right. */
export function columns(...titles: readonly (string | readonly [string])[]): readonly { readonly title: string; readonly align?: 'right' }[] {
  return titles.map((title) => (typeof title === 'string' ? { title } : { title: title[0], align: 'right' }))
}

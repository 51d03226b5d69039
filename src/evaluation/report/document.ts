import type { Interval } from '../../statistics/index.js'

/**
 * A report as data: what every command that measures hands to the printers (`htmlOf` for one self-contained page, `textOf` for a
 * terminal, JSON). It holds no clock and no chance: the same figures give the same bytes.
 */
export interface ReportDocument {
  readonly title: string
  /** One line below the title: what was measured, on what, when the data says so. */
  readonly subtitle?: string | undefined
  readonly sections: readonly ReportSection[]
}

export interface ReportSection {
  readonly heading: string
  readonly blocks: readonly ReportBlock[]
}

export type ReportBlock =
  /** Empty lines part paragraphs. */
  | { readonly kind: 'text'; readonly text: string }
  /** A figure that people look for first, such as the verdict or what was saved. */
  | { readonly kind: 'figures'; readonly figures: readonly ReportFigure[] }
  | ReportTable
  | ReportPlot

export interface ReportFigure {
  readonly label: string
  /** As it is to be read, with its unit: "$1,204 saved (61 %)". */
  readonly text: string
  readonly note?: string | undefined
  readonly tone?: 'good' | 'bad' | 'neutral' | undefined
}

export interface ReportTable {
  readonly kind: 'table'
  readonly caption?: string | undefined
  readonly columns: readonly { readonly title: string; readonly align?: 'left' | 'right' | undefined }[]
  readonly rows: readonly (readonly string[])[]
}

/** A number on an axis, with an interval where it is an estimate. What isn't finite is told below the plot instead of drawn. */
export type Reading = number | Pick<Interval, 'value' | 'low' | 'high'>

export interface Axis {
  readonly title: string
  /** Printed with the numbers of the ticks, which are in that unit already: "%", "s"; "$" stands before them. */
  readonly unit?: string | undefined
  /** What isn't above 0 has no place on `log`, and is told below the plot. */
  readonly scale?: 'linear' | 'log' | undefined
  /** `days`: numbers are Unix seconds, told as UTC dates. */
  readonly as?: 'number' | 'days' | undefined
}

export interface ReportSeries {
  readonly name: string
  readonly points: readonly { readonly x: Reading; readonly y: Reading; readonly label?: string | undefined }[]
  /** In a scatter: whether a line joins the points by rising x, as along a frontier. */
  readonly joined?: boolean | undefined
}

export interface ReportPlot {
  readonly kind: 'plot'
  /**
   * `scatter`: points with whiskers; `line`: joined by rising x, intervals as a band; `bars`: one bar a point, lying, in the order
   * given: `label` names it (without one its `x` does), `y` is its length; points of one name in several series stand together.
   */
  readonly shape: 'scatter' | 'line' | 'bars'
  readonly caption: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly ReportSeries[]
  /** A dashed line to hold the points against: the margin, the diagonal of a calibration plot. Bars heed the y of its ends only. */
  readonly guide?:
    | {
        readonly name: string
        readonly from: { readonly x: number; readonly y: number }
        readonly to: { readonly x: number; readonly y: number }
      }
    | undefined
}

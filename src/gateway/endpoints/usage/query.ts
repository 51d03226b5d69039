import { InvalidRequest } from '../../../errors/index.js'
import { daySeconds, hourSeconds, type Dimension, type ReportQuery } from '../../../ledger/index.js'
import { closest } from '../../config/closest.js'

const plainDimensions = [
  'organisation',
  'team',
  'user',
  'key',
  'model',
  'provider',
  'deployment',
  'requested_model',
  'day',
  'hour',
  'run',
  'session',
] as const
const MAX_VALUE_LENGTH = 512
const MAX_DIMENSIONS = 4
const MAX_SPAN_SECONDS = 3_660 * daySeconds

/** The parameters of a request, each to be taken by name; `end` refuses what nobody took. */
export class UsageParameters {
  private readonly taken = new Set<string>()

  constructor(private readonly given: Readonly<Record<string, readonly string[]>>) {}

  /** A parameter's text; `undefined` when it wasn't given. Throws `invalid_request` when it was given twice. */
  text(name: string): string | undefined {
    this.taken.add(name)
    const values = this.given[name]
    if (values !== undefined && values.length > 1) throw invalid(name, 'is given more than once')
    const [value] = values ?? []
    if (value !== undefined && (value.length > MAX_VALUE_LENGTH || value.includes('\0')))
      throw invalid(name, `is no text of at most ${MAX_VALUE_LENGTH} characters`)
    return value
  }

  oneOf<Value extends string>(name: string, values: readonly Value[], otherwise: Value): Value {
    const text = this.text(name)
    const value = values.find((one) => one === text)
    if (value !== undefined || text === undefined) return value ?? otherwise
    throw invalid(name, `expected ${list(values)}, got "${text}"`)
  }

  wholeNumber(name: string, least: number, most: number, otherwise: number): number {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const value = Number(text)
    if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value
    throw invalid(name, `expected a whole number from ${least} to ${most}`)
  }

  /** A number between two others, both left out. */
  numberBetween(name: string, least: number, most: number, otherwise: number): number {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const value = Number(text)
    if (/^\d*\.?\d+$/.test(text) && value > least && value < most) return value
    throw invalid(name, `expected a number between ${least} and ${most}`)
  }

  /** A moment in Unix seconds: a date, a date with time (UTC unless it says otherwise), `now`, or back from now as `12h`, `7d`, `4w`. */
  moment(name: string, now: number, otherwise: number): number {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const moment = momentOf(text, now)
    if (moment !== undefined) return moment
    throw invalid(
      name,
      `expected a date such as 2026-11-01 or 2026-11-01T12:00Z, or a time back from now such as 12h, 7d or 4w; got "${text}"`,
    )
  }

  /** The period from `from` to `to`. */
  period(now: number, otherwise: { readonly from: number; readonly to: number }): { readonly from: number; readonly to: number } {
    const from = this.moment('from', now, otherwise.from)
    const to = this.moment('to', now, otherwise.to)
    if (from >= to) throw invalid('from', `must be before "to" (${iso(from)} is not before ${iso(to)})`)
    if (to - from > MAX_SPAN_SECONDS) throw invalid('from', 'reports cover at most ten years')
    return { from, to }
  }

  dimensions(name: string, otherwise: readonly Dimension[]): readonly Dimension[] {
    const text = this.text(name)
    if (text === undefined) return otherwise
    const names = text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '')
    if (names.length > MAX_DIMENSIONS) throw invalid(name, `at most ${MAX_DIMENSIONS} dimensions at once`)
    if (new Set(names).size < names.length) throw invalid(name, 'a dimension is named twice')
    return names.map((one) => {
      const dimension = dimensionOf(one)
      if (dimension !== undefined) return dimension
      throw invalid(name, `"${one}" is no dimension${hint(one, plainDimensions)}; there are ${plainDimensions.join(', ')} and tag:NAME`)
    })
  }

  /** Every dimension that is given as a parameter: only calls with these values. */
  where(): Readonly<Partial<Record<Dimension, string>>> {
    const where: Partial<Record<Dimension, string>> = {}
    for (const name of Object.keys(this.given)) {
      const dimension = dimensionOf(name)
      if (dimension === undefined || this.taken.has(name)) continue
      if (dimension === 'day' || dimension === 'hour') throw invalid(name, 'days and hours are chosen by "from" and "to"')
      const value = this.text(name)
      if (value !== undefined) where[dimension] = value
    }
    return where
  }

  /** Throws `invalid_request` for a parameter that nobody took. Called last. */
  end(): void {
    for (const name of Object.keys(this.given)) {
      if (this.taken.has(name)) continue
      const known = [...this.taken].filter((one) => dimensionOf(one) === undefined)
      throw invalid(
        name,
        `isn't known here${hint(name, [...known, ...plainDimensions])}; there are ${known.join(', ')}, and dimensions to filter by (model=…, tag:NAME=…)`,
      )
    }
  }
}

/** Cut outwards to whole hours, or days where the sums are kept by day only. */
export function wholeSteps({ from, to, by, where, ...rest }: ReportQuery): ReportQuery {
  const dimensions = [...by, ...Object.keys(where ?? {})]
  const step = dimensions.some((name) => name === 'run' || name === 'session' || name.startsWith('tag:')) ? daySeconds : hourSeconds
  return { from: Math.floor(from / step) * step, to: Math.ceil(to / step) * step, by, where, ...rest }
}

export function iso(at: number): string {
  return new Date(at * 1000).toISOString()
}

function dimensionOf(name: string): Dimension | undefined {
  if (/^tag:.{1,64}$/su.test(name)) return name as `tag:${string}`
  return plainDimensions.find((one) => one === name)
}

const unitSeconds: Readonly<Record<string, number>> = { h: hourSeconds, d: daySeconds, w: 7 * daySeconds }

/** `undefined` when it is no moment. */
export function momentOf(text: string, now: number): number | undefined {
  if (text === 'now') return now
  const back = /^(\d{1,5})([hdw])$/.exec(text)
  if (back) return now - Number(back[1]) * (unitSeconds[back[2] ?? ''] ?? 0)
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  if (!date) return undefined
  const [, day = '', time = '00:00', zone = 'Z'] = date
  const moment = Date.parse(`${day}T${time}${zone}`) / 1000
  // 2026-02-31 would be taken for the third of March.
  return Number.isFinite(moment) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day) ? moment : undefined
}

export function invalid(path: string, what: string): InvalidRequest {
  return new InvalidRequest(`${path}: ${what}.`, { path })
}

function hint(text: string, known: readonly string[]): string {
  const near = closest(text, known)
  return near === undefined ? '' : ` (did you mean "${near}"?)`
}

function list(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(' or ')
}

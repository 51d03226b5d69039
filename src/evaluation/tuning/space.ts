import { InvalidRequest } from '../../errors/index.js'
import type { Point } from './gaussian-process.js'

/** One setting that may be tuned. */
export type SettingRange =
  | {
      readonly name: string
      readonly kind: 'number'
      readonly from: number
      readonly to: number
      readonly log: boolean
      readonly whole: boolean
    }
  | { readonly name: string; readonly kind: 'choice'; readonly choices: readonly SettingValue[] }

export type SettingValue = string | number | boolean
export type Settings = Readonly<Record<string, SettingValue>>

/** Settings as an optimiser sees them: each number one side of the unit cube, each choice a side a value, of which the largest counts. */
export interface SettingsSpace {
  readonly ranges: readonly SettingRange[]
  readonly dimensions: number
  at(point: Point): Settings
}

/**
 * Reads `settings:` of a suite: a name with a list of choices, or with `{from, to}`, `scale: log` and `whole: true` as wanted. Throws
 * `InvalidRequest` with the field's path.
 */
export function readSpace(value: unknown, path = 'settings'): SettingsSpace {
  const refuse = (at: string, what: string) => new InvalidRequest(`${at}: ${what}`, { code: 'invalid_configuration', path: at })
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(path, 'expected names of settings with their ranges, such as "temperature: {from: 0, to: 1}" or "effort: [low, high]".')
  const ranges = Object.entries(value).map(([name, range]: [string, unknown]): SettingRange => {
    const at = `${path}.${name}`
    if (Array.isArray(range)) {
      const choices = (range as readonly unknown[]).flatMap((one) =>
        typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean' ? [one] : [],
      )
      if (choices.length !== range.length || choices.length < 2)
        throw refuse(at, 'expected at least two texts, numbers or booleans to choose from.')
      return { name, kind: 'choice', choices }
    }
    if (typeof range !== 'object' || range === null || !('from' in range) || !('to' in range))
      throw refuse(at, 'expected a list of choices, or "from" and "to".')
    const { from, to } = range
    const scale = 'scale' in range ? range.scale : 'linear'
    const whole = 'whole' in range ? range.whole : false
    if (typeof from !== 'number' || typeof to !== 'number' || !(from < to)) throw refuse(at, 'expected numbers with "from" below "to".')
    if (scale !== 'linear' && scale !== 'log') throw refuse(`${at}.scale`, 'expected linear or log.')
    if (scale === 'log' && from <= 0) throw refuse(`${at}.from`, 'expected a number above 0, since the scale is log.')
    if (typeof whole !== 'boolean') throw refuse(`${at}.whole`, 'expected true or false.')
    return { name, kind: 'number', from, to, log: scale === 'log', whole }
  })
  if (ranges.length === 0) throw refuse(path, 'expected a setting at least.')
  return { ranges, dimensions: ranges.reduce((sum, range) => sum + sides(range), 0), at: (point) => settingsAt(ranges, point) }
}

function sides(range: SettingRange): number {
  return range.kind === 'number' ? 1 : range.choices.length
}

function settingsAt(ranges: readonly SettingRange[], point: Point): Settings {
  const settings: Record<string, SettingValue> = {}
  let place = 0
  for (const range of ranges) {
    const own = point.slice(place, place + sides(range))
    place += sides(range)
    if (range.kind === 'choice') {
      const chosen = range.choices[own.indexOf(Math.max(...own))]
      if (chosen !== undefined) settings[range.name] = chosen
      continue
    }
    const share = Math.min(1, Math.max(0, own[0] ?? 0))
    const value = range.log ? range.from * (range.to / range.from) ** share : range.from + (range.to - range.from) * share
    settings[range.name] = range.whole ? Math.round(value) : Number(value.toPrecision(4))
  }
  return settings
}

import type { Axis } from './document.js'
import { fixedText, numberText, withUnit } from './shown.js'

/** A mark on an axis. */
export interface Tick {
  readonly value: number
  readonly text: string
}

/** Where numbers lie on a plot. */
export interface Scale {
  readonly low: number
  readonly high: number
  readonly ticks: readonly Tick[]
  /** Place of a number in pixels, not beyond the plot's edges. `NaN` for what has no place. */
  at(value: number): number
  /** Whether a number lies within the plot. */
  holds(value: number): boolean
}

/** What an axis must show. */
export interface Extent {
  readonly low: number
  readonly high: number
}

/** Beyond it the room beside the points, or the span between them, would have no number any more. */
const mostDrawn = 1e300
/** Unix seconds that `Date` can tell. */
const mostSeconds = 8.64e12 - 366 * 86_400

/** Whether a number can be drawn on an axis at all. */
export function placeable(value: number, axis: Axis): boolean {
  const most = axis.as === 'days' ? mostSeconds : mostDrawn
  return Math.abs(value) <= most && (axis.scale !== 'log' || value >= 1 / most)
}

/**
 * Share of the values' own span that intervals may add on either side: beyond it their whiskers leave the plot, so that one unsure
 * point doesn't squeeze the rest.
 */
const mostAdded = 1

/** A value with the ends of its interval. */
interface Unsure extends Extent {
  readonly value: number
}

/** The extent of values and their intervals; `null` where there is nothing to show. `also`: what must be within in any case. */
export function extentOf(spans: readonly Unsure[], axis: Axis, also: readonly number[] = []): Extent | null {
  const size = axis.scale === 'log' ? Math.log10 : (value: number) => value
  const sizes = (values: readonly number[]) => values.filter((value) => placeable(value, axis)).map(size)
  const core = sizes([...spans.map(({ value }) => value), ...also])
  if (core.length === 0) return null
  const [low, high] = [least(core), most(core)]
  const room = high > low ? mostAdded * (high - low) : Infinity
  const ends = sizes(spans.flatMap((span) => (placeable(span.value, axis) ? [span.low, span.high] : []))).filter(
    (end) => end >= low - room && end <= high + room,
  )
  const reach = { low: Math.min(low, least(ends)), high: Math.max(high, most(ends)) }
  return axis.scale === 'log' ? { low: 10 ** reach.low, high: 10 ** reach.high } : reach
}

/**
 * A scale from `from` to `to` pixels with about `wanted` ticks at round numbers, or at starts of hours, days, months or years. Linear
 * axes of numbers begin and end at a tick; others get a little room on either side.
 */
export function scaleOf(axis: Axis, extent: Extent, from: number, to: number, wanted: number): Scale {
  if (axis.as === 'days') return daysScale(extent, from, to, wanted)
  return axis.scale === 'log' ? logScale(axis, extent, from, to, wanted) : linearScale(axis, extent, from, to, wanted)
}

function linearScale(axis: Axis, { low, high }: Extent, from: number, to: number, wanted: number): Scale {
  const apart = high > low ? high - low : Math.abs(high) || 1
  const [least, most] = high > low ? [low, high] : [low - apart / 2, high + apart / 2]
  const step = roundStep(apart / Math.max(1, wanted))
  // A hair's breadth of slack: 0.3 / 0.1 is 2.9999999999999996.
  const [first, last] = [Math.floor(least / step + 1e-9), Math.ceil(most / step - 1e-9)]
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => {
    const value = (first + index) * step
    return { value, text: withUnit(digits > 6 ? numberText(value) : shortText(value, digits), axis.unit) }
  })
  return placed(first * step, last * step, ticks, from, to, (value) => value)
}

function logScale(axis: Axis, extent: Extent, from: number, to: number, wanted: number): Scale {
  const decades = Math.log10(extent.high) - Math.log10(extent.low)
  const room = 10 ** Math.min(5, Math.max(0.04, 0.05 * decades))
  const [low, high] = [extent.low / room, extent.high * room]
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const every = Math.max(1, Math.ceil((last - first) / Math.max(1, wanted)))
  const within = (values: readonly number[]) => values.filter((value) => value >= low && value <= high)
  const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const candidates = [
    within(powers.flatMap((power) => [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => digit * 10 ** power))),
    within(powers.flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power))),
    within(powers.flatMap((power) => [1, 3].map((digit) => digit * 10 ** power))),
    within(powers.filter((power) => (power - first) % every === 0).map((power) => 10 ** power)),
  ]
  const chosen = candidates.find((values) => values.length >= 2 && values.length <= wanted + 2) ?? []
  const even = () => within(linearScale(axis, { low, high }, from, to, wanted).ticks.map(({ value }) => value))
  const ticks = (chosen.length >= 2 ? chosen : even()).map((value) => ({
    value,
    text: withUnit(value >= 1e6 ? shortText(value, 0) : numberText(value), axis.unit),
  }))
  return placed(low, high, ticks, from, to, Math.log10)
}

const day = 86_400

function daysScale({ low, high }: Extent, from: number, to: number, wanted: number): Scale {
  const apart = Math.max(high - low, 3_600)
  const [first, last] = high > low ? [low - apart * 0.02, high + apart * 0.02] : [low - apart / 2, high + apart / 2]
  const steps = [3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, day, 2 * day, 7 * day, 14 * day]
  const step = steps.find((one) => apart / one <= wanted)
  const ticks = step === undefined ? monthTicks(first, last, wanted) : evenTicks(first, last, step)
  return placed(first, last, ticks, from, to, (value) => value)
}

function evenTicks(first: number, last: number, step: number): Tick[] {
  // Weeks begin on Mondays; the first of January 1970 was a Thursday.
  const offset = step >= 7 * day ? 4 * day : 0
  const start = Math.ceil((first - offset) / step) * step + offset
  const ticks: Tick[] = []
  for (let value = start; value <= last; value += step) {
    const [date = '', time = ''] = new Date(value * 1_000).toISOString().split('T')
    ticks.push({ value, text: step < day && !time.startsWith('00:00') ? time.slice(0, 5) : date })
  }
  return ticks
}

function monthTicks(first: number, last: number, wanted: number): Tick[] {
  const months = (last - first) / (30.44 * day)
  const step = [1, 3, 6, 12, 24, 60, 120].find((one) => months / one <= wanted) ?? 12 * Math.ceil(months / 12 / wanted)
  const begin = new Date(first * 1_000)
  const ticks: Tick[] = []
  for (let month = Math.floor((begin.getUTCFullYear() * 12 + begin.getUTCMonth()) / step) * step; ; month += step) {
    const value = Date.UTC(Math.floor(month / 12), month % 12, 1) / 1_000
    if (value > last || Number.isNaN(value)) return ticks
    if (value >= first) ticks.push({ value, text: new Date(value * 1_000).toISOString().slice(0, step >= 12 ? 4 : 7) })
  }
}

function placed(low: number, high: number, ticks: readonly Tick[], from: number, to: number, size: (value: number) => number): Scale {
  const [start, end] = [size(low), size(high)]
  return {
    low,
    high,
    ticks,
    at: (value) => from + ((size(Math.min(high, Math.max(low, value))) - start) / (end - start)) * (to - from),
    holds: (value) => value >= low && value <= high,
  }
}

/** 1, 2 or 5 times a power of ten, not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9)
  const digit = [1, 2, 5].find((one) => one * power >= least * (1 - 1e-9)) ?? 10
  return digit * power
}

function shortText(value: number, digits: number): string {
  const size = Math.abs(value)
  if (size >= 1e15) return numberText(value)
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
  ] as const)
    if (size >= unit) return `${Number((value / unit).toPrecision(4))}${letter}`
  return fixedText(value, digits)
}

function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Infinity)
}

function most(values: readonly number[]): number {
  return values.reduce((high, value) => Math.max(high, value), -Infinity)
}

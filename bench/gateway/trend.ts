import { median, type Estimate } from '../report.js'

/** One reading of a process's memory. */
export interface Reading {
  readonly seconds: number
  readonly value: number
}

/**
 * Growth by least squares over windows, with a 95 % t-interval. Each window gives one point: its lowest reading for a heap (what is
 * left after a collection), its middle one for resident memory; so the saw-tooth of the collector isn't taken for growth.
 */
export function growth(readings: readonly Reading[], windowSeconds: number, per: number, take: 'lowest' | 'middle'): Estimate {
  const windows = new Map<number, number[]>()
  for (const { seconds, value } of readings) {
    const index = Math.floor(seconds / windowSeconds)
    windows.set(index, [...(windows.get(index) ?? []), value])
  }
  const points = [...windows].map(([index, values]) => ({
    x: (index + 0.5) * windowSeconds,
    y: take === 'lowest' ? Math.min(...values) : median(values),
  }))
  const n = points.length
  const method = `least squares over ${take} values of ${windowSeconds} s windows, 95 % t-interval`
  if (n < 3) return { value: NaN, low: -Infinity, high: Infinity, n, method }
  const meanX = points.reduce((sum, point) => sum + point.x, 0) / n
  const meanY = points.reduce((sum, point) => sum + point.y, 0) / n
  const sxx = points.reduce((sum, point) => sum + (point.x - meanX) ** 2, 0)
  const slope = points.reduce((sum, point) => sum + (point.x - meanX) * (point.y - meanY), 0) / sxx
  const residual = points.reduce((sum, point) => sum + (point.y - meanY - slope * (point.x - meanX)) ** 2, 0)
  const error = Math.sqrt(residual / (n - 2) / sxx)
  const half = tQuantile(n - 2) * error
  return { value: slope * per, low: (slope - half) * per, high: (slope + half) * per, n, method }
}

/** The 97.5 % point of Student's t: exact for 1 and 2 degrees of freedom, else by Hill's expansion around the normal point. */
export function tQuantile(freedom: number): number {
  if (freedom === 1) return 12.7062
  if (freedom === 2) return 4.3027
  const z = 1.959964
  const v = freedom
  return (
    z +
    (z ** 3 + z) / (4 * v) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * v ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * v ** 3) +
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * v ** 4)
  )
}

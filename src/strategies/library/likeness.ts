import type { StrategySpec } from '../declared/index.js'

/** Numbers of two settings that differ by less than this share of the larger mean the same. */
const SAME_SHARE = 0.34

/**
 * Whether two strategies are near duplicates: the same form, the same models, texts and switches, and numbers that are about the same (five samples
 * or six). Linear in their size.
 */
export function nearlyAlike(a: StrategySpec, b: StrategySpec): boolean {
  return alike(a, b)
}

function alike(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return a === b || (Math.sign(a) === Math.sign(b) && Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b)) < SAME_SHARE)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => alike(item, b[index]))
  if (isMapping(a) && isMapping(b)) {
    const keys = Object.keys(a).filter((key) => a[key] !== undefined)
    return keys.length === Object.keys(b).filter((key) => b[key] !== undefined).length && keys.every((key) => alike(a[key], b[key]))
  }
  return a === b
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

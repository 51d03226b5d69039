import { formatGrains, type Regime, type Unit } from '../../quantities/index.js'
import type { Place } from './known.js'
import { previousPerMille } from './periods.js'

/** A time as OpenAI writes it in `x-ratelimit-reset-*`: `0s`, `17ms`, `8.64s`, `6m0s`, `1h2m3s`. */
export function durationText(seconds: number): string {
  if (!(seconds > 0)) return '0s'
  const milliseconds = Math.ceil(seconds * 1000)
  if (milliseconds < 1000) return `${milliseconds}ms`
  const whole = Math.floor(milliseconds / 60_000)
  const rest = `${(milliseconds % 60_000) / 1000}s`
  if (whole === 0) return rest
  return whole < 60 ? `${whole}m${rest}` : `${Math.floor(whole / 60)}h${whole % 60}m${rest}`
}

/** `x-ratelimit-*` of the rate that has the least left, for requests and for tokens. */
export function rateHeaders(places: readonly Place[], now: number): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const kind of ['requests', 'tokens'] as const) {
    let tightest: { readonly limit: bigint; readonly left: bigint; readonly reset: number } | undefined
    for (const place of places) {
      const { limit } = place.count
      if (place.count.kind !== kind || limit === undefined) continue
      const window = place.at(now)
      const { used } = place.known
      const { previousUsed } = place
      const counted = used + (previousUsed * BigInt(previousPerMille(window, now)) + 999n) / 1000n
      const left = counted < limit ? limit - counted : 0n
      // What this minute holds wears off until the end of the next one.
      const reset = used > 0n ? window.end + 60 - now : previousUsed > 0n ? window.end - now : 0
      if (!tightest || left < tightest.left) tightest = { limit, left, reset }
    }
    if (!tightest) continue
    headers[`x-ratelimit-limit-${kind}`] = tightest.limit.toString()
    headers[`x-ratelimit-remaining-${kind}`] = tightest.left.toString()
    headers[`x-ratelimit-reset-${kind}`] = durationText(tightest.reset)
  }
  return headers
}

/** `x-bursar-budget-*`: what is left by unit (never below zero), and how tight that is. */
export function budgetHeaders(left: ReadonlyMap<Unit, bigint>, regime: () => Regime): Record<string, string> {
  const headers: Record<string, string> = {}
  if (left.size === 0) return headers
  for (const [unit, amount] of left) headers[`x-bursar-budget-remaining-${unit}`] = formatGrains(unit, amount > 0n ? amount : 0n)
  headers['x-bursar-budget-regime'] = regime()
  return headers
}

import type { Limit } from '../answers.js'
import { amountOf, moment } from '../format.js'
import { Mark } from './page.js'

const regimes = { ample: ['good', 'ample'], tight: ['warn', 'tight'], last_call: ['bad', 'last call'] } as const
/** The windows of budgets, as they follow an amount. */
export const windows: Readonly<Record<string, string>> = { minute: 'a minute', day: 'a day', month: 'a month', total: 'in all' }

/** One limit: a bar of what is spent and held, and the same in numbers. */
export function Fill({ limit }: { readonly limit: Limit }) {
  const { unit, used, held, left, regime, hard, per } = limit
  const spent = Math.max(0, used - held)
  const whole = Math.max(limit.limit, used)
  const share = (part: number) => (whole > 0 ? (part / whole) * 100 : 0)
  const [tone, word] = regime === null ? (['plain', 'soft limit'] as const) : regimes[regime]
  const overrun = used > limit.limit
  return (
    <div class="fill">
      <div class="fill-head">
        <span>
          <strong>{amountOf(unit, limit.limit)}</strong> {windows[per] ?? per}
          {!hard && <span class="muted"> (only told, not refused)</span>}
        </span>
        <Mark tone={overrun ? 'bad' : tone}>{overrun ? 'overrun' : word}</Mark>
      </div>
      <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="bar-whole" width="100" height="6" />
        <rect class="bar-spent" width={share(spent)} height="6" />
        <rect class="bar-held" x={share(spent)} width={share(held)} height="6" />
      </svg>
      <p class="fill-figures">
        <span>spent {amountOf(unit, spent)}</span>
        <span>held {amountOf(unit, held)}</span>
        <span>left {amountOf(unit, left)}</span>
        {limit.resets_at !== null && <span class="muted">until {moment(limit.resets_at)}</span>}
      </p>
    </div>
  )
}

import { spendOf, units, type Spend } from '../../quantities/index.js'
import type { Line } from '../counters/contract.js'
import { durablyNoted, type NotedCall } from '../ledger.js'
import type { Held, HeldEnd } from './contract.js'
import type { Known, Place } from './known.js'
import { amountOf, type Count } from './lines.js'
import type { Window } from './periods.js'
import type { SharedBudgets } from './shared.js'

/** A line of a hold, with the window it was taken in: its place may have moved on since. */
export interface Taken {
  readonly place: Place
  readonly window: Window
  readonly known: Known
  readonly line: Line
}

/** What a call takes of a limit of its own request, which no counter keeps. */
export interface OwnAmount {
  readonly count: Count
  readonly amount: bigint
}

/** What is used of a request's own limits. */
export class OwnUse {
  private readonly used = new Map<Count, bigint>()

  of(count: Count): bigint {
    return this.used.get(count) ?? 0n
  }

  add(count: Count, amount: bigint): void {
    this.used.set(count, this.of(count) + amount)
  }
}

/** A hold that nothing counts. */
export function uncounted(noted: NotedCall): Held {
  return { settled: () => [], settle: () => {}, durable: () => noted.durable() }
}

/** What a call reserved: lines of counters, limits of its request, or both. */
export class HeldCall implements Held {
  /** That the call is noted: by the counters themselves unless it is said otherwise. */
  noted: NotedCall = durablyNoted
  private open = true
  private ownActual: readonly bigint[] | undefined

  constructor(
    private readonly shared: SharedBudgets,
    private readonly id: string,
    private readonly owner: string,
    private readonly taken: readonly Taken[],
    private readonly own: readonly OwnAmount[],
    private readonly ownUse: OwnUse,
  ) {}

  durable(): Promise<void> | undefined {
    return this.noted.durable()
  }

  settled(end: HeldEnd): readonly bigint[] {
    const spend = spendOf(end)
    // What the request itself may use isn't in any record; it is kept for `settle`.
    if (this.own.length > 0) this.ownActual = this.own.map(({ count, amount }) => actual(count, amount, spend, end))
    return this.taken.map(({ place, line }) => actual(place.count, line.amount, spend, end))
  }

  /** Gives everything back, of a call that isn't made. */
  release(): void {
    this.ownActual = this.own.map(() => 0n)
    this.settle(this.taken.map(() => 0n))
  }

  settle(settled: readonly bigint[]): void {
    if (!this.open) return
    this.open = false
    const { shared, taken, own, ownUse, ownActual } = this
    for (const [index, { count, amount }] of own.entries()) ownUse.add(count, (ownActual?.[index] ?? amount) - amount)
    if (taken.length === 0) return
    const amounts = settled.length === taken.length ? settled : taken.map(({ line }, index) => settled[index] ?? line.amount)
    shared.counters.settle(this.id, amounts)
    let learned = 0
    for (let index = 0; index < taken.length; index++) {
      const { known, line, place, window } = taken[index] as Taken
      const amount = amounts[index] as bigint
      known.used += amount - line.amount
      known.reserved -= line.amount
      const { count } = place
      if (line.transient) shared.queues.placeFree(line.counter)
      // A call that took nothing was refused upstream; the next one probably takes something.
      else if (count.kind === 'budget' && amount > 0n) {
        const unit = 1 << units.indexOf(count.unit)
        if ((learned & unit) === 0 && count.limit !== undefined) shared.habits.of(this.owner).learn(count.unit, line.amount, amount)
        learned |= unit
      }
      shared.alerts.spent(count, place.thresholds, window, known)
    }
  }
}

/** What a count is settled to: the actual, or what was reserved where the actual isn't known or is no amount. */
function actual(count: Count, reserved: bigint, spend: Spend, { sent }: HeldEnd): bigint {
  if (count.kind === 'parallel') return 0n
  // A request was made, whatever became of its calls.
  if (count.kind === 'requests') return reserved
  if (sent === false) return 0n
  try {
    return amountOf(count, spend, spend.tokens) ?? reserved
  } catch {
    return reserved
  }
}

import type { BulkTarget } from './bulk.js'
import type { ApplyContext } from './context.js'
import { grainsInRange, textInRange } from './ranges.js'
import type { Tx } from './transaction.js'

/** More than 64 bits hold is the most they hold: over any limit, as it should be. SQLite would go on with a float, PostgreSQL would refuse. */
const most = '9223372036854775807'
const target: BulkTarget = {
  table: 'balances',
  columns: [
    ['counter', 'text'],
    ['used', 'bigint'],
  ],
  conflict: `on conflict (counter) do update set used = case
    when excluded.used > 0 and balances.used > ${most} - excluded.used then ${most}
    when excluded.used < 0 and balances.used < -${most} - excluded.used then -${most}
    else balances.used + excluded.used end`,
}

/** A counter as the database has it: an index has no room for a text of any length. */
export function counterName(counter: string): string {
  return textInRange(counter, 600)
}

/** What one transaction changes of balances. */
export class BalanceChanges {
  private readonly changes = new Map<string, bigint>()

  add(counter: string, amount: bigint): void {
    const name = counterName(counter)
    this.changes.set(name, (this.changes.get(name) ?? 0n) + amount)
  }

  /** Locks rows in the order of their names' bytes, like everybody (see `counters/postgres-statements.ts`). */
  async write(tx: Tx, { bulk }: ApplyContext): Promise<void> {
    const rows = [...this.changes].flatMap(([counter, change]) => (change === 0n ? [] : [[counter, grainsInRange(change)] as const]))
    rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    await bulk.write(tx, target, rows)
  }
}

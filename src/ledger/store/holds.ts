import { sql } from 'kysely'
import { settledAmount } from '../counters/decide.js'
import { decodeIntent, decodeLines, encodeIntent, encodeLines } from '../counters/stored-hold.js'
import type { CallRecord, IntentRecord } from '../record.js'
import { amongAll } from './among.js'
import type { BalanceChanges } from './balances.js'
import type { BulkTarget } from './bulk.js'
import type { ApplyContext } from './context.js'
import type { DeadHolds, HeldLine } from './contract.js'
import { padded } from './dictionary.js'
import { anyText, momentInRange, textInRange } from './ranges.js'
import type { Tx } from './transaction.js'

const target: BulkTarget = {
  table: 'holds',
  columns: [
    ['id', 'text'],
    ['holder', 'text'],
    ['at', 'double precision'],
    ['lines', 'text'],
    ['intent', 'text'],
    ['expired', 'integer'],
  ],
  conflict: 'on conflict (id) do nothing',
  returning: 'id',
}

/** Notes calls that are about to be made. What is noted already (PostgreSQL counters do it themselves) changes no balance. */
export async function openHolds(
  tx: Tx,
  { bulk }: ApplyContext,
  intents: readonly IntentRecord[],
  holder: string,
  balances: BalanceChanges,
): Promise<void> {
  const rows = intents.map((intent) => [
    holdId(intent.callId),
    holder,
    momentInRange(intent.at),
    anyText(encodeLines(intent.held)),
    anyText(encodeIntent(intent)),
    0,
  ])
  const opened = new Set((await bulk.write<{ readonly id: string }>(tx, target, rows)).map(({ id }) => id))
  for (const { callId, held } of intents)
    if (opened.has(holdId(callId))) for (const { counter, amount } of held) balances.add(counter, amount)
}

/** Takes the holds of calls away, and moves the balances from what was reserved to what was used. */
export async function closeHolds(
  tx: Tx,
  { engine }: ApplyContext,
  calls: readonly CallRecord[],
  /** Intents that came together with their calls, so that nothing was reserved for them yet. */
  intents: ReadonlyMap<string, IntentRecord>,
  balances: BalanceChanges,
): Promise<void> {
  const stored = new Map<string, string>()
  const ids = calls.map(({ callId }) => holdId(callId))
  for (const { id, lines } of await amongAll(engine, ['id', 'text'], ids, (among) =>
    tx.deleteFrom('holds').where(among).returning(['id', 'lines']).execute(),
  ))
    stored.set(id, lines)
  for (const { callId, settled } of calls) {
    const lines = stored.get(holdId(callId))
    if (lines !== undefined)
      decodeLines(lines).forEach(({ counter, amount, transient }, index) => {
        const reserved = BigInt(amount)
        balances.add(counter, settledAmount({ amount: reserved, transient }, settled?.[index]) - reserved)
      })
    else intents.get(callId)?.held.forEach((line, index) => balances.add(line.counter, settledAmount(line, settled?.[index])))
  }
}

export interface OpenHold {
  readonly id: string
  readonly holder: string
  readonly lines: string
  readonly intent: IntentRecord | undefined
}

/** Open holds of dead holders, in the order of their ids, after one of them; locked until the transaction ends. */
export async function deadHolds(tx: Tx, { engine }: ApplyContext, dead: DeadHolds, after: string, limit: number): Promise<OpenHold[]> {
  let query = tx
    .selectFrom('holds')
    .select(['id', 'holder', 'lines', 'intent'])
    .where('expired', '=', 0)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
  if ('allBut' in dead) query = query.where('holder', '!=', dead.allBut)
  else if ('calls' in dead) query = query.where('id', 'in', dead.calls.length > 0 ? padded(dead.calls.map(holdId)) : [''])
  else query = query.where('holder', 'in', dead.holders.length > 0 ? padded(dead.holders) : [''])
  if (engine === 'postgresql') query = query.forUpdate()
  return (await query.execute()).map(({ id, holder, lines, intent }) => ({ id, holder, lines, intent: readIntent(intent, lines) }))
}

/** Marks holds as turned into lost calls, and gives their transient lines back. */
export async function markExpired(tx: Tx, holds: readonly OpenHold[], balances: BalanceChanges): Promise<void> {
  for (const { id, lines } of holds) {
    const left = decodeLines(lines).map((line) => {
      if (line.transient !== true) return line
      balances.add(line.counter, -BigInt(line.amount))
      return { ...line, amount: '0' }
    })
    await tx
      .updateTable('holds')
      .set({ expired: 1, lines: JSON.stringify(left) })
      .where('id', '=', id)
      .execute()
  }
}

/** What a lost call still holds on; see `Store.expiredHold`. */
export async function findExpiredHold(db: Tx, callId: string): Promise<readonly HeldLine[] | undefined> {
  const row = await db.selectFrom('holds').select('lines').where('id', '=', holdId(callId)).where('expired', '=', 1).executeTakeFirst()
  return (
    row &&
    decodeLines(row.lines).map(({ counter, amount, transient }) => ({
      counter,
      amount: BigInt(amount),
      ...(transient === true && { transient }),
    }))
  )
}

/** The id of a call as holds have it. */
function holdId(callId: string): string {
  return textInRange(callId, 512)
}

/** A row that is no intent stays what it is: its reservation stays spent. */
function readIntent(intent: string, lines: string): IntentRecord | undefined {
  try {
    return decodeIntent(intent, lines)
  } catch {
    return undefined
  }
}

/** Unix seconds by the database's clock. */
export function databaseTime({ engine }: Pick<ApplyContext, 'engine'>) {
  return engine === 'embedded' ? sql<number>`unixepoch('subsec')` : sql<number>`extract(epoch from clock_timestamp())::double precision`
}

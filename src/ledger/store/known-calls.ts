import { amongAll } from './among.js'
import { callIdOfRow, lastCounted, rowKinds, type CallRow } from './call-rows.js'
import type { Engine } from './connect.js'
import { hex, packId, partsOfCall } from './ids.js'
import { sql, type SqlBool } from 'kysely'
import { textInRange } from './ranges.js'
import { usageColumnNames } from './sum-columns.js'
import type { Tx } from './transaction.js'

/** Columns that tell what a call is, without its texts. */
export const callColumns = [
  'seq',
  'request',
  'number',
  'call_id',
  'decision_id',
  'at',
  'series',
  'key',
  'run',
  'session',
  'tags',
  'ended',
  'flags',
  'attempt',
  'status',
  'error',
  'tier',
  'price_source',
  'usd',
  'usd_high',
  'savings',
  'seconds',
  'joules',
  'grams',
  'first_token_seconds',
  'composition',
  'note',
  ...usageColumnNames,
] as const

/** What the database has of one call, as far as it counts. */
export interface KnownCall {
  /** How it really ended. */
  real: CallRow | undefined
  /** That it was lost, as long as nobody knows better. */
  lost: CallRow | undefined
  readonly corrections: CallRow[]
}

/** Whatever the database has of calls with these ids. */
export async function findCalls(tx: Tx, engine: Engine, callIds: Iterable<string>): Promise<Map<string, KnownCall>> {
  const requests = new Map<string, Uint8Array>()
  const others = new Set<string>()
  const wanted = new Set<string>()
  for (const callId of callIds) {
    const text = textInRange(callId, 512)
    wanted.add(text)
    others.add(text)
    const parts = partsOfCall(callId)
    if (parts === undefined) continue
    const request = packId('req_', `req_${parts.uuid}`)
    requests.set(hex(request), request)
  }
  const known = new Map<string, KnownCall>()
  const take = (rows: readonly CallRow[]) => {
    for (const row of rows) {
      const callId = callIdOfRow(row)
      if (!wanted.has(callId)) continue
      let call = known.get(callId)
      if (call === undefined) known.set(callId, (call = { real: undefined, lost: undefined, corrections: [] }))
      const kind = Number(row.ended)
      if (kind > lastCounted) continue
      if (kind === rowKinds.correction) call.corrections.push(row)
      else if (kind === rowKinds.lost) call.lost = row
      else call.real = row
    }
  }
  take(
    await amongAll(engine, ['request', 'bytea'], [...requests.values()], (among) =>
      tx.selectFrom('calls').select(callColumns).where(among).where('number', 'is not', null).execute(),
    ),
  )
  // Hardly ever is any id written as a text. In their order, so that the index of such ids tells: without it PostgreSQL reads all calls to find none.
  const some = await tx
    .selectFrom('calls')
    .select('call_id')
    .where(sql<SqlBool>`call_id is not null`)
    .orderBy('call_id')
    .limit(1)
    .executeTakeFirst()
  if (some !== undefined)
    take(
      await amongAll(engine, ['call_id', 'text'], [...others], (among) =>
        tx
          .selectFrom('calls')
          .select(callColumns)
          .where(among)
          .where(sql<SqlBool>`call_id is not null`)
          .execute(),
      ),
    )
  return known
}

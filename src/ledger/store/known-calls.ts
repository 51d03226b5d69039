import { padded } from './dictionary.js'
import { callIdOfRow, lastCounted, rowKinds, type CallRow } from './call-rows.js'
import { hex, packId, partsOfCall } from './ids.js'
import { textInRange } from './ranges.js'
import { usageColumnNames } from './sum-columns.js'
import type { Tx } from './transaction.js'

const asked = 100

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
export async function findCalls(tx: Tx, callIds: Iterable<string>): Promise<Map<string, KnownCall>> {
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
  const bytes = [...requests.values()]
  for (let start = 0; start < bytes.length; start += asked)
    take(
      await tx
        .selectFrom('calls')
        .select(callColumns)
        .where('request', 'in', padded(bytes.slice(start, start + asked)))
        .where('number', 'is not', null)
        .execute(),
    )
  // Hardly ever is any id written as a text.
  const some = await tx.selectFrom('calls').select('seq').where('call_id', 'is not', null).limit(1).executeTakeFirst()
  const texts = some === undefined ? [] : [...others]
  for (let start = 0; start < texts.length; start += asked)
    take(
      await tx
        .selectFrom('calls')
        .select(callColumns)
        .where('call_id', 'in', padded(texts.slice(start, start + asked)))
        .where('call_id', 'is not', null)
        .execute(),
    )
  return known
}

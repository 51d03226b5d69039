import type { CallRecord, IntentRecord } from './record.js'

/** What the call will be when nobody ever tells how it ended. */
export function lostCall({ held: _held, ...planned }: IntentRecord): CallRecord {
  return { ...planned, end: 'lost', status: 0, usageEstimated: true }
}

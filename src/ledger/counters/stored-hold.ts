import { decodeRecord, encodeRecord } from '../journal/codec.js'
import type { Line } from './contract.js'
import type { StoredLine } from './decide.js'
import type { IntentRecord } from '../record.js'

/** Lines as the table `holds` has them: JSON, amounts as decimal strings. */
export function encodeLines(lines: readonly Line[]): string {
  return JSON.stringify(lines.map(({ counter, amount, transient }): StoredLine => ({ counter, amount: String(amount), ...(transient === true && { transient }) })))
}

/** What `encodeLines` wrote. Throws for anything else. */
export function decodeLines(text: string): readonly StoredLine[] {
  const parsed: unknown = JSON.parse(text)
  if (Array.isArray(parsed) && parsed.every(isStoredLine)) return parsed
  throw new RangeError('lines of a reservation that are none')
}

function isStoredLine(value: unknown): value is StoredLine {
  return typeof value === 'object' && value !== null && 'counter' in value && typeof value.counter === 'string' && 'amount' in value && typeof value.amount === 'string'
}

const INTENT = 'intent '

/** An intent as JSON, as the journal writes it. Throws `RangeError` for numbers that aren't finite. */
export function encodeIntent(intent: IntentRecord): string {
  return encodeRecord({ type: 'intent', record: intent }).slice(INTENT.length)
}

/** What `encodeIntent` wrote. */
export function decodeIntent(json: string): IntentRecord {
  const entry = decodeRecord(INTENT + json)
  if (entry.type !== 'intent') throw new RangeError('not an intent')
  return entry.record
}

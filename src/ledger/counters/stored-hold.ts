import { decodeRecord, encodeRecord } from '../journal/codec.js'
import type { Line } from './contract.js'
import type { StoredLine } from './decide.js'
import type { IntentRecord } from '../record.js'

/** Lines as the table `holds` has them: JSON, amounts as decimal strings. */
export function encodeLines(lines: readonly Line[]): string {
  return JSON.stringify(
    lines.map(({ counter, amount, transient }): StoredLine => ({
      counter,
      amount: String(amount),
      ...(transient === true && { transient }),
    })),
  )
}

/** What `encodeLines` wrote. Throws for anything else. */
export function decodeLines(text: string): readonly StoredLine[] {
  const parsed: unknown = JSON.parse(text)
  if (Array.isArray(parsed) && parsed.every(isStoredLine)) return parsed
  throw new RangeError('lines of a reservation that are none')
}

function isStoredLine(value: unknown): value is StoredLine {
  return (
    typeof value === 'object' &&
    value !== null &&
    'counter' in value &&
    typeof value.counter === 'string' &&
    'amount' in value &&
    typeof value.amount === 'string'
  )
}

/** An intent as the table `holds` has it: JSON, without `held`, which the row's lines tell. Throws `RangeError` for numbers that aren't finite. */
export function encodeIntent(intent: IntentRecord): string {
  return encodeRecord({ type: 'intent', record: { ...intent, held: [] } })
    .slice('intent '.length)
    .replace(/,"held":\[\]\}$/, '}')
}

/** What `encodeIntent` and `encodeLines` wrote, as one intent. Throws for anything else. */
export function decodeIntent(intent: string, lines: string): IntentRecord {
  const parsed: unknown = JSON.parse(intent)
  if (typeof parsed !== 'object' || parsed === null) throw new RangeError('not an intent')
  const entry = decodeRecord(`intent ${JSON.stringify({ ...parsed, held: decodeLines(lines) })}`)
  if (entry.type !== 'intent') throw new RangeError('not an intent')
  return entry.record
}

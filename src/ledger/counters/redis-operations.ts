import type { Hold, HoldOutcome, Line } from './contract.js'
import { settledAmount } from './decide.js'
import { encodeEntry } from './redis-rounds.js'
import { encodeIntent, encodeLines } from './stored-hold.js'

/** An operation as `countScript` takes it. */
export type Operation = readonly (string | number)[]

/** Throws `RangeError` for what can't be written. */
export function holdOperation({ id, lines, intent }: Hold): Operation {
  if (hasUnpaired(id) || lines.some(({ counter, previous }) => hasUnpaired(counter) || hasUnpaired(previous?.counter ?? '')))
    throw new RangeError('the name of a reservation or a counter is not well-formed Unicode')
  const operation: (string | number)[] = ['h', id, encodeEntry(intent.at, encodeLines(lines), encodeIntent(intent))]
  for (const { counter, amount, limit, previous } of lines)
    operation.push(counter, String(amount), limit === undefined ? '' : String(limit), previous?.counter ?? '', previous?.perMille ?? 0)
  return operation
}

export function settleOperation(id: string, lines: readonly Line[], actual: readonly bigint[]): Operation {
  return [
    's',
    id,
    ...lines.flatMap((line, index) => [
      line.counter,
      String(settledAmount(line, actual[index]) - line.amount),
      line.transient === true ? 1 : 0,
    ]),
  ]
}

/** Gives everything back, of a reservation that nobody was granted. */
export function cancelOperation(id: string, lines: readonly Line[]): Operation {
  return settleOperation(
    id,
    lines,
    lines.map(() => 0n),
  )
}

export function expireOperation(
  id: string,
  lines: readonly { readonly counter: string; readonly amount: string; readonly transient?: boolean | undefined }[],
): Operation {
  return [
    'e',
    id,
    ...lines.filter(({ transient }) => transient === true).flatMap(({ counter, amount }) => [counter, String(-BigInt(amount))]),
  ]
}

/** What the script says of a reservation: its outcome; a counter is missing; the id is held already. */
export type HoldAnswer = HoldOutcome | 'missing' | 'held'

/** Reads the script's answers to reservations, in order. Throws `RangeError` for what it doesn't say. */
export function readAnswers(answers: unknown, holds: readonly Hold[]): readonly HoldAnswer[] {
  if (!Array.isArray(answers)) throw new RangeError('an answer of Redis that is none')
  let at = 0
  return holds.map(({ lines }): HoldAnswer => {
    const verdict: unknown = answers[at++]
    if (verdict === 'm') return 'missing'
    if (verdict === 'd') return 'held'
    const used = lines.map(() => BigInt(String(answers[at++])))
    if (verdict === 'g') return { granted: true, used, durable: false }
    if (typeof verdict !== 'number') throw new RangeError('an answer of Redis that is none')
    return { granted: false, line: verdict, used }
  })
}

/** Reads reservations of Redis: fields and values of a hash, one after the other. Throws `RangeError` for what is none. */
export function entriesOf(fields: readonly string[]): { readonly id: string; readonly lines: string; readonly intent: string }[] {
  const entries: { id: string; lines: string; intent: string }[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const entry: unknown = JSON.parse(fields[at + 1] ?? '')
    if (typeof entry !== 'object' || entry === null || !('lines' in entry) || !('intent' in entry))
      throw new RangeError('a reservation in Redis that is none')
    entries.push({ id: fields[at] ?? '', lines: JSON.stringify(entry.lines), intent: JSON.stringify(entry.intent) })
  }
  return entries
}

function hasUnpaired(text: string): boolean {
  return /\p{Cs}/u.test(text)
}

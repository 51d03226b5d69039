import type { Line } from './contract.js'

/** What is used of one counter, open reservations included. Changed in place. */
export interface Balance {
  used: bigint
}

/** A line as it lies in the `holds` of the database: amounts are decimal strings there. */
export interface StoredLine {
  readonly counter: string
  readonly amount: string
  readonly transient?: boolean | undefined
}

/** Throws `RangeError` for lines that nobody can count; nothing has been reserved then. O(lines). */
export function checkLines(lines: readonly Line[]): void {
  for (const { amount, previous, counter } of lines) {
    if (amount < 0n) throw new RangeError(`a reservation below zero on ${counter}: ${amount}`)
    if (previous !== undefined && !(Number.isInteger(previous.perMille) && previous.perMille >= 0 && previous.perMille <= 1000))
      throw new RangeError(`not thousandths of a window: ${previous.perMille} on ${counter}`)
  }
}

/**
 * Reserves all lines or none, one after the other: `balances` are those of the lines' counters, `usedOf` tells what was used of a window
 * before. Gives the index of the line that refuses, -1 when all are granted. The one rule that memory and SQL decide by; Redis has
 * the same in Lua (`redis-script.ts`), and the conformance suite holds them together. O(lines).
 */
export function reserve(lines: readonly Line[], balances: readonly Balance[], usedOf: (counter: string) => bigint): number {
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]
    const balance = balances[index]
    if (line === undefined || balance === undefined) throw new RangeError('a line without its balance')
    if (!fits(line, balance.used, usedOf)) {
      for (let back = 0; back < index; back++) (balances[back] as Balance).used -= (lines[back] as Line).amount
      return index
    }
    balance.used += line.amount
  }
  return -1
}

function fits({ amount, limit, previous }: Line, used: bigint, usedOf: (counter: string) => bigint): boolean {
  if (limit === undefined || amount === 0n) return true
  const before =
    previous === undefined || previous.perMille === 0 ? 0n : (usedOf(previous.counter) * BigInt(previous.perMille) + 999n) / 1000n
  return used + before + amount <= limit
}

/**
 * What a line is settled to: nothing for a transient one; what was reserved where nobody says what was used, since spending is never
 * guessed low.
 */
export function settledAmount(
  line: { readonly amount: bigint; readonly transient?: boolean | undefined },
  actual: bigint | undefined,
): bigint {
  if (line.transient === true) return 0n
  return actual === undefined ? line.amount : actual < 0n ? 0n : actual
}

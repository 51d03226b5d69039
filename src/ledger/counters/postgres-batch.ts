import type { QueryResult } from 'pg'
import type { Hold, HoldOutcome } from './contract.js'
import { reserve, settledAmount, type Balance, type StoredLine } from './decide.js'
import type { TwoTrips } from './postgres-session.js'
import {
  deleteHolds,
  ensureBalances,
  insertHolds,
  lockBalances,
  lockHolds,
  setBalances,
  setHoldLines,
  type HoldRow,
} from './postgres-statements.js'
import { decodeLines } from './stored-hold.js'

/** A reservation that was asked for, with what is written of it when it is granted. */
export interface AskedHold {
  readonly hold: Hold
  readonly row: HoldRow
}

/** A reservation of ours that is over. */
export interface Settlement {
  readonly id: string
  readonly counters: readonly string[]
  readonly actual: readonly bigint[]
}

/**
 * One transaction for many calls: first what was used is settled, then the new reservations are decided, in order, by the rule that
 * memory decides by. All rows are locked before any is read, so nobody else decides by the same balances at the same time.
 * Resolves to the outcomes, in the order of `asked`. O(lines), and two trips to the server.
 */
export function batchOf(holder: string, asked: readonly AskedHold[], settlements: readonly Settlement[]): TwoTrips<readonly HoldOutcome[]> {
  const written = new Set<string>()
  const read = new Set<string>()
  for (const { hold } of asked)
    for (const { counter, previous } of hold.lines) {
      written.add(counter)
      if (previous !== undefined) read.add(previous.counter)
    }
  const ensured = [...written]
  for (const { counters } of settlements) for (const counter of counters) written.add(counter)
  for (const counter of written) read.add(counter)
  const ensure = ensured.length > 0 ? [ensureBalances(ensured)] : []
  const settle = settlements.length > 0 ? [lockHolds(settlements.map(({ id }) => id))] : []
  return {
    first: [...ensure, lockBalances([...read]), ...settle],
    // A settlement that is lost is made good when the call's record is applied: until then more is reserved than was used.
    durable: asked.length > 0,
    then: (answers) => {
      const balances = balancesOf(answers[ensure.length])
      const changed = new Map<string, Balance>()
      const balanceOf = (counter: string): Balance => {
        const balance = balances.get(counter)
        if (balance === undefined) throw new RangeError(`no row of balances for ${counter}`)
        changed.set(counter, balance)
        return balance
      }
      const usedOf = (counter: string): bigint => balances.get(counter)?.used ?? 0n

      const rewritten = settle.length > 0 ? settleRows(answers[ensure.length + 1], settlements, balanceOf) : []
      const granted: HoldRow[] = []
      const value = asked.map(({ hold, row }): HoldOutcome => {
        const own = hold.lines.map(({ counter }) => balanceOf(counter))
        const line = reserve(hold.lines, own, usedOf)
        if (line === -1) granted.push(row)
        const used = own.map((balance) => balance.used)
        return line === -1 ? { granted: true, used, durable: true } : { granted: false, line, used }
      })
      if (granted.length === 0 && rewritten.length === 0) return { statements: [], value }
      return {
        statements: [
          setBalances([...changed].map(([counter, { used }]) => [counter, used] as const)),
          ...(rewritten.length > 0 ? [setHoldLines(rewritten)] : []),
          ...(granted.length > 0 ? [insertHolds(holder, granted)] : []),
        ],
        value,
      }
    },
  }
}

/** Gives back what refused calls may have reserved all the same. Resolves to how many had. */
export function takeBack(doubtful: readonly { readonly id: string; readonly counters: readonly string[] }[]): TwoTrips<number> {
  return {
    // The lock waits for the transaction whose end nobody knows, if the server still has it; what it left is seen after that.
    first: [lockBalances([...new Set(doubtful.flatMap(({ counters }) => counters))]), deleteHolds(doubtful.map(({ id }) => id))],
    durable: true,
    then: ([locked, deleted]) => {
      const balances = balancesOf(locked)
      const rows = (deleted?.rows ?? []) as { readonly lines: string }[]
      const changed = new Map<string, Balance>()
      for (const { lines } of rows)
        for (const { counter, amount } of decodeLines(lines)) {
          const balance = balances.get(counter)
          if (balance === undefined) continue
          balance.used -= BigInt(amount)
          changed.set(counter, balance)
        }
      return {
        statements: rows.length === 0 ? [] : [setBalances([...changed].map(([counter, { used }]) => [counter, used] as const))],
        value: rows.length,
      }
    },
  }
}

function settleRows(
  answer: QueryResult | undefined,
  settlements: readonly Settlement[],
  balanceOf: (counter: string) => Balance,
): { id: string; lines: StoredLine[] }[] {
  const rows = new Map(((answer?.rows ?? []) as { readonly id: string; readonly lines: string }[]).map((row) => [row.id, row.lines]))
  return settlements.flatMap(({ id, actual }) => {
    const text = rows.get(id)
    if (text === undefined) return []
    const lines = decodeLines(text).map((line, index): StoredLine => {
      const reserved = BigInt(line.amount)
      const settled = settledAmount({ amount: reserved, transient: line.transient }, actual[index])
      balanceOf(line.counter).used += settled - reserved
      return { ...line, amount: String(settled) }
    })
    return [{ id, lines }]
  })
}

function balancesOf(answer: QueryResult | undefined): Map<string, Balance> {
  return new Map(
    ((answer?.rows ?? []) as { readonly counter: string; readonly used: string }[]).map(({ counter, used }) => [
      counter,
      { used: BigInt(used) },
    ]),
  )
}

import { ledgerUnavailable } from '../journal/unavailable.js'
import { within } from '../within.js'

/** Reads the balances of counters, in their order, from wherever they are kept durably. */
export type ReadBalances = (counters: readonly string[]) => Promise<readonly bigint[]>

/** Counters asked for in one query. */
const READ_AT_ONCE = 500

/**
 * Reads balances so that everything asked for in one turn of the event loop is one query, and nothing is asked for twice while it is
 * on its way. Rejects with `ledger_unavailable` after `seconds`.
 */
export class CoalescedRead {
  private readonly underWay = new Map<string, Promise<bigint>>()
  private asked: { readonly counter: string; readonly resolve: (value: bigint) => void; readonly reject: (error: Error) => void }[] = []

  constructor(
    private readonly read: ReadBalances,
    private readonly seconds: number,
  ) {}

  /** The balance of one counter. */
  balance(counter: string): Promise<bigint> {
    const known = this.underWay.get(counter)
    if (known) return known
    const promise = new Promise<bigint>((resolve, reject) => {
      if (this.asked.length === 0) setImmediate(() => this.send())
      this.asked.push({ counter, resolve, reject })
    })
    this.underWay.set(counter, promise)
    return promise
  }

  private send(): void {
    const all = this.asked
    this.asked = []
    for (let from = 0; from < all.length; from += READ_AT_ONCE) this.sendSome(all.slice(from, from + READ_AT_ONCE))
  }

  private sendSome(some: typeof this.asked): void {
    const done = (settle: (entry: (typeof some)[number], index: number) => void): void =>
      some.forEach((entry, index) => {
        this.underWay.delete(entry.counter)
        settle(entry, index)
      })
    const failed = (thrown: unknown): void => {
      const error = ledgerUnavailable(
        'The ledger could not tell what budgets have been used. Nothing was spent; try again in a moment.',
        thrown,
      )
      done(({ reject }) => reject(error))
    }
    let answer: Promise<readonly bigint[]>
    try {
      answer = this.read(some.map(({ counter }) => counter))
    } catch (thrown) {
      return failed(thrown)
    }
    within(this.seconds, answer, 'balances were not read in time').then((balances) => {
      if (balances.length !== some.length) return failed(new RangeError(`${balances.length} balances for ${some.length} counters`))
      done(({ resolve }, index) => resolve(balances[index] as bigint))
    }, failed)
  }
}

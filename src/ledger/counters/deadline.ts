import { ledgerUnavailable } from '../journal/unavailable.js'

/** The promise's own end, or `ledger_unavailable` after `seconds`: what comes later is dropped. */
export function within<Value>(promise: Promise<Value>, seconds: number, message: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(ledgerUnavailable(message)), seconds * 1000)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (thrown: unknown) => {
        clearTimeout(timer)
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
      },
    )
  })
}

/** A break that keeps no process alive. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000).unref())
}

/** The next turn of the event loop: everything that was resolved until now has gone on by then. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

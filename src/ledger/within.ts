import { ledgerUnavailable } from './journal/unavailable.js'

/**
 * What a promise comes to, or a rejection when that takes longer than so many seconds: with `late()`, or `ledger_unavailable` in these words.
 * The promise goes on all the same. What has come while this process was kept from running isn't late: timers go first in a turn of the event
 * loop, so an answer that waits to be read has the rest of that turn.
 */
export async function within<Value>(seconds: number, promise: Promise<Value>, late: string | (() => Error)): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(typeof late === 'string' ? ledgerUnavailable(late) : late())), seconds * 1000)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

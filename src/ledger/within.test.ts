import { describe, expect, it } from 'vitest'
import { within } from './within.js'

describe('what takes its time', () => {
  it('comes to what the promise comes to, or is rejected in these words or with this error', async () => {
    await expect(within(10, Promise.resolve(7), 'late')).resolves.toBe(7)
    await expect(within(10, Promise.reject(new Error('no')), 'late')).rejects.toThrow('no')
    const never = new Promise<never>(() => undefined)
    await expect(within(0.001, never, 'too late')).rejects.toMatchObject({ code: 'ledger_unavailable', message: 'too late' })
    await expect(within(0.001, never, () => new RangeError('mine'))).rejects.toThrow(RangeError)
  })

  it('is not late when it came while nothing could run here', async () => {
    const answer = within(0.001, new Promise((resolve) => setImmediate(resolve, 'in time')), 'late')
    // Longer than the limit, and nothing else runs: the answer waits to be taken when the time is over.
    const until = performance.now() + 20
    while (performance.now() < until);
    await expect(answer).resolves.toBe('in time')
  })
})

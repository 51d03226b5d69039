import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TimeLimit } from './time-limit.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a limit for many promises', () => {
  it('gives what comes in time, rejects what does not, and leaves no timer', async () => {
    const limit = new TimeLimit(1, () => new Error('late'))
    const never = limit.on(new Promise<string>(() => undefined)).catch((error: Error) => error.message)
    await vi.advanceTimersByTimeAsync(500)
    let resolve: (value: string) => void = () => undefined
    const later = limit.on(new Promise<string>((done) => (resolve = done)))
    await expect(limit.on(Promise.resolve('now'))).resolves.toBe('now')
    await expect(limit.on(Promise.reject(new Error('no')))).rejects.toThrow('no')
    await vi.advanceTimersByTimeAsync(600)
    expect(await never).toBe('late')
    resolve('in time')
    expect(await later).toBe('in time')
    await vi.advanceTimersByTimeAsync(100)
    expect(vi.getTimerCount()).toBe(0)
  })
})

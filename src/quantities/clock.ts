/** The only source of time below the wiring, so that replay and simulation can run the same code on another clock. */
export interface Clock {
  /** Seconds since the Unix epoch. */
  now(): number
  /** Monotonic seconds from an arbitrary origin: for durations. */
  monotonic(): number
  /** Resolves after `seconds`, or rejects with the signal's reason when it is aborted first. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now() / 1000,
  monotonic: () => performance.now() / 1000,
  sleep: (seconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, seconds * 1000)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}

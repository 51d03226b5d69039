import type { Begun } from './contract.js'

/** What becomes of the records of one group that were begun: one for all of them. */
export class Fate implements Begun {
  private state: 'gathered' | 'written' | 'durable' | 'failed' = 'gathered'
  private reason: unknown
  private writing: Awaitable | undefined
  private syncing: Awaitable | undefined

  /** `onWanted`: somebody waits for the disk to have what is written. */
  constructor(private readonly onWanted: () => void) {}

  /** Whether somebody waits for the disk. */
  get isWanted(): boolean {
    return this.syncing !== undefined
  }

  written(): Promise<void> {
    if (this.state === 'failed') return Promise.reject(this.reason as Error)
    if (this.state !== 'gathered') return Promise.resolve()
    return (this.writing ??= new Awaitable()).promise
  }

  durable(): Promise<void> | undefined {
    if (this.state === 'durable') return undefined
    if (this.state === 'failed') return Promise.reject(this.reason as Error)
    const isFirst = this.syncing === undefined
    const { promise } = (this.syncing ??= new Awaitable())
    if (isFirst && this.state === 'written') this.onWanted()
    return promise
  }

  wasWritten(): void {
    this.state = 'written'
    this.writing?.resolve()
  }

  succeed(): void {
    this.state = 'durable'
    this.syncing?.resolve()
  }

  fail(reason: unknown): void {
    this.state = 'failed'
    this.reason = reason
    this.writing?.reject(reason)
    this.syncing?.reject(reason)
  }
}

/** A promise that is settled from outside; all who wait for the same thing share one. Its rejection is no fault of the process when nobody waits for it any more. */
export class Awaitable {
  resolve: () => void = () => undefined
  reject: (reason: unknown) => void = () => undefined
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  constructor() {
    this.promise.catch(() => undefined)
  }
}

/** Wakes one waiter; at once when it was notified before the wait began. */
export class Signal {
  private notified = false
  private waiter: (() => void) | undefined

  notify(): void {
    this.notified = true
    this.waiter?.()
  }

  async wait(): Promise<void> {
    if (!this.notified)
      await new Promise<void>((resolve) => {
        this.waiter = resolve
      })
    this.waiter = undefined
    this.notified = false
  }
}

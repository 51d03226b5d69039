/** How a piece of background work ended, or why it was not begun; what metrics count it as. */
export type WorkResult = 'done' | 'queue_full' | 'budget_spent' | 'unpriced' | 'unreadable' | 'cut' | 'failed' | 'timed_out'

export interface BackgroundSettings {
  /** Pieces of work that wait; further ones are left out. 200 by default. */
  readonly mostWaiting?: number | undefined
  /** Characters of content that wait in all; 8 Mi by default. */
  readonly mostCharacters?: number | undefined
  /** Pieces under way at once; 2 by default. */
  readonly atOnce?: number | undefined
  /** Longest that one may take; seconds, 120 by default. */
  readonly seconds?: number | undefined
}

interface Waiting {
  readonly characters: number
  readonly run: (signal: AbortSignal) => Promise<WorkResult>
  readonly ended: (result: WorkResult, fault?: unknown) => void
}

/** Work beside requests: bounded in number, size and time, and never in anybody's way. What can't be begun is told at once. */
export class Background {
  private readonly queue: Waiting[] = []
  private readonly closing = new AbortController()
  private readonly open = new Set<Promise<void>>()
  private characters = 0
  private underWay = 0

  constructor(private readonly settings: BackgroundSettings = {}) {}

  get waiting(): number {
    return this.queue.length
  }

  /**
   * Takes a piece of work that holds so many characters until it is over. `ended` is told of every piece exactly once; a fault of it
   * goes nowhere.
   */
  add(characters: number, run: Waiting['run'], ended: Waiting['ended']): void {
    const { mostWaiting = 200, mostCharacters = 8 * 1024 * 1024 } = this.settings
    if (this.closing.signal.aborted || this.queue.length >= mostWaiting || this.characters + characters > mostCharacters)
      return ended('queue_full')
    this.characters += characters
    this.queue.push({ characters, run, ended })
    this.begin()
  }

  /** Resolves when nothing is waiting or under way. */
  async idle(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open)
  }

  /** Gives up what waits and what is under way. */
  async close(): Promise<void> {
    this.closing.abort(new Error('Bursar is shutting down'))
    for (const { ended } of this.queue.splice(0)) ended('queue_full')
    await this.idle()
  }

  private begin(): void {
    while (this.underWay < (this.settings.atOnce ?? 2)) {
      const next = this.queue.shift()
      if (next === undefined) return
      this.underWay++
      const work = this.work(next).finally(() => {
        this.underWay--
        this.characters -= next.characters
        this.open.delete(work)
        this.begin()
      })
      this.open.add(work)
    }
  }

  private async work({ run, ended }: Waiting): Promise<void> {
    const deadline = AbortSignal.timeout((this.settings.seconds ?? 120) * 1000)
    try {
      ended(await run(AbortSignal.any([deadline, this.closing.signal])))
    } catch (thrown) {
      ended(deadline.aborted ? 'timed_out' : 'failed', thrown)
    }
  }
}

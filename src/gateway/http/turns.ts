/**
 * Starts at most so much work in one turn of the event loop; the rest waits for the next turns, in order. Under a burst of
 * requests this takes them depth first: those begun are answered and forgotten before the next are unpacked, so what is
 * alive at a time (and outlives a young collection) stays small. Without a burst it costs a counter.
 */
export class Turns {
  private begun = 0
  private waiting: (() => void)[] = []
  private scheduled = false

  constructor(private readonly perTurn: number) {}

  run(work: () => void): void {
    this.schedule()
    if (this.begun < this.perTurn && this.waiting.length === 0) {
      this.begun++
      work()
    } else this.waiting.push(work)
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => this.turn())
  }

  private turn(): void {
    this.scheduled = false
    this.begun = 0
    if (this.waiting.length === 0) return
    const now = this.waiting.splice(0, this.perTurn)
    this.begun = now.length
    this.schedule()
    for (const work of now) work()
  }
}

/** The newest so many items; the oldest makes room for the next. */
export class Ring<Item> {
  private readonly items: Item[] = []
  /** Where the next item goes once the ring is full: the place of the oldest. */
  private next = 0

  constructor(private readonly capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 0) throw new RangeError(`not a number of items to keep: ${capacity}`)
  }

  push(item: Item): void {
    if (this.items.length < this.capacity) this.items.push(item)
    else if (this.capacity > 0) {
      this.items[this.next] = item
      this.next = (this.next + 1) % this.capacity
    }
  }

  *newestFirst(): Generator<Item> {
    const { items, next } = this
    for (let index = next - 1; index >= 0; index--) {
      const item = items[index]
      if (item !== undefined) yield item
    }
    for (let index = items.length - 1; index >= next; index--) {
      const item = items[index]
      if (item !== undefined) yield item
    }
  }
}

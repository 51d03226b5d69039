/**
 * A map that forgets what wasn't used for long, in constant time and without a list of uses: two generations, of which the older is
 * dropped when the younger is full. Holds between half and all of `capacity` entries of those used last.
 */
export class BoundedMap<Value> {
  private young = new Map<string, Value>()
  private old = new Map<string, Value>()

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.young.size + this.old.size
  }

  get(key: string): Value | undefined {
    const known = this.young.get(key)
    if (known !== undefined) return known
    const older = this.old.get(key)
    if (older === undefined) return undefined
    this.old.delete(key)
    this.set(key, older)
    return older
  }

  set(key: string, value: Value): void {
    this.old.delete(key)
    this.young.set(key, value)
    if (this.young.size < this.capacity / 2) return
    this.old = this.young
    this.young = new Map()
  }
}

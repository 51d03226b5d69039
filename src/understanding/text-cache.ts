/**
 * What is known by text, the longest unused forgotten first; bounded by entries and by characters. By the text itself, not a hash of it: two texts
 * never share an entry.
 */
export class TextCache<Value> {
  private readonly entries = new Map<string, Value>()
  private held = 0

  constructor(
    private readonly maxEntries: number,
    private readonly maxCharacters: number,
  ) {}

  get size(): number {
    return this.entries.size
  }

  /** Characters of all texts held. */
  get characters(): number {
    return this.held
  }

  get(text: string): Value | undefined {
    const value = this.entries.get(text)
    if (value === undefined) return undefined
    this.entries.delete(text)
    this.entries.set(text, value)
    return value
  }

  /** A text longer than a sixteenth of the whole isn't kept: it would push out too many others. */
  set(text: string, value: Value): void {
    if (this.maxEntries === 0 || text.length > this.maxCharacters / 16) return
    if (this.entries.delete(text)) this.held -= text.length
    this.entries.set(text, value)
    this.held += text.length
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.maxEntries && this.held <= this.maxCharacters) return
      this.entries.delete(oldest)
      this.held -= oldest.length
    }
  }
}

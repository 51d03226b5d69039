/**
 * Which texts came before, by 64 bits of their hash in open addressing: 8 to 21 bytes a text, where a set of strings takes about 100.
 * Two texts share a hash with a probability of n²/2⁶⁵: 3 in 100 million for a million texts. Not for texts that somebody could choose
 * to collide and gain by it.
 */
export class SeenTexts {
  /** Halves of hashes in pairs; 0, 0 is an empty place. */
  private cells = new Uint32Array(2 * 1024)
  private count = 0

  get size(): number {
    return this.count
  }

  /** False if the text was there already. O(length). */
  add(text: string): boolean {
    let low = 0x811c9dc5
    let high = 0x9e3779b9
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      low = Math.imul(low ^ unit, 0x01000193)
      high = Math.imul(high ^ unit, 0x85ebca6b) + at
    }
    low = mixed(low ^ Math.imul(high, 0x27d4eb2f))
    high = mixed(high ^ text.length ^ Math.imul(low, 0x165667b1))
    return this.put(low, high === 0 && low === 0 ? 1 : high)
  }

  /** All hashes, for `SeenTexts.from`. */
  bytes(): Uint8Array {
    const out = new Uint32Array(2 * this.count)
    let at = 0
    for (let cell = 0; cell < this.cells.length; cell += 2) {
      const low = this.cells[cell] ?? 0
      const high = this.cells[cell + 1] ?? 0
      if (low === 0 && high === 0) continue
      out[at++] = low
      out[at++] = high
    }
    return new Uint8Array(out.buffer)
  }

  static from(bytes: Uint8Array): SeenTexts {
    const seen = new SeenTexts()
    const hashes = new Uint32Array(new Uint8Array(bytes).buffer)
    for (let at = 0; at + 1 < hashes.length; at += 2) seen.put(hashes[at] ?? 0, hashes[at + 1] ?? 0)
    return seen
  }

  private put(low: number, high: number): boolean {
    const mask = this.cells.length - 1
    for (let cell = (2 * low) & mask; ; cell = (cell + 2) & mask) {
      const foundLow = this.cells[cell] ?? 0
      const foundHigh = this.cells[cell + 1] ?? 0
      if (foundLow === low && foundHigh === high) return false
      if (foundLow !== 0 || foundHigh !== 0) continue
      this.cells[cell] = low
      this.cells[cell + 1] = high
      this.count += 1
      if (4 * this.count > 1.5 * this.cells.length) this.widen()
      return true
    }
  }

  private widen(): void {
    const old = this.cells
    this.cells = new Uint32Array(2 * old.length)
    this.count = 0
    for (let cell = 0; cell < old.length; cell += 2)
      if ((old[cell] ?? 0) !== 0 || (old[cell + 1] ?? 0) !== 0) this.put(old[cell] ?? 0, old[cell + 1] ?? 0)
  }
}

/** Finalizer of MurmurHash3. */
function mixed(value: number): number {
  let out = value ^ (value >>> 16)
  out = Math.imul(out, 0x85ebca6b)
  out ^= out >>> 13
  out = Math.imul(out, 0xc2b2ae35)
  return (out ^ (out >>> 16)) >>> 0
}

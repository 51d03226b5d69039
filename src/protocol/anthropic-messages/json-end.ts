/** Watches JSON text that comes in pieces and tells when its outermost object or array has closed. */
export class JsonEnd {
  #depth = 0
  #inString = false
  #escaped = false
  #closed = false

  get closed(): boolean {
    return this.#closed
  }

  push(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (code === 0x5c) this.#escaped = true
        else if (code === 0x22) this.#inString = false
      } else if (code === 0x22) this.#inString = true
      else if (code === 0x7b || code === 0x5b) this.#depth++
      else if ((code === 0x7d || code === 0x5d) && --this.#depth <= 0) this.#closed = true
    }
  }
}

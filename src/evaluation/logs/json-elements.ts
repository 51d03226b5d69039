/** Longest element of an array. */
const longestElement = 1 << 28

/**
 * Splits a JSON array into the texts of its elements as it comes, without parsing them: a file of any size takes the memory of its longest element. Feed it
 * text from the opening bracket on. O(1) a character.
 */
export class ArraySplitter {
  private depth = 0
  private inText = false
  private escaped = false
  private held = ''
  private done = false

  /** The elements that end within a piece of text. Throws `SyntaxError` where no element can be. */
  push(text: string): string[] {
    const elements: string[] = []
    let from = this.depth >= 1 ? 0 : -1
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (this.inText) {
        if (this.escaped) this.escaped = false
        else if (unit === backslash) this.escaped = true
        else if (unit === quote) this.inText = false
        continue
      }
      if (unit === quote) {
        if (this.depth === 0) throw new SyntaxError('an array was expected')
        this.inText = true
      } else if (unit === openBracket || unit === openBrace) {
        this.depth += 1
        if (this.depth === 1) from = at + 1
      } else if (unit === closeBracket || unit === closeBrace) {
        this.depth -= 1
        if (this.depth < 0) throw new SyntaxError('a bracket closes that never opened')
        if (this.depth === 0) {
          this.give(elements, text.slice(from, at))
          this.done = true
          from = -1
        }
      } else if (unit === comma && this.depth === 1) {
        this.give(elements, text.slice(from, at))
        from = at + 1
      } else if (this.done && unit > 0x20) throw new SyntaxError('something stands after the end of the array')
    }
    if (from >= 0) {
      this.held += text.slice(from)
      if (this.held.length > longestElement) throw new SyntaxError(`an element is longer than ${longestElement / 2 ** 20} MB`)
    }
    return elements
  }

  /** Throws `SyntaxError` where the array isn't closed. */
  end(): void {
    if (!this.done) throw new SyntaxError('the array ends too early')
  }

  private give(elements: string[], rest: string): void {
    const element = (this.held + rest).trim()
    this.held = ''
    if (element !== '') elements.push(element)
  }
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

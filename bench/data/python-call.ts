/** A call of a function as Python writes it, with values that are literals. */
export interface PythonCall {
  readonly name: string
  /** By name; arguments without one are called `arg0`, `arg1` … */
  readonly arguments: Readonly<Record<string, unknown>>
}

/** Reads a call such as `grep(file_name='a.txt', pattern="b", flags=[1, True])`; `undefined` when it is none. */
export function parsePythonCall(text: string): PythonCall | undefined {
  const reader = new Reader(text)
  const name = reader.match(/[A-Za-z_][\w.]*/y)
  if (name === undefined || !reader.take('(')) return undefined
  const given: Record<string, unknown> = {}
  let position = 0
  try {
    if (!reader.take(')')) {
      for (;;) {
        const key = reader.match(/[A-Za-z_]\w*(?=\s*=[^=])/y)
        if (key !== undefined) reader.take('=')
        given[key ?? `arg${position}`] = reader.value()
        position++
        if (reader.take(')')) break
        if (!reader.take(',')) return undefined
      }
    }
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
  return reader.atEnd ? { name, arguments: given } : undefined
}

const words: Readonly<Record<string, unknown>> = { True: true, False: false, None: null }
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

class Reader {
  #at = 0

  constructor(private readonly text: string) {}

  get atEnd(): boolean {
    this.#skip()
    return this.#at === this.text.length
  }

  match(pattern: RegExp): string | undefined {
    this.#skip()
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  take(character: string): boolean {
    this.#skip()
    if (this.text[this.#at] !== character) return false
    this.#at++
    return true
  }

  value(): unknown {
    const quoted = this.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy)
    if (quoted !== undefined) return quoted.slice(1, -1).replace(/\\(.)/gs, (_, character: string) => escapes[character] ?? character)
    const number = this.match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y)
    if (number !== undefined) return Number(number)
    const word = this.match(/True|False|None/y)
    if (word !== undefined) return words[word]
    if (this.take('[')) return this.#list(']')
    if (this.take('(')) return this.#list(')')
    if (this.take('{')) return this.#dict()
    throw new SyntaxError(`no value at ${this.#at}`)
  }

  #list(end: string): unknown[] {
    const values: unknown[] = []
    while (!this.take(end)) {
      values.push(this.value())
      if (!this.take(',') && this.text[this.#at] !== end) throw new SyntaxError(`a list breaks off at ${this.#at}`)
    }
    return values
  }

  #dict(): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    while (!this.take('}')) {
      const key = String(this.value())
      if (!this.take(':')) throw new SyntaxError(`a key has no value at ${this.#at}`)
      values[key] = this.value()
      if (!this.take(',') && this.text[this.#at] !== '}') throw new SyntaxError(`a dict breaks off at ${this.#at}`)
    }
    return values
  }

  #skip(): void {
    while (/\s/.test(this.text[this.#at] ?? '')) this.#at++
  }
}

/**
 * Counting the tokens of texts with OpenAI's vocabularies. The vocabulary is loaded on first use: it takes a third of a
 * second and 50 MB, and most gateways never need it.
 */

export type Encoding = 'o200k_base' | 'cl100k_base'

/** `exact` is false where the text was sampled, or cut inside a word to keep the work linear. */
export interface TokenCount {
  readonly tokens: number
  readonly exact: boolean
}

type CountText = (text: string) => number

const loaded = new Map<Encoding, Promise<CountText>>()

function load(encoding: Encoding): Promise<CountText> {
  let counter = loaded.get(encoding)
  if (counter === undefined) {
    counter = importCounter(encoding)
    loaded.set(encoding, counter)
  }
  return counter
}

async function importCounter(encoding: Encoding): Promise<CountText> {
  const { countTokens: count } =
    encoding === 'o200k_base' ? await import('gpt-tokenizer/encoding/o200k_base') : await import('gpt-tokenizer/encoding/cl100k_base')
  // What looks like a special token in a caller's text is text: providers take it as such, and the library would throw.
  const options = { disallowedSpecial: new Set<string>() }
  return (text) => count(text, options)
}

/** Texts longer than this many characters are counted up to here, and sampled beyond. At about 4 MB/s this is an eighth of a second of work. */
export const countedCharacters = 512 * 1024
/** Characters counted in one go before other work gets its turn: about 8 ms. */
const slice = 32 * 1024
const sampleWindows = 16
const sampleWindow = 4096
/** What the unseen part may be denser than the samples. */
const sampleMargin = 1.1

/**
 * Counts the tokens of a text. Very long texts are counted up to `countedCharacters`; the rest is sampled evenly and
 * extrapolated, by the denser of what was counted and what was sampled, plus a tenth. Other work gets its turn every few milliseconds.
 */
export async function countTokens(text: string, encoding: Encoding): Promise<TokenCount> {
  const counter = new TextCounter(await load(encoding))
  await counter.add(text)
  return counter.result()
}

/** Counts many texts as if they were one long one, as to limits and turns. */
export class TextCounter {
  #tokens = 0
  #exact = true
  #left = countedCharacters
  #sinceTurn = 0

  constructor(private readonly count: CountText) {}

  static async for(encoding: Encoding): Promise<TextCounter> {
    return new TextCounter(await load(encoding))
  }

  result(): TokenCount {
    return { tokens: this.#tokens, exact: this.#exact }
  }

  async add(text: string): Promise<void> {
    const end = text.length <= this.#left ? text.length : this.#boundary(text, 0, this.#left)
    let tokens = 0
    for (let at = 0; at < end;) {
      const next = end - at <= slice ? end : this.#boundary(text, at, slice)
      tokens += this.#piece(text.slice(at, next))
      await this.#turn(next - at)
      at = next
    }
    this.#left -= end
    if (end < text.length) tokens += await this.#sampled(text, end, end === 0 ? 0 : tokens / end)
    this.#tokens += tokens
  }

  /** Tokens of `text` from `from` on, by samples. `density`: tokens a character of the part that was counted. */
  async #sampled(text: string, from: number, density: number): Promise<number> {
    this.#exact = false
    const length = text.length - from
    let tokens = 0
    let seen = 0
    for (let index = 0; index < sampleWindows; index++) {
      const at = from + Math.floor((index * Math.max(0, length - sampleWindow)) / (sampleWindows - 1))
      const piece = text.slice(at, at + sampleWindow)
      tokens += this.#piece(piece)
      seen += piece.length
      await this.#turn(piece.length)
    }
    return Math.ceil(length * Math.max(density, tokens / seen) * sampleMargin)
  }

  /** Lets other work pass once enough was counted. */
  async #turn(characters: number): Promise<void> {
    this.#sinceTurn += characters
    if (this.#sinceTurn < slice) return
    this.#sinceTurn = 0
    await new Promise<void>((resolve) => setImmediate(resolve))
  }

  #piece(text: string): number {
    if (!longRun.test(text)) return this.count(text)
    // The library's work grows with the square of a word's length: 100,000 spaces take it 25 seconds.
    this.#exact = false
    let tokens = 0
    let from = 0
    for (const match of text.matchAll(everyLongRun)) {
      const end = match.index + match[0].length
      tokens += this.count(text.slice(from, match.index))
      for (let at = match.index; at < end; at += runLimit) tokens += this.count(text.slice(at, Math.min(end, at + runLimit)))
      from = end
    }
    return tokens + this.count(text.slice(from))
  }

  /** The last place in `text[from, from + size]` where every vocabulary begins a new word; where there is none, any place. */
  #boundary(text: string, from: number, size: number): number {
    const end = from + size
    for (let at = end; at > Math.max(from, end - 4096); at--) {
      if (!isLetter(text.charCodeAt(at - 1))) continue
      if (text.charCodeAt(at) === 0x20 && isLetter(text.charCodeAt(at + 1))) return at
    }
    this.#exact = false
    // Never between the halves of a surrogate pair.
    return (text.charCodeAt(end) & 0xfc00) === 0xdc00 && end - 1 > from ? end - 1 : end
  }
}

/** Words longer than this are cut. Ordinary words, rules and indentations are shorter. */
const runLimit = 128
/** What a vocabulary's own splitting may keep together: letters with their marks, blanks, or signs. Digits go in threes. */
const run = `[\\p{L}\\p{M}']{${runLimit},}|\\s{${runLimit},}|[^\\s\\p{L}\\p{N}]{${runLimit},}`
const longRun = new RegExp(run, 'u')
const everyLongRun = new RegExp(run, 'gu')

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)
}

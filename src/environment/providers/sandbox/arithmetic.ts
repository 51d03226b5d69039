/**
 * Exact arithmetic for the questions that the simulator can answer: fractions of big integers, so that 0.1 + 0.2 is 0.3 and a
 * product of long numbers has all its digits. Bounded, since expressions come from strangers.
 */
interface Fraction {
  readonly over: bigint
  readonly under: bigint
}

const LONGEST_EXPRESSION = 200
const DEEPEST_BRACKETS = 20
const MOST_DIGITS = 200
const DECIMALS = 6

/** A piece of text that is made of numbers, operators and brackets only. */
const CANDIDATE = /[-(]{0,20}\d[\d.,\s()+\-*/x×·÷−^%]*[\d)]/g
const ASKS = /\b(?:what(?:'s|’s| is| are)|how much|calculate|compute|evaluate|solve|work out|result of|equals?)\b|=\s*\?*\s*$/i
const WORDS: readonly [RegExp, string][] = [
  [/\s{1,3}(?:times|multiplied by)\s{1,3}/gi, ' * '],
  [/\s{1,3}(?:divided by|over)\s{1,3}/gi, ' / '],
  [/\s{1,3}plus\s{1,3}/gi, ' + '],
  [/\s{1,3}minus\s{1,3}/gi, ' - '],
]

/** An arithmetic question found in a text: how it was written, and its value. */
export interface ArithmeticQuestion {
  readonly expression: string
  /** Exact decimal, or rounded to six places where it has no end; `undefined` for a division by zero. */
  readonly value: string | undefined
}

/** Finds the longest arithmetic expression that the text asks for; `undefined` when it asks for none. */
export function findArithmetic(text: string): ArithmeticQuestion | undefined {
  if (text.length > 4_000) return undefined
  let plain = text
  for (const [word, sign] of WORDS) plain = plain.replace(word, sign)
  const whole = plain.trim().replace(/[=?\s]+$/, '')
  let best: string | undefined
  for (const match of plain.matchAll(CANDIDATE)) {
    const candidate = match[0].trim()
    if (candidate.length > LONGEST_EXPRESSION || !/\d[\s)]*[+\-*/x×·÷−^%]/.test(candidate)) continue
    // A date is no subtraction, and a comma between digits may be a list.
    if (/^\d{4}-\d{1,2}(?:-\d{1,2})?$/.test(candidate)) continue
    if (best === undefined || candidate.length > best.length) best = candidate
  }
  if (best === undefined || (best !== whole && !ASKS.test(text))) return undefined
  try {
    const value = new Parser(best).parse()
    return { expression: best, value: value === undefined ? undefined : decimal(value) }
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

/** Recursive descent; a division by zero makes the whole `undefined`. */
class Parser {
  private at = 0
  private depth = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text
      .replace(/(\d),(?=\d{3}(?!\d))/g, '$1')
      .replace(/[x×·]/g, '*')
      .replace(/÷/g, '/')
      .replace(/−/g, '-')
      .replace(/\s+/g, '')
  }

  parse(): Fraction | undefined {
    const value = this.sum()
    if (this.at < this.text.length) throw new SyntaxError('not an expression')
    return value
  }

  private sum(): Fraction | undefined {
    let left = this.product()
    for (;;) {
      const sign = this.take('+') ? 1n : this.take('-') ? -1n : 0n
      if (sign === 0n) return left
      const right = this.product()
      left = left && right && fraction(left.over * right.under + sign * right.over * left.under, left.under * right.under)
    }
  }

  private product(): Fraction | undefined {
    let left = this.signed()
    for (;;) {
      if (this.take('*')) {
        const right = this.signed()
        left = left && right && fraction(left.over * right.over, left.under * right.under)
      } else if (this.take('/')) {
        const right = this.signed()
        left = left && right && (right.over === 0n ? undefined : fraction(left.over * right.under, left.under * right.over))
      } else if (this.take('%')) {
        const right = this.signed()
        left =
          left && right && (right.over === 0n || right.under !== 1n || left.under !== 1n ? undefined : fraction(left.over % right.over, 1n))
      } else return left
    }
  }

  private signed(): Fraction | undefined {
    if (!this.take('-')) return this.power()
    const value = this.signed()
    return value && fraction(-value.over, value.under)
  }

  private power(): Fraction | undefined {
    const base = this.atom()
    if (!this.take('^')) return base
    const exponent = this.signed()
    if (!base || !exponent) return undefined
    if (exponent.under !== 1n || exponent.over > 64n || exponent.over < -64n) throw new RangeError('exponent')
    if (exponent.over >= 0n) return fraction(base.over ** exponent.over, base.under ** exponent.over)
    return base.over === 0n ? undefined : fraction(base.under ** -exponent.over, base.over ** -exponent.over)
  }

  private atom(): Fraction | undefined {
    if (this.take('(')) {
      this.depth += 1
      if (this.depth > DEEPEST_BRACKETS) throw new RangeError('brackets')
      const value = this.sum()
      this.depth -= 1
      if (!this.take(')')) throw new SyntaxError('bracket')
      return value
    }
    const match = /^(\d+)(?:\.(\d+))?/.exec(this.text.slice(this.at, this.at + 50))
    if (!match) throw new SyntaxError('number')
    this.at += match[0].length
    const decimals = match[2] ?? ''
    return fraction(BigInt(`${match[1]}${decimals}`), 10n ** BigInt(decimals.length))
  }

  private take(sign: string): boolean {
    if (this.text[this.at] !== sign) return false
    this.at += 1
    return true
  }
}

function fraction(over: bigint, under: bigint): Fraction {
  const sign = under < 0n ? -1n : 1n
  let a = over < 0n ? -over : over
  let b = under * sign
  if (a > 10n ** BigInt(MOST_DIGITS) || b > 10n ** BigInt(MOST_DIGITS)) throw new RangeError('too large')
  while (b > 0n) [a, b] = [b, a % b]
  return a === 0n ? { over: 0n, under: 1n } : { over: (sign * over) / a, under: (sign * under) / a }
}

function decimal({ over, under }: Fraction): string {
  const negative = over < 0n
  const magnitude = negative ? -over : over
  const scale = 10n ** BigInt(DECIMALS)
  // Half away from zero, as people round.
  const scaled = (2n * magnitude * scale + under) / (2n * under)
  const places = (scaled % scale).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  const text = `${scaled / scale}${places === '' ? '' : `.${places}`}`
  return negative && scaled > 0n ? `-${text}` : text
}

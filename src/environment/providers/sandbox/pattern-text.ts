import type { Random } from '../../../statistics/index.js'
import { whole } from './draws.js'

/** A part of a regular expression that text can't be made for. */
export class UnsupportedPattern extends Error {
  override name = 'UnsupportedPattern'
}

const LONGEST_TEXT = 10_000
const DEEPEST_GROUPS = 20
const DIGITS = '0123456789'
const WORD = `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ${DIGITS}_`
/** What a dot or a negated class is drawn from. */
const PRINTABLE = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')

type Node =
  | { readonly kind: 'characters'; readonly from: readonly string[] }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly least: number; readonly most: number }

/**
 * Text that matches a regular expression, for `pattern` in JSON schemas: literals, classes, groups, alternatives and
 * repetitions. Throws `UnsupportedPattern` for look-around, references and the like.
 */
export function textForPattern(pattern: string, random: Random): string {
  const pieces: string[] = []
  let length = 0
  const write = (node: Node): void => {
    switch (node.kind) {
      case 'characters': {
        const text = node.from[Math.floor(random.next() * node.from.length)]
        if (text === undefined) throw new UnsupportedPattern('a class without characters')
        pieces.push(text)
        length += text.length
        if (length > LONGEST_TEXT) throw new UnsupportedPattern(`text of more than ${LONGEST_TEXT} characters`)
        return
      }
      case 'sequence':
        return node.nodes.forEach(write)
      case 'choice':
        return write(node.options[Math.floor(random.next() * node.options.length)] as Node)
      case 'repeat': {
        const times = whole(random, node.least, Math.min(node.most, node.least + 3))
        if (times > LONGEST_TEXT) throw new UnsupportedPattern(`more than ${LONGEST_TEXT} repetitions`)
        for (let time = 0; time < times; time++) write(node.node)
      }
    }
  }
  write(new PatternParser(pattern).parse())
  return pieces.join('')
}

class PatternParser {
  private at = 0
  private depth = 0
  private readonly characters: readonly string[]

  constructor(pattern: string) {
    this.characters = [...pattern]
  }

  parse(): Node {
    const node = this.choice()
    if (this.at < this.characters.length) throw new UnsupportedPattern('an unmatched bracket')
    return node
  }

  private choice(): Node {
    const options = [this.sequence()]
    while (this.take('|')) options.push(this.sequence())
    return options.length === 1 ? (options[0] as Node) : { kind: 'choice', options }
  }

  private sequence(): Node {
    const nodes: Node[] = []
    for (;;) {
      const next = this.characters[this.at]
      if (next === undefined || next === '|' || next === ')') return { kind: 'sequence', nodes }
      if (this.take('^')) {
        if (nodes.length > 0) throw new UnsupportedPattern('^ in the middle')
        continue
      }
      if (this.take('$')) {
        const after = this.characters[this.at]
        if (after !== undefined && after !== '|' && after !== ')') throw new UnsupportedPattern('$ in the middle')
        continue
      }
      nodes.push(this.repeated(this.atom()))
    }
  }

  private repeated(node: Node): Node {
    let least = 1
    let most = 1
    if (this.take('*')) [least, most] = [0, Infinity]
    else if (this.take('+')) [least, most] = [1, Infinity]
    else if (this.take('?')) [least, most] = [0, 1]
    else if (this.characters[this.at] === '{') {
      const match = /^\{(\d{1,6})(,?)(\d{0,6})\}/.exec(this.characters.slice(this.at, this.at + 16).join(''))
      if (!match) throw new UnsupportedPattern('a { that is no repetition')
      this.at += match[0].length
      least = Number(match[1])
      most = match[2] === '' ? least : match[3] === '' ? Infinity : Number(match[3])
      if (most < least) throw new UnsupportedPattern('a repetition whose limits are out of order')
    } else return node
    this.take('?')
    return { kind: 'repeat', node, least, most }
  }

  private atom(): Node {
    const character = this.characters[this.at++] as string
    if (character === '(') return this.group()
    if (character === '[') return { kind: 'characters', from: this.charClass() }
    if (character === '.') return { kind: 'characters', from: [...PRINTABLE] }
    if (character === '\\') return { kind: 'characters', from: this.escaped() }
    if (character === '*' || character === '+' || character === '?') throw new UnsupportedPattern('a repetition of nothing')
    return { kind: 'characters', from: [character] }
  }

  private group(): Node {
    if (this.take('?') && !this.take(':')) {
      const name = /^<[A-Za-z_]\w*>/.exec(this.characters.slice(this.at, this.at + 100).join(''))
      if (!name) throw new UnsupportedPattern('look-around')
      this.at += name[0].length
    }
    this.depth += 1
    if (this.depth > DEEPEST_GROUPS) throw new UnsupportedPattern('groups nested too deeply')
    const node = this.choice()
    this.depth -= 1
    if (!this.take(')')) throw new UnsupportedPattern('an unmatched bracket')
    return node
  }

  private charClass(): readonly string[] {
    const negated = this.take('^')
    const members = new Set<string>()
    for (;;) {
      const start = this.characters[this.at++]
      if (start === undefined) throw new UnsupportedPattern('an unfinished class')
      if (start === ']') break
      const from = start === '\\' ? this.escaped() : [start]
      if (from.length === 1 && this.characters[this.at] === '-' && this.characters[this.at + 1] !== ']') {
        this.at += 1
        const end = this.characters[this.at++]
        const last = end === '\\' ? this.escaped()[0] : end
        const low = (from[0] as string).codePointAt(0) as number
        const high = last?.codePointAt(0) ?? -1
        if (high < low) throw new UnsupportedPattern('a range that is out of order')
        for (let code = low; code <= Math.min(high, low + 255); code++) members.add(String.fromCodePoint(code))
      } else for (const member of from) members.add(member)
    }
    return negated ? [...PRINTABLE].filter((character) => !members.has(character)) : [...members]
  }

  private escaped(): readonly string[] {
    const character = this.characters[this.at++]
    switch (character) {
      case undefined:
        throw new UnsupportedPattern('an unfinished escape')
      case 'd':
        return [...DIGITS]
      case 'w':
        return [...WORD]
      case 's':
        return [' ']
      case 'D':
      case 'S':
        return [...'abcdefghijklmnopqrstuvwxyz']
      case 'W':
        return [...' -.,;:!?']
      case 'n':
        return ['\n']
      case 't':
        return ['\t']
      case 'r':
        return ['\r']
      case 'x':
      case 'u': {
        const match = (character === 'x' ? /^[\dA-Fa-f]{2}/ : /^(?:[\dA-Fa-f]{4}|\{[\dA-Fa-f]{1,6}\})/).exec(
          this.characters.slice(this.at, this.at + 8).join(''),
        )
        const code = match ? parseInt(match[0].replace(/[{}]/g, ''), 16) : NaN
        if (!match || !(code <= 0x10ffff)) throw new UnsupportedPattern(`\\${character}`)
        this.at += match[0].length
        return [String.fromCodePoint(code)]
      }
      default:
        if (/[A-Za-z0-9]/.test(character)) throw new UnsupportedPattern(`\\${character}`)
        return [character]
    }
  }

  private take(character: string): boolean {
    if (this.characters[this.at] !== character) return false
    this.at += 1
    return true
  }
}

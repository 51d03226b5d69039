import { InvalidRequest } from '../../../errors/index.js'

/** An expression between marks, as a tree. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression }
  | { readonly kind: 'filter'; readonly filter: string; readonly of: Expression; readonly args: readonly Expression[] }
  | { readonly kind: 'defined'; readonly of: Expression; readonly wanted: boolean }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'choose'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([A-Za-z_$][\w$]*)|(==|!=|<=|>=|\/\/|[-+*/%~<>|.,()[\]]))/y
/** Binary operators by how strongly they bind. */
const BINDING: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  in: 4,
  'not in': 4,
  '==': 4,
  '!=': 4,
  '<': 4,
  '>': 4,
  '<=': 4,
  '>=': 4,
  '~': 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '//': 7,
  '%': 7,
}
const DEEPEST = 50
const LITERALS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['none', null],
  ['null', null],
])

type Token = { readonly kind: 'number' | 'text' | 'name' | 'sign'; readonly text: string }

/**
 * Reads an expression of the subset of Nunjucks that Bursar renders: names, dotted paths, literals, lists, filters with arguments,
 * comparisons, `and`, `or`, `not`, `in`, arithmetic, `~`, `a if b else c`, `is defined`. Throws `InvalidRequest` that says what isn't
 * supported. O(length).
 */
export function parseExpression(source: string): Expression {
  const tokens = tokensOf(source)
  let at = 0
  let depth = 0
  const peek = () => tokens[at]
  const is = (text: string) => peek()?.text === text && peek()?.kind !== 'text'
  const take = (text: string) => (is(text) ? (at++, true) : false)
  const refuse = (what: string): InvalidRequest => new InvalidRequest(`The template {{${source}}} ${what}.`, { path: 'template' })
  const need = (text: string) => {
    if (!take(text)) throw refuse(`needs ${text} ${peek() === undefined ? 'at its end' : `before ${peek()?.text}`}`)
  }
  const name = (): string => {
    const token = tokens[at++]
    if (token?.kind !== 'name') throw refuse('needs a name after a point, a bar or `is`')
    return token.text
  }
  const args = (end: string): Expression[] => {
    const found: Expression[] = []
    while (!take(end)) {
      if (found.length > 0) need(',')
      found.push(whole())
    }
    return found
  }

  function whole(): Expression {
    if (++depth > DEEPEST) throw refuse(`nests more than ${DEEPEST} deep`)
    const value = binary(0)
    let result = value
    if (take('if')) {
      const test = binary(0)
      result = { kind: 'choose', test, yes: value, no: take('else') ? whole() : { kind: 'literal', value: '' } }
    }
    depth--
    return result
  }
  function binary(least: number): Expression {
    let left = unary()
    for (;;) {
      if (take('is')) {
        const wanted = !take('not')
        const test = name()
        if (test !== 'defined' && test !== 'undefined')
          throw refuse(`tests "is ${test}", which isn't supported; "is defined" and "is undefined" are`)
        left = { kind: 'defined', of: left, wanted: wanted === (test === 'defined') }
        continue
      }
      const negated = is('not') && tokens[at + 1]?.text === 'in'
      const operator = negated ? 'not in' : (peek()?.text ?? '')
      const binding = peek()?.kind === 'text' ? undefined : Object.hasOwn(BINDING, operator) ? BINDING[operator] : undefined
      if (binding === undefined || binding <= least) return left
      at += negated ? 2 : 1
      left = { kind: 'binary', operator, left, right: binary(binding) }
    }
  }
  function unary(): Expression {
    // As in Python, `not` reaches over comparisons.
    if (take('not')) return { kind: 'not', of: binary(2) }
    if (take('-')) return { kind: 'binary', operator: '-', left: { kind: 'literal', value: 0 }, right: unary() }
    return trailed(primary())
  }
  function trailed(start: Expression): Expression {
    let value = start
    for (;;) {
      if (take('.')) value = { kind: 'member', of: value, key: { kind: 'literal', value: name() } }
      else if (take('[')) {
        value = { kind: 'member', of: value, key: whole() }
        need(']')
      } else if (take('|')) {
        const filter = name()
        value = { kind: 'filter', filter, of: value, args: take('(') ? args(')') : [] }
      } else if (is('(')) throw refuse('calls a function, which isn’t supported: only filters are, such as {{name | upper}}')
      else return value
    }
  }
  function primary(): Expression {
    const token = tokens[at++]
    if (token === undefined) throw refuse('ends too early')
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) }
    if (token.kind === 'text') return { kind: 'literal', value: unquoted(token.text) }
    if (token.kind === 'name') {
      const literal = LITERALS.get(token.text)
      return literal === undefined ? { kind: 'name', name: token.text } : { kind: 'literal', value: literal }
    }
    if (token.text === '[') return { kind: 'list', items: args(']') }
    if (token.text === '(') {
      const inner = whole()
      need(')')
      return inner
    }
    throw refuse(`has ${token.text} where a name or a value should be`)
  }

  const read = whole()
  if (at < tokens.length) throw refuse(`has ${tokens[at]?.text ?? ''} too much`)
  return read
}

function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = []
  const text = source.trim()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex
    const found = TOKEN.exec(text)
    if (!found)
      throw new InvalidRequest(
        `The template {{${source}}} can't be read from "${text.slice(from, from + 20).trim()}" on: Bursar renders names, paths, filters and simple conditions.`,
        { path: 'template' },
      )
    const [, number, quoted, name, sign] = found
    tokens.push(
      number !== undefined
        ? { kind: 'number', text: number }
        : quoted !== undefined
          ? { kind: 'text', text: quoted }
          : name !== undefined
            ? { kind: 'name', text: name }
            : { kind: 'sign', text: sign ?? '' },
    )
  }
  return tokens
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (_, char: string) => ({ n: '\n', t: '\t', r: '\r' })[char] ?? char)
}

/** The names that an expression uses. */
export function* namesIn(expression: Expression): Generator<string> {
  switch (expression.kind) {
    case 'name':
      yield expression.name
      return
    case 'literal':
      return
    case 'list':
      for (const item of expression.items) yield* namesIn(item)
      return
    case 'member':
      yield* namesIn(expression.of)
      yield* namesIn(expression.key)
      return
    case 'filter':
      yield* namesIn(expression.of)
      for (const arg of expression.args) yield* namesIn(arg)
      return
    case 'defined':
    case 'not':
      yield* namesIn(expression.of)
      return
    case 'binary':
      yield* namesIn(expression.left)
      yield* namesIn(expression.right)
      return
    case 'choose':
      yield* namesIn(expression.test)
      yield* namesIn(expression.yes)
      yield* namesIn(expression.no)
  }
}

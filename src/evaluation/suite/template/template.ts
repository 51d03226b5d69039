import { InvalidRequest } from '../../../errors/index.js'
import { namesIn, parseExpression, type Expression } from './expression.js'
import { filters, printed } from './filters.js'

/** A text with places to fill in. */
export interface Template {
  /** The text as it was written. */
  readonly source: string
  /** Names that it takes from outside. */
  readonly names: ReadonlySet<string>
  /**
   * Fills in. Throws `InvalidRequest` (`path`: `vars.<name>`) for a variable that is used and isn't there, and for a result beyond
   * 10,000,000 characters.
   */
  render(variables: Readonly<Record<string, unknown>>): string
}

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'if'; readonly branches: readonly { readonly test: Expression | undefined; readonly body: readonly Node[] }[] }
  | {
      readonly kind: 'for'
      readonly names: readonly string[]
      readonly over: Expression
      readonly body: readonly Node[]
      readonly none: readonly Node[]
    }
  | { readonly kind: 'set'; readonly name: string; readonly value: Expression }

const LONGEST = 10_000_000
const MOST_STEPS = 300_000
const DEEPEST = 30
const BLOCKS = 'if, elif, else, endif, for, endfor, set, raw, endraw'

/**
 * Reads a template in the subset of Nunjucks that promptfoo files commonly use: `{{ expression }}`, `{% if %}`, `{% for %}`, `{% set
 * %}`, `{% raw %}`, `{# comments #}`, `-` at marks to cut white space. Throws `InvalidRequest` that names what isn't supported (macros,
 * includes, inheritance, calls). O(length).
 */
export function parseTemplate(source: string): Template {
  if (!mayHoldTemplate(source)) return { source, names: new Set(), render: () => source }
  const pieces = piecesOf(source)
  let at = 0
  const refuse = (what: string): InvalidRequest =>
    new InvalidRequest(`The template ${what}. Bursar renders {{…}}, {% if %}, {% for %}, {% set %} and {% raw %}.`, { path: 'template' })

  function body(ends: readonly string[], depth: number): { readonly nodes: readonly Node[]; readonly end: string; readonly rest: string } {
    if (depth > DEEPEST) throw refuse(`nests blocks more than ${DEEPEST} deep`)
    const nodes: Node[] = []
    for (;;) {
      const piece = pieces[at++]
      if (piece === undefined) {
        if (ends.length > 0) throw refuse(`lacks {% ${ends.at(-1) ?? ''} %}`)
        return { nodes, end: '', rest: '' }
      }
      if (piece.kind === 'text') nodes.push({ kind: 'text', text: piece.text })
      else if (piece.kind === 'print') nodes.push({ kind: 'print', value: parseExpression(piece.text) })
      else {
        const [, word = '', rest = ''] = /^\s*(\w*)\s*([\s\S]*?)\s*$/.exec(piece.text) ?? []
        if (ends.includes(word)) return { nodes, end: word, rest }
        nodes.push(block(word, rest, depth))
      }
    }
  }
  function block(word: string, rest: string, depth: number): Node {
    if (word === 'if') {
      const branches: { test: Expression | undefined; body: readonly Node[] }[] = []
      let test: Expression | undefined = parseExpression(rest)
      for (;;) {
        const part = body(['elif', 'elseif', 'else', 'endif'], depth + 1)
        branches.push({ test, body: part.nodes })
        if (part.end === 'endif') return { kind: 'if', branches }
        test = part.end === 'else' ? undefined : parseExpression(part.rest)
      }
    }
    if (word === 'for') {
      const [, names, over] = /^([\w$]+(?:\s*,\s*[\w$]+)?)\s+in\s+([\s\S]+)$/.exec(rest) ?? []
      if (names === undefined || over === undefined) throw refuse(`has {% for ${rest} %}, which isn't "for name in list"`)
      const part = body(['else', 'endfor'], depth + 1)
      const none = part.end === 'else' ? body(['endfor'], depth + 1).nodes : []
      return { kind: 'for', names: names.split(/\s*,\s*/), over: parseExpression(over), body: part.nodes, none }
    }
    if (word === 'set') {
      const [, name, value] = /^([\w$]+)\s*=\s*([\s\S]+)$/.exec(rest) ?? []
      if (name === undefined || value === undefined) throw refuse(`has {% set ${rest} %}, which isn't "set name = value"`)
      return { kind: 'set', name, value: parseExpression(value) }
    }
    throw refuse(`has {% ${word} %}, which isn't supported or stands in the wrong place; known are ${BLOCKS}`)
  }

  const { nodes } = body([], 0)
  const names = new Set(freeNames(nodes, new Set(['loop'])))
  return {
    source,
    names,
    render(variables) {
      const state = { steps: 0, length: 0, out: [] as string[] }
      renderNodes(nodes, new Map(Object.entries(variables)), state)
      return state.out.join('')
    },
  }
}

/** Whether a text has a mark of a template at all. */
export function mayHoldTemplate(text: string): boolean {
  return text.includes('{{') || text.includes('{%') || text.includes('{#')
}

/**
 * Renders a text whose own braces may mean something else (code, LaTeX, a data set's question): only where it reads as a template all
 * of whose names are there, at least one; else it stays as it is.
 */
export function renderWhereNamed(text: string, variables: Readonly<Record<string, unknown>>): string {
  if (!mayHoldTemplate(text)) return text
  let template: Template
  try {
    template = parseTemplate(text)
  } catch {
    return text
  }
  const names = [...template.names]
  return names.length > 0 && names.every((name) => Object.hasOwn(variables, name)) ? template.render(variables) : text
}

type Piece = { readonly kind: 'text' | 'print' | 'block'; readonly text: string }

function piecesOf(source: string): readonly Piece[] {
  const pieces: Piece[] = []
  let from = 0
  let cut = false
  const text = (end: number, cutEnd: boolean) => {
    let piece = source.slice(from, end)
    if (cut) piece = piece.trimStart()
    if (cutEnd) piece = piece.trimEnd()
    if (piece !== '') pieces.push({ kind: 'text', text: piece })
  }
  const MARK = /\{\{|\{%|\{#/g
  for (;;) {
    MARK.lastIndex = from
    const mark = MARK.exec(source)
    if (!mark) break
    const close = { '{{': '}}', '{%': '%}', '{#': '#}' }[mark[0]] ?? '}}'
    const end = endOf(source, mark.index + 2, close)
    if (end < 0)
      throw new InvalidRequest(
        `The template opens ${mark[0]} and never closes it with ${close}. Write {% raw %}…{% endraw %} around braces that are meant as they stand.`,
        { path: 'template' },
      )
    const inner = source.slice(mark.index + 2, end)
    text(mark.index, inner.startsWith('-'))
    cut = inner.endsWith('-')
    from = end + 2
    const said = inner.replace(/^-/, '').replace(/-$/, '')
    if (mark[0] === '{#') continue
    if (mark[0] === '{%' && said.trim() === 'raw') {
      const stop = /\{%-?\s*endraw\s*-?%\}/g
      stop.lastIndex = from
      const found = stop.exec(source)
      if (!found) throw new InvalidRequest('The template opens {% raw %} and never closes it with {% endraw %}.', { path: 'template' })
      pieces.push({ kind: 'text', text: source.slice(from, found.index) })
      from = stop.lastIndex
      continue
    }
    pieces.push({ kind: mark[0] === '{{' ? 'print' : 'block', text: said })
  }
  text(source.length, false)
  return pieces
}

/** Where a mark closes, outside quotation marks; -1 where it doesn't. */
function endOf(source: string, from: number, close: string): number {
  let quote: string | undefined
  for (let at = from; at < source.length; at++) {
    const char = source[at]
    if (quote !== undefined) {
      if (char === '\\') at++
      else if (char === quote) quote = undefined
    } else if (close !== '#}' && (char === '"' || char === "'")) quote = char
    else if (source.startsWith(close, at)) return at
  }
  return -1
}

function* freeNames(nodes: readonly Node[], bound: ReadonlySet<string>): Generator<string> {
  let known = bound
  const free = function* (expression: Expression) {
    for (const name of namesIn(expression)) if (!known.has(name)) yield name
  }
  for (const node of nodes) {
    if (node.kind === 'print') yield* free(node.value)
    else if (node.kind === 'set') {
      yield* free(node.value)
      known = new Set([...known, node.name])
    } else if (node.kind === 'if') {
      for (const { test, body } of node.branches) {
        if (test !== undefined) yield* free(test)
        yield* freeNames(body, known)
      }
    } else if (node.kind === 'for') {
      yield* free(node.over)
      yield* freeNames(node.body, new Set([...known, ...node.names]))
      yield* freeNames(node.none, known)
    }
  }
}

interface State {
  steps: number
  length: number
  readonly out: string[]
}

function renderNodes(nodes: readonly Node[], scope: Map<string, unknown>, state: State): void {
  for (const node of nodes) {
    if (++state.steps > MOST_STEPS) throw tooMuch()
    if (node.kind === 'text') put(node.text, state)
    else if (node.kind === 'print') put(printed(required(node.value, scope)), state)
    else if (node.kind === 'set') scope.set(node.name, valueOf(node.value, scope))
    else if (node.kind === 'if') {
      const taken = node.branches.find(({ test }) => test === undefined || truthy(valueOf(test, scope)))
      if (taken) renderNodes(taken.body, scope, state)
    } else renderLoop(node, scope, state)
  }
}

function renderLoop(node: Extract<Node, { kind: 'for' }>, scope: Map<string, unknown>, state: State): void {
  const over = required(node.over, scope)
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(over)
    ? over.map((item: unknown, index) => [index, item])
    : typeof over === 'object' && over !== null
      ? Object.entries(over)
      : []
  if (entries.length === 0) return renderNodes(node.none, scope, state)
  const inner = new Map(scope)
  for (const [index, [key, item]] of entries.entries()) {
    const loop = { index: index + 1, index0: index, first: index === 0, last: index === entries.length - 1, length: entries.length }
    const [first = '', second] = node.names
    const values: [string, unknown][] =
      second === undefined
        ? [[first, Array.isArray(over) ? item : key]]
        : Array.isArray(over) && Array.isArray(item)
          ? [
              [first, item[0]],
              [second, item[1]],
            ]
          : [
              [first, key],
              [second, item],
            ]
    for (const [name, value] of [...values, ['loop', loop] as const]) inner.set(name, value)
    renderNodes(node.body, inner, state)
  }
}

function put(text: string, state: State): void {
  state.length += text.length
  if (state.length > LONGEST) throw tooMuch()
  state.out.push(text)
}

function tooMuch(): InvalidRequest {
  return new InvalidRequest('The template gives more than 10,000,000 characters, or loops without end.', { path: 'template' })
}

/** A value that has to be there: a misspelt variable must not become an empty prompt. */
function required(expression: Expression, scope: ReadonlyMap<string, unknown>): unknown {
  const value = valueOf(expression, scope)
  if (value !== undefined) return value
  const missing = [...namesIn(expression)].find((name) => !scope.has(name))
  if (missing === 'env')
    throw new InvalidRequest('Templates can’t read environment variables ({{env.…}}): say the value in `vars`.', { path: 'vars.env' })
  const known = [...scope.keys()]
    .filter((name) => name !== 'loop')
    .slice(0, 20)
    .join(', ')
  throw new InvalidRequest(
    missing === undefined
      ? 'A template uses a field that its variable doesn’t have. Write {{ … | default("") }} where it may be absent.'
      : `The variable "${missing}" is used and isn't there. There are ${known || 'none'}. Write {{ ${missing} | default("") }} where it may be absent.`,
    {
      path: missing === undefined ? 'vars' : `vars.${missing}`,
    },
  )
}

function valueOf(expression: Expression, scope: ReadonlyMap<string, unknown>): unknown {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'name':
      return scope.get(expression.name)
    case 'list':
      return expression.items.map((item) => valueOf(item, scope))
    case 'member':
      return memberOf(valueOf(expression.of, scope), valueOf(expression.key, scope))
    case 'defined':
      return (valueOf(expression.of, scope) !== undefined) === expression.wanted
    case 'not':
      return !truthy(valueOf(expression.of, scope))
    case 'choose':
      return valueOf(truthy(valueOf(expression.test, scope)) ? expression.yes : expression.no, scope)
    case 'filter': {
      const name = expression.filter === 'd' ? 'default' : expression.filter
      const filter = filters.get(name)
      if (!filter)
        throw new InvalidRequest(`There is no filter "${expression.filter}". There are ${[...filters.keys()].join(', ')}.`, {
          path: 'template',
        })
      const value = name === 'default' ? valueOf(expression.of, scope) : required(expression.of, scope)
      return filter(
        value,
        expression.args.map((arg) => valueOf(arg, scope)),
      )
    }
    case 'binary':
      return combined(expression.operator, valueOf(expression.left, scope), () => valueOf(expression.right, scope))
  }
}

/** Own fields only: a template reaches nothing that isn't data. */
function memberOf(of: unknown, key: unknown): unknown {
  if ((typeof of === 'string' || Array.isArray(of)) && key === 'length') return of.length
  if (typeof of === 'string' && typeof key === 'number') return of[key]
  if (typeof of !== 'object' || of === null) return undefined
  const name = printed(key)
  return Object.hasOwn(of, name) ? (of as Readonly<Record<string, unknown>>)[name] : undefined
}

function combined(operator: string, left: unknown, rightOf: () => unknown): unknown {
  if (operator === 'and') return truthy(left) ? rightOf() : left
  if (operator === 'or') return truthy(left) ? left : rightOf()
  const right = rightOf()
  switch (operator) {
    case '==':
      return left === right || (left ?? '') === (right ?? '') || printed(left) === printed(right)
    case '!=':
      return !(left === right || printed(left) === printed(right))
    case 'in':
      return within(left, right)
    case 'not in':
      return !within(left, right)
    case '~':
      return printed(left) + printed(right)
    case '+':
      return typeof left === 'number' && typeof right === 'number' ? left + right : printed(left) + printed(right)
  }
  if (['<', '>', '<=', '>='].includes(operator)) {
    const [a, b] = typeof left === 'number' || typeof right === 'number' ? [Number(left), Number(right)] : [printed(left), printed(right)]
    return operator === '<' ? a < b : operator === '>' ? a > b : operator === '<=' ? a <= b : a >= b
  }
  const [a, b] = [Number(left), Number(right)]
  return operator === '-' ? a - b : operator === '*' ? a * b : operator === '/' ? a / b : operator === '//' ? Math.floor(a / b) : a % b
}

function within(item: unknown, of: unknown): boolean {
  if (Array.isArray(of)) return of.some((one) => one === item || printed(one) === printed(item))
  if (typeof of === 'string') return of.includes(printed(item))
  return typeof of === 'object' && of !== null && Object.hasOwn(of, printed(item))
}

/** As Nunjucks sees it: an empty list is true there too, being JavaScript's. */
function truthy(value: unknown): boolean {
  return Boolean(value)
}

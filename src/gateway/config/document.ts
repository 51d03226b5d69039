import {
  LineCounter,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
  type ParsedNode,
  type YAMLError,
} from 'yaml'
import { interpolate, type Environment } from './interpolate.js'
import { pathText, type ConfigProblem, type Path } from './problem.js'

/** A YAML text, read: plain data with references replaced, and where each value stands. */
export interface ConfigDocument {
  /** `undefined` when the text can't be read as YAML. */
  readonly data: unknown
  readonly problems: readonly ConfigProblem[]
  /** Texts that came from references, with the names of the variables whose values they hold: these are never to be shown. */
  readonly fromEnvironment: ReadonlyMap<string, readonly string[]>
  /** Line and column of the value at a path, or of the nearest place around it. `key`: of an unknown key there. */
  locate(path: Path): { readonly line: number; readonly column: number } | undefined
}

/** More aliases than this in one text are an attack, or a mistake. */
const MAX_ALIASES = 1000

/** Reads a YAML 1.2 text with anchors, aliases and merge keys. Duplicate keys, unknown tags and several documents are problems. */
export function readDocument(text: string, env: Environment): ConfigDocument {
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(text.replace(/^\uFEFF/, ''), {
    lineCounter,
    merge: true,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'silent',
  })
  const document = Array.isArray(documents) ? documents[0] : undefined
  const fromEnvironment = new Map<string, readonly string[]>()
  if (document === undefined) return { data: undefined, problems: [], fromEnvironment, locate: () => undefined }
  const positionOf = (offset: number | undefined) => {
    if (offset === undefined) return undefined
    const { line, col } = lineCounter.linePos(offset)
    return line === 0 ? undefined : { line, column: col }
  }
  const at = (offset: number | undefined) => positionOf(offset) ?? {}
  const problems: ConfigProblem[] = []
  if (documents.length > 1)
    problems.push({ path: '', message: 'expected one YAML document, but "---" begins a second one', ...at(documents[1]?.range[0]) })
  for (const error of firstInFlow([...document.errors, ...document.warnings], text))
    problems.push({ path: '', message: yamlMessage(error, text), ...at(error.pos[0]) })

  let plainKeys = true
  visit(document, {
    Pair(_where, pair, ancestors) {
      if (isScalar(pair.key)) {
        // Objects have a meaning of their own for it, so it would be lost on the way.
        if (pair.key.value === '__proto__')
          problems.push({ path: pathText(pathOfNode(ancestors)), message: '"__proto__" cannot be a name', ...at(startOf(pair.key)) })
        return undefined
      }
      plainKeys = false
      problems.push({ path: pathText(pathOfNode(ancestors)), message: 'expected a plain name before ":"', ...at(startOf(pair.key)) })
      return visit.SKIP
    },
    Scalar(where, node, ancestors) {
      if (where === 'key' || typeof node.value !== 'string') return
      const result = interpolate(node.value, env)
      if ('problem' in result)
        problems.push({ path: pathText(pathOfNode([...ancestors, node])), message: result.problem, ...at(node.range?.[0]) })
      else {
        if (result.replaced) fromEnvironment.set(result.text, result.variables)
        node.value = result.text
      }
    },
  })

  let data: unknown
  if (plainKeys && document.errors.length === 0) {
    try {
      data = document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown
    } catch (thrown) {
      const unknown = thrown instanceof ReferenceError ? /^Unresolved alias.*: (\S+)$/.exec(thrown.message)?.[1] : undefined
      const message =
        unknown === undefined
          ? 'the aliases (*name) of this file repeat too much data, or refer to themselves'
          : `there is no anchor &${unknown} before the alias *${unknown}`
      problems.push({ path: '', message, ...at(unknown === undefined ? undefined : text.indexOf(`*${unknown}`)) })
    }
  }
  return { data, problems, fromEnvironment, locate: (path) => positionOf(offsetOf(document, path)) }
}

/** The path of a value, from the nodes above it and itself. */
function pathOfNode(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, depth): Path => {
    if (isPair(node)) return isScalar(node.key) ? [String(node.key.value)] : []
    return isSeq(node) ? [node.items.indexOf(nodes[depth + 1])] : []
  })
}

type Positioned = Node & { readonly range?: readonly [number, number, number] | null | undefined }

/** Where the value at a path, or the nearest thing that is there, begins. A key counts as the beginning of its value. */
function offsetOf(document: Document.Parsed<ParsedNode>, path: Path): number | undefined {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const part of path) {
    const found = child(node, part, document, 0)
    if (found === undefined) return offset
    offset = found.offset ?? offset
    node = found.node
  }
  return offset
}

function child(
  parent: unknown,
  part: string | number,
  document: Document,
  depth: number,
): { node: unknown; offset: number | undefined } | undefined {
  const node = isAlias(parent) ? parent.resolve(document) : parent
  if (isSeq(node)) {
    const item: unknown = typeof part === 'number' ? node.items[part] : undefined
    return item === undefined ? undefined : { node: item, offset: startOf(item) }
  }
  if (!isMap(node)) return undefined
  const own = node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(part))
  if (own !== undefined) return { node: own.value, offset: startOf(own.key) }
  // Merged in by `<<`: from a mapping, an alias of one, or a list of these.
  if (depth > 10) return undefined
  for (const pair of node.items) {
    // The parser makes a symbol of the merge key.
    if (!isScalar(pair.key) || (pair.key.value !== '<<' && typeof pair.key.value !== 'symbol')) continue
    const sources: readonly unknown[] = isSeq(pair.value) ? pair.value.items : [pair.value]
    for (const source of sources) {
      const found = child(source, part, document, depth + 1)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  return (node as Positioned).range?.[0]
}

/** The parser's words, made plainer where users meet them often. */
function yamlMessage(error: YAMLError, text: string): string {
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return `the key "${text.slice(error.pos[0]).split(/[:\s]/, 1)[0]}" appears twice in one mapping`
    case 'TAB_AS_INDENT':
      return 'a tab is used to indent; YAML wants spaces'
    default:
      return `not valid YAML: ${error.message.split('\n', 1)[0]}${inFlow(error, text) ? '; put "${…}" in quotes inside { } or [ ]' : ''}`
  }
}

/** A reference without quotes inside brackets gives several errors; the first one with the hint says it all. */
function firstInFlow(errors: readonly YAMLError[], text: string): readonly YAMLError[] {
  const index = errors.findIndex((error) => inFlow(error, text))
  return index === -1 ? errors : errors.filter((error, position) => position === index || !inFlow(error, text))
}

/** `{ key: ${NAME} }` is the most likely cause when a reference stands on a broken line that has brackets. */
function inFlow(error: YAMLError, text: string): boolean {
  const start = text.lastIndexOf('\n', error.pos[0] - 1) + 1
  const end = text.indexOf('\n', error.pos[0])
  return /[[{].*\$\{/.test(text.slice(start, end === -1 ? undefined : end).replace(/\$\{[^}]*\}/, '${'))
}

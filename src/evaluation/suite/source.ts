import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LineCounter, isNode, parseDocument } from 'yaml'
import { BursarError, InvalidRequest } from '../../errors/index.js'

/** A step into a value: a field's name or a place in a list. */
export type Step = string | number

/** A value that was read from a file, with what is needed to say where in it a fault lies. */
export interface Sourced {
  readonly value: unknown
  readonly source: Source
  /** Where in the source the value stands. */
  readonly at: readonly Step[]
}

/** A file that was read. */
export interface Source {
  /** As people know it: relative to where the suite was named. */
  readonly file: string
  /** The line on which a value stands, from 1; `undefined` where it isn't known. */
  lineOf(at: readonly Step[]): number | undefined
  /** Whether the file is one value a line, so that "row" is the word for a place. */
  readonly rows: boolean
}

/** Which files a suite may read. */
export interface Reader {
  /**
   * Text of a file that a `file://` names, relative to the suite's folder. Throws `InvalidRequest` for files outside of it, missing
   * ones and those above the limit.
   */
  text(
    reference: string,
    from: Sourced,
    mostBytes?: number,
  ): Promise<{ readonly text: string; readonly path: string; readonly name: string }>
  /** The same without reading: the path. */
  path(reference: string, from: Sourced): Promise<string>
}

/** Bytes of a file that holds one value, and of one that holds rows. */
export const MOST_BYTES = { document: 32 * 1024 * 1024, rows: 512 * 1024 * 1024 } as const

/** Reads files of a suite: below its folder only, unless `allowOutside`, symbolic links followed before that is looked at. */
export async function createReader(suiteFile: string, allowOutside: boolean): Promise<Reader> {
  const folder = await realpath(dirname(resolve(suiteFile)))
  const path = async (reference: string, from: Sourced): Promise<string> => {
    const said = reference.startsWith('file:///') ? fileURLToPath(reference) : reference.replace(/^file:\/\//, '')
    if (/[*?[\]{}]/.test(said)) throw fault(from, `Patterns of files aren't supported: "${reference}". Name each file.`)
    const named = isAbsolute(said) ? said : resolve(folder, said)
    let real: string
    try {
      real = await realpath(named)
    } catch {
      throw fault(from, `The file ${reference} doesn't exist (looked for at ${named}). Files are named relative to the suite's folder.`)
    }
    const inner = relative(folder, real)
    if (!allowOutside && (inner === '..' || inner.startsWith(`..${sep}`) || isAbsolute(inner)))
      throw fault(from, `The file ${reference} lies outside the suite's folder ${folder}. Move it there, or allow it with --allow-outside.`)
    return real
  }
  return {
    path,
    async text(reference, from, mostBytes = MOST_BYTES.document) {
      const file = await path(reference, from)
      return {
        text: await readBounded(file, mostBytes, (what) => fault(from, `The file ${reference} ${what}.`)),
        path: file,
        name: relative(folder, file) || file,
      }
    },
  }
}

/** A file's text. Throws what `refuse` makes for one that is missing, above the limit or not UTF-8. */
export async function readBounded(file: string, mostBytes: number, refuse: (what: string) => BursarError): Promise<string> {
  let bytes: Buffer
  try {
    const { size } = await stat(file)
    if (size > mostBytes) throw refuse(`has ${size} bytes; at most ${mostBytes} are read`)
    bytes = await readFile(file)
  } catch (thrown) {
    if (BursarError.is(thrown)) throw thrown
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
    throw refuse(code === 'ENOENT' ? "doesn't exist" : code === 'EISDIR' ? 'is a folder' : `can't be read (${code})`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refuse('is not UTF-8')
  }
}

/** Reads YAML or JSON, which is YAML; lines are known for each value. Throws `InvalidRequest` with file and line. */
export function parseYaml(text: string, file: string): Sourced {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, uniqueKeys: true })
  const source: Source = {
    file,
    rows: false,
    lineOf(at) {
      for (let steps = at; ; steps = steps.slice(0, -1)) {
        const node: unknown = document.getIn(steps, true)
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
        if (steps.length === 0) return undefined
      }
    },
  }
  const broken = document.errors[0]
  if (broken)
    throw new InvalidRequest(`${file}, line ${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0] ?? 'no YAML'}`, {
      code: 'invalid_configuration',
      path: `line ${lines.linePos(broken.pos[0]).line}`,
    })
  try {
    return { value: document.toJS({ maxAliasCount: 1000 }) as unknown, source, at: [] }
  } catch (thrown) {
    throw new InvalidRequest(`${file}: ${thrown instanceof Error ? thrown.message : 'no YAML'}`, { code: 'invalid_configuration' })
  }
}

/** Rows of JSON Lines: line feeds end them, empty ones are passed over. Throws `InvalidRequest` with file and row. O(length). */
export function* parseJsonLines(text: string, file: string): Generator<Sourced> {
  const source: Source = { file, rows: true, lineOf: ([row]) => (typeof row === 'number' ? row : undefined) }
  let row = 0
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from)
    const line = text.slice(from, end < 0 ? text.length : end)
    from = end < 0 ? text.length : end + 1
    row++
    if (line.trim() === '') continue
    const at: readonly Step[] = [row]
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch (thrown) {
      throw fault({ value: line, source, at }, `is no JSON (${thrown instanceof Error ? thrown.message : 'unreadable'})`)
    }
    yield { value, source, at }
  }
}

/** What lies within a value. */
export function within(sourced: Sourced, ...steps: readonly Step[]): Sourced {
  let value: unknown = sourced.value
  for (const step of steps)
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Readonly<Record<Step, unknown>>)[step]
        : undefined
  return { value, source: sourced.source, at: [...sourced.at, ...steps] }
}

/** A fault at a value: its file, line (or row), and the field's path. */
export function fault(where: Sourced, message: string, cause?: unknown): InvalidRequest {
  const { source, at } = where
  const steps = source.rows ? at.slice(1) : at
  const line = source.lineOf(at)
  const path = pathText(steps)
  const place = [source.file, line === undefined ? '' : `${source.rows ? 'row' : 'line'} ${line}`].filter((part) => part !== '').join(', ')
  return new InvalidRequest(`${place}: ${path === '' ? '' : `${path}: `}${message}`, {
    code: 'invalid_configuration',
    path: path === '' ? place : path,
    cause,
  })
}

/**
 * What another part of the program found wrong with a value, told at its place in the file. Anything that isn't an error of ours goes
 * on as it is.
 */
export function placed(where: Sourced, thrown: unknown): unknown {
  if (!BursarError.is(thrown)) return thrown
  const steps = thrown.path === undefined || thrown.path === 'template' ? [] : stepsOf(thrown.path)
  return fault({ ...where, at: [...where.at, ...steps] }, thrown.message, thrown)
}

export function pathText(steps: readonly Step[]): string {
  return steps.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('')
}

function stepsOf(path: string): readonly Step[] {
  return [...path.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([text, place]) => (place === undefined ? text : Number(place)))
}

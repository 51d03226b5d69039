import { extname } from 'node:path'
import { checkKind, checkKindNames, type DeclaredCheck } from '../grading/index.js'
import { listIn } from './csv.js'
import { modelName } from './model-names.js'
import { fault, parseYaml, placed, within, type Reader, type Sourced } from './source.js'
import { parseTemplate, renderWhereNamed } from './template/template.js'

/** What assertions of a test are read with. */
export interface AssertionContext {
  readonly reader: Reader
  readonly variables: Readonly<Record<string, unknown>>
  /** The judge where an assertion names none. */
  readonly judge: string | undefined
  readonly embedder: string | undefined
  readonly rubricPrompt: string | undefined
}

const FIELDS = new Set([
  'type',
  'value',
  'threshold',
  'weight',
  'provider',
  'rubricPrompt',
  'config',
  'metric',
  'assert',
  'options',
  'description',
])
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['transform', 'Bursar grades answers as they come. Use a javascript check, or ask for the form in the prompt.'],
  ['contextTransform', 'Bursar grades answers as they come.'],
])

/**
 * Reads one entry of an `assert` list: templates in it are filled in with the test's variables, files that it names are read. Throws
 * `InvalidRequest` with file, line and path: unknown types (with the list of those known) and fields, and what a template lacks.
 */
export async function readAssertion(entry: Sourced, context: AssertionContext): Promise<DeclaredCheck> {
  const fields = mappingOf(entry, 'An assertion')
  const { type } = fields
  if (typeof type !== 'string') throw fault(within(entry, 'type'), `An assertion needs \`type\`: one of ${checkKindNames().join(', ')}.`)
  const known = checkKind(type)
  const isSet = type.replace(/^not-/, '') === 'assert-set'
  if (known === undefined && !isSet) throw fault(within(entry, 'type'), unknownType(type))
  for (const name of Object.keys(fields)) {
    const why = REFUSED.get(name)
    if (why !== undefined) throw fault(within(entry, name), `\`${name}\` isn't supported. ${why}`)
    if (!FIELDS.has(name)) throw fault(within(entry, name), `An assertion has no field \`${name}\`. It may have ${[...FIELDS].join(', ')}.`)
  }
  const verbatim = known?.verbatim === true
  const config = { ...optionsOf(entry, type), ...(await configOf(within(entry, 'config'), context)) }
  return {
    type,
    ...(fields['value'] === undefined ? {} : { value: await filled(within(entry, 'value'), context, verbatim) }),
    threshold: numberAt(within(entry, 'threshold')),
    weight: numberAt(within(entry, 'weight')),
    ...(Object.keys(config).length === 0 ? {} : { config }),
    model:
      modelOf(entry, type.endsWith('similar') ? 'embedding' : 'text') ??
      (type.endsWith('similar') ? context.embedder : known === undefined ? undefined : context.judge),
    rubricPrompt: textAt(within(entry, 'rubricPrompt')) ?? context.rubricPrompt,
    ...(isSet ? { checks: await readAssertions(within(entry, 'assert'), context) } : {}),
  }
}

/** A list of assertions; none where it is absent. */
export async function readAssertions(list: Sourced, context: AssertionContext): Promise<readonly DeclaredCheck[]> {
  if (list.value === undefined || list.value === null) return []
  if (!Array.isArray(list.value)) throw fault(list, '`assert` is a list of assertions.')
  const checks: DeclaredCheck[] = []
  for (const index of list.value.keys()) checks.push(await readAssertion(within(list, index), context))
  return checks
}

/**
 * An expectation in a cell of CSV, as promptfoo writes it: `contains: Paris`, `similar(0.8): Hello`, `contains-any: a, b`, `javascript:
 * …` (or `fn:`, `eval:`), `grade: …`; else the answer itself. Gives the entry that a test would hold.
 */
export function shortAssertion(cell: string): Readonly<Record<string, unknown>> {
  const [, type = '', threshold, value = ''] =
    /^\s*([a-z][\w-]*)\s*(?:\(\s*([\d.]+)\s*\))?\s*:\s*([\s\S]*)$/i.exec(cell) ??
    /^\s*([a-z][\w-]*)\s*(?:\(\s*([\d.]+)\s*\))?()\s*$/i.exec(cell) ??
    []
  const alias = { fn: 'javascript', eval: 'javascript', grade: 'llm-rubric' }[type]
  const named = alias ?? type
  if (checkKind(named) === undefined || (value === '' && !/^(?:not-)?(?:is-json|contains-json|cost|latency)$/.test(named)))
    return { type: 'equals', value: cell }
  const share = threshold === undefined ? {} : { threshold: Number(threshold) }
  if (/-(?:any|all)$/.test(named)) return { type: named, value: listIn(value), ...share }
  if (/(?:cost|latency)$/.test(named)) return { type: named, threshold: Number(threshold ?? value) }
  if (named.endsWith('-json')) return { type: named, ...(value === '' ? {} : { value: parseYaml(value, '__expected').value }), ...share }
  return { type: named, value, ...share }
}

function unknownType(type: string): string {
  return `There is no check "${type}". There are ${checkKindNames().join(', ')}; each also with \`not-\` before it.${type.includes('select-best') || type.includes('max-score') ? ' To compare answers, use `pairwise` with a reference answer.' : ''}`
}

/** promptfoo keeps the scores of `factuality` in `options`. */
function optionsOf(entry: Sourced, type: string): Readonly<Record<string, unknown>> {
  const { value } = within(entry, 'options')
  if (value === undefined || value === null) return {}
  const scores = within(entry, 'options', 'factuality')
  if (!/factuality$/.test(type) || typeof scores.value !== 'object' || scores.value === null)
    throw fault(within(entry, 'options'), 'An assertion has no `options`, but for `factuality`. Settings of a check stand in `config`.')
  return { ...scores.value }
}

async function configOf(where: Sourced, context: AssertionContext): Promise<Readonly<Record<string, unknown>>> {
  if (where.value === undefined || where.value === null) return {}
  const config: Record<string, unknown> = {}
  for (const name of Object.keys(mappingOf(where, '`config`'))) {
    const field = within(where, name)
    // A database is opened where it lies, not read into the suite.
    config[name] =
      name === 'database' && typeof field.value === 'string'
        ? await context.reader.path(field.value, field)
        : await filled(field, context, true)
  }
  return config
}

/** A value with its files read and its templates filled in; `verbatim`: only where they plainly are templates. */
async function filled(where: Sourced, context: AssertionContext, verbatim: boolean): Promise<unknown> {
  const { value } = where
  if (typeof value === 'string') {
    if (value.startsWith('file://')) return filled({ ...where, value: await fileValue(where, context.reader) }, context, verbatim)
    try {
      return verbatim ? renderWhereNamed(value, context.variables) : parseTemplate(value).render(context.variables)
    } catch (thrown) {
      throw placed({ ...where, at: where.at }, thrown)
    }
  }
  if (Array.isArray(value)) return Promise.all(value.map((_, index) => filled(within(where, index), context, verbatim)))
  if (typeof value !== 'object' || value === null) return value
  const entries = await Promise.all(
    Object.keys(value).map(async (name) => [name, await filled(within(where, name), context, verbatim)] as const),
  )
  return Object.fromEntries(entries)
}

/** What a file that a value names holds: YAML and JSON as data, anything else as text. */
export async function fileValue(where: Sourced, reader: Reader): Promise<unknown> {
  if (typeof where.value !== 'string') return where.value
  const { text, path, name } = await reader.text(where.value, where)
  return /^\.(?:ya?ml|json)$/.test(extname(path)) ? parseYaml(text, name).value : text
}

/** The model that an entry's `provider` names: a name, `{id}`, or one by purpose. */
export function modelOf(entry: Sourced, purpose: 'text' | 'embedding'): string | undefined {
  const { value } = within(entry, 'provider')
  if (value === undefined || value === null) return undefined
  const where = within(entry, 'provider')
  if (typeof value === 'string') return named(where, value)
  for (const steps of [['id'], [purpose], [purpose, 'id']]) {
    const inner = within(where, ...steps)
    if (typeof inner.value === 'string') return named(inner, inner.value)
  }
  if (typeof within(where, 'text').value !== 'undefined' || typeof within(where, 'embedding').value !== 'undefined') return undefined
  throw fault(where, '`provider` is the name of a model, or a mapping with `id`.')
}

function named(where: Sourced, said: string): string {
  try {
    return modelName(said)
  } catch (thrown) {
    throw placed(where, thrown)
  }
}

/** A mapping's fields. Throws `InvalidRequest` for anything else. */
export function mappingOf(where: Sourced, what: string): Readonly<Record<string, unknown>> {
  const { value } = where
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>
  throw fault(where, `${what} is a mapping of fields.`)
}

export function numberAt(where: Sourced): number | undefined {
  if (where.value === undefined || where.value === null) return undefined
  if (typeof where.value === 'number' && Number.isFinite(where.value)) return where.value
  throw fault(where, `\`${String(where.at.at(-1))}\` is a number.`)
}

export function textAt(where: Sourced): string | undefined {
  if (where.value === undefined || where.value === null) return undefined
  if (typeof where.value === 'string') return where.value
  if (typeof where.value === 'number' || typeof where.value === 'boolean') return String(where.value)
  throw fault(where, `\`${String(where.at.at(-1))}\` is a text.`)
}

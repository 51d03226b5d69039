import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { canonical } from '../../strategies/index.js'
import { createCheck, type DeclaredCheck } from '../grading/index.js'
import { fileValue, mappingOf, modelOf, numberAt, readAssertions, shortAssertion, textAt } from './assertions.js'
import type { Check, TestItem } from './contract.js'
import { listIn, parseCsv } from './csv.js'
import { fault, MOST_BYTES, parseJsonLines, parseYaml, placed, within, type Reader, type Sourced } from './source.js'
import { renderWhereNamed } from './template/template.js'

/** Items of a suite, and combinations that one test's lists may expand to. */
const MOST_ITEMS = 200_000
const MOST_COMBINATIONS = 10_000

export interface TestContext {
  readonly reader: Reader
  readonly judge: string | undefined
  readonly embedder: string | undefined
  /** Told in plain sentences what is passed over. */
  note(sentence: string): void
}

/** A test with its defaults and its scenario, outermost first: later ones win, assertions add up. */
interface Layered {
  readonly test: Sourced
  readonly layers: readonly Sourced[]
}

const FIELDS = new Set(['id', 'category', 'description', 'vars', 'assert', 'options', 'threshold', 'metadata'])
const OPTIONS = new Set(['provider', 'rubricPrompt', 'disableVarExpansion', 'prefix', 'suffix'])
const PASSED_OVER: ReadonlyMap<string, string> = new Map([
  ['metric', 'names of metrics'],
  ['metrics', 'names of metrics'],
])
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['providers', 'Every method answers every test, or they could not be compared. Make a suite of its own of these tests.'],
  ['prompts', 'Every method answers every test, or they could not be compared. Make a suite of its own of these tests.'],
  ['provider', 'A test is answered by the suite’s methods. A judge is named in `options.provider`.'],
  ['assertScoringFunction', 'An item’s score is the weighted mean of its checks.'],
  ['providerOutput', 'Bursar grades answers that it asked for itself.'],
])

/**
 * Reads the tests of a suite: `tests` (a list, or the name of a file of CSV, JSON Lines, JSON or YAML, or a list of both) and
 * `scenarios`, each with `defaultTest` under it. A variable that is a list stands for each of its values, and several for all
 * combinations. Throws `InvalidRequest` with file, line or row, and path.
 */
export async function readTests(
  suite: {
    readonly tests?: Sourced | readonly Sourced[] | undefined
    readonly scenarios?: Sourced | undefined
    readonly defaultTest?: Sourced | undefined
  },
  context: TestContext,
  made: Map<string, number> = new Map(),
): Promise<readonly TestItem[]> {
  const layers = suite.defaultTest === undefined ? [] : [await wholeOf(suite.defaultTest, context.reader)]
  const items: TestItem[] = []
  for await (const layered of allTests(suite, layers, context.reader))
    for (const item of await itemsOf(layered, context, made)) {
      if (items.length >= MOST_ITEMS) throw fault(layered.test, `The suite has more than ${MOST_ITEMS} items. Take a part of it.`)
      items.push(item)
    }
  return items
}

async function* allTests(suite: Parameters<typeof readTests>[0], layers: readonly Sourced[], reader: Reader): AsyncGenerator<Layered> {
  if (isList(suite.tests)) for (const test of suite.tests) yield { test, layers }
  else if (suite.tests !== undefined) for await (const test of entriesOf(suite.tests, reader)) yield { test, layers }
  if (suite.scenarios === undefined) return
  for await (const scenario of entriesOf(suite.scenarios, reader)) {
    mappingOf(scenario, 'A scenario')
    const [configs, tests] = [within(scenario, 'config'), within(scenario, 'tests')]
    if (configs.value === undefined || tests.value === undefined)
      throw fault(scenario, 'A scenario needs `config` (sets of variables) and `tests`.')
    for await (const config of entriesOf(configs, reader))
      for await (const test of entriesOf(tests, reader)) yield { test, layers: [...layers, config] }
  }
}

function isList(tests: Sourced | readonly Sourced[] | undefined): tests is readonly Sourced[] {
  return Array.isArray(tests)
}

/** The mappings of a list, where a text stands for those of a file. */
export async function* entriesOf(list: Sourced, reader: Reader): AsyncGenerator<Sourced> {
  if (typeof list.value === 'string') return yield* fileEntries(list, reader)
  if (!Array.isArray(list.value))
    throw fault(list, `\`${String(list.at.at(-1) ?? 'the file')}\` is a list, or the name of a file such as file://tests.csv.`)
  for (const index of list.value.keys()) {
    const entry = within(list, index)
    if (typeof entry.value === 'string') yield* fileEntries(entry, reader)
    else yield entry
  }
}

async function* fileEntries(named: Sourced, reader: Reader): AsyncGenerator<Sourced> {
  const reference = String(named.value)
  const kind = extname(reference).toLowerCase()
  if (!['.csv', '.jsonl', '.ndjson', '.json', '.yaml', '.yml'].includes(kind))
    throw fault(
      named,
      `"${reference}" is no file of tests: those end with .csv, .jsonl, .json or .yaml. Programs that make tests aren't run: let them write a file.`,
    )
  const { text, name } = await reader.text(reference, named, kind === '.csv' || kind.endsWith('l') ? MOST_BYTES.rows : MOST_BYTES.document)
  if (kind === '.csv') for (const row of parseCsv(text, name)) yield testOfCsv(row)
  else if (kind === '.jsonl' || kind === '.ndjson') yield* parseJsonLines(text, name)
  else {
    const read = parseYaml(text, name)
    if (Array.isArray(read.value)) for (const index of read.value.keys()) yield within(read, index)
    else yield read
  }
}

/** A row of CSV as a test: columns are variables, but for those that begin with two underscores. */
export function testOfCsv(row: Sourced): Sourced {
  const test: Record<string, unknown> = {}
  const [vars, options, metadata]: [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>] = [{}, {}, {}]
  const asserted: { place: number; entry: Record<string, unknown> }[] = []
  const settings: { place: number; key: string; cell: string }[] = []
  for (const [column, cell] of Object.entries(mappingOf(row, 'A row')) as [string, string][]) {
    const expected = /^__expected(\d*)$/.exec(column)
    const setting = /^__config:__expected(\d*):(\w+)$/.exec(column)
    if (expected) {
      if (cell.trim() !== '') asserted.push({ place: Number(expected[1] || 1), entry: { ...shortAssertion(cell) } })
    } else if (setting) {
      if (cell.trim() !== '') settings.push({ place: Number(setting[1] || 0), key: setting[2] ?? '', cell })
    } else if (column === '__description') test['description'] = cell
    else if (column === '__threshold') test['threshold'] = cell.trim() === '' ? undefined : Number(cell)
    else if (column === '__prefix' || column === '__suffix') options[column.slice(2)] = cell
    else if (column === '__id' || column === '__category') test[column.slice(2)] = cell
    else if (column.startsWith('__metadata:')) metadata[column.slice(11).replace(/\[\]$/, '')] = column.endsWith('[]') ? listIn(cell) : cell
    else if (column.startsWith('__') && column !== '__metric')
      throw fault(
        row,
        `There is no column "${column}". There are __expected, __expected1 …, __description, __threshold, __prefix, __suffix, __id, __category, __metadata:…, __config:__expected:….`,
      )
    else if (!column.startsWith('__')) vars[column] = cell
  }
  for (const { place, entry } of asserted)
    for (const { key, cell } of settings.filter((one) => one.place === 0 || one.place === place))
      entry[key] = key === 'threshold' || key === 'weight' ? Number(cell) : cell
  return {
    ...row,
    value: {
      ...test,
      vars,
      ...(asserted.length > 0 && { assert: asserted.map(({ entry }) => entry) }),
      ...(Object.keys(options).length > 0 && { options: { ...options, disableVarExpansion: true } }),
      ...(Object.keys(metadata).length > 0 && { metadata }),
    },
  }
}

async function itemsOf({ test, layers }: Layered, context: TestContext, made: Map<string, number>): Promise<readonly TestItem[]> {
  for (const layer of [...layers, test]) checkFields(layer, context)
  const all = [...layers, test]
  const variables: Record<string, unknown> = {}
  for (const layer of all) Object.assign(variables, await variablesOf(within(layer, 'vars'), context.reader))
  const options = Object.assign({}, ...all.map((layer) => within(layer, 'options').value ?? {})) as Readonly<Record<string, unknown>>
  const nearest = <Value>(read: (layer: Sourced) => Value | undefined): Value | undefined =>
    all.map(read).findLast((value) => value !== undefined)
  const category =
    nearest((layer) => textAt(within(layer, 'category'))) ?? nearest((layer) => textAt(within(layer, 'metadata', 'category')))
  const threshold = nearest((layer) => numberAt(within(layer, 'threshold')))
  const id = textAt(within(test, 'id')) ?? textAt(within(test, 'metadata', 'id'))
  const judge = nearest((layer) => modelOf(within(layer, 'options'), 'text')) ?? context.judge
  const embedder = nearest((layer) => modelOf({ ...within(layer, 'options'), value: embeddingOf(layer) }, 'embedding')) ?? context.embedder
  const rubricPrompt = nearest((layer) => textAt(within(layer, 'options', 'rubricPrompt')))
  for (const place of ['prefix', 'suffix'] as const)
    if (typeof options[place] === 'string' && options[place] !== '') variables[`_${place}`] = options[place]
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1))
    throw fault(within(test, 'threshold'), `\`threshold\` of a test is a share in [0, 1], not ${threshold}.`)

  const items: TestItem[] = []
  for (const expanded of options['disableVarExpansion'] === true ? [variables] : combinations(variables, test)) {
    const filled = Object.fromEntries(
      Object.entries(expanded).map(([name, value]) => [
        name,
        typeof value === 'string' ? renderWhereNamed(value, without(expanded, name)) : value,
      ]),
    )
    const checks: Check[] = []
    for (const layer of all) {
      const list = within(layer, 'assert')
      const declared = await readAssertions(list, { reader: context.reader, variables: filled, judge, embedder, rubricPrompt })
      for (const [index, one] of declared.entries()) checks.push(await checkOf(one, within(list, index)))
    }
    items.push({ id: idOf(id, { variables: filled, category }, made), variables: filled, category, checks, threshold })
  }
  return items
}

/** A check; what is wrong with it is told at its place in the file. */
export async function checkOf(declared: DeclaredCheck, where: Sourced): Promise<Check> {
  try {
    return await createCheck(declared, '')
  } catch (thrown) {
    throw placed(where, thrown)
  }
}

/** The id that a test says, else a fingerprint of what it asks: the same however the file is sorted. One that comes again gets a number. */
export function idOf(said: string | undefined, asked: unknown, made: Map<string, number>): string {
  const id = said ?? createHash('sha256').update(canonical(asked)).digest('hex').slice(0, 12)
  const times = (made.get(id) ?? 0) + 1
  made.set(id, times)
  return times === 1 ? id : `${id}-${times}`
}

function checkFields(layer: Sourced, context: TestContext): void {
  for (const name of Object.keys(mappingOf(layer, 'A test'))) {
    const refused = REFUSED.get(name)
    if (refused !== undefined) throw fault(within(layer, name), `\`${name}\` isn't supported. ${refused}`)
    const passed = PASSED_OVER.get(name)
    if (passed !== undefined) context.note(`${layer.source.file}: ${passed} (\`${name}\`) are passed over.`)
    else if (!FIELDS.has(name)) throw fault(within(layer, name), `A test has no field \`${name}\`. It may have ${[...FIELDS].join(', ')}.`)
  }
  const options = within(layer, 'options')
  if (options.value === undefined || options.value === null) return
  for (const name of Object.keys(mappingOf(options, '`options`')))
    if (!OPTIONS.has(name))
      throw fault(
        within(options, name),
        `A test has no option \`${name}\`. It may have ${[...OPTIONS].join(', ')}; Bursar grades answers as they come.`,
      )
}

async function variablesOf(where: Sourced, reader: Reader): Promise<Readonly<Record<string, unknown>>> {
  if (where.value === undefined || where.value === null) return {}
  const read = typeof where.value === 'string' ? { ...where, value: await fileValue(where, reader) } : where
  const variables: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(mappingOf(read, '`vars`')))
    variables[name] = typeof value === 'string' && value.startsWith('file://') ? await fileValue(within(read, name), reader) : value
  return variables
}

/** All combinations of the values of variables that are lists. */
function* combinations(variables: Readonly<Record<string, unknown>>, where: Sourced): Generator<Readonly<Record<string, unknown>>> {
  const lists = Object.entries(variables).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]))
  const total = lists.reduce((product, [, list]) => product * list.length, 1)
  if (total > MOST_COMBINATIONS)
    throw fault(
      within(where, 'vars'),
      `The lists of this test make ${total} combinations; at most ${MOST_COMBINATIONS} are made. Say \`options: {disableVarExpansion: true}\` to keep lists as they are.`,
    )
  for (let number = 0; number < total; number++) {
    const chosen: Record<string, unknown> = { ...variables }
    let rest = number
    for (const [name, list] of lists.toReversed()) {
      chosen[name] = list[rest % list.length]
      rest = Math.floor(rest / list.length)
    }
    yield chosen
  }
}

function without(variables: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const { [name]: _left, ...rest } = variables
  return rest
}

/** `{provider: …}` of a layer's options where it names an embedding model apart. */
function embeddingOf(layer: Sourced): unknown {
  const embedding = within(layer, 'options', 'provider', 'embedding').value
  return embedding === undefined ? {} : { provider: { embedding } }
}

/** A mapping that may stand in a file of its own. */
export async function wholeOf(where: Sourced, reader: Reader): Promise<Sourced> {
  if (typeof where.value !== 'string') return where
  const { text, name } = await reader.text(where.value, where)
  return parseYaml(text, name)
}

import { createReadStream } from 'node:fs'
import { basename, extname } from 'node:path'
import { readOutcomeTable } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { openaiChat } from '../../protocol/index.js'
import type { DeclaredCheck } from '../grading/index.js'
import { mappingOf, textAt } from './assertions.js'
import type { Check, Method, Suite, TestItem } from './contract.js'
import { parseCsv } from './csv.js'
import { readMethods } from './methods.js'
import { modelName } from './model-names.js'
import { readPrompts, type Prompt } from './prompts.js'
import {
  createReader,
  fault,
  MOST_BYTES,
  parseJsonLines,
  parseYaml,
  placed,
  readBounded,
  within,
  type Reader,
  type Sourced,
} from './source.js'
import { checkOf, idOf, readTests, testOfCsv } from './tests.js'
import { parseTemplate } from './template/template.js'

export interface ReadSuiteOptions {
  /** What is compared, in place of the file's own: names of models, aliases, arms, `auto:cheap`. */
  readonly methods?: readonly string[] | undefined
  /** Prompts in place of the file's own: texts with `{{variables}}`, or `file://` names. */
  readonly prompts?: readonly string[] | undefined
  /**
   * A check for every item that brings none: `numeric`, `choice`, `llm-rubric: is polite` … What follows the colon is held against, the
   * item's `answer` when absent.
   */
  readonly check?: string | undefined
  /** The model that judges where the file names none. */
  readonly judge?: string | undefined
  /** The model of embeddings for `similar` where the file names none. */
  readonly embedder?: string | undefined
  /** Lets `file://` names lead out of the suite's folder. False when absent. */
  readonly allowOutside?: boolean | undefined
}

const FIELDS = new Set(['prompts', 'providers', 'methods', 'targets', 'tests', 'defaultTest', 'scenarios', 'description', 'settings'])
/** Fields of promptfoo that say nothing of what is asked and how it is graded. */
const PASSED_OVER = new Set([
  'tags',
  'env',
  'outputPath',
  'sharing',
  'evaluateOptions',
  'commandLineOptions',
  'derivedMetrics',
  'metadata',
  '$schema',
  'tracing',
  'writeLatestResults',
])

/**
 * Reads a test set with what is to be compared on it:
 * - YAML or JSON in promptfoo's form (`prompts`, `providers` or `methods`, `tests`, `defaultTest`, `scenarios`), also a mere list of tests;
 * - CSV of tests (columns are variables, `__expected` is a check);
 * - JSON Lines: of tests, of `{id, question, answer, category, choices}`, or an outcome table, whose requests become items (and its
 * arms the methods).
 *
 * What a file leaves out, `options` say. Throws `InvalidRequest` (`invalid_configuration`) with file, line or row, and the field's
 * path: for everything that Bursar can't do as the file says, before anything is asked. What says nothing of the result is passed over,
 * and told in `notes`. Memory grows with the file, time is linear.
 */
export async function readSuite(file: string, options: ReadSuiteOptions = {}): Promise<Suite> {
  const refuse = (what: string) => new InvalidRequest(`The suite ${file} ${what}.`, { code: 'invalid_configuration', path: 'suite' })
  const kind = extname(file.replace(/\.gz$/, '')).toLowerCase()
  if (!['.yaml', '.yml', '.json', '.jsonl', '.ndjson', '.csv'].includes(kind))
    throw refuse('has a name that tells no form: a suite ends with .yaml, .json, .jsonl or .csv')
  const rows = kind === '.jsonl' || kind === '.ndjson'
  if (rows && (file.endsWith('.gz') || (await isOutcomeTable(file, refuse)))) return suiteOfTable(file, options)
  const text = await readBounded(
    file,
    kind === '.yaml' || kind === '.yml' || kind === '.json' ? MOST_BYTES.document : MOST_BYTES.rows,
    refuse,
  )
  const reader = await createReader(file, options.allowOutside === true)
  const name = basename(file)
  const notes = new Set<string>()
  if (rows || kind === '.csv') {
    const tests = rows ? [...parseJsonLines(text, name)] : [...parseCsv(text, name)].map(testOfCsv)
    const [first] = tests
    if (first === undefined) throw refuse('holds no test')
    return withMethods(
      name,
      { value: {}, source: first.source, at: [] },
      await itemsOfRows(tests, options, reader, notes),
      options,
      reader,
      notes,
    )
  }
  const read = parseYaml(text, name)
  return Array.isArray(read.value)
    ? withMethods(name, { ...read, value: {} }, await readTests({ tests: read }, contextOf(reader, options, notes)), options, reader, notes)
    : suiteOf(read, options, reader, notes)
}

async function suiteOf(read: Sourced, options: ReadSuiteOptions, reader: Reader, notes: Set<string>): Promise<Suite> {
  for (const field of Object.keys(mappingOf(read, 'A suite'))) {
    if (PASSED_OVER.has(field))
      notes.add(`${read.source.file}: \`${field}\` is passed over: it says nothing of what is asked or how it is graded.`)
    else if (!FIELDS.has(field))
      throw fault(within(read, field), `A suite has no field \`${field}\`. It may have ${[...FIELDS].join(', ')}.`)
  }
  const part = (field: string): Sourced | undefined =>
    read.value !== null && within(read, field).value != null ? within(read, field) : undefined
  if (part('tests') === undefined && part('scenarios') === undefined)
    throw fault(read, 'A suite needs `tests`: a list of them, or the name of a file such as file://tests.csv.')
  const items = await readTests(
    { tests: part('tests'), scenarios: part('scenarios'), defaultTest: part('defaultTest') },
    contextOf(reader, options, notes),
  )
  const suite = await withMethods(textAt(within(read, 'description')) ?? read.source.file, read, items, options, reader, notes)
  const settings = within(read, 'settings').value
  return settings === undefined ? suite : { ...suite, settings }
}

function contextOf(reader: Reader, { judge, embedder }: ReadSuiteOptions, notes: Set<string>): Parameters<typeof readTests>[1] {
  return {
    reader,
    judge: judge === undefined ? undefined : modelName(judge),
    embedder: embedder === undefined ? undefined : modelName(embedder),
    note: (sentence) => void notes.add(sentence),
  }
}

/** Items of rows: tests in promptfoo's form, or questions with their answers. */
async function itemsOfRows(
  rows: readonly Sourced[],
  options: ReadSuiteOptions,
  reader: Reader,
  notes: Set<string>,
): Promise<readonly TestItem[]> {
  const context = contextOf(reader, options, notes)
  const made = new Map<string, number>()
  const items: TestItem[] = []
  for (const row of rows) {
    const fields = mappingOf(row, 'A row')
    if (!('question' in fields) || 'vars' in fields) items.push(...(await readTests({ tests: [row] }, context, made)))
    else {
      const { id: _id, category: _category, ...variables } = fields
      if (textAt(within(row, 'question')) === undefined) throw fault(within(row, 'question'), 'A row needs `question`: what is asked.')
      const category = textAt(within(row, 'category'))
      items.push({
        id: idOf(textAt(within(row, 'id')), { variables, category }, made),
        variables,
        category,
        checks: await shortChecks(row, variables, options, context),
      })
    }
  }
  return items
}

/** The check of a question: the one that is wanted, else by the form of its answer; none where it has no answer. */
async function shortChecks(
  where: Sourced,
  variables: TestItem['variables'],
  { check }: ReadSuiteOptions,
  { judge, embedder }: Parameters<typeof readTests>[1],
): Promise<readonly Check[]> {
  const { answer, choices } = variables
  const said = check ?? (answer === undefined || answer === null ? undefined : Array.isArray(choices) ? 'choice' : 'answer')
  if (said === undefined) return []
  const [, type = said, threshold, value] = /^\s*([\w-]+)\s*(?:\(\s*([\d.]+)\s*\))?\s*(?::\s*([\s\S]+))?$/.exec(said) ?? []
  const wanted = value ?? answer
  const declared: DeclaredCheck = {
    type,
    ...(wanted === undefined || wanted === null
      ? {}
      : { value: typeof wanted === 'string' && value !== undefined ? parseTemplate(wanted).render(variables) : wanted }),
    ...(threshold === undefined ? {} : { threshold: Number(threshold) }),
    ...(type.endsWith('choice') && Array.isArray(choices)
      ? { config: { choices } }
      : type.endsWith('equals') && Array.isArray(wanted)
        ? { config: { anyOf: true } }
        : {}),
    model: type.endsWith('similar') ? embedder : judge,
  }
  return [await checkOf(declared, where)]
}

/** What is asked of rows with a question, where nothing else is said. */
const QUESTION =
  '{{question}}{% if choices is defined %}\n\n{% for choice in choices %}{{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[loop.index0] }}) {{ choice }}\n{% endfor %}\nAnswer with the letter of the right choice.{% endif %}'

/** Puts items and methods together, and looks whether every method can ask every item. */
async function withMethods(
  name: string,
  read: Sourced,
  asked: readonly TestItem[],
  options: ReadSuiteOptions,
  reader: Reader,
  notes: Set<string>,
): Promise<Suite> {
  const note = (sentence: string) => void notes.add(sentence)
  const items: TestItem[] = []
  const context = contextOf(reader, options, notes)
  // A check that is wanted for all items stands in where a test brings none.
  for (const item of asked)
    items.push(
      item.checks.length > 0 || options.check === undefined
        ? item
        : { ...item, checks: await shortChecks(read, item.variables, options, context) },
    )
  if (items.length === 0) throw fault(read, 'The suite has no items.')
  const given: Sourced = { value: options.prompts, source: { file: '--prompt', rows: false, lineOf: () => undefined }, at: [] }
  const questions = items.every(({ variables }) => typeof variables['question'] === 'string')
  const prompts =
    options.prompts !== undefined
      ? await readPrompts(given, reader)
      : within(read, 'prompts').value != null
        ? await readPrompts(within(read, 'prompts'), reader)
        : questions && items[0]?.variables['prompt'] === undefined
          ? await readPrompts({ ...given, value: [{ label: 'question', raw: QUESTION }] }, reader)
          : []
  const methods = await methodsOf(read, prompts, options, reader, note)
  for (const item of items)
    if (item.checks.length === 0)
      note(`${name}: some items have no check, so nothing tells how good their answers are. Add \`assert\` to them, or say --check.`)
  checkPrompts(read, prompts, items)
  return { name, methods, items, notes: [...notes] }
}

async function methodsOf(
  read: Sourced,
  prompts: readonly Prompt[],
  options: ReadSuiteOptions,
  reader: Reader,
  note: (sentence: string) => void,
): Promise<readonly Method[]> {
  if (options.methods !== undefined)
    return readMethods(
      { value: options.methods, source: { file: '--method', rows: false, lineOf: () => undefined }, at: [] },
      prompts,
      reader,
      note,
    )
  const named = (['methods', 'providers', 'targets'] as const).filter((field) => within(read, field).value != null)
  if (named.length > 1)
    throw fault(within(read, named[1] ?? ''), `\`${named[0] ?? ''}\` and \`${named[1] ?? ''}\` say the same: what is compared. Keep one.`)
  const [field] = named
  if (field === undefined) throw fault(read, 'Nothing says what is compared: name models in `methods` (or `providers`), or with --method.')
  return readMethods(within(read, field), prompts, reader, note)
}

/** Cells whose prompts are filled in before anything is asked, so that a misspelt variable is told now. */
const MOST_TRIED = 20_000

function checkPrompts(read: Sourced, prompts: readonly Prompt[], items: readonly TestItem[]): void {
  let tried = 0
  for (const item of items)
    for (const prompt of prompts) {
      if (++tried > MOST_TRIED) return
      try {
        prompt.messagesOf(item.variables)
      } catch (thrown) {
        const said = thrown instanceof Error ? thrown.message : 'it can’t be filled in'
        throw fault(
          { ...read, at: read.source.rows ? [] : ['prompts'] },
          `The prompt "${prompt.label}" can't be asked of the item ${item.id}: ${said}`,
          thrown,
        )
      }
    }
}

/** Whether the first row of JSON Lines is one of an outcome table. */
async function isOutcomeTable(file: string, refuse: (what: string) => InvalidRequest): Promise<boolean> {
  const stream = createReadStream(file, { encoding: 'utf8' })
  let head = ''
  try {
    for await (const chunk of stream) {
      head += String(chunk)
      if (head.includes('\n') || head.length > 4_000_000) break
    }
  } catch (thrown) {
    throw refuse(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT' ? "doesn't exist" : 'can’t be read')
  } finally {
    stream.destroy()
  }
  try {
    const row: unknown = JSON.parse(head.split('\n', 1)[0] ?? '')
    return typeof row === 'object' && row !== null && 'outcomes' in row && 'request' in row
  } catch {
    // Told with its row when the file is read.
    return false
  }
}

/** The requests of an outcome table as items, and its arms as methods where none are named. */
async function suiteOfTable(file: string, options: ReadSuiteOptions): Promise<Suite> {
  const name = basename(file)
  const reader = await createReader(file, options.allowOutside === true)
  const notes = new Set<string>()
  const items: TestItem[] = []
  const arms = new Set<string>()
  let row = 0
  for await (const { id, request, category, outcomes } of readOutcomeTable(file)) {
    row++
    const where: Sourced = {
      value: request,
      source: { file: name, rows: true, lineOf: ([at]) => (typeof at === 'number' ? at : undefined) },
      at: [row, 'request'],
    }
    try {
      const { messages } = openaiChat.decodeRequest({ ...request, model: 'any' })
      items.push({
        id,
        variables: {},
        messages,
        category,
        checks: options.check === undefined ? [] : await shortChecks(where, {}, options, contextOf(reader, options, notes)),
      })
    } catch (thrown) {
      throw placed(where, thrown)
    }
    for (const arm of Object.keys(outcomes)) arms.add(arm)
  }
  const read: Sourced = {
    value: { methods: [...arms].sort().map((arm) => ({ id: arm, model: `bursar:${arm}` })) },
    source: { file: name, rows: true, lineOf: () => undefined },
    at: [],
  }
  return withMethods(name, read, items, { ...options, check: undefined, prompts: undefined }, reader, notes)
}

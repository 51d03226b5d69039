import { extname } from 'node:path'
import { z } from 'zod'
import { mappingOf, textAt } from './assertions.js'
import { parseCsv } from './csv.js'
import { fault, parseYaml, placed, within, type Reader, type Sourced } from './source.js'
import { parseTemplate, type Template } from './template/template.js'

/** A message of a prompt, in OpenAI's chat form; texts are templates. */
export type ChatMessage = Readonly<Record<string, unknown>>

/** What is said to a model, with places for a test's variables. */
export interface Prompt {
  /** What tables call it. */
  readonly label: string
  /** As it was written: for fingerprints. */
  readonly source: unknown
  /** The messages for a test. Throws `InvalidRequest` for a variable that isn't there. */
  messagesOf(variables: Readonly<Record<string, unknown>>): readonly ChatMessage[]
}

const MOST_PROMPTS = 200
const PROGRAMS = /\.(?:js|cjs|mjs|ts|py|sh|rb|pl|bash)(?::\w+)?$/
const chat = z.array(z.looseObject({ role: z.string() })).min(1)

/**
 * Reads `prompts`: texts, `file://` names, mappings with `label` and `raw` (or `id`, a file's name), lists of chat messages. Throws
 * `InvalidRequest` with file, line and path.
 */
export async function readPrompts(list: Sourced, reader: Reader): Promise<readonly Prompt[]> {
  const entries =
    Array.isArray(list.value) && !chat.safeParse(list.value).success ? [...list.value.keys()].map((index) => within(list, index)) : [list]
  const prompts: Prompt[] = []
  for (const entry of entries) prompts.push(...(await promptsOf(entry, reader)))
  if (prompts.length > MOST_PROMPTS) throw fault(list, `There are ${prompts.length} prompts; at most ${MOST_PROMPTS} are compared.`)
  const twice = prompts.find(({ label }, index) => prompts.findIndex((other) => other.label === label) !== index)
  if (twice !== undefined) throw fault(list, `Two prompts are called "${twice.label}". Give them a \`label\` each.`)
  return prompts
}

async function promptsOf(entry: Sourced, reader: Reader): Promise<readonly Prompt[]> {
  const { value } = entry
  if (typeof value === 'string') return isFile(value) ? fromFile(entry, value, undefined, reader) : [textPrompt(entry, value, undefined)]
  if (Array.isArray(value)) return [chatPrompt(entry, value, undefined)]
  const fields = mappingOf(entry, 'A prompt')
  for (const name of Object.keys(fields))
    if (!['id', 'label', 'raw', 'description'].includes(name))
      throw fault(within(entry, name), `A prompt has no field \`${name}\`. It may have label, raw (the text), id (a file’s name).`)
  const label = textAt(within(entry, 'label'))
  const raw = fields['raw']
  if (Array.isArray(raw)) return [chatPrompt(within(entry, 'raw'), raw, label ?? textAt(within(entry, 'id')))]
  if (typeof raw === 'string')
    return isFile(raw)
      ? fromFile(within(entry, 'raw'), raw, label, reader)
      : [textPrompt(within(entry, 'raw'), raw, label ?? textAt(within(entry, 'id')))]
  const id = textAt(within(entry, 'id'))
  if (id === undefined || !isFile(id)) throw fault(entry, 'A prompt needs `raw`: its text, its messages, or the name of a file.')
  return fromFile(within(entry, 'id'), id, label, reader)
}

/** Names of files may lack `file://`, as promptfoo allows; a text with spaces or braces is a prompt. */
function isFile(text: string): boolean {
  return (
    text.startsWith('file://') ||
    text.startsWith('exec:') ||
    /^[\w./-]+\.(?:txt|md|j2|json|ya?ml|csv|js|cjs|mjs|ts|py|sh|rb|pl)(?::\w+)?$/.test(text)
  )
}

async function fromFile(where: Sourced, reference: string, label: string | undefined, reader: Reader): Promise<readonly Prompt[]> {
  if (reference.startsWith('exec:') || PROGRAMS.test(reference))
    throw fault(
      where,
      `"${reference}" is a program that makes prompts, which Bursar doesn't run. Write the prompt as a text or chat messages with {{variables}}.`,
    )
  const { text, name } = await reader.text(reference, where)
  const kind = extname(name).toLowerCase()
  if (kind === '.csv')
    return [...parseCsv(text, name)].map((row) => textPrompt(row, textAt(within(row, 'prompt')) ?? '', textAt(within(row, 'label'))))
  if (kind === '.json' || kind === '.yaml' || kind === '.yml') {
    const inner = label ?? name
    // JSON that holds blocks of a template is none before they are filled in.
    if (/\{%/.test(text)) return [textPrompt(where, text, inner)]
    const read = parseYaml(text, name)
    return [Array.isArray(read.value) ? chatPrompt(read, read.value, inner) : textPrompt(where, text, inner)]
  }
  const parts = text
    .split(/^---\s*$/m)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length === 0) throw fault(where, `The file ${reference} holds no prompt.`)
  return parts.map((part, index) => textPrompt(where, part, parts.length === 1 ? (label ?? name) : `${label ?? name} #${index + 1}`))
}

function textPrompt(where: Sourced, source: string, label: string | undefined): Prompt {
  if (source.trim() === '') throw fault(where, 'A prompt is empty.')
  const written = messagesIn(source)
  if (written !== undefined) return chatPrompt(where, written, label ?? shortened(source))
  const template = templateOf(where, source)
  return {
    label: label ?? shortened(source),
    source,
    messagesOf(variables) {
      const text = template.render(variables)
      return messagesIn(text) ?? [{ role: 'user', content: text }]
    },
  }
}

function chatPrompt(where: Sourced, value: readonly unknown[], label: string | undefined): Prompt {
  const read = chat.safeParse(value)
  if (!read.success) throw fault(where, 'A prompt of chat messages is a list of mappings with `role` and `content`.')
  const filled = templated(where, read.data)
  return { label: label ?? shortened(JSON.stringify(value)), source: value, messagesOf: (variables) => chat.parse(filled(variables)) }
}

/** A value whose texts are templates, read once. */
function templated(where: Sourced, value: unknown): (variables: Readonly<Record<string, unknown>>) => unknown {
  if (typeof value === 'string') {
    const template = templateOf(where, value)
    return (variables) => template.render(variables)
  }
  if (Array.isArray(value)) {
    const items = value.map((item: unknown, index) => templated({ ...where, at: [...where.at, index] }, item))
    return (variables) => items.map((item) => item(variables))
  }
  if (typeof value !== 'object' || value === null) return () => value
  const fields = Object.entries(value).map(
    ([name, item]: [string, unknown]) => [name, templated({ ...where, at: [...where.at, name] }, item)] as const,
  )
  return (variables) => Object.fromEntries(fields.map(([name, item]) => [name, item(variables)]))
}

function templateOf(where: Sourced, source: string): Template {
  try {
    return parseTemplate(source)
  } catch (thrown) {
    throw placed(where, thrown)
  }
}

/** The chat messages that a text is, in JSON. */
function messagesIn(text: string): readonly ChatMessage[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined
  try {
    const read = chat.safeParse(JSON.parse(text))
    return read.success ? read.data : undefined
  } catch {
    return undefined
  }
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= 40 ? line : `${line.slice(0, 39)}…`
}

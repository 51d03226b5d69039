import { isUtf8 } from 'node:buffer'
import { StringDecoder } from 'node:string_decoder'
import { asUnreadable, fileContent, lineBatches, UnreadableFile } from '../../environment/index.js'
import { BursarError } from '../../errors/index.js'
import { CsvFault, CsvSplitter } from './csv.js'
import type { Container, LogBeginning } from './format.js'
import { ArraySplitter } from './json-elements.js'
import { isRecord, type LogRecord } from './record-fields.js'

/** A record with its number: the line of JSON Lines and CSV, the element of an array, from 1. */
export interface NumberedRecord {
  readonly number: number
  /** What is wrong with it, where it is none. */
  readonly record: LogRecord | { readonly fault: string }
}

/** Largest JSON file that isn't an array or lines: it is parsed whole. */
const largestDocument = 1 << 28
/** Fields of a document under which exports keep their list. */
const listFields = ['data', 'observations', 'traces', 'logs', 'results', 'items', 'generations', 'spend_logs']
const recordsLookedAt = 8
const lookedAtBytes = 1 << 22

/** Records of a file in batches; memory: a batch, and the longest record. Throws `UnreadableFile`. */
export async function* recordBatches(
  file: string,
  container: Container,
  onBytes?: (bytes: Uint8Array) => void,
): AsyncGenerator<readonly NumberedRecord[]> {
  if (container === 'jsonl') yield* fromLines(file, onBytes)
  else if (container === 'csv') yield* fromCsv(file, onBytes)
  else yield* fromJson(file, onBytes)
}

/** What kind of file it is, by its first records. Throws `BursarError` (`invalid_configuration`) where it can't be read or holds no record. */
export async function beginningOf(file: string): Promise<LogBeginning> {
  try {
    const container = await containerOf(file)
    const records: LogRecord[] = []
    for await (const batch of recordBatches(file, container)) {
      for (const { record } of batch) if (!isFault(record) && records.length < recordsLookedAt) records.push(record)
      if (records.length === recordsLookedAt) break
    }
    if (records.length === 0) throw unusable(`${file} has no records that could be read as ${containerNames[container]}.`)
    return { container, records }
  } catch (thrown) {
    const failed = asUnreadable(thrown, 1)
    throw failed instanceof UnreadableFile ? unreadableLog(file, failed) : failed
  }
}

export const containerNames: Readonly<Record<Container, string>> = { jsonl: 'JSON Lines', json: 'JSON', csv: 'CSV' }

export function unreadableLog(file: string, { line, reason, message, cause }: UnreadableFile): BursarError {
  return unusable(reason === 'missing' ? `The log ${file} doesn't exist.` : `Log ${file}, row ${line}: can't be read: ${message}.`, cause)
}

function unusable(message: string, cause?: unknown): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500, cause })
}

export function isFault(record: LogRecord | { readonly fault: string }): record is { readonly fault: string } {
  return faults.has(record)
}

/** Only what was made here is a fault: a log may have a field of that name. */
const faults = new WeakSet<object>()
function faulty(number: number, fault: string): NumberedRecord {
  const record = { fault }
  faults.add(record)
  return { number, record }
}

async function containerOf(file: string): Promise<Container> {
  let text = ''
  let more = false
  const decoder = new StringDecoder('utf8')
  for await (const chunk of fileContent(file)) {
    if (text.length > lookedAtBytes || /\S[^\S\n]*\n\s*\S/.test(text)) {
      more = true
      break
    }
    text += decoder.write(chunk)
  }
  const begun = text.replace(/^\ufeff/, '').trimStart()
  if (begun.startsWith('[')) return 'json'
  if (!begun.startsWith('{')) return 'csv'
  const end = begun.indexOf('\n')
  const first = end < 0 ? begun : begun.slice(0, end)
  const rest = end < 0 ? '' : begun.slice(end).trim()
  try {
    JSON.parse(first)
    // One line alone may be lines or a document; a document is what has a list in it.
    return rest === '' && !more ? 'json' : 'jsonl'
  } catch {
    // A first line that is broken is JSON Lines still where the next ones are whole.
    return rest.split('\n', 3).some((line) => /^\{.*\}\s*$/.test(line)) ? 'jsonl' : more && end < 0 ? 'jsonl' : 'json'
  }
}

async function* fromLines(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<readonly NumberedRecord[]> {
  for await (const lines of lineBatches(file, onBytes)) {
    const batch: NumberedRecord[] = []
    for (const { bytes, number } of lines) {
      if (!isUtf8(bytes)) {
        batch.push(faulty(number, 'is not UTF-8'))
        continue
      }
      const text = bytes.toString('utf8')
      if (text.trim() !== '') batch.push(recordOf(number === 1 ? text.replace(/^\ufeff/, '') : text, number))
    }
    if (batch.length > 0) yield batch
  }
}

function recordOf(text: string, number: number): NumberedRecord {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? { number, record: value } : faulty(number, 'an object was expected')
  } catch (thrown) {
    return faulty(number, `is not JSON (${thrown instanceof Error ? thrown.message : 'unreadable'})`)
  }
}

async function* fromCsv(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<readonly NumberedRecord[]> {
  const splitter = new CsvSplitter()
  let header: readonly string[] | undefined
  const named = (records: readonly { readonly cells: readonly string[]; readonly line: number }[]): NumberedRecord[] => {
    const batch: NumberedRecord[] = []
    for (const { cells, line } of records) {
      if (header === undefined) header = cells.map((cell) => cell.trim())
      else if (cells.length !== header.length)
        batch.push(faulty(line, `${header.length} columns were expected, and there are ${cells.length}`))
      else batch.push({ number: line, record: Object.fromEntries(header.map((name, at) => [name, cells[at] ?? ''])) })
    }
    return batch
  }
  try {
    for await (const text of textOf(file, onBytes)) {
      const batch = named(splitter.push(text))
      if (batch.length > 0) yield batch
    }
    const batch = named(splitter.end())
    if (batch.length > 0) yield batch
  } catch (thrown) {
    throw thrown instanceof CsvFault ? new UnreadableFile(thrown.line, 'broken', thrown.message, { cause: thrown }) : thrown
  }
}

async function* fromJson(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<readonly NumberedRecord[]> {
  const splitter = new ArraySplitter()
  let number = 0
  let document: string | undefined
  let begun = false
  try {
    for await (const text of textOf(file, onBytes)) {
      if (!begun && text.trim() === '') continue
      if (!begun && text.trimStart().startsWith('{')) document = ''
      begun = true
      if (document !== undefined) {
        document += text
        if (document.length > largestDocument)
          throw new SyntaxError(
            `a JSON document of more than ${largestDocument / 2 ** 20} MB can't be read whole; make it an array or JSON Lines`,
          )
        continue
      }
      const batch = splitter.push(text).map((element) => recordOf(element, ++number))
      if (batch.length > 0) yield batch
    }
    if (document !== undefined) yield inDocument(document)
    else splitter.end()
  } catch (thrown) {
    throw thrown instanceof SyntaxError ? new UnreadableFile(number + 1, 'broken', thrown.message, { cause: thrown }) : thrown
  }
}

/** A document is a list under one of the usual names, or one record. */
function inDocument(text: string): readonly NumberedRecord[] {
  const value: unknown = JSON.parse(text)
  if (!isRecord(value)) throw new SyntaxError('an object or an array was expected')
  // A trace has observations too, and is a record itself.
  const list = 'id' in value || 'request_id' in value ? undefined : listFields.map((field) => value[field]).find(Array.isArray)
  if (!list) return [{ number: 1, record: isRecord(value['data']) ? value['data'] : value }]
  return list.map((one: unknown, at) => (isRecord(one) ? { number: at + 1, record: one } : faulty(at + 1, 'an object was expected')))
}

async function* textOf(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let first = true
  try {
    for await (const chunk of fileContent(file, onBytes)) {
      const text = decoder.write(chunk)
      yield first ? text.replace(/^\ufeff/, '') : text
      first = false
    }
    yield decoder.end()
  } catch (thrown) {
    throw asUnreadable(thrown, 1)
  }
}

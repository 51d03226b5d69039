import { BursarError } from '../../errors/index.js'

/** What one row says: as the admin API takes it. */
export interface BilledRow {
  /** From 1, the header included. */
  readonly line: number
  readonly callId: string
  readonly body: Readonly<Record<string, unknown>>
}

const columns = ['call_id', 'usd', 'input_tokens', 'output_tokens'] as const
type Column = (typeof columns)[number]

const maxRows = 1_000_000
/** Problems that are told at once. */
const problemsTold = 10

/**
 * Reads what a provider billed: a header `call_id,usd` or `call_id,usd,input_tokens,output_tokens`, in any order, then a row for each
 * call. Other columns are left alone. Nothing is answered when any row can't be used: throws `invalid_request` with the lines and what
 * is wrong with them.
 */
export function readBilledCsv(text: string): readonly BilledRow[] {
  const records = recordsOf(text.replace(/^\uFEFF/, ''))
  const [header, ...rest] = records
  const names = header?.fields.map((name) => name.trim().toLowerCase()) ?? []
  const places = new Map<Column, number>()
  for (const column of columns) {
    const place = names.indexOf(column)
    if (place !== -1) places.set(column, place)
  }
  const tokens = places.has('input_tokens')
  if (!places.has('call_id') || !places.has('usd') || tokens !== places.has('output_tokens'))
    throw unusable(
      `The first line has to name the columns: call_id,usd or call_id,usd,input_tokens,output_tokens${header === undefined ? '; the file is empty' : ''}.`,
    )
  if (rest.length > maxRows) throw unusable(`A file has at most ${maxRows} rows; this one has ${rest.length}.`)
  const seen = new Map<string, number>()
  const problems: string[] = []
  const rows: BilledRow[] = []
  for (const { line, fields } of rest) {
    const field = (column: Column) => fields[places.get(column) ?? -1]?.trim() ?? ''
    const callId = field('call_id')
    const [input, output] = [field('input_tokens'), field('output_tokens')]
    const before = seen.get(callId)
    const problem =
      fields.length !== names.length
        ? `${fields.length} fields, where the header has ${names.length}`
        : callId === ''
          ? 'no call_id'
          : before !== undefined
            ? `the same call as in line ${before}`
            : !/^\d{1,7}(\.\d{1,30})?$/.test(field('usd'))
              ? `"${field('usd')}" is no amount of dollars such as 0.0123`
              : [input, output].some((count) => !/^\d{0,13}$/.test(count)) || (input === '') !== (output === '')
                ? 'tokens are whole numbers, both or none'
                : undefined
    if (problem !== undefined) problems.push(`line ${line}: ${problem}`)
    seen.set(callId, line)
    rows.push({
      line,
      callId,
      body: { usd: field('usd'), ...(input === '' ? {} : { input_tokens: Number(input), output_tokens: Number(output) }) },
    })
  }
  if (problems.length > 0) {
    const more = problems.length - problemsTold
    throw unusable(
      `The file can't be used, and nothing was changed:\n  ${problems.slice(0, problemsTold).join('\n  ')}${more > 0 ? `\n  and ${more} more` : ''}`,
    )
  }
  return rows
}

interface CsvRecord {
  readonly line: number
  readonly fields: readonly string[]
}

/** Records of a CSV file (RFC 4180), without empty lines. O(length). */
function recordsOf(text: string): readonly CsvRecord[] {
  const records: CsvRecord[] = []
  let fields: string[] = []
  let line = 1
  let start = 1
  const next = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\r|$)/y
  while (next.lastIndex < text.length || fields.length > 0) {
    const match = next.exec(text)
    if (match === null) throw unusable(`line ${line}: a quotation mark where none can be.`)
    const [whole, quoted, plain = '', end] = match
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    line += whole.match(/\r\n|\r|\n/g)?.length ?? 0
    if (end === ',') continue
    if (fields.length > 1 || fields[0] !== '') records.push({ line: start, fields })
    fields = []
    start = line
  }
  return records
}

function unusable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_request', status: 400 })
}

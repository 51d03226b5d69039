import { fault, type Source, type Sourced } from './source.js'

/**
 * Rows of a CSV file (RFC 4180: quotation marks double within quotation marks, fields may hold line breaks; a byte order mark is passed
 * over) as mappings by the names in the first row. Each is placed at the line where it begins. Throws `InvalidRequest` with file and
 * row for a row of more fields than names, a name that comes twice, and a quotation that never closes. O(length).
 */
export function* parseCsv(text: string, file: string): Generator<Sourced> {
  const source: Source = { file, rows: true, lineOf: ([row]) => (typeof row === 'number' ? row : undefined) }
  let names: readonly string[] | undefined
  for (const { fields, line, open } of records(text.startsWith('\uFEFF') ? text.slice(1) : text)) {
    const where: Sourced = { value: fields, source, at: [line] }
    if (open) throw fault(where, 'A quotation mark opens a field that never closes.')
    if (fields.length === 1 && fields[0]?.trim() === '') continue
    if (names === undefined) {
      names = fields.map((name) => name.trim())
      const twice = names.find((name, index) => names?.indexOf(name) !== index)
      if (twice !== undefined) throw fault(where, `The column "${twice}" comes twice.`)
      continue
    }
    if (fields.length > names.length)
      throw fault(
        where,
        `There are ${fields.length} fields for ${names.length} columns. Put quotation marks around fields that hold commas.`,
      )
    yield { value: Object.fromEntries(names.map((name, index) => [name, fields[index] ?? ''])), source, at: [line] }
  }
}

function* records(text: string): Generator<{ readonly fields: readonly string[]; readonly line: number; readonly open: boolean }> {
  const PLAIN = /[^,\r\n]*/y
  let at = 0
  let line = 1
  while (at < text.length) {
    const began = line
    const fields: string[] = []
    let open = false
    for (;;) {
      if (text[at] === '"') {
        let field = ''
        at++
        for (;;) {
          const end = text.indexOf('"', at)
          if (end < 0) {
            open = true
            at = text.length
            break
          }
          field += text.slice(at, end)
          at = end + 1
          if (text[at] !== '"') break
          field += '"'
          at++
        }
        line += field.split('\n').length - 1
        // What stands between a closing mark and the comma belongs to the field, as spreadsheets have it.
        PLAIN.lastIndex = at
        const rest = PLAIN.exec(text)?.[0] ?? ''
        at += rest.length
        fields.push(field + rest)
      } else {
        PLAIN.lastIndex = at
        const field = PLAIN.exec(text)?.[0] ?? ''
        at += field.length
        fields.push(field)
      }
      if (text[at] !== ',') break
      at++
    }
    if (text[at] === '\r') at++
    if (text[at] === '\n') at++
    line++
    yield { fields, line: began, open }
  }
}

/** The items of a list within one field: commas part them, quotation marks or a backslash keep a comma. */
export function listIn(field: string): readonly string[] {
  const items: string[] = []
  for (const [, quoted, plain] of field.matchAll(/\s*(?:"((?:[^"]|"")*)"|((?:\\.|[^,\\])*))\s*(?:,|$)/g)) {
    const item = quoted !== undefined ? quoted.replaceAll('""', '"') : (plain ?? '').replace(/\\(.)/g, '$1').trim()
    if (item !== '') items.push(item)
  }
  return items
}

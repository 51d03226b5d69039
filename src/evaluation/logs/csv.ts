/** Longest record, and most columns of one: a quote that never ends must not fill the memory. */
const longestRecord = 1 << 26
const mostCells = 4096

export interface CsvRecord {
  readonly cells: readonly string[]
  /** Line in which the record begins, from 1. */
  readonly line: number
}

/** A CSV file's end was reached, or its bounds, within quotes. */
export class CsvFault extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message)
    this.name = 'CsvFault'
  }
}

/**
 * Splits CSV (RFC 4180; line feeds alone too, and line feeds within quotes) as it comes. Empty lines are passed over. O(1) a character; memory: the
 * longest record.
 */
export class CsvSplitter {
  private cells: string[] = []
  private cell = ''
  private size = 0
  private state: 'start' | 'plain' | 'quoted' | 'quote' = 'start'
  private line = 1
  private begun = 1

  /** The records that end within a piece of text. Throws `CsvFault`. */
  push(text: string): CsvRecord[] {
    const records: CsvRecord[] = []
    let from = 0
    const take = (to: number) => {
      if (to <= from) return
      this.cell += text.slice(from, to)
      this.size += to - from
      if (this.size > longestRecord)
        throw new CsvFault(this.begun, `is longer than ${longestRecord / 2 ** 20} MB: is a quotation mark missing?`)
    }
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit === newline) this.line += 1
      if (this.state === 'quoted') {
        if (unit !== quote) continue
        take(at)
        from = at + 1
        this.state = 'quote'
        continue
      }
      if (this.state === 'quote') {
        if (unit === quote) {
          // Two quotation marks are one: the second begins what comes next.
          from = at
          this.state = 'quoted'
          continue
        }
        this.state = 'plain'
        from = at
      }
      if (unit === comma || unit === newline) {
        take(unit === newline && at > from && text.charCodeAt(at - 1) === carriageReturn ? at - 1 : at)
        from = at + 1
        this.endCell()
        if (unit === newline) this.endRecord(records)
        continue
      }
      if (this.state !== 'start') continue
      if (unit === quote) {
        from = at + 1
        this.state = 'quoted'
      } else {
        from = at
        this.state = 'plain'
      }
    }
    // A quotation mark at the end may be the first of two: nothing of it is kept.
    if (this.state === 'plain' || this.state === 'quoted') take(text.length)
    return records
  }

  /** What is left at the end. Throws `CsvFault` where a quotation mark is open. */
  end(): CsvRecord[] {
    if (this.state === 'quoted') throw new CsvFault(this.begun, 'ends within quotation marks')
    const records: CsvRecord[] = []
    if (this.cells.length > 0 || this.cell !== '') {
      this.endCell()
      this.endRecord(records)
    }
    return records
  }

  private endCell(): void {
    this.cells.push(this.cell.endsWith('\r') ? this.cell.slice(0, -1) : this.cell)
    if (this.cells.length > mostCells) throw new CsvFault(this.begun, `has more than ${mostCells} columns`)
    this.cell = ''
    this.state = 'start'
  }

  private endRecord(records: CsvRecord[]): void {
    if (this.cells.length > 1 || this.cells[0] !== '') records.push({ cells: this.cells, line: this.begun })
    this.cells = []
    this.size = 0
    this.begun = this.line
  }
}

const comma = 0x2c
const quote = 0x22
const newline = 0x0a
const carriageReturn = 0x0d

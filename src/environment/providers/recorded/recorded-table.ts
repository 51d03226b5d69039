import { readOutcomeTable, recordedAnswers, type OutcomeSample } from '../../outcome-table.js'
import { BursarError } from '../../../errors/index.js'
import { fingerprintOfRow } from './fingerprint.js'

const BLOCK_BYTES = 4 * 1024 * 1024

/** One recorded answer; its text is kept as UTF-8 outside the JavaScript heap. */
export class RecordedAnswer {
  constructor(
    private readonly block: Buffer,
    private readonly start: number,
    readonly bytes: number,
    readonly measured: Omit<OutcomeSample, 'answer' | 'quality'>,
  ) {}

  get text(): string {
    return this.block.toString('utf8', this.start, this.start + this.bytes)
  }
}

/** All answers of one arm on one request, and how many have been served. */
export interface RecordedArm {
  readonly answers: readonly RecordedAnswer[]
  served: number
}

export interface RecordedRow {
  readonly id: string
  readonly arms: ReadonlyMap<string, RecordedArm>
}

/**
 * The answers of outcome tables, ready to be found by conversation or by row. Memory grows with the tables: the answers' own
 * bytes once, about 300 bytes an answer beside, and some 200 a row; the requests' texts are not kept.
 */
export class RecordedTable {
  readonly arms = new Set<string>()
  rows = 0
  answers = 0
  bytes = 0
  private readonly byConversation = new Map<string, RecordedRow[]>()
  private readonly byId = new Map<string, RecordedRow[]>()
  private block = Buffer.alloc(0)
  private used = 0

  /** Reads tables one after the other; throws `BursarError` for what `readOutcomeTable` refuses, and when there is no answer at all. */
  static async load(files: readonly string[]): Promise<RecordedTable> {
    const table = new RecordedTable()
    for (const file of files)
      for await (const { id, request, outcomes } of readOutcomeTable(file)) {
        const arms = new Map<string, RecordedArm>()
        for (const [arm, outcome] of Object.entries(outcomes)) {
          const answers = recordedAnswers(outcome).map((sample) => table.keep(sample))
          if (answers.length === 0) continue
          arms.set(arm, { answers, served: 0 })
          table.arms.add(arm)
        }
        const row = { id, arms }
        table.rows += 1
        push(table.byConversation, fingerprintOfRow(request.messages), row)
        push(table.byId, id, row)
      }
    if (table.answers > 0) return table
    throw new BursarError(
      `The outcome ${files.length === 1 ? 'table' : 'tables'} ${files.join(', ') || '(none named)'} ${table.rows === 0 ? 'held no row' : 'held no answer text'}, so nothing can be served.`,
      { code: 'invalid_configuration', status: 500 },
    )
  }

  /** Rows with this conversation, in the order of the tables. */
  withConversation(fingerprint: string): readonly RecordedRow[] {
    return this.byConversation.get(fingerprint) ?? []
  }

  /** Rows of this id: one a table at the most. */
  withId(id: string): readonly RecordedRow[] {
    return this.byId.get(id) ?? []
  }

  private keep({ answer = '', quality: _notServed, ...measured }: OutcomeSample): RecordedAnswer {
    const bytes = Buffer.byteLength(answer)
    if (this.used + bytes > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, bytes))
      this.used = 0
    }
    const start = this.used
    this.block.write(answer, start, 'utf8')
    this.used += bytes
    this.answers += 1
    this.bytes += bytes
    return new RecordedAnswer(this.block, start, bytes, measured)
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}

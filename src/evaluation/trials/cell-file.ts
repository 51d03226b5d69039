import { closeSync, mkdirSync, openSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { randomUUID } from 'node:crypto'
import type Libsql from 'libsql'
import { BursarError } from '../../errors/index.js'
import { picoUsd, type Money } from '../../quantities/index.js'
import type { Cells, KeptAnswer, KeptGrade } from './cells.js'

const VERSION = 1
const BUSY_MS = 10_000
/** A claim whose owner hasn't renewed it for so long is nobody's; and how often it is renewed. Seconds. */
const CLAIM_SECONDS = 90
const RENEW_SECONDS = 20

/**
 * Cells in a file: an embedded SQL database (libsql), written through to the disk with each answer (`synchronous = full`), so what was
 * paid for survives the end of the process at any moment. Several processes may share it: an answer is claimed in one transaction
 * before it is paid for. A claim ends with the process that made it. Only the call that was under way when a process died may be made
 * again, since nobody knows its answer. Made for its owner alone (0600): it holds content. Throws `invalid_configuration` where the
 * file can't be used.
 */
export async function openCellFile(file: string, now: () => number = () => Date.now() / 1000): Promise<Cells> {
  const { default: Database } = await import('libsql')
  try {
    mkdirSync(dirname(file), { recursive: true })
    makePrivate(file)
    const database = new Database(file)
    try {
      return new CellFile(database, file, now)
    } catch (thrown) {
      database.close()
      throw thrown
    }
  } catch (cause) {
    if (BursarError.is(cause)) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BursarError(
      `The file of kept answers ${file} can't be used: ${why}. Name another with --cells FILE, or keep nothing with --no-keep.`,
      { code: 'invalid_configuration', status: 500, path: 'cells', cause },
    )
  }
}

function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'ax', 0o600))
  } catch {
    // It is there, or can't be made: then opening it tells why.
  }
}

class CellFile implements Cells {
  private readonly owner = `${hostname()} ${process.pid} ${randomUUID()}`
  private readonly claimed = new Set<string>()
  private readonly renewing: ReturnType<typeof setInterval>
  private readonly statements

  constructor(
    private readonly database: Libsql.Database,
    readonly file: string,
    private readonly now: () => number,
  ) {
    for (const setting of [`busy_timeout = ${BUSY_MS}`, 'journal_mode = wal', 'synchronous = full'])
      database.prepare(`pragma ${setting}`).all()
    this.inTransaction(() => this.createTables())
    this.statements = {
      answer: database.prepare(
        'select answer, usd, seconds, input_tokens, output_tokens, reasoning_tokens, calls from answers where key = ?',
      ),
      keepAnswer: database.prepare(
        'insert or ignore into answers (key, method, item, answer, usd, seconds, input_tokens, output_tokens, reasoning_tokens, calls, at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ),
      claim: database.prepare('select owner, until from claims where key = ?'),
      setClaim: database.prepare(
        'insert into claims (key, owner, until) values (?, ?, ?) on conflict (key) do update set owner = excluded.owner, until = excluded.until',
      ),
      dropClaim: database.prepare('delete from claims where key = ? and owner = ?'),
      renew: database.prepare('update claims set until = ? where owner = ?'),
      grade: database.prepare('select score, passed, reason, usd from grades where answer = ? and check_key = ?'),
      keepGrade: database.prepare(
        'insert or replace into grades (answer, check_key, kind, score, passed, reason, usd, at) values (?, ?, ?, ?, ?, ?, ?, ?)',
      ),
    }
    this.renewing = setInterval(() => this.renew(), RENEW_SECONDS * 1000)
    this.renewing.unref()
  }

  claim(key: string): ReturnType<Cells['claim']> {
    const known = this.answerOf(key)
    if (known) return { state: 'answered', answer: known }
    return this.inTransaction(() => {
      const kept = this.answerOf(key)
      if (kept) return { state: 'answered', answer: kept }
      const held = fieldsOf(this.statements.claim.get(key))
      if (held && (String(held['owner']) === this.owner || this.alive(String(held['owner']), Number(held['until']))))
        return { state: 'taken' }
      this.statements.setClaim.run(key, this.owner, this.now() + CLAIM_SECONDS)
      this.claimed.add(key)
      return { state: 'mine' }
    })
  }

  keepAnswer(key: string, { method, item }: Parameters<Cells['keepAnswer']>[1], answer: KeptAnswer): void {
    this.inTransaction(() => {
      this.statements.keepAnswer.run(
        key,
        method,
        item,
        answer.answer,
        moneyText(answer.usd),
        answer.seconds,
        answer.inputTokens,
        answer.outputTokens,
        answer.reasoningTokens,
        answer.calls,
        this.now(),
      )
      this.statements.dropClaim.run(key, this.owner)
    })
    this.claimed.delete(key)
  }

  giveBack(key: string): void {
    this.statements.dropClaim.run(key, this.owner)
    this.claimed.delete(key)
  }

  grade(answerKey: string, gradeKey: string): KeptGrade | undefined {
    const row = fieldsOf(this.statements.grade.get(answerKey, gradeKey))
    return (
      row && { score: Number(row['score']), passed: Number(row['passed']) === 1, reason: String(row['reason']), usd: moneyOf(row['usd']) }
    )
  }

  keepGrade(answerKey: string, gradeKey: string, kind: string, { score, passed, reason, usd }: KeptGrade): void {
    this.statements.keepGrade.run(answerKey, gradeKey, kind, score, passed ? 1 : 0, reason, moneyText(usd), this.now())
  }

  close(): void {
    clearInterval(this.renewing)
    for (const key of [...this.claimed]) this.giveBack(key)
    this.database.close()
  }

  private answerOf(key: string): KeptAnswer | undefined {
    const row = fieldsOf(this.statements.answer.get(key))
    return (
      row && {
        answer: String(row['answer']),
        usd: moneyOf(row['usd']),
        seconds: Number(row['seconds']),
        inputTokens: Number(row['input_tokens']),
        outputTokens: Number(row['output_tokens']),
        reasoningTokens: Number(row['reasoning_tokens']),
        calls: Number(row['calls']),
      }
    )
  }

  /** Whether the process that holds a claim may still be at it. */
  private alive(owner: string, until: number): boolean {
    if (until <= this.now()) return false
    const [host = '', pid = ''] = owner.split(' ')
    if (host !== hostname()) return true
    try {
      process.kill(Number(pid), 0)
      return true
    } catch (thrown) {
      // It is there, and somebody else's.
      return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
    }
  }

  private renew(): void {
    if (this.claimed.size === 0) return
    try {
      this.statements.renew.run(this.now() + CLAIM_SECONDS, this.owner)
    } catch {
      // Busy for very long. The next time may do; if not, another process may pay for what is under way here.
    }
  }

  private createTables(): void {
    const version = Number(fieldsOf(this.database.prepare('pragma user_version').get())?.['user_version'] ?? 0)
    if (version > VERSION)
      throw new BursarError(`${this.file} was written by a newer Bursar. Name another file with --cells FILE.`, {
        code: 'invalid_configuration',
        status: 500,
        path: 'cells',
      })
    if (version === VERSION) return
    this.database.exec(`
      create table answers (key text primary key, method text not null, item text not null, answer text not null, usd text, seconds real not null, input_tokens integer not null,
        output_tokens integer not null, reasoning_tokens integer not null, calls integer not null, at real not null) without rowid;
      create table grades (answer text not null, check_key text not null, kind text not null, score real not null, passed integer not null, reason text not null, usd text, at real not null,
        primary key (answer, check_key)) without rowid;
      create table claims (key text primary key, owner text not null, until real not null) without rowid;
      pragma user_version = ${VERSION};
    `)
  }

  private inTransaction<T>(work: () => T): T {
    this.database.exec('begin immediate')
    try {
      const result = work()
      this.database.exec('commit')
      return result
    } catch (thrown) {
      this.database.exec('rollback')
      throw thrown
    }
  }
}

function fieldsOf(row: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof row === 'object' && row !== null ? { ...row } : undefined
}

function moneyText(usd: Money | null): string | null {
  return usd === null ? null : usd.toString()
}

function moneyOf(value: unknown): Money | null {
  return typeof value === 'string' ? picoUsd(BigInt(value)) : null
}

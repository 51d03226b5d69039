/**
 * `npm run bench:counters`: what it costs to reserve and settle a call's budget, by where the counters are: in memory, in PostgreSQL, in
 * Redis, in interleaved rounds of one run. Each call reserves on five levels, and all calls share the outermost one. Beside PostgreSQL
 * something does what the store does with the calls' records; it is measured once as it is, where that settles nearly all calls, and once
 * with every settlement read back, which makes the counters settle each call themselves (the baseline for that choice). Needs PostgreSQL
 * and Redis; what isn't there is left out, and the run says so.
 */
import { randomUUID } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { Redis } from 'ioredis'
import pg from 'pg'
import { settledAmount } from '../src/ledger/counters/decide.js'
import { aHold } from '../src/ledger/counters/fixtures/holds.js'
import { createDatabase, hasPostgres, hasRedis, redisUrl, type TestDatabase } from '../src/ledger/counters/fixtures/services.js'
import {
  createMemoryCounters,
  createPostgresCounters,
  createPostgresSnapshots,
  createRedisCounters,
  type Counters,
  type Line,
} from '../src/ledger/counters/index.js'
import { decodeLines } from '../src/ledger/counters/stored-hold.js'
import { commandLine, figure, median, packageVersion, table, writeReport } from './report.js'

interface Settings {
  readonly rounds: number
  readonly seconds: number
  readonly concurrency: readonly number[]
  readonly keys: number
  readonly json?: string
}

const settings = new Command('bench:counters')
  .option('--rounds <number>', 'rounds; the median counts', whole, 5)
  .option('--seconds <number>', 'seconds of each measurement', whole, 2)
  .option('--concurrency <list>', 'calls at once, such as 1,64', list, [1, 64, 512])
  .option('--keys <number>', 'keys that calls are spread over', whole, 1000)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const BOUND = 1_000_000_000n
const ACTUAL = 400_000_000n

interface Subject {
  readonly name: string
  readonly counters: Counters
  /** Settles as this subject does. */
  settle(id: string, actual: readonly bigint[], lines: readonly Line[]): void
  close(): Promise<void>
}

/** Does what the store does with a call's record, for reservations only: takes them away, and moves the balances by what is left to move. */
class Applier {
  private readonly pool: pg.Pool
  private ended = new Map<string, readonly bigint[]>()
  private running: Promise<void> | undefined
  private readonly timer: NodeJS.Timeout

  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url, max: 1 })
    this.timer = setInterval(() => this.start(), 10)
  }

  end(id: string, actual: readonly bigint[]): void {
    this.ended.set(id, actual)
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.running
    this.start()
    await this.running
    await this.pool.end()
  }

  private start(): void {
    this.running ??= this.apply().finally(() => (this.running = undefined))
  }

  private async apply(): Promise<void> {
    const calls = this.ended
    if (calls.size === 0) return
    this.ended = new Map()
    const client = await this.pool.connect()
    await client.query('BEGIN')
    const { rows } = await client.query<{ id: string; lines: string }>('DELETE FROM holds WHERE id = ANY($1::text[]) RETURNING id, lines', [
      [...calls.keys()],
    ])
    const changes = new Map<string, bigint>()
    for (const { id, lines } of rows)
      decodeLines(lines).forEach(({ counter, amount, transient }, index) => {
        const change = settledAmount({ amount: BigInt(amount), transient }, calls.get(id)?.[index]) - BigInt(amount)
        if (change !== 0n) changes.set(counter, (changes.get(counter) ?? 0n) + change)
      })
    const sorted = [...changes].sort(([a], [b]) => (a < b ? -1 : 1))
    if (sorted.length > 0)
      await client.query(
        'INSERT INTO balances (counter, used) SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT (counter) DO UPDATE SET used = balances.used + excluded.used',
        [sorted.map(([counter]) => counter), sorted.map(([, change]) => String(change))],
      )
    await client.query('COMMIT')
    client.release()
  }
}

const database: TestDatabase | undefined = (await hasPostgres()) ? await createDatabase() : undefined
const redisIsHere = await hasRedis()
const prefix = `{bench-${randomUUID()}}:`

function memory(): Promise<Subject> {
  const counters = createMemoryCounters({ load: (all) => Promise.resolve(all.map(() => 0n)), flush: () => Promise.resolve() })
  return Promise.resolve({ name: 'memory', counters, settle: (id, actual) => counters.settle(id, actual), close: () => counters.close() })
}

async function postgres(url: string, settledBy: 'store' | 'counters'): Promise<Subject> {
  const counters = await createPostgresCounters({ url, holder: randomUUID() })
  const applier = new Applier(url)
  return {
    name: settledBy === 'store' ? 'PostgreSQL' : 'PostgreSQL, each settlement read back',
    counters,
    settle(id, actual, lines) {
      counters.settle(id, actual)
      applier.end(id, actual)
      if (settledBy === 'counters') void counters.used([lines[0]?.counter ?? '']).catch(() => undefined)
    },
    async close() {
      await counters.close()
      await applier.close()
    },
  }
}

async function redis(url: string): Promise<Subject> {
  const snapshots = await createPostgresSnapshots({ url })
  const counters = await createRedisCounters({
    url: redisUrl,
    prefix,
    holder: randomUUID(),
    load: (all) => Promise.resolve(all.map(() => 0n)),
    snapshot: () => snapshots.read(),
    holders: () => Promise.resolve([]),
    flush: () => Promise.resolve(),
  })
  return {
    name: 'Redis',
    counters,
    settle: (id, actual) => counters.settle(id, actual),
    close: () => counters.close().then(() => snapshots.close()),
  }
}

let calls = 0

function linesOf(call: number, name: string): readonly Line[] {
  const key = call % settings.keys
  return [
    { counter: `${name}/organisation:o_1/usd/month:2026-11`, amount: BOUND, limit: 10n ** 18n },
    { counter: `${name}/team:t_${key % 3}/usd/month:2026-11`, amount: BOUND, limit: 10n ** 18n },
    { counter: `${name}/key:k_${key}/usd/day:2026-11-21`, amount: BOUND, limit: 10n ** 18n },
    {
      counter: `${name}/key:k_${key}/tokens/sliding:2026-11-21T07:07`,
      amount: 1000n,
      limit: 10n ** 15n,
      previous: { counter: `${name}/key:k_${key}/tokens/sliding:2026-11-21T07:06`, perMille: 500 },
    },
    { counter: `${name}/key:k_${key}/calls/parallel:all`, amount: 1n, limit: 1_000_000n, transient: true },
  ]
}

interface Measured {
  readonly callsPerSecond: number
  readonly holdP50: number
  readonly holdP99: number
}

async function measure(subject: Subject, concurrency: number): Promise<Measured> {
  const times: number[] = []
  const run = randomUUID()
  let ended = 0
  const from = performance.now()
  const until = from + settings.seconds * 1000
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const call = calls++
      const hold = aHold(`${run}/${call}`, linesOf(call, run))
      const before = performance.now()
      const outcome = await subject.counters.hold(hold)
      times.push(performance.now() - before)
      await new Promise((resolve) => setImmediate(resolve))
      if (!outcome.granted) throw new Error('refused, though there is room')
      subject.settle(hold.id, [ACTUAL, ACTUAL, ACTUAL, 300n, 0n], hold.lines)
      ended++
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - from) / 1000
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(part * times.length))] ?? Number.NaN
  return { callsPerSecond: ended / seconds, holdP50: at(0.5), holdP99: at(0.99) }
}

/** CPU of a hold and a settlement in memory, without any waiting between calls. */
function microseconds(): { hold: number; settle: number } {
  const counters = createMemoryCounters()
  const holds = Array.from({ length: 100_000 }, (_, call) => aHold(String(call), linesOf(call, 'cpu')))
  const actual = [ACTUAL, ACTUAL, ACTUAL, 300n, 0n]
  const from = performance.now()
  for (const hold of holds) void counters.hold(hold)
  const between = performance.now()
  for (const { id } of holds) counters.settle(id, actual)
  const end = performance.now()
  return { hold: ((between - from) * 1000) / holds.length, settle: ((end - between) * 1000) / holds.length }
}

const started = performance.now()
const subjects: Subject[] = [await memory()]
if (database) subjects.push(await postgres(database.url, 'store'), await postgres(database.url, 'counters'))
if (database && redisIsHere) subjects.push(await redis(database.url))
const results: ({ readonly name: string; readonly concurrency: number } & Measured)[] = []
microseconds()
const cpu = Array.from({ length: settings.rounds }, microseconds)
try {
  for (const concurrency of settings.concurrency) {
    const measured = new Map<string, Measured[]>(subjects.map(({ name }) => [name, []]))
    for (let round = 0; round < settings.rounds; round++)
      for (const subject of subjects) measured.get(subject.name)?.push(await measure(subject, concurrency))
    for (const [name, rounds] of measured) {
      const middle = (field: keyof Measured): number => median(rounds.map((one) => one[field]))
      results.push({ name, concurrency, callsPerSecond: middle('callsPerSecond'), holdP50: middle('holdP50'), holdP99: middle('holdP99') })
    }
  }
} finally {
  for (const subject of subjects) await subject.close()
  if (redisIsHere) await cleanRedis()
  await database?.drop()
}

const cost = { hold: median(cpu.map(({ hold }) => hold)), settle: median(cpu.map(({ settle }) => settle)) }
console.log(
  `In memory, five lines: ${figure(cost.hold)} µs a hold, ${figure(cost.settle)} µs a settlement (CPU, median of ${settings.rounds} rounds of 100,000).\n`,
)
console.log(
  table(
    [
      'counters in',
      { title: 'calls at once', align: 'right' },
      { title: 'calls/s', align: 'right' },
      { title: 'hold p50, ms', align: 'right' },
      { title: 'hold p99, ms', align: 'right' },
    ],
    results.map(({ name, concurrency, callsPerSecond, holdP50, holdP99 }) => [
      name,
      concurrency,
      figure(callsPerSecond, 0),
      figure(holdP50, 3),
      figure(holdP99, 3),
    ]),
  ),
)
if (!database) console.log('\nPostgreSQL and Redis left out: no PostgreSQL at 127.0.0.1:5432.')
else if (!redisIsHere) console.log('\nRedis left out: no server at 127.0.0.1:6379.')
if (settings.json !== undefined)
  writeReport(settings.json, {
    command: commandLine('bench:counters'),
    seed: null,
    data: [],
    settings,
    baselines: results.filter(({ name }) => name.includes('read back')),
    results: { microseconds: cost, rows: results.filter(({ name }) => !name.includes('read back')) },
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })
process.exit(0)

async function cleanRedis(): Promise<void> {
  const client = new Redis(redisUrl)
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 }))
    if ((keys as string[]).length > 0) await client.unlink(...(keys as string[]))
  await client.quit()
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0')
  return value
}

function list(text: string): readonly number[] {
  return text.split(',').map(whole)
}

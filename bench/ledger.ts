// How fast records get into the ledger's database, how large it grows, and how long each kind of report takes then: embedded and PostgreSQL side by side, fed
// with the same records by turns, so that both see the same machine. Claim: at 10 million records every report from roll-ups takes at most 1 s.
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import type { LedgerRecord } from '../src/ledger/index.js'
import { wholePieces } from '../src/ledger/worker/applier.js'
import { embeddedEngine, serverEngine, type Engine } from './ledger/engines.js'
import { questions, type Known } from './ledger/questions.js'
import { traffic, type TrafficSettings } from './ledger/traffic.js'
import { commandLine, figure, packageVersion, table, writeReport } from './report.js'

const usage = `Usage: npm run bench:ledger -- [options]

Writes made-up traffic into new databases, prints the write rate and the size, then times every kind of report; the databases go away at the end.

  --records N       records in all: decisions, intents, calls and outcomes, of which a third are calls; 600000 unless given (200,000 calls)
  --engines LIST    embedded, postgresql or both with a comma between; both unless given, and what isn't there is left out
  --days N          days that the traffic is spread over; 90
  --keys N          keys that call, a few of them most of the time; 500
  --piece N         records of one transaction; ${wholePieces.maxRecords}, which is what the gateway takes at most
  --repeats N       how often each question is asked; 5
  --seed N          1
  --directory DIR   where the embedded database is made; ${tmpdir()}
  --server URL      PostgreSQL server on which a database is made; postgres://root@127.0.0.1:5432/postgres
  --keep            leaves the databases there, and says where
  --json FILE       writes the figures to a file too
  --help            this text

Takes about 600 bytes of disk a record on both engines together: 6 GB for --records 10000000.
`

const say = (text: string) => process.stderr.write(`${text}\n`)
const right = (title: string) => ({ title, align: 'right' as const })
/** 2026-11-21T00:00Z: a fixed end, so that the same seed gives the same days. */
const until = Date.parse('2026-11-21T00:00Z') / 1000
/** Pieces that one engine takes before it is the other's turn. */
const turn = 4
const mostTries = 5
/** Least pause between two lines of progress. */
const tellEveryMs = 10_000
/** Free bytes of disk that are asked for, by record: about twice what is written, since logs and sorting take some too. */
const freeBytes = 1200

interface Written {
  readonly engine: Engine
  seconds: number
  /** CPU of this process, which is all of an embedded database's. */
  cpuSeconds: number
  /** Seconds of each tenth of the records. */
  readonly tenths: number[]
  slowest: number
}

async function main(): Promise<number> {
  const values = readOptions()
  if (values === undefined) return 2
  if (values.help) {
    console.log(usage)
    return 0
  }
  const startedAt = performance.now()
  const [records, days, keys, piece, repeats, seed] = [
    values.records,
    values.days,
    values.keys,
    values.piece,
    values.repeats,
    values.seed,
  ].map(Number)
  if (![records, days, keys, piece, repeats, seed].every((value) => value !== undefined && Number.isInteger(value) && value > 0)) {
    say(`bench:ledger: --records, --days, --keys, --piece, --repeats and --seed are whole numbers above 0\n\n${usage}`)
    return 2
  }
  const settings = { seed: seed ?? 1, records: records ?? 0, days: days ?? 1, keys: keys ?? 1, until }
  const { bavail, bsize } = statfsSync(values.directory)
  if (bavail * bsize < freeBytes * settings.records) {
    say(
      `bench:ledger: ${values.directory} has ${figure((bavail * bsize) / 1e9, 1)} GB free, and ${settings.records} records ask for ${figure((freeBytes * settings.records) / 1e9, 1)} GB`,
    )
    return 2
  }
  const engines: Engine[] = []
  try {
    for (const name of values.engines.split(','))
      try {
        if (name !== 'embedded' && name !== 'postgresql') throw new Error('there is no such engine, only embedded and postgresql')
        engines.push(name === 'embedded' ? await embeddedEngine(values.directory) : await serverEngine(values.server))
      } catch (thrown) {
        say(`bench:ledger: ${name} is left out: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    if (engines.length === 0) return 2
    const { written, known, calls } = await write(engines, settings, piece ?? wholePieces.maxRecords)
    const sizes = await measureSizes(written, calls)
    const answers = await measureQuestions(engines, known, repeats ?? 5)
    const results = {
      calls,
      writes: written.map(({ engine, seconds, cpuSeconds, tenths, slowest }) => ({
        engine: engine.name,
        seconds,
        cpuSeconds,
        tenths,
        slowest,
      })),
      sizes,
      answers,
    }
    if (values.json !== undefined)
      writeReport(values.json, {
        command: commandLine('bench:ledger'),
        seed: settings.seed,
        data: [],
        settings: { ...settings, piece, repeats, engines: engines.map(({ name, version }) => ({ name, version })) },
        baselines: {},
        results,
        seconds: (performance.now() - startedAt) / 1000,
        version: packageVersion(),
      })
    console.log(
      `\n${settings.records} records (${calls} calls) by ${settings.keys} keys over ${settings.days} days, seed ${settings.seed}; pieces of ${piece} records; ${commandLine('bench:ledger')}`,
    )
    return answers.some(({ slow }) => slow) ? 1 : 0
  } finally {
    for (const engine of engines) {
      if (values.keep) say(`${engine.name} is kept: ${engine.where}`)
      else await engine.remove()
    }
  }
}

/** What was asked for; `undefined` once it was said what is wrong with it. */
function readOptions() {
  try {
    return parseArgs({
      options: {
        records: { type: 'string', default: '600000' },
        engines: { type: 'string', default: 'embedded,postgresql' },
        days: { type: 'string', default: '90' },
        keys: { type: 'string', default: '500' },
        piece: { type: 'string', default: String(wholePieces.maxRecords) },
        repeats: { type: 'string', default: '5' },
        seed: { type: 'string', default: '1' },
        directory: { type: 'string', default: tmpdir() },
        server: { type: 'string', default: 'postgres://root@127.0.0.1:5432/postgres' },
        keep: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (thrown) {
    say(`bench:ledger: ${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`)
    return undefined
  }
}

interface Piece {
  readonly from: number
  readonly to: number
  readonly records: LedgerRecord[]
}

async function write(
  engines: readonly Engine[],
  settings: TrafficSettings,
  size: number,
): Promise<{ readonly written: readonly Written[]; readonly known: Known; readonly calls: number }> {
  const written = engines.map((engine): Written => ({
    engine,
    seconds: 0,
    cpuSeconds: 0,
    tenths: new Array<number>(10).fill(0),
    slowest: 0,
  }))
  let known: Known | undefined
  let [calls, offset] = [0, 0]
  let pieces: Piece[] = []
  let piece: LedgerRecord[] = []
  const tell = progress(written, settings.records)
  const cut = () => {
    if (piece.length === 0) return
    pieces.push({ from: offset, to: offset + piece.length, records: piece })
    offset += piece.length
    piece = []
  }
  const feed = async () => {
    for (const one of written)
      for (const some of pieces) await applyPiece(one, some, Math.min(9, Math.floor((10 * some.from) / settings.records)))
    pieces = []
    tell(offset, calls)
  }
  for (const records of traffic(settings)) {
    piece.push(...records)
    for (const { type, record } of records)
      if (type === 'call') {
        calls++
        if (known === undefined || (record.run !== undefined && offset < settings.records / 2))
          known = {
            from: settings.until - settings.days * 86_400,
            to: settings.until,
            key: 'key-0',
            run: record.run,
            requestId: record.requestId,
            decisionId: record.decisionId,
          }
      }
    if (piece.length < size) continue
    cut()
    if (pieces.length >= turn) await feed()
  }
  cut()
  await feed()
  if (known === undefined) throw new Error('no calls were made')
  console.log(
    table(
      [
        'engine',
        'version',
        right('calls/s'),
        right('records/s'),
        right('calls/s, first tenth'),
        right('calls/s, last tenth'),
        right('CPU here, µs a call'),
        right('slowest piece ms'),
      ],
      written.map(({ engine, seconds, cpuSeconds, tenths, slowest }) => [
        engine.name,
        engine.version,
        figure(calls / seconds, 0),
        figure(offset / seconds, 0),
        figure(calls / 10 / (tenths[0] ?? NaN), 0),
        figure(calls / 10 / (tenths[9] ?? NaN), 0),
        figure((1e6 * cpuSeconds) / calls, 0),
        figure(1000 * slowest, 0),
      ]),
    ),
  )
  return { written, known, calls }
}

async function applyPiece(one: Written, { from, to, records }: Piece, tenth: number): Promise<void> {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  for (let tries = 1; ; tries++)
    try {
      await one.engine.store.apply({ segment: 'bench', from, to, holder: 'bench', records })
      break
    } catch (thrown) {
      // As the gateway does: a piece that failed is given again, and counts once. Its time counts.
      say(
        `bench:ledger: ${one.engine.name} did not take a piece (try ${tries}): ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      )
      if (tries >= mostTries) throw thrown
    }
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  one.seconds += seconds
  one.cpuSeconds += (user + system) / 1e6
  one.slowest = Math.max(one.slowest, seconds)
  one.tenths[tenth] = (one.tenths[tenth] ?? 0) + seconds
}

/** Says now and then how far it is, how fast each engine was since it last said so, and how long it will take. */
function progress(written: readonly Written[], records: number): (done: number, calls: number) => void {
  const begun = performance.now()
  let told = { at: begun, calls: 0, seconds: written.map(() => 0) }
  return (done, calls) => {
    const now = performance.now()
    if (now - told.at < tellEveryMs) return
    const rates = written.map(
      ({ engine, seconds }, index) => `${engine.name} ${figure((calls - told.calls) / (seconds - (told.seconds[index] ?? 0)), 0)} calls/s`,
    )
    const left = ((now - begun) / 1000) * (records / done - 1)
    say(
      `${done} of ${records} records (${figure((100 * done) / records, 1)} %): ${rates.join(', ')}; about ${figure(left / 60, 1)} min to go`,
    )
    told = { at: now, calls, seconds: written.map(({ seconds }) => seconds) }
  }
}

async function measureSizes(written: readonly Written[], calls: number) {
  const sizes: { engine: string; total: number; perCall: number; tables: readonly { readonly table: string; readonly bytes: number }[] }[] =
    []
  for (const { engine } of written) {
    await engine.settle()
    const { total, tables } = await engine.bytes()
    sizes.push({ engine: engine.name, total, perCall: total / calls, tables })
  }
  const names = [...new Set(sizes.flatMap(({ tables }) => tables.map(({ table: name }) => name)))]
  const bytesOf = (size: (typeof sizes)[number], name: string) => size.tables.find(({ table: other }) => other === name)?.bytes ?? 0
  console.log(
    `\n${table(
      ['bytes a call', ...sizes.map(({ engine }) => right(engine))],
      [
        ['all', ...sizes.map(({ perCall }) => figure(perCall, 0))],
        ...names
          .filter((name) => sizes.some((size) => bytesOf(size, name) >= calls))
          .map((name) => [name, ...sizes.map((size) => figure(bytesOf(size, name) / calls, 0))]),
      ],
    )}`,
  )
  for (const { engine, total } of sizes) console.log(`${engine}: ${figure(total / 2 ** 20, 0)} MiB`)
  return sizes
}

/** Longest time a report may take, in milliseconds. */
const limitMs = 1000

async function measureQuestions(engines: readonly Engine[], known: Known, repeats: number) {
  const answers = []
  for (const { name, ask } of questions(known)) {
    say(`asking ${name} …`)
    const times = engines.map((): number[] => [])
    const rows = engines.map(() => 0)
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const [index, { name: engine, store }] of engines.entries()) {
        const begun = performance.now()
        try {
          rows[index] = await ask(store)
        } catch (thrown) {
          // After hours of writing, one question that is given up shall not take the other answers with it.
          say(`bench:ledger: ${engine} did not answer ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
          times[index]?.push(Number.POSITIVE_INFINITY)
          continue
        }
        times[index]?.push(performance.now() - begun)
      }
    const told = times.map((some) => {
      const sorted = [...some].sort((a, b) => a - b)
      return { p50: sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN, p99: sorted[Math.ceil(0.99 * sorted.length) - 1] ?? NaN }
    })
    answers.push({ name, rows, told, slow: told.some(({ p50 }) => p50 > limitMs), differ: new Set(rows).size > 1 })
  }
  console.log(
    `\n${table(
      ['question', right('rows'), ...engines.flatMap(({ name }) => [right(`${name} p50 ms`), right('p99 ms')])],
      answers.map(({ name, rows, told, slow, differ }) => [
        `${name}${slow ? ' (SLOW)' : ''}${differ ? ' (DIFFERENT)' : ''}`,
        rows[0] ?? 0,
        ...told.flatMap(({ p50, p99 }) => [figure(p50, 1), figure(p99, 1)]),
      ]),
    )}`,
  )
  return answers
}

process.exitCode = await main()

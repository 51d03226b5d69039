// How fast records get into the ledger's database, how large it grows, and how long each kind of report takes then: embedded and PostgreSQL side by side, fed
// with the same records by turns, so that both see the same machine. Claim: at 10 million calls every report from roll-ups takes at most 1 s.
// Usage: npm run bench:ledger -- [--records 200000] [--engines embedded,postgresql] [--days 90] [--keys 500] [--piece 500] [--repeats 5] [--seed 1] [--keep]
//        [--directory DIR] [--server postgres://root@127.0.0.1:5432/postgres] [--json FILE]
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import type { LedgerRecord } from '../src/ledger/index.js'
import { embeddedEngine, serverEngine, type Engine } from './ledger/engines.js'
import { questions, type Known } from './ledger/questions.js'
import { traffic } from './ledger/traffic.js'
import { commandLine, figure, packageVersion, table, writeReport } from './report.js'

const say = (text: string) => process.stderr.write(`${text}\n`)
const right = (title: string) => ({ title, align: 'right' as const })
/** 2026-11-21T00:00Z: a fixed end, so that the same seed gives the same days. */
const until = Date.parse('2026-11-21T00:00Z') / 1000
/** Pieces that one engine takes before it is the other's turn. */
const turn = 20

interface Written {
  readonly engine: Engine
  seconds: number
  /** Seconds of each tenth of the calls. */
  readonly tenths: number[]
  slowest: number
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '200000' },
      engines: { type: 'string', default: 'embedded,postgresql' },
      days: { type: 'string', default: '90' },
      keys: { type: 'string', default: '500' },
      piece: { type: 'string', default: '500' },
      repeats: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      directory: { type: 'string', default: tmpdir() },
      server: { type: 'string', default: 'postgres://root@127.0.0.1:5432/postgres' },
      keep: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const startedAt = performance.now()
  const [calls, days, keys, piece, repeats, seed] = [values.records, values.days, values.keys, values.piece, values.repeats, values.seed].map(Number)
  if (![calls, days, keys, piece, repeats, seed].every((value) => value !== undefined && Number.isInteger(value) && value > 0)) {
    say('bench:ledger: --records, --days, --keys, --piece, --repeats and --seed are whole numbers above 0')
    return 2
  }
  const settings = { seed: seed ?? 1, calls: calls ?? 0, days: days ?? 1, keys: keys ?? 1, until }
  const engines: Engine[] = []
  try {
    for (const name of values.engines.split(','))
      try {
        engines.push(name === 'embedded' ? await embeddedEngine(values.directory) : await serverEngine(values.server))
      } catch (thrown) {
        say(`bench:ledger: ${name} is left out: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    if (engines.length === 0) return 2
    const { written, known } = await write(engines, settings, piece ?? 500)
    const sizes = await measureSizes(written, settings.calls)
    const answers = await measureQuestions(engines, known, repeats ?? 5)
    const results = { writes: written.map(({ engine, seconds, tenths, slowest }) => ({ engine: engine.name, seconds, tenths, slowest })), sizes, answers }
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
    console.log(`\n${settings.calls} calls by ${settings.keys} keys over ${settings.days} days, seed ${settings.seed}; pieces of ${piece} records; ${commandLine('bench:ledger')}`)
    return answers.some(({ slow }) => slow) ? 1 : 0
  } finally {
    for (const engine of engines) {
      if (values.keep) say(`${engine.name} is kept: ${engine.where}`)
      else await engine.remove()
    }
  }
}

async function write(engines: readonly Engine[], settings: Parameters<typeof traffic>[0], size: number): Promise<{ readonly written: readonly Written[]; readonly known: Known }> {
  const written = engines.map((engine): Written => ({ engine, seconds: 0, tenths: new Array<number>(10).fill(0), slowest: 0 }))
  let known: Known | undefined
  let [made, offset, told] = [0, 0, 0]
  let pieces: { readonly from: number; readonly to: number; readonly records: LedgerRecord[] }[] = []
  let piece: LedgerRecord[] = []
  const cut = () => {
    if (piece.length === 0) return
    pieces.push({ from: offset, to: offset + piece.length, records: piece })
    offset += piece.length
    piece = []
  }
  const feed = async () => {
    for (const one of written)
      for (const { from, to, records } of pieces) {
        const begun = performance.now()
        await one.engine.store.apply({ segment: 'bench', from, to, holder: 'bench', records })
        const seconds = (performance.now() - begun) / 1000
        one.seconds += seconds
        one.slowest = Math.max(one.slowest, seconds)
        const tenth = Math.min(9, Math.floor((10 * made) / settings.calls))
        one.tenths[tenth] = (one.tenths[tenth] ?? 0) + seconds
      }
    pieces = []
  }
  for (const records of traffic(settings)) {
    piece.push(...records)
    for (const { type, record } of records)
      if (type === 'call') {
        made++
        if (known === undefined || (record.run !== undefined && made < settings.calls / 2))
          known = { from: settings.until - settings.days * 86_400, to: settings.until, key: 'key-0', run: record.run, requestId: record.requestId, decisionId: record.decisionId }
      }
    if (piece.length < size) continue
    cut()
    if (pieces.length < turn) continue
    await feed()
    if (made >= told + settings.calls / 10) {
      told = made
      say(`${made} calls: ${written.map(({ engine, seconds }) => `${engine.name} ${figure(made / seconds, 0)} calls/s`).join(', ')}`)
    }
  }
  cut()
  await feed()
  if (known === undefined) throw new Error('no calls were made')
  console.log(
    table(
      ['engine', 'version', right('calls/s'), right('records/s'), right('calls/s, first tenth'), right('calls/s, last tenth'), right('slowest piece ms')],
      written.map(({ engine, seconds, tenths, slowest }) => [
        engine.name,
        engine.version,
        figure(made / seconds, 0),
        figure(offset / seconds, 0),
        figure(made / 10 / (tenths[0] ?? NaN), 0),
        figure(made / 10 / (tenths[9] ?? NaN), 0),
        figure(1000 * slowest, 0),
      ]),
    ),
  )
  return { written, known }
}

async function measureSizes(written: readonly Written[], calls: number) {
  const sizes: { engine: string; total: number; perCall: number; tables: readonly { readonly table: string; readonly bytes: number }[] }[] = []
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
        ...names.filter((name) => sizes.some((size) => bytesOf(size, name) >= calls)).map((name) => [name, ...sizes.map((size) => figure(bytesOf(size, name) / calls, 0))]),
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
    const times = engines.map((): number[] => [])
    const rows = engines.map(() => 0)
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const [index, { store }] of engines.entries()) {
        const begun = performance.now()
        rows[index] = await ask(store)
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
      answers.map(({ name, rows, told, slow, differ }) => [`${name}${slow ? ' (SLOW)' : ''}${differ ? ' (DIFFERENT)' : ''}`, rows[0] ?? 0, ...told.flatMap(({ p50, p99 }) => [figure(p50, 1), figure(p99, 1)])]),
    )}`,
  )
  return answers
}

process.exitCode = await main()

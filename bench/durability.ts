// What the books cost a request: the same gateway with the ledger in memory, on disk with each durability, in PostgreSQL and with Redis
// in front, in interleaved rounds. Claim: durable records add at most 2 ms to the median. Group commits in a call's way: `strict` one before it is sent
// and one before its last byte; `disk` the latter, and before a stream's first byte one that began when the call was sent.
// Usage: npm run bench:durability -- [--rounds 3] [--seconds 5] [--concurrency 1,16,64,256] [--modes json,sse] [--database URL] [--redis URL]
//        npm run bench:durability -- --alone [--calls 500]: the ledger without a gateway, one call after the other; its counts of writes and syncs
//        hardly depend on what else the machine does (a whole answer from a provider slower than 3 ms syncs twice).
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { aloneCells, ledgerAlone } from './durability-alone.js'
import type { Child } from './gateway/children.js'
import { hasWrk, loadInRounds, type Mode, type Run } from './gateway/load.js'
import { benchKey, missing, startBursar, startUpstreamProcess, type Target } from './gateway/targets.js'
import { commandLine, figure, median, packageVersion, table } from './report.js'

const say = (text: string) => process.stderr.write(`${text}\n`)

interface Kind {
  readonly name: string
  readonly ledger: Readonly<Record<string, unknown>>
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      concurrency: { type: 'string', default: '1,16,64,256' },
      modes: { type: 'string', default: 'json,sse' },
      database: { type: 'string' },
      redis: { type: 'string' },
      alone: { type: 'boolean', default: false },
      calls: { type: 'string', default: '500' },
    },
  })
  if (values.alone) return alone(Number(values.calls))
  const rounds = Number(values.rounds)
  const seconds = Number(values.seconds)
  const concurrencies = values.concurrency.split(',').map(Number)
  const modes = values.modes.split(',').map((mode): Mode => (mode === 'sse' ? 'sse' : 'json'))
  const why = hasWrk()
    ? missing('bursar')
    : 'bench:durability needs the load generator wrk, which is not on the PATH. On Debian and Ubuntu: sudo apt-get install wrk'
  if (why !== undefined) {
    say(why)
    return 2
  }
  const database = values.database === undefined ? {} : { database_url: values.database }
  const kinds: readonly Kind[] = [
    { name: 'memory', ledger: { store: 'memory' } },
    { name: 'file, process', ledger: { durability: 'process' } },
    { name: 'file, disk', ledger: { durability: 'disk' } },
    { name: 'file, strict', ledger: { durability: 'strict' } },
    ...(values.database === undefined ? [] : [{ name: 'PostgreSQL', ledger: database }]),
    ...(values.database === undefined || values.redis === undefined
      ? []
      : [{ name: 'PostgreSQL + Redis', ledger: { ...database, redis_url: values.redis } }]),
  ]
  const children: Child[] = []
  let runs: readonly Run[]
  try {
    const upstream = await startUpstreamProcess()
    children.push(upstream)
    const targets: Target[] = []
    for (const { name, ledger } of kinds) {
      const child = await startBursar(upstream.url, { config: { ledger } })
      children.push(child)
      targets.push({ name, url: child.url, pid: child.pid, headers: { authorization: `Bearer ${benchKey}` } })
    }
    runs = await loadInRounds(targets, { rounds, modes, concurrencies, seconds }, say)
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
  let kept = true
  const rows = modes.flatMap((mode) =>
    concurrencies.flatMap((concurrency) =>
      kinds.map(({ name }) => {
        const own = runs.filter((run) => run.target === name && run.mode === mode && run.concurrency === concurrency)
        // Within a round, since the machine is not the same in the next.
        const added = own.map(
          (run) =>
            run.p50Ms -
            (runs.find(
              (other) => other.target === 'memory' && other.mode === mode && other.concurrency === concurrency && other.round === run.round,
            )?.p50Ms ?? Number.NaN),
        )
        const errors = own.reduce((sum, run) => sum + run.errors, 0)
        const more = median(added)
        if (name !== 'memory' && more > 2) kept = false
        return [
          mode,
          String(concurrency),
          name,
          figure(median(own.map((run) => run.requestsPerSecond)), 0),
          figure(median(own.map((run) => run.p50Ms))),
          name === 'memory' ? '' : figure(more),
          figure(median(own.map((run) => run.p99Ms))),
          figure(median(own.map((run) => run.cpuMsPerRequest)), 3),
          figure(Math.max(...own.map((run) => run.peakRssMb)), 0),
          String(errors),
        ]
      }),
    ),
  )
  const right = (title: string) => ({ title, align: 'right' as const })
  console.log(
    `${commandLine('bench:durability')}   ${packageVersion()}, ${cpus().length} cores, Node ${process.version}; medians of ${rounds} rounds of ${seconds} s`,
  )
  console.log(
    `\n${table(['mode', right('connections'), 'ledger', right('requests/s'), right('p50 ms'), right('added p50 ms'), right('p99 ms'), right('CPU ms'), right('peak MB'), right('errors')], rows)}\n`,
  )
  console.log(
    kept ? 'Durable records add at most 2 ms to the median everywhere.' : 'Somewhere durable records add more than 2 ms to the median.',
  )
  return kept ? 0 : 1
}

async function alone(calls: number): Promise<number> {
  const rows: string[][] = []
  for (const stream of [false, true])
    for (const durability of ['process', 'disk', 'strict'] as const) rows.push(aloneCells(await ledgerAlone(durability, stream, calls)))
  const right = (title: string) => ({ title, align: 'right' as const })
  const waits = ['waits before it is sent, ms', 'before its first byte', 'before its last'].map(right)
  console.log(
    `${commandLine('bench:durability')}   ${packageVersion()}, Node ${process.version}; ${calls} calls one after the other, medians`,
  )
  console.log(`\n${table(['call', 'durability', right('CPU ms'), right('writes'), right('syncs'), ...waits], rows)}\n`)
  return 0
}

process.exitCode = await main()

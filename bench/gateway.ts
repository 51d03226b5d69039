// How much a gateway costs: requests per second, latency, CPU and memory of Bursar, of bare pass-through proxies (the floor) and
// of Portkey, all in front of the same upstream on this machine, in interleaved rounds.
// Usage: npm run bench:gateway -- [--rounds 3] [--seconds 10] [--quick] [--only bursar,floor] [--concurrency 1,16,64,256]
//        [--modes json,sse] [--pairs 60] [--json FILE]
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Child } from './gateway/children.js'
import { firstTokenTimes, timeStream } from './gateway/first-token.js'
import { hasWrk, loadInRounds, type Mode } from './gateway/load.js'
import { medianDifference, resultTable, summarize, verdicts, verdictTable } from './gateway/summary.js'
import { missing, startTarget, startUpstreamProcess, targetNames, type Target, type TargetName } from './gateway/targets.js'
import { commandLine, figure, median, packageVersion, table, writeReport } from './report.js'

const say = (text: string) => process.stderr.write(`${text}\n`)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      concurrency: { type: 'string', default: '1,16,64,256' },
      modes: { type: 'string', default: 'json,sse' },
      pairs: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const startedAt = performance.now()
  const rounds = count('--rounds', values.rounds ?? (values.quick ? '1' : '3'))
  const seconds = count('--seconds', values.seconds ?? (values.quick ? '3' : '10'))
  const pairs = count('--pairs', values.pairs ?? (values.quick ? '20' : '60'))
  const concurrencies = values.concurrency.split(',').map((one) => count('--concurrency', one))
  const modes = values.modes.split(',').map(asMode)
  const wanted = values.only === undefined ? [...targetNames] : ['direct' as const, ...values.only.split(',').map(asTarget)]
  if (!hasWrk()) {
    say('bench:gateway needs the load generator wrk, which is not on the PATH. On Debian and Ubuntu: sudo apt-get install wrk')
    return 2
  }
  const names = targetNames.filter((name) => {
    if (!wanted.includes(name)) return false
    const why = missing(name)
    if (why !== undefined) say(`skipped: ${why}`)
    return why === undefined
  })

  const children: Child[] = []
  try {
    const upstream = await startUpstreamProcess()
    children.push(upstream)
    const targets: Target[] = []
    for (const name of names) {
      const { target, child } = await startTarget(name, upstream)
      if (child) children.push(child)
      await preflight(target)
      targets.push(target)
    }
    say(`targets: ${names.join(', ')}; ${rounds} rounds of ${seconds} s, concurrency ${concurrencies.join(', ')}`)
    const runs = await loadInRounds(targets, { rounds, modes, concurrencies, seconds }, say)
    say('time to first token …')
    const times = await firstTokenTimes(targets, pairs)

    const rows = summarize(runs)
    const direct = times.get('direct') ?? []
    const added = new Map(
      targets
        .filter((target) => target.name !== 'direct')
        .map((target) => [target.name, medianDifference(times.get(target.name) ?? [], direct)]),
    )
    const judged = verdicts(rows, added.get('bursar'))
    console.log(`\n${resultTable(rows)}\n`)
    console.log(
      table(
        ['time to first token', { title: 'median ms', align: 'right' }, { title: 'added ms', align: 'right' }, '95 %'],
        targets.map(({ name }) => {
          const more = added.get(name)
          return [
            name,
            figure(median(times.get(name) ?? [])),
            figure(more?.value),
            more ? `[${figure(more.low)}, ${figure(more.high)}]` : '',
          ]
        }),
      ),
    )
    if (names.includes('bursar')) console.log(`\n${verdictTable(judged)}`)
    if (values.json !== undefined)
      writeReport(values.json, {
        command: commandLine('bench:gateway'),
        seed: null,
        data: [],
        settings: {
          rounds,
          seconds,
          pairs,
          concurrencies,
          modes,
          targets: names,
          cores: cpus().length,
          cpu: cpus()[0]?.model,
          node: process.version,
        },
        baselines: {
          rows: rows.filter((row) => row.target !== 'bursar'),
          firstToken: Object.fromEntries([...added].filter(([name]) => name !== 'bursar')),
        },
        results: { rows: rows.filter((row) => row.target === 'bursar'), firstToken: added.get('bursar') ?? null, verdicts: judged, runs },
        seconds: (performance.now() - startedAt) / 1_000,
        version: packageVersion(),
      })
    return judged.some((verdict) => verdict.met === false) ? 1 : 0
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** A target that answers wrongly would look fast. */
async function preflight(target: Target): Promise<void> {
  const whole = await timeStream(target, 'mock', false)
  const text: unknown = whole.status === 200 ? JSON.parse(whole.body.toString()) : undefined
  if (!JSON.stringify(text ?? {}).includes('"finish_reason":"stop"'))
    throw new Error(`${target.name} answered ${whole.status}: ${whole.body.toString().slice(0, 400)}`)
  const streamed = await timeStream(target, 'mock')
  const events = streamed.body.toString().match(/^data: \{/gm)?.length ?? 0
  if (streamed.status !== 200 || events < 50 || !streamed.body.includes('data: [DONE]'))
    throw new Error(`${target.name} streamed ${events} events, status ${streamed.status}: ${streamed.body.toString().slice(0, 400)}`)
}

function count(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} takes whole numbers from 1, not "${text}"`)
  return value
}

function asMode(text: string): Mode {
  if (text === 'json' || text === 'sse') return text
  throw new Error(`--modes takes json and sse, not "${text}"`)
}

function asTarget(text: string): TargetName {
  const found = targetNames.find((name) => name === text)
  if (found) return found
  throw new Error(`--only takes ${targetNames.join(', ')}, not "${text}"`)
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => {
    say(`bench:gateway: ${fault instanceof Error ? fault.message : String(fault)}`)
    process.exit(2)
  },
)

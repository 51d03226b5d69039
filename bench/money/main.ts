// The promise of the ledger, tried from outside: an upstream that keeps its own books, gateways in processes of their own, and everything
// that may go wrong between them. Ends with 1 when a promise was broken.
// Usage: npm run bench:money -- --campaign burst|kill|outage|replica [--store embedded|postgres|redis] [--outage KIND] [--runs N]
//        [--callers N] [--processes N] [--seed N] [--main FILE] [--json FILE]
// Each run is told when it is over; Ctrl-C (SIGINT) ends the campaign with the table and the sum of the runs until then.
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { commandLine, packageVersion, table, writeReport } from '../report.js'
import { burst, burstSummary } from './burst.js'
import { noFindings, type Findings } from './campaign.js'
import { builtProgram, type Program } from './gateway-process.js'
import { kill, killSummary } from './kill.js'
import { outage, outages } from './outage.js'
import { replica } from './replica.js'
import { missingPostgres, missingRedis } from './services.js'

const stores = ['embedded', 'postgres', 'redis'] as const

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      campaign: { type: 'string' },
      store: { type: 'string', default: 'embedded' },
      outage: { type: 'string', default: 'postgres' },
      runs: { type: 'string' },
      callers: { type: 'string' },
      processes: { type: 'string' },
      'load-ms': { type: 'string', default: '1500' },
      seed: { type: 'string', default: '1' },
      main: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const startedAt = performance.now()
  const store = oneOf('--store', values.store, stores)
  const program: Program = values.main === undefined ? builtProgram : { built: values.main }
  if ('built' in program && !existsSync(program.built)) throw new Error(`${program.built} is not there; \`npm run build\` makes it`)
  const seed = whole('--seed', values.seed)
  const say = (text: string) => void process.stderr.write(`${text}\n`)
  const callers = (usual: number) => whole('--callers', values.callers ?? String(usual))
  const runs = (usual: number) => whole('--runs', values.runs ?? String(usual))
  const kind = oneOf('--outage', values.outage, outages)
  const why =
    store === 'embedded' && !kind.startsWith('postgres')
      ? undefined
      : (missingPostgres() ?? (store === 'redis' ? missingRedis() : undefined))
  if (why !== undefined && (store !== 'embedded' || values.campaign === 'outage')) {
    say(`skipped: ${why}`)
    return 2
  }
  const gathered = noFindings()
  // Before all other listeners, which end the process.
  process.prependOnceListener('SIGINT', () => {
    report(gathered, values.campaign)
    console.log('broken off')
    process.exit(130)
  })
  const found = await run(values.campaign)
  if (found.skipped !== undefined) {
    say(`skipped: ${found.skipped}`)
    return 2
  }
  report(found, values.campaign)
  if (values.json !== undefined)
    writeReport(values.json, {
      command: commandLine('bench:money'),
      seed,
      data: [],
      settings: { ...values, node: process.version },
      baselines: {},
      results: found,
      seconds: (performance.now() - startedAt) / 1_000,
      version: packageVersion(),
    })
  return found.violations.length === 0 ? 0 : 1

  function run(campaign: string | undefined): Promise<Findings> {
    switch (campaign) {
      case 'burst':
        return burst({
          store,
          program,
          runs: runs(50),
          callers: callers(1_000),
          processes: whole('--processes', values.processes ?? (store === 'embedded' ? '1' : '4')),
          seed,
          say,
          findings: gathered,
        })
      case 'kill':
        if (store === 'redis') throw new Error('--campaign kill takes --store embedded or postgres')
        return kill({
          store,
          program,
          kills: runs(200),
          callers: callers(64),
          loadMs: whole('--load-ms', values['load-ms']),
          seed,
          say,
          findings: gathered,
        })
      case 'outage':
        return outage({
          kind,
          program,
          runs: runs(3),
          callers: callers(32),
          partMs: whole('--load-ms', values['load-ms']),
          seed,
          say,
          findings: gathered,
        })
      case 'replica':
        if (store === 'embedded') throw new Error('--campaign replica takes --store postgres or redis')
        return replica({
          store,
          program,
          runs: runs(10),
          callers: callers(32),
          loadMs: whole('--load-ms', values['load-ms']),
          seed,
          say,
          findings: gathered,
        })
      default:
        throw new Error(`--campaign is one of burst, kill, outage, replica${campaign === undefined ? '' : `, not "${campaign}"`}`)
    }
  }
}

function report(findings: Findings, campaign: string | undefined): void {
  const { rows, violations } = findings
  const names = Object.keys(rows[0] ?? {})
  if (names.length > 0)
    console.log(
      `\n${table(
        names.map((title) => ({ title, align: typeof rows[0]?.[title] === 'number' ? 'right' : 'left' })),
        rows.map((row) => names.map((name) => row[name] ?? '')),
      )}\n`,
    )
  if (campaign === 'burst') console.log(burstSummary(findings))
  if (campaign === 'kill') console.log(killSummary(findings))
  for (const violation of violations) console.log(`VIOLATION: ${violation}`)
  console.log(violations.length === 0 ? `held in all ${rows.length} runs` : `${violations.length} violations in ${rows.length} runs`)
}

function whole(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} takes a whole number above 0, not "${text}"`)
  return value
}

function oneOf<const T extends string>(option: string, text: string, known: readonly T[]): T {
  const value = known.find((name) => name === text)
  if (value === undefined) throw new Error(`${option} is one of ${known.join(', ')}, not "${text}"`)
  return value
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => {
    process.stderr.write(`bench:money: ${fault instanceof Error ? fault.message : String(fault)}\n`)
    process.exit(2)
  },
)

/**
 * `npm run bench:budgets`: what a call's budget costs the process: CPU time of making a request's budget, holding, settling and writing
 * its headers, with counters in memory and a ledger that keeps nothing. The baseline is the same call with no limit at any level.
 */
import { Command, InvalidArgumentError } from 'commander'
import { createMemoryCounters } from '../src/ledger/counters/memory-counters.js'
import {
  createCallBudget,
  SharedBudgets,
  type BudgetLevel,
  type BudgetRule,
  type CallBound,
  type RateRules,
} from '../src/ledger/budgets/index.js'
import { durablyNoted, type PlannedCall } from '../src/ledger/index.js'
import { noCost, noUsage, systemClock, usd } from '../src/quantities/index.js'
import { commandLine, median, packageVersion, table, writeReport } from './report.js'

interface Settings {
  readonly calls: number
  readonly rounds: number
  readonly json?: string
}

const settings = new Command('bench:budgets')
  .option('--calls <number>', 'calls in a round', whole, 100_000)
  .option('--rounds <number>', 'rounds; the median counts', whole, 7)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const kinds = ['organisation', 'team', 'user', 'key'] as const
const dollarsAndCalls: readonly BudgetRule[] = [
  { unit: 'usd', limit: usd(1_000_000), per: 'month', hard: true },
  { unit: 'calls', limit: 1_000_000_000_000n, per: 'day', hard: true },
]
const rates: RateRules = { requestsPerMinute: 1e9, tokensPerMinute: 1e12, parallel: 1e6 }
const levels = (rules: readonly BudgetRule[], ratesOfKey?: RateRules): readonly BudgetLevel[] =>
  kinds.map((kind) => ({ kind, id: `${kind}_1`, name: kind, rules, rates: kind === 'key' ? ratesOfKey : undefined }))

const plan: Omit<PlannedCall, 'callId'> = {
  requestId: 'request',
  decisionId: 'decision',
  at: 0,
  key: 'key_1',
  requestedModel: 'm',
  provider: 'p',
  deployment: 'p/m',
  model: 'm',
  operation: 'generate',
  stream: true,
  attempt: 1,
}
const bound: CallBound = {
  usage: { ...noUsage, inputTokens: 900, outputTokens: 400 },
  cost: { ...noCost, usd: usd('0.0123'), seconds: 600 },
  likelyTokens: 1000,
}
const end = { usage: { ...noUsage, inputTokens: 300, outputTokens: 120 }, cost: { ...noCost, usd: usd('0.0041'), seconds: 2 } }

const cases: readonly {
  readonly name: string
  readonly levels: readonly BudgetLevel[]
  readonly fresh?: boolean
  readonly headers?: boolean
}[] = [
  { name: 'no limit at any level', levels: levels([]) },
  { name: 'usd and calls at four levels', levels: levels(dollarsAndCalls) },
  { name: '… and a new run each request', levels: levels(dollarsAndCalls), fresh: true },
  { name: '… and rates of the key', levels: levels(dollarsAndCalls, rates) },
  { name: '… and headers', levels: levels(dollarsAndCalls, rates), headers: true },
]

const noted = Promise.resolve(durablyNoted)
const started = performance.now()

async function round(one: (typeof cases)[number]): Promise<number> {
  const counters = createMemoryCounters()
  const shared = new SharedBudgets({ counters, ledger: { recordIntent: () => noted }, clock: systemClock })
  const before = process.cpuUsage()
  for (let call = 0; call < settings.calls; call++) {
    const all = one.fresh
      ? [...one.levels, { kind: 'run' as const, id: `key_1/${call % 1000}`, name: 'run', rules: dollarsAndCalls }]
      : one.levels
    const budget = createCallBudget(all, { shared })
    const held = await budget.hold({ ...plan, callId: String(call) }, bound)
    if (one.headers) budget.headers()
    held.settle(held.settled(end))
  }
  const { user, system } = process.cpuUsage(before)
  await counters.close()
  return (user + system) / settings.calls
}

const results: { readonly name: string; readonly microseconds: number; readonly fastest: number; readonly slowest: number }[] = []
for (const one of cases) {
  await round(one)
  const times: number[] = []
  for (let number = 0; number < settings.rounds; number++) times.push(await round(one))
  results.push({ name: one.name, microseconds: median(times), fastest: Math.min(...times), slowest: Math.max(...times) })
}
console.log(`CPU of a call's budget; ${settings.calls} calls a round, median of ${settings.rounds} rounds, Node ${process.version}\n`)
console.log(
  table(
    ['limits', { title: 'µs a call', align: 'right' }, { title: 'fastest', align: 'right' }, { title: 'slowest', align: 'right' }],
    results.map(({ name, microseconds, fastest, slowest }) => [name, microseconds.toFixed(1), fastest.toFixed(1), slowest.toFixed(1)]),
  ),
)
if (settings.json !== undefined)
  writeReport(settings.json, {
    command: commandLine('bench:budgets'),
    seed: null,
    data: [],
    settings,
    baselines: results[0],
    results: results.slice(1),
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0')
  return value
}

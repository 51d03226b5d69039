import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { childRandom, type Random } from '../../src/statistics/index.js'
import { readCalls, totalSpend, type RecordedCall } from './books.js'
import { createAgent, dollars, makeCall, planCall, type CallShape, type Outcome } from './callers.js'
import { eventually, inFolder, sleep, tally, type Findings, type Say } from './campaign.js'
import { GatewayProcess, MODEL, writeConfig, type Program } from './gateway-process.js'
import { PrivatePostgres } from './services.js'
import { BillingUpstream, type Billed, type Prices } from './upstream.js'

export interface KillSettings {
  readonly store: 'embedded' | 'postgres'
  readonly program: Program
  /** How often the gateway is killed. */
  readonly kills: number
  readonly callers: number
  /** Longest time under load before it is killed; milliseconds. */
  readonly loadMs: number
  readonly seed: number
  readonly say: Say
}

const prices: Prices = { input: 2, output: 8 }
const KEY = 'sk-kill-0123456789abcdef'
/** Everything goes wrong that may go wrong, so that crashes meet calls in every state. */
const faults = { cutStreams: 0.03, cutAnswers: 0.02, refused: 0.03 }
const shape: CallShape = { model: MODEL, prices, maxTokens: 200, promptWords: 60, streams: 0.6, leaving: 0.05, leaveWithinMs: 60 }
/** After a start: how long what the dead process left may need to be in the books. */
const RECONCILED_MS = 20_000

/** What is known of all calls since the campaign began, kept small: only sums, and what must still be looked for. */
interface Books {
  /** Bills of calls that came to their proper end must be in the ledger to the picodollar; the others may be counted higher, up to their bounds. */
  slack: bigint
  complete: Outcome[]
  outcomes: number
}

/**
 * Kills the gateway (SIGKILL) at a random moment under load, sometimes while it still starts, and starts it again on the same database
 * and journal. After each start the books are compared with the upstream's.
 *
 * Violations: it doesn't start; the ledger shows less than the upstream billed; it shows more, by more than the calls without a
 * proper end could have cost at most; a call whose answer had come to its end is missing, there twice, or of another cost; single
 * records and sums disagree.
 */
export function kill(settings: KillSettings): Promise<Findings> {
  return inFolder(`kill-${settings.store}`, settings.say, async (folder) => {
    const findings: Findings = { violations: [], rows: [] }
    const random = childRandom(settings.seed, `kill ${settings.store}`)
    const upstream = await new BillingUpstream({ prices, faults, seed: settings.seed, paceMs: 3 }).start()
    const postgres = settings.store === 'embedded' ? undefined : await PrivatePostgres.create()
    let gateway: GatewayProcess | undefined
    try {
      const database = await postgres?.createDatabase('bursar')
      const own = join(folder, 'gateway')
      mkdirSync(own)
      writeConfig(own, {
        upstreamUrl: upstream.url,
        prices,
        keys: [{ name: 'kill', key: KEY, budget_usd: 1_000 }],
        ledger: { store: 'sql', journal: join(own, 'journal'), lease_seconds: 2, ...(database === undefined ? { path: join(own, 'bursar.db') } : { database_url: database }) },
      })
      const books: Books = { slack: 0n, complete: [], outcomes: 0 }
      let startedAt = Date.now() / 1000
      gateway = await GatewayProcess.start(settings.program, own)
      for (let number = 1; number <= settings.kills && findings.violations.length < 20; number++) {
        const billedBefore = upstream.billed.length
        const outcomes = await underLoad(gateway, settings, random)
        await eventually(() => upstream.inFlight === 0, 10_000)
        account(books, outcomes, upstream, billedBefore, (text) => findings.violations.push(`kill ${number}: ${text}`))
        const interrupted = await interruptStarts(settings, own, random)
        gateway = undefined
        gateway = await GatewayProcess.start(settings.program, own)
        const since = startedAt
        startedAt = Date.now() / 1000
        const row = await compare(gateway, upstream, books, since, number, findings)
        findings.rows.push({ kill: number, 'starts cut short': interrupted, calls: outcomes.length, 'start ms': Math.round(gateway.startMs), ...row, answers: tally(outcomes) })
        settings.say(`kill ${settings.store} ${number}: ${outcomes.length} calls (${tally(outcomes)}), ${interrupted} starts cut short, up after ${Math.round(gateway.startMs)} ms, billed ${row.billed}, shown ${row.shown}, may be above by ${row.allowed}`)
      }
      const faultLines = gateway.faults()
      if (faultLines.length > 0) settings.say(`errors in the log: ${faultLines.length}, the first: ${(faultLines[0] ?? '').slice(0, 400)}`)
      if (!(await gateway.stop())) findings.violations.push('the gateway did not stop in order')
      gateway = undefined
      return findings
    } finally {
      await gateway?.kill()
      await upstream.stop()
      await postgres?.destroy()
    }
  })
}

/** Callers call without a pause until the gateway is killed. */
async function underLoad(gateway: GatewayProcess, { callers, loadMs }: KillSettings, random: Random): Promise<readonly Outcome[]> {
  const agent = createAgent(callers)
  const outcomes: Outcome[] = []
  let killed = false
  const working = Array.from({ length: callers }, async () => {
    while (!killed) outcomes.push(await makeCall(gateway.url, KEY, planCall(shape, random), agent, 15_000))
  })
  // Often soon, when nothing has been applied yet; sometimes late.
  await sleep(loadMs * random.next() ** 2)
  killed = true
  await gateway.kill()
  await Promise.all(working)
  agent.destroy()
  return outcomes
}

/** Kills starts too, some before and some after they listen. Returns how many. */
async function interruptStarts({ program }: KillSettings, folder: string, random: Random): Promise<number> {
  let interrupted = 0
  while (random.next() < 0.25) {
    const { child } = GatewayProcess.spawn(program, folder)
    const exited = new Promise((resolve) => child.once('exit', resolve))
    await sleep(random.next() * 1_500)
    child.kill('SIGKILL')
    await exited
    interrupted++
  }
  return interrupted
}

/** Puts the calls of one round into the books, and compares what callers were told with the upstream's bills. */
function account(books: Books, outcomes: readonly Outcome[], upstream: BillingUpstream, billedBefore: number, violation: (text: string) => void): void {
  const billed = new Map<string, Billed[]>()
  for (const bill of upstream.billed.slice(billedBefore)) billed.set(bill.id, [...(billed.get(bill.id) ?? []), bill])
  for (const outcome of outcomes) {
    const attempts = billed.get(outcome.planned.id) ?? []
    const last = attempts.at(-1)
    books.outcomes++
    if (outcome.end === 'complete') {
      books.complete.push(outcome)
      if (!last || outcome.cost !== upstream.costOf(last))
        violation(`call ${outcome.requestId ?? ''}: the caller was told ${outcome.cost === undefined ? 'no cost' : dollars(outcome.cost, 9)}, the upstream billed ${last ? dollars(upstream.costOf(last), 9) : 'nothing'}`)
    }
    // Attempts that ended properly are counted exactly; each other may be counted up to its bound.
    books.slack += slackOf(outcome, attempts, upstream)
  }
}

/** By how much the ledger may be above the upstream for one call: what its attempts without a proper end could have cost more. */
function slackOf({ end, planned }: Outcome, attempts: readonly Billed[], upstream: BillingUpstream): bigint {
  const unfinished = end === 'complete' ? attempts.slice(0, -1) : attempts
  // The gateway makes up to two attempts; one of them may have been reserved for and never have reached the upstream.
  const unseen = end === 'complete' || attempts.length >= 2 ? 0n : planned.bound
  return unfinished.reduce((sum, bill) => sum + planned.bound - upstream.costOf(bill), 0n) + unseen
}

async function compare(gateway: GatewayProcess, upstream: BillingUpstream, books: Books, since: number, number: number, findings: Findings): Promise<Record<'billed' | 'shown' | 'allowed', string>> {
  const violation = (text: string) => void findings.violations.push(`kill ${number}: ${text}`)
  let shown = 0n
  let calls: readonly RecordedCall[] = []
  const settled = () => shown >= upstream.spent && missing(books.complete, calls).length === 0
  await eventually(
    async () => {
      shown = await totalSpend(gateway.url)
      calls = await readCalls(gateway.url, since - 1)
      return settled()
    },
    RECONCILED_MS,
    100,
  )
  if (shown < upstream.spent) violation(`the ledger shows ${dollars(shown, 9)}, the upstream billed ${dollars(upstream.spent, 9)}`)
  if (shown > upstream.spent + books.slack) violation(`the ledger shows ${dollars(shown, 9)}, ${dollars(shown - upstream.spent, 9)} above the upstream, and at most ${dollars(books.slack, 9)} was without a proper end`)
  for (const { requestId } of missing(books.complete, calls)) violation(`the answer of ${requestId ?? 'a request without id'} had come to its end, and there is no record of it, or of another cost`)
  const ids = new Set<string>()
  for (const { callId } of calls) {
    if (ids.has(callId)) violation(`call ${callId} is there twice`)
    ids.add(callId)
  }
  const ends = new Map<string, number>()
  for (const { requestId, end } of calls) if (end === 'complete') ends.set(requestId, (ends.get(requestId) ?? 0) + 1)
  for (const [requestId, count] of ends) if (count > 1) violation(`request ${requestId} has ${count} complete calls`)
  // Looked for once; sums hold them from here on.
  books.complete = []
  return { billed: dollars(upstream.spent), shown: dollars(shown), allowed: dollars(books.slack) }
}

function missing(complete: readonly Outcome[], calls: readonly RecordedCall[]): readonly Outcome[] {
  const byRequest = new Map<string, RecordedCall[]>()
  for (const call of calls) byRequest.set(call.requestId, [...(byRequest.get(call.requestId) ?? []), call])
  return complete.filter(({ requestId, cost }) => !(byRequest.get(requestId ?? '') ?? []).some((call) => call.end === 'complete' && call.cost === cost))
}


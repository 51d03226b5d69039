import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { childRandom, type Random } from '../../src/statistics/index.js'
import { readCalls, totalSpend, type RecordedCall } from './books.js'
import { createAgent, dollars, makeCall, planCall, type CallShape, type Outcome } from './callers.js'
import { eventually, inFolder, noFindings, progressOf, sleep, tally, type CampaignSettings, type Findings } from './campaign.js'
import { GatewayProcess, MODEL, writeConfig } from './gateway-process.js'
import { PrivatePostgres } from './services.js'
import { BillingUpstream, type Billed, type Prices } from './upstream.js'

export interface KillSettings extends CampaignSettings {
  readonly store: 'embedded' | 'postgres'
  /** How often the gateway is killed. */
  readonly kills: number
  /** Longest time under load before it is killed; milliseconds. */
  readonly loadMs: number
}

const prices: Prices = { input: 2, output: 8 }
const KEY = 'sk-kill-0123456789abcdef'
/** Everything goes wrong that may go wrong, so that crashes meet calls in every state. */
const faults = { cutStreams: 0.03, cutAnswers: 0.02, refused: 0.03 }
const shape: CallShape = { model: MODEL, prices, maxTokens: 200, promptWords: 60, streams: 0.6, leaving: 0.05, leaveWithinMs: 60 }
/** After a start: how long what the dead process left may need to be in the books. */
const RECONCILED_MS = 20_000

/** What the calls since the last kill were, and sums over all before. */
interface Round {
  readonly outcomes: readonly Outcome[]
  /** The upstream's bills, by the id in the prompt; one for each attempt that reached it. */
  readonly billed: ReadonlyMap<string, readonly Billed[]>
  /** Unix seconds: when the process that was killed was started. */
  readonly since: number
}

/**
 * Kills the gateway (SIGKILL) at a random moment under load, sometimes while it still starts, and starts it again on the same database
 * and journal. After each start the books are compared with the upstream's, call by call and in sum.
 *
 * Violations: it doesn't start; the ledger shows less for a call, or in all, than the upstream billed; it shows more for a call than its
 * attempts could have cost at most; a call whose answer had come to its end is missing, there twice, or of another cost than its caller was told and the
 * upstream billed; single records and sums disagree.
 */
export function kill(settings: KillSettings): Promise<Findings> {
  return inFolder(`kill-${settings.store}`, settings.say, async (folder) => {
    const findings = settings.findings ?? noFindings()
    const tell = progressOf(`kill ${settings.store}`, settings.kills, settings.say)
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
        ledger: {
          store: 'sql',
          journal: join(own, 'journal'),
          lease_seconds: 2,
          ...(database === undefined ? { path: join(own, 'bursar.db') } : { database_url: database }),
        },
      })
      const begun = Date.now() / 1000
      let since = begun
      gateway = await GatewayProcess.start(settings.program, own)
      for (let number = 1; number <= settings.kills && findings.violations.length < 20; number++) {
        const before = upstream.billed.length
        const outcomes = await underLoad(gateway, settings, random)
        await eventually(() => upstream.inFlight === 0, 10_000)
        const round: Round = { outcomes, billed: byId(upstream.billed.slice(before)), since }
        gateway = undefined
        const interrupted = await interruptStarts(settings, own, random)
        since = Date.now() / 1000
        gateway = await GatewayProcess.start(settings.program, own)
        const { faults: wrong, shown, lost } = await compare(gateway.url, upstream, round)
        for (const text of wrong) findings.violations.push(`kill ${number}: ${text}`)
        findings.rows.push({
          kill: number,
          'starts cut short': interrupted,
          calls: outcomes.length,
          'up after ms': Math.round(gateway.startMs),
          lost,
          billed: dollars(upstream.spent),
          shown: dollars(shown),
          answers: tally(outcomes),
        })
        tell(
          number,
          `${outcomes.length} calls (${tally(outcomes)}), ${interrupted} starts cut short, up after ${Math.round(gateway.startMs)} ms, ${lost} lost calls, billed ${dollars(upstream.spent)}, shown ${dollars(shown)}`,
        )
      }
      findings.violations.push(...(await compareAll(gateway.url, begun)))
      const faultLines = gateway.faults()
      if (faultLines.length > 0) settings.say(`errors in the log: ${faultLines.length}, the first: ${(faultLines[0] ?? '').slice(0, 600)}`)
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

/** One line of figures over all kills so far. */
export function killSummary({ rows }: Findings): string {
  const total = (name: string): number => rows.reduce((sum, row) => sum + Number(row[name] ?? 0), 0)
  const last = rows.at(-1)
  return `${rows.length} kills, ${total('starts cut short')} starts cut short too: ${total('calls')} calls, ${total('lost')} of them lost, billed ${String(last?.['billed'] ?? 'nothing')}, shown ${String(last?.['shown'] ?? 'nothing')}`
}

/** Callers call without a pause until the gateway is killed: at a random moment, usually counted from the first answer. */
async function underLoad(gateway: GatewayProcess, { callers, loadMs }: KillSettings, random: Random): Promise<readonly Outcome[]> {
  const agent = createAgent(callers)
  const outcomes: Outcome[] = []
  let killed = false
  const working = Array.from({ length: callers }, async () => {
    while (!killed) {
      const planned = planCall(shape, random)
      // So that each call can be found in the books, also one that never got an answer.
      outcomes.push(await makeCall(gateway.url, KEY, planned, agent, { patienceMs: 15_000, headers: { 'x-bursar-session': planned.id } }))
    }
  })
  if (random.next() < 0.8) await eventually(() => outcomes.some(({ end }) => end === 'complete'), 15_000, 2)
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
    await sleep(random.next() * 2_000)
    child.kill('SIGKILL')
    await exited
    interrupted++
  }
  return interrupted
}

/** Compares the books of one round, once they are as they should be or the time for it is over. */
async function compare(
  url: string,
  upstream: BillingUpstream,
  round: Round,
): Promise<{ readonly faults: readonly string[]; readonly shown: bigint; readonly lost: number }> {
  let shown = 0n
  let calls: readonly RecordedCall[] = []
  let faults: readonly string[] = []
  await eventually(
    async () => {
      calls = await readCalls(url, round.since - 1)
      shown = await totalSpend(url)
      faults = faultsOf(calls, upstream, round)
      if (shown < upstream.spent)
        faults = [...faults, `the ledger shows ${dollars(shown, 9)} in all, the upstream billed ${dollars(upstream.spent, 9)}`]
      return faults.length === 0
    },
    RECONCILED_MS,
    100,
  )
  const ours = new Set(round.outcomes.map(({ planned }) => planned.id))
  return {
    faults: faults.slice(0, 5),
    shown,
    lost: calls.filter(({ end, session }) => end === 'lost' && session !== undefined && ours.has(session)).length,
  }
}

function faultsOf(calls: readonly RecordedCall[], upstream: BillingUpstream, { outcomes, billed }: Round): string[] {
  const faults: string[] = []
  const recorded = new Map<string, RecordedCall[]>()
  const ids = new Set<string>()
  for (const call of calls) {
    if (ids.has(call.callId)) faults.push(`call ${call.callId} is there twice`)
    ids.add(call.callId)
    if (call.session !== undefined) recorded.set(call.session, [...(recorded.get(call.session) ?? []), call])
  }
  for (const outcome of outcomes) {
    const { planned, end, requestId } = outcome
    const bills = billed.get(planned.id) ?? []
    const records = recorded.get(planned.id) ?? []
    const owed = sum(bills.map((bill) => upstream.costOf(bill)))
    const shown = sum(records.map(({ cost }) => cost ?? 0n))
    const name = `request ${requestId ?? planned.id} (${end}, ${records.map((record) => record.end).join(' + ') || 'no record'})`
    if (shown < owed) faults.push(`${name}: the ledger shows ${dollars(shown, 9)}, the upstream billed ${dollars(owed, 9)}`)
    if (shown > planned.bound * BigInt(records.length))
      faults.push(`${name}: the ledger shows ${dollars(shown, 9)}, and it could have cost ${dollars(planned.bound, 9)} an attempt`)
    const complete = records.filter((record) => record.end === 'complete')
    if (complete.length > 1) faults.push(`${name}: ${complete.length} complete calls`)
    if (end !== 'complete') continue
    const last = bills.at(-1)
    const told = outcome.cost
    if (complete.length === 0) faults.push(`${name}: its answer had come to its end, and no record says so`)
    else if (!last || told !== upstream.costOf(last) || complete[0]?.cost !== told)
      faults.push(
        `${name}: the caller was told ${textOf(told)}, the ledger shows ${textOf(complete[0]?.cost)}, the upstream billed ${textOf(last && upstream.costOf(last))}`,
      )
  }
  return faults
}

/** In the end: every call once, and the sums of the reports are those of the calls. */
async function compareAll(url: string, begun: number): Promise<readonly string[]> {
  const calls = await readCalls(url, begun - 1)
  const faults: string[] = []
  if (new Set(calls.map(({ callId }) => callId)).size < calls.length) faults.push('calls are there more than once')
  const listed = sum(calls.map(({ cost }) => cost ?? 0n))
  const total = await totalSpend(url)
  if (listed !== total) faults.push(`${calls.length} calls sum to ${dollars(listed, 9)}, the report says ${dollars(total, 9)}`)
  return faults
}

function byId(bills: readonly Billed[]): ReadonlyMap<string, readonly Billed[]> {
  const found = new Map<string, Billed[]>()
  for (const bill of bills) found.set(bill.id, [...(found.get(bill.id) ?? []), bill])
  return found
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}

function textOf(pico: bigint | undefined): string {
  return pico === undefined ? 'nothing' : dollars(pico, 9)
}

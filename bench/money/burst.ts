import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { childRandom } from '../../src/statistics/index.js'
import { createAgent, dollars, makeCall, picoOf, planCall, type CallShape, type Outcome, type PlannedCall } from './callers.js'
import { eventually, inFolder, noFindings, progressOf, sleep, tally, type CampaignSettings, type Findings } from './campaign.js'
import { GatewayProcess, MODEL, writeConfig } from './gateway-process.js'
import { keySpend, keyUsed } from './books.js'
import { PrivatePostgres, PrivateRedis } from './services.js'
import { BillingUpstream, perToken, type Prices } from './upstream.js'

export type BurstStore = 'embedded' | 'postgres' | 'redis'

export interface BurstSettings extends CampaignSettings {
  readonly store: BurstStore
  /** How often, each with a key and a budget of its own. */
  readonly runs: number
  readonly processes: number
  /** Less than `USABLE` for few callers, among whom a single stream that is cut weighs more. */
  readonly usable?: number
}

/** $1.00 in picodollars. */
const BUDGET = 1_000_000_000_000n
/** Share of the budget that must be spent at the upstream when the first call is refused. */
export const USABLE = 0.97
/** What all callers together may hold near the end of the budget: what they hold is refused to others, rightly. */
const HELD_AT_END = 0.015
/** Fewer callers make dearer calls, so that as many calls fit into the budget for each of them, and they are as long. */
const pricesFor = (callers: number): Prices => {
  const factor = Math.max(1, Math.round(1_000 / callers))
  return { input: 0.02 * factor, output: 0.4 * factor }
}
/** A cut stream is counted higher than what was made of it, since nobody tells; more of them would leave less of the budget to use. */
const faults = { cutStreams: 0.01, cutAnswers: 0, refused: 0 }

/**
 * Many callers at once against one hard budget of $1.00. First in waves, in which every caller makes one call of random size and
 * all together could spend most of what is left; then, with nearly all of it used, all callers call without a pause until they
 * are refused. The upstream counts for itself.
 *
 * Violations: the upstream was paid more than the budget; a call was refused before 97 % of the budget was spent at
 * the upstream; the gateway's own record is below the upstream's; an answer that was neither given nor refused for the budget; something
 * stays reserved when all calls are over.
 */
export function burst(settings: BurstSettings): Promise<Findings> {
  return inFolder(`burst-${settings.store}`, settings.say, async (folder) => {
    const findings = settings.findings ?? noFindings()
    const tell = progressOf(`burst ${settings.store}`, settings.runs, settings.say)
    const prices = pricesFor(settings.callers)
    const upstream = await new BillingUpstream({ prices, faults, seed: settings.seed, paceMs: 4 }).start()
    const postgres = settings.store === 'embedded' ? undefined : await PrivatePostgres.create()
    const redis = settings.store === 'redis' ? await PrivateRedis.create() : undefined
    const gateways: GatewayProcess[] = []
    try {
      const database = await postgres?.createDatabase('bursar')
      const keys = Array.from({ length: settings.runs }, (_, run) => ({ name: `run-${run}`, key: keyOf(run), budget_usd: 1 }))
      for (let index = 0; index < settings.processes; index++) {
        const own = join(folder, `gateway-${index}`)
        mkdirSync(own)
        const ledger = {
          store: 'sql',
          journal: join(own, 'journal'),
          ...(database === undefined ? { path: join(own, 'bursar.db') } : { database_url: database }),
          ...(redis && { redis_url: redis.url }),
        }
        writeConfig(own, { upstreamUrl: upstream.url, prices, keys, ledger })
      }
      // All at once: they find an empty database and migrate it together.
      const started = await Promise.allSettled(
        Array.from({ length: settings.processes }, (_, index) => GatewayProcess.start(settings.program, join(folder, `gateway-${index}`))),
      )
      for (const start of started) if (start.status === 'fulfilled') gateways.push(start.value)
      for (const start of started) if (start.status === 'rejected') throw start.reason
      for (let run = 0; run < settings.runs; run++) tell(run + 1, await oneRun(run, settings, upstream, gateways, findings))
      const allFaults = gateways.flatMap((gateway) => gateway.faults())
      const faultLines = allFaults.filter((line) => !line.includes('ledger_unavailable'))
      // A machine that is starved makes the disk and the database late: told, and no broken promise.
      if (allFaults.length > faultLines.length)
        settings.say(`${allFaults.length - faultLines.length} lines of the logs tell of a ledger that was late`)
      if (faultLines.length > 0)
        findings.violations.push(`${faultLines.length} errors in the logs, the first: ${(faultLines[0] ?? '').slice(0, 400)}`)
      for (const gateway of gateways.splice(0)) if (!(await gateway.stop())) findings.violations.push('a gateway did not stop in order')
      return findings
    } finally {
      await Promise.all(gateways.map((gateway) => gateway.kill()))
      await upstream.stop()
      await redis?.destroy()
      await postgres?.destroy()
    }
  })
}

const keyOf = (run: number): string => `sk-burst-${String(run).padStart(4, '0')}-0123456789`

async function oneRun(
  run: number,
  settings: BurstSettings,
  upstream: BillingUpstream,
  gateways: readonly GatewayProcess[],
  findings: Findings,
): Promise<string> {
  const { callers, seed } = settings
  const random = childRandom(seed, `burst ${run}`)
  const prices = pricesFor(callers)
  const key = keyOf(run)
  const agent = createAgent(callers)
  const startedAt = performance.now()
  const spentBefore = upstream.spent
  const spent = () => upstream.spent - spentBefore
  const outcomes: Outcome[] = []
  /** The most that the calls so far can have cost, as far as their callers know. */
  let accounted = 0n
  /** What calls that have no answer yet can cost at most. */
  let underWay = 0n
  let firstRefusal: Refusal | undefined
  const call = async (planned: PlannedCall, caller: number): Promise<Outcome> => {
    const gateway = gateways[caller % gateways.length]?.url ?? ''
    underWay += planned.bound
    const outcome = await makeCall(gateway, key, planned, agent)
    underWay -= planned.bound
    outcomes.push(outcome)
    if (outcome.end !== 'refused') accounted += outcome.end === 'complete' ? (outcome.cost ?? planned.bound) : planned.bound
    if (isBudgetRefusal(outcome))
      firstRefusal ??= {
        spent: spent(),
        accounted,
        underWay,
        callsBefore: outcomes.length,
        unavailable: outcomes.filter(isUnavailable).length,
      }
    return outcome
  }

  for (let wave = 0; wave < 12 && accounted < (BUDGET * 97n) / 100n && firstRefusal === undefined; wave++) {
    const shape = shapeFor(((BUDGET - accounted) * 92n) / 100n / BigInt(callers), prices)
    const planned = Array.from({ length: callers }, () => planCall(shape, random))
    await Promise.all(planned.map(call))
  }
  const small = shapeFor((BUDGET * BigInt(Math.round(HELD_AT_END * 1e6))) / 1_000_000n / BigInt(callers), prices)
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (;;) {
        const outcome = await call(planCall(small, random), caller)
        // One that meets another fault goes on, but not for ever.
        if (isBudgetRefusal(outcome) || performance.now() - startedAt > 300_000) return
        if (outcome.end === 'refused') await sleep(100 * random.next())
      }
    }),
  )
  agent.destroy()
  await eventually(() => upstream.inFlight === 0, 10_000)
  const { violations } = findings
  const violation = (text: string) => void violations.push(`run ${run}: ${text}`)
  if (spent() > BUDGET) violation(`the upstream was paid ${dollars(spent(), 9)} of a budget of ${dollars(BUDGET)}`)
  const usable = firstRefusal === undefined ? 0 : Number(firstRefusal.spent) / Number(BUDGET)
  if (usable < (settings.usable ?? USABLE)) violation(`the first refusal came when ${(usable * 100).toFixed(2)} % of the budget was spent`)
  // On a machine that is starved the ledger may be too slow for a call, which is refused then: told in the table, and no broken promise.
  const strange = outcomes.filter((outcome) => outcome.end === 'refused' && !isBudgetRefusal(outcome) && !isUnavailable(outcome))
  if (strange.length > 0) violation(`answers that were not expected: ${tally(strange)}`)
  let recorded = 0n
  // Calls that were left or cut are settled a moment after their callers have gone.
  await eventually(async () => (recorded = await keySpend(gateways[0]?.url ?? '', `run-${run}`)) >= spent(), 5_000, 100)
  if (recorded < spent()) violation(`the ledger shows ${dollars(recorded, 9)}, the upstream billed ${dollars(spent(), 9)}`)
  if (recorded > BUDGET) violation(`the ledger shows ${dollars(recorded, 9)} of a budget of ${dollars(BUDGET)}`)
  let used = 0n
  await eventually(
    async () => {
      recorded = await keySpend(gateways[0]?.url ?? '', `run-${run}`)
      return (used = await keyUsed(gateways[0]?.url ?? '', `run-${run}`)) === recorded
    },
    20_000,
    200,
  )
  if (used !== recorded)
    violation(`all calls are over, and ${dollars(used, 9)} count against the budget where ${dollars(recorded, 9)} were spent`)
  const seconds = (performance.now() - startedAt) / 1000
  findings.rows.push({
    run,
    calls: outcomes.length,
    'calls/s': Math.round(outcomes.length / seconds),
    [BILLED]: dollars(spent()),
    [FIRST_REFUSAL]: `${(usable * 100).toFixed(2)} %`,
    'shown by the ledger': dollars(recorded),
    answers: tally(outcomes),
  })
  return `${dollars(spent())} billed, ${dollars(recorded)} shown, ${firstRefusalText(firstRefusal)}; ${outcomes.length} calls in ${seconds.toFixed(1)} s (${tally(outcomes)})`
}

const BILLED = 'billed by the upstream'
const FIRST_REFUSAL = 'at the first refusal'

/** One line of figures over all runs so far. */
export function burstSummary({ rows }: Findings): string {
  const billed = rows.map((row) => String(row[BILLED])).sort()
  const usable = rows.filter((row) => Number.parseFloat(String(row[FIRST_REFUSAL])) >= USABLE * 100)
  const above = rows.filter((row) => picoOf(String(row[BILLED]).slice(1)) > BUDGET)
  return `${rows.length} runs: billed ${billed[0] ?? 'nothing'} to ${billed.at(-1) ?? 'nothing'}, above $1.00: ${above.length}, first refusal at ${USABLE * 100} % or later: ${usable.length}`
}

/** How things stood when the first call was refused for the budget; picodollars. */
interface Refusal {
  readonly spent: bigint
  /** What calls that were over by then can have cost at most. */
  readonly accounted: bigint
  readonly underWay: bigint
  readonly callsBefore: number
  /** Of them, refused since the ledger could not take them. */
  readonly unavailable: number
}

function firstRefusalText(refusal: Refusal | undefined): string {
  if (refusal === undefined) return 'no refusal'
  const { spent, accounted, underWay, callsBefore, unavailable } = refusal
  const share = (Number(spent) / Number(BUDGET)) * 100
  return `first refusal at ${share.toFixed(2)} % (over: ${dollars(accounted)}, under way at most ${dollars(underWay)}, call ${callsBefore}, ${unavailable} unavailable before)`
}

function isUnavailable({ end, errorCode }: Outcome): boolean {
  return end === 'refused' && errorCode === 'ledger_unavailable'
}

function isBudgetRefusal({ status, errorCode }: Outcome): boolean {
  return status === 429 && errorCode === 'budget_exceeded'
}

/** Calls whose largest bound is this much: about a third of it for the input. */
function shapeFor(bound: bigint, prices: Prices): CallShape {
  const inputOverhead = 120
  const inputRate = perToken(prices.input)
  const outputRate = perToken(prices.output)
  const forInput = Number(bound / 4n / inputRate) - inputOverhead
  const promptWords = Math.max(0, Math.min(200, Math.floor(forInput / 6)))
  const inputBound = BigInt(inputOverhead + promptWords * 6) * inputRate
  const maxTokens = Number((bound - inputBound) / outputRate)
  if (maxTokens < 2) throw new Error(`calls of ${dollars(bound, 9)} are too small for these prices`)
  return { model: MODEL, prices, maxTokens: Math.min(maxTokens, 4_000), promptWords, streams: 0.5, leaving: 0, leaveWithinMs: 0 }
}

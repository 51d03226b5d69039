import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { childRandom } from '../../src/statistics/index.js'
import { keyUsed, readCalls, totalSpend, type RecordedCall } from './books.js'
import { createAgent, dollars, makeCall, planCall, type CallShape, type Outcome } from './callers.js'
import { eventually, inFolder, noFindings, progressOf, sleep, tally, type CampaignSettings, type Findings } from './campaign.js'
import { GatewayProcess, MODEL, writeConfig } from './gateway-process.js'
import { PrivatePostgres, PrivateRedis } from './services.js'
import { BillingUpstream, type Prices } from './upstream.js'

export interface ReplicaSettings extends CampaignSettings {
  readonly store: 'postgres' | 'redis'
  readonly runs: number
  /** Longest time under load before one of the two dies; milliseconds. */
  readonly loadMs: number
}

const prices: Prices = { input: 2, output: 8 }
const NAME = 'replica'
const KEY = 'sk-replica-0123456789abcdef'
const shape: CallShape = { model: MODEL, prices, maxTokens: 200, promptWords: 40, streams: 0.7, leaving: 0, leaveWithinMs: 0 }
const LEASE_SECONDS = 2
/** After a replica died: how long the other may need to find it dead, and to have all that it held in the books. */
const EXPIRED_MS = 60_000

/**
 * Two gateways on one database, under load; one is killed (SIGKILL) and stays away, with the disk that its journal is on. What it had reserved must
 * become spend, found by the other alone. Then it comes back with its journal, and its calls count as what they were.
 *
 * Violations: the ledger shows less, in all or for a call, than the upstream billed, before or after it comes back; what counts against the
 * budget isn't what the ledger shows; the ledger shows more for a call than it could have cost; a call is there twice. With Redis, calls that
 * ended in the last moments stand in the journal of the dead alone, so that while it is away only the budget must count them.
 */
export function replica(settings: ReplicaSettings): Promise<Findings> {
  return inFolder(`replica-${settings.store}`, settings.say, async (folder) => {
    const findings = settings.findings ?? noFindings()
    const tell = progressOf(`replica ${settings.store}`, settings.runs, settings.say)
    const upstream = await new BillingUpstream({
      prices,
      faults: { cutStreams: 0.02, cutAnswers: 0.01, refused: 0.01 },
      seed: settings.seed,
      paceMs: 5,
    }).start()
    const postgres = await PrivatePostgres.create()
    const redis = settings.store === 'redis' ? await PrivateRedis.create() : undefined
    const running = new Set<GatewayProcess>()
    const start = async (own: string): Promise<GatewayProcess> => {
      const gateway = await GatewayProcess.start(settings.program, own)
      running.add(gateway)
      return gateway
    }
    try {
      const database = await postgres.createDatabase('bursar')
      const folders = ['survivor', 'victim'].map((name) => join(folder, name))
      for (const own of folders) {
        mkdirSync(own)
        const ledger = {
          store: 'sql',
          journal: join(own, 'journal'),
          lease_seconds: LEASE_SECONDS,
          database_url: database,
          ...(redis && { redis_url: redis.url }),
        }
        writeConfig(own, { upstreamUrl: upstream.url, prices, keys: [{ name: NAME, key: KEY, budget_usd: 1_000 }], ledger })
      }
      const [survivorFolder = '', victimFolder = ''] = folders
      const survivor = await start(survivorFolder)
      let victim = await start(victimFolder)
      const random = childRandom(settings.seed, `replica ${settings.store}`)
      for (let run = 0; run < settings.runs; run++) {
        const billedBefore = upstream.billed.length
        const since = Date.now() / 1000 - 1
        const agent = createAgent(settings.callers)
        const outcomes: Outcome[] = []
        let over = false
        const working = Array.from({ length: settings.callers }, async (_, caller) => {
          while (!over) {
            const { url } = caller % 2 === 0 ? survivor : victim
            const planned = planCall(shape, random)
            const outcome = await makeCall(url, KEY, planned, agent, { patienceMs: 20_000, headers: { 'x-bursar-session': planned.id } })
            outcomes.push(outcome)
            if (outcome.status === 0) await sleep(20)
          }
        })
        await eventually(() => outcomes.length > settings.callers, 60_000)
        await sleep(settings.loadMs * random.next())
        await victim.kill()
        running.delete(victim)
        await sleep(300)
        over = true
        await Promise.all(working)
        agent.destroy()
        await eventually(() => upstream.inFlight === 0, 10_000)
        const look = async (when: string, onlyBudget = false): Promise<{ readonly shown: bigint; readonly lost: number }> => {
          let shown = 0n
          let calls: readonly RecordedCall[] = []
          let faults: readonly string[] = []
          await eventually(
            async () => {
              calls = await readCalls(survivor.url, since)
              shown = await totalSpend(survivor.url)
              const used = await keyUsed(survivor.url, NAME)
              if (onlyBudget) {
                faults =
                  used < upstream.spent
                    ? [`${dollars(used, 9)} count against the budget, the upstream billed ${dollars(upstream.spent, 9)}`]
                    : []
                return faults.length === 0
              }
              faults = faultsOf(calls, outcomes, upstream, billedBefore)
              if (shown < upstream.spent)
                faults = [...faults, `the ledger shows ${dollars(shown, 9)}, the upstream billed ${dollars(upstream.spent, 9)}`]
              if (used !== shown)
                faults = [...faults, `${dollars(used, 9)} count against the budget, the ledger shows ${dollars(shown, 9)}`]
              return faults.length === 0
            },
            EXPIRED_MS,
            250,
          )
          for (const fault of faults.slice(0, 5)) findings.violations.push(`run ${run}, ${when}: ${fault}`)
          return { shown, lost: calls.filter(({ end }) => end === 'lost').length }
        }
        const away = await look('while it is away', settings.store === 'redis')
        victim = await start(victimFolder)
        const back = await look('when it is back')
        findings.rows.push({
          run,
          calls: outcomes.length,
          'billed in all': dollars(upstream.spent),
          'shown while it is away': dollars(away.shown),
          'lost calls': away.lost,
          'shown when it is back': dollars(back.shown),
          'lost then': back.lost,
          answers: tally(outcomes),
        })
        tell(
          run + 1,
          `billed ${dollars(upstream.spent)}, shown ${dollars(away.shown)} (${away.lost} lost) while it was away, ${dollars(back.shown)} (${back.lost} lost) when it was back; ${tally(outcomes)}`,
        )
      }
      for (const gateway of running) if (!(await gateway.stop())) findings.violations.push('a gateway did not stop in order')
      running.clear()
      return findings
    } finally {
      await Promise.all([...running].map((gateway) => gateway.kill()))
      await upstream.stop()
      await redis?.destroy()
      await postgres.destroy()
    }
  })
}

/** What is wrong with the records of a run's calls. */
function faultsOf(calls: readonly RecordedCall[], outcomes: readonly Outcome[], upstream: BillingUpstream, from: number): string[] {
  const owed = new Map<string, bigint>()
  for (const bill of upstream.billed.slice(from)) owed.set(bill.id, (owed.get(bill.id) ?? 0n) + upstream.costOf(bill))
  const recorded = new Map<string, RecordedCall[]>()
  for (const call of calls) if (call.session !== undefined) recorded.set(call.session, [...(recorded.get(call.session) ?? []), call])
  const faults = new Set(calls.map(({ callId }) => callId)).size < calls.length ? ['a call is there twice'] : []
  for (const { planned, end } of outcomes) {
    const records = recorded.get(planned.id) ?? []
    const shown = records.reduce((sum, { cost }) => sum + (cost ?? 0n), 0n)
    const billed = owed.get(planned.id) ?? 0n
    const name = `call ${planned.id} (${end}, ${records.map((record) => record.end).join(' + ') || 'no record'})`
    if (shown < billed) faults.push(`${name}: the ledger shows ${dollars(shown, 9)}, the upstream billed ${dollars(billed, 9)}`)
    if (shown > planned.bound * BigInt(records.length))
      faults.push(`${name}: the ledger shows ${dollars(shown, 9)}, and it could have cost ${dollars(planned.bound, 9)} an attempt`)
  }
  return faults
}

import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { childRandom } from '../../src/statistics/index.js'
import { readCalls, totalSpend } from './books.js'
import { createAgent, dollars, makeCall, planCall, type CallShape, type Outcome } from './callers.js'
import { eventually, inFolder, noFindings, sleep, tally, type CampaignSettings, type Findings } from './campaign.js'
import { GatewayProcess, MODEL, writeConfig } from './gateway-process.js'
import { PrivatePostgres, SmallDisk } from './services.js'
import { BillingUpstream, noFaults, type Prices } from './upstream.js'

export const outages = ['postgres', 'postgres-crash', 'disk', 'webhook'] as const
export type OutageKind = (typeof outages)[number]

export interface OutageSettings extends CampaignSettings {
  readonly kind: OutageKind
  readonly runs: number
  /** How long each part (before, during, after) lasts; milliseconds. */
  readonly partMs: number
}

const prices: Prices = { input: 2, output: 8 }
const KEY = 'sk-outage-0123456789abcdef'
const shape: CallShape = { model: MODEL, prices, maxTokens: 100, promptWords: 40, streams: 0.5, leaving: 0.02, leaveWithinMs: 40 }
/** While nothing can be recorded a call must be refused within this time: it must not hang. */
const PATIENCE_MS = 15_000
/** After the end of an outage, calls must be answered again within this time. */
const RECOVERY_MS = 15_000

/** What is taken away, and given back. */
interface Outage {
  readonly ledger: Readonly<Record<string, unknown>>
  readonly config?: Readonly<Record<string, unknown>>
  /** Whether calls can go on while it lasts. */
  readonly callsGoOn: boolean
  begin(): Promise<void>
  end(): Promise<void>
  destroy(): Promise<void>
}

/**
 * Something that the gateway needs goes away under load and comes back.
 *
 * Violations: a call hangs; a call is answered that can't be recorded (where calls can't go on); calls aren't answered soon after the end; the
 * ledger shows less than the upstream billed; a call whose answer had come to its end is missing; the gateway ends.
 */
export function outage(settings: OutageSettings): Promise<Findings> {
  return inFolder(`outage-${settings.kind}`, settings.say, async (folder) => {
    const findings = settings.findings ?? noFindings()
    const made = await outageOf(settings.kind, folder)
    if ('skipped' in made) return { ...findings, skipped: made.skipped }
    const upstream = await new BillingUpstream({
      prices,
      faults: { ...noFaults, cutStreams: 0.02 },
      seed: settings.seed,
      paceMs: 3,
    }).start()
    let gateway: GatewayProcess | undefined
    try {
      const own = join(folder, 'gateway')
      mkdirSync(own)
      // A budget that is nearly reached at once (soft), so that there is something to tell a webhook; and a hard one that never is.
      const budgets = [{ usd: 1_000 }, { usd: 0.001, per: 'minute', hard: false }]
      writeConfig(own, {
        upstreamUrl: upstream.url,
        prices,
        keys: [{ name: 'outage', key: KEY, budgets }],
        ledger: made.ledger,
        config: made.config,
      })
      gateway = await GatewayProcess.start(settings.program, own)
      const running = gateway
      let ended = false
      void running.exited.then(() => (ended = true))
      for (let run = 0; run < settings.runs && !ended; run++) await oneRun(run, settings, made, running, upstream, findings)
      if (ended) findings.violations.push('the gateway ended')
      else if (!(await running.stop())) findings.violations.push('the gateway did not stop in order')
      gateway = undefined
      return findings
    } finally {
      await gateway?.kill()
      await upstream.stop()
      await made.destroy()
    }
  })
}

async function oneRun(
  run: number,
  settings: OutageSettings,
  made: Outage,
  gateway: GatewayProcess,
  upstream: BillingUpstream,
  findings: Findings,
): Promise<void> {
  const random = childRandom(settings.seed, `outage ${settings.kind} ${run}`)
  const violation = (text: string) => void findings.violations.push(`run ${run}: ${text}`)
  const agent = createAgent(settings.callers)
  // Calls by when they were made: `going` and `coming` are those that met the beginning or the end of the outage, where anything orderly is right.
  const parts: Record<'before' | 'going' | 'during' | 'coming' | 'after', Outcome[]> = {
    before: [],
    going: [],
    during: [],
    coming: [],
    after: [],
  }
  let part: keyof typeof parts = 'before'
  let stopping = false
  let slowest = 0
  const since = Date.now() / 1000 - 1
  const working = Array.from({ length: settings.callers }, async () => {
    while (!stopping) {
      const begun = part
      const outcome = await makeCall(gateway.url, KEY, planCall(shape, random), agent, { patienceMs: PATIENCE_MS * 2 })
      slowest = Math.max(slowest, outcome.milliseconds)
      parts[begun === part ? begun : begun === 'before' ? 'going' : begun === 'during' ? 'coming' : begun].push(outcome)
      if (outcome.end === 'refused') await sleep(50 * random.next())
    }
  })
  await sleep(settings.partMs)
  const billedBefore = upstream.spent
  part = 'going'
  await made.begin()
  await sleep(200)
  part = 'during'
  await sleep(settings.partMs)
  // All callers may still wait for calls from before.
  if (!made.callsGoOn) await eventually(() => parts.during.length > 0, PATIENCE_MS)
  part = 'coming'
  const billedDuring = upstream.spent - billedBefore
  await made.end()
  const endedAt = performance.now()
  const recovered = await eventually(() => parts.coming.some((outcome) => outcome.end === 'complete'), RECOVERY_MS)
  const recoveryMs = performance.now() - endedAt
  if (!recovered) violation(`no call was answered within ${RECOVERY_MS / 1000} s after the end of the outage (${tally(parts.coming)})`)
  await sleep(1_000)
  part = 'after'
  await sleep(settings.partMs)
  stopping = true
  await Promise.all(working)
  agent.destroy()
  await eventually(() => upstream.inFlight === 0, 10_000)

  if (slowest > PATIENCE_MS) violation(`a call took ${Math.round(slowest)} ms`)
  const answered = parts.during.filter((outcome) => outcome.end === 'complete').length
  if (made.callsGoOn) {
    const refused = parts.during.filter((outcome) => outcome.end === 'refused')
    if (refused.length > 0) violation(`calls were refused: ${tally(refused)}`)
  } else {
    if (answered > 0) violation(`${answered} calls that began during the outage were answered`)
    const other = parts.during.filter(
      (outcome) => outcome.end === 'refused' && !(outcome.status === 503 && outcome.errorCode === 'ledger_unavailable'),
    )
    if (other.length > 0) violation(`refused with something else than ledger_unavailable: ${tally(other)}`)
    if (parts.during.length === 0) violation('no call was refused either: they hang')
  }
  for (const name of ['before', 'after'] as const) {
    const odd = parts[name].filter((outcome) => outcome.end === 'refused')
    if (odd.length > 0) violation(`${name} the outage calls were refused: ${tally(odd)}`)
    if (!parts[name].some((outcome) => outcome.end === 'complete')) violation(`${name} the outage no call was answered`)
  }
  const strange = [...parts.going, ...parts.coming].filter(
    (outcome) => outcome.end === 'refused' && outcome.errorCode !== 'ledger_unavailable',
  )
  if (strange.length > 0) violation(`as it began or ended: ${tally(strange)}`)
  const complete = Object.values(parts)
    .flat()
    .filter((outcome) => outcome.end === 'complete')
  let shown = 0n
  let lost: readonly Outcome[] = complete
  await eventually(
    async () => {
      shown = await totalSpend(gateway.url)
      const recorded = new Map(
        (await readCalls(gateway.url, since)).filter((call) => call.end === 'complete').map((call) => [call.requestId, call.cost]),
      )
      lost = complete.filter(({ requestId, cost }) => recorded.get(requestId ?? '') !== cost)
      return shown >= upstream.spent && lost.length === 0
    },
    20_000,
    200,
  )
  if (shown < upstream.spent) violation(`the ledger shows ${dollars(shown, 9)}, the upstream billed ${dollars(upstream.spent, 9)}`)
  if (lost.length > 0)
    violation(`${lost.length} of ${complete.length} answers that came to their end have no record, or one of another cost`)
  findings.rows.push({
    run,
    ...Object.fromEntries(Object.entries(parts).map(([name, outcomes]) => [name, tally(outcomes)])),
    'slowest call ms': Math.round(slowest),
    'answers again after ms': Math.round(recoveryMs),
    'billed meanwhile': dollars(billedDuring),
    'billed in all': dollars(upstream.spent),
    'shown by the ledger': dollars(shown),
  })
  settings.say(
    `outage ${settings.kind} run ${run}: ${Object.entries(parts)
      .map(([name, outcomes]) => `${name}: ${tally(outcomes)}`)
      .join(
        '; ',
      )}; slowest ${Math.round(slowest)} ms, answers again after ${Math.round(recoveryMs)} ms; billed ${dollars(upstream.spent)}, shown ${dollars(shown)}`,
  )
}

async function outageOf(kind: OutageKind, folder: string): Promise<Outage | { readonly skipped: string }> {
  switch (kind) {
    case 'postgres':
    case 'postgres-crash': {
      const cluster = await PrivatePostgres.create()
      const url = await cluster.createDatabase('bursar')
      return {
        ledger: { store: 'sql', database_url: url, journal: join(folder, 'journal') },
        callsGoOn: false,
        begin: () => cluster.stop(kind === 'postgres' ? 'fast' : 'immediate'),
        end: () => cluster.start(),
        destroy: () => cluster.destroy(),
      }
    }
    case 'disk': {
      const disk = await SmallDisk.create(64)
      if (!disk) return { skipped: 'a small file system could not be mounted (needs root)' }
      return {
        ledger: { store: 'sql', path: join(disk.folder, 'bursar.db'), journal: join(disk.folder, 'journal') },
        callsGoOn: false,
        begin: () => disk.fill(),
        end: () => Promise.resolve(disk.free()),
        destroy: () => disk.destroy(),
      }
    }
    case 'webhook': {
      let hanging = true
      // Takes the request and says nothing, ever.
      const receiver = createServer((_request, response) => void (hanging || response.writeHead(204).end()))
      await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
      const address = receiver.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      return {
        ledger: { store: 'sql', path: join(folder, 'bursar.db'), journal: join(folder, 'journal') },
        config: { budgets: { webhook: { url: `http://127.0.0.1:${port}/alerts` } } },
        callsGoOn: true,
        begin: () => Promise.resolve(),
        end: () => Promise.resolve(void (hanging = false)),
        destroy: async () => {
          receiver.closeAllConnections()
          await new Promise<void>((resolve) => receiver.close(() => resolve()))
        },
      }
    }
  }
}

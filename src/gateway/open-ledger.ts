import {
  AccountFeed,
  counterEnd,
  createMemoryCounters,
  createMemoryLedger,
  createPostgresCounters,
  createPostgresSnapshots,
  createRedisCounters,
  openDurableLedger,
  Reconciliation,
  type Counters,
  type DurableLedger,
  type Ledger,
  type LedgerFault,
  type ReconciliationParts,
} from '../ledger/index.js'
import { BursarError } from '../errors/index.js'
import { formatUsd, type Money } from '../quantities/index.js'
import type { AdministeredAccounts } from './admin/administration.js'
import type { LostCalls } from './admin/lost-calls.js'
import type { Config } from './config/index.js'
import { FaultLog } from './telemetry/fault-log.js'
import type { Logger } from './telemetry/log.js'
import type { Metrics } from './telemetry/metrics.js'

/** The record, what is counted against budgets, and who may call, as far as the database says. */
export interface OpenedLedger {
  readonly ledger: Ledger
  readonly counters: Counters
  readonly accounts: (AdministeredAccounts & { readonly feed: AccountFeed }) | undefined
  /** Calls whose process died; `undefined` where none outlives its process. */
  readonly lostCalls: LostCalls | undefined
  /** What makes calls be refused, for `GET /health`; `undefined` while nothing does. */
  problem(): string | undefined
  close(): Promise<void>
}

interface LedgerParts {
  readonly log: Logger
  readonly metrics: Metrics
  /** A ledger to use instead of the configured one; who gives it closes it through the gateway. */
  readonly ledger?: Ledger | undefined
}

/**
 * Opens what the configuration's `ledger` names. Throws
 * `invalid_configuration` or `ledger_unavailable` with what is wrong.
 */
export async function openLedger(config: Config, { log, metrics, ledger }: LedgerParts): Promise<OpenedLedger> {
  const settings = config.ledger
  if (ledger !== undefined || settings.store === 'memory')
    return inMemory(ledger ?? createMemoryLedger({ rememberCalls: settings.remember_calls }))
  if (settings.redis_url !== undefined && settings.database_url === undefined)
    throw new BursarError('ledger.redis_url needs ledger.database_url: Redis only counts, and PostgreSQL keeps the record.', {
      code: 'invalid_configuration',
      status: 500,
      path: 'ledger.redis_url',
    })
  const faults = new Map<LedgerFault['kind'], number>()
  const faultLog = new FaultLog(log)
  const durable = await openDurableLedger(
    {
      journals: settings.journal ?? 'bursar.journal',
      store: settings.database_url === undefined ? { file: settings.path ?? 'bursar.db' } : { url: settings.database_url.reveal() },
      durability: settings.durability,
      leaseSeconds: settings.lease_seconds,
      retention: { maxAgeSeconds: settings.keep_days * 86_400, maxBytes: settings.keep_gib * 1024 ** 3 },
    },
    {
      onFault(fault) {
        faults.set(fault.kind, Date.now())
        metrics.ledgerFault(fault.kind)
        faultLog.fault(fault)
      },
      onLag: (lag) => metrics.ledgerLag(lag.records + lag.late),
    },
  )
  try {
    return await overDurable(config, durable, log, faults, faultLog)
  } catch (thrown) {
    await durable.close()
    throw thrown
  }
}

function inMemory(ledger: Ledger): OpenedLedger {
  // What is forgotten here is gone, so only windows that are over may be.
  const counters = createMemoryCounters({
    mayForget: (counter) => (counterEnd(counter) ?? Number.POSITIVE_INFINITY) < Date.now() / 1000 - 3600,
  })
  return {
    ledger,
    counters,
    accounts: undefined,
    lostCalls: undefined,
    problem: () => undefined,
    async close() {
      await counters.close()
      await ledger.close()
    },
  }
}

async function overDurable(
  config: Config,
  durable: DurableLedger,
  log: Logger,
  faults: ReadonlyMap<LedgerFault['kind'], number>,
  faultLog: FaultLog,
): Promise<OpenedLedger> {
  const feed = new AccountFeed(durable.accounts, {
    onFault: (fault) =>
      fault ? log.warn('the database of keys can not be asked', { fault }) : log.info('the database of keys can be asked again'),
  })
  const { counters, kept } = await countersFor(config, durable, log)
  try {
    await feed.start()
  } catch (thrown) {
    await counters.close()
    throw thrown
  }
  return {
    ledger: durable,
    counters,
    accounts: { store: durable.accounts, feed },
    lostCalls: lostCallsOf(new Reconciliation({ ledger: durable, counters: kept }), log),
    problem() {
      if (faults.has('fenced')) return 'another process has taken over the ledger; start this one again'
      if (durable.lag().late > 0) return 'the journal can not be written; calls are refused'
      return undefined
    },
    async close() {
      feed.close()
      await counters.close()
      await durable.close()
      faultLog.close()
    },
  }
}

/** What is put right is told in the log: the audit is of keys and accounts. */
function lostCallsOf(reconciliation: Reconciliation, log: Logger): LostCalls {
  return {
    lost: (filter) => reconciliation.lost(filter),
    async reconcile(callId, billed, { by, note }) {
      const done = await reconciliation.reconcile(callId, billed)
      const { lost, call } = done
      const dollars = (usd: Money | null) => (usd === null ? null : formatUsd(usd))
      log.info('a lost call was put right', {
        call_id: callId,
        by,
        bound_usd: dollars(lost.cost.usd),
        usd: dollars(call.cost.usd),
        key: call.key,
        provider: call.provider,
        model: call.model,
        ...(note === undefined ? {} : { note }),
      })
      return done
    },
  }
}

/** The counters, and as what reconciliation has to treat them. */
async function countersFor(
  config: Config,
  durable: DurableLedger,
  log: Logger,
): Promise<{ readonly counters: Counters; readonly kept: ReconciliationParts['counters'] }> {
  const { database_url: database, redis_url: redis, lease_seconds: leaseSeconds } = config.ledger
  const load = (counters: readonly string[]) => durable.balances(counters)
  const flush = () => durable.caughtUp()
  const { holder } = durable
  if (database === undefined) {
    const counters = createMemoryCounters({ load, flush })
    return { counters, kept: counters }
  }
  const url = database.reveal()
  if (redis === undefined) return { counters: await createPostgresCounters({ url, holder }), kept: 'database' }
  const snapshots = await createPostgresSnapshots({ url })
  const counters = await createRedisCounters({
    url: redis.reveal(),
    holder,
    load,
    flush,
    snapshot: () => snapshots.read(),
    holders: async () =>
      (await durable.store.holders()).filter(({ heartbeatAgeSeconds }) => heartbeatAgeSeconds < leaseSeconds).map((other) => other.holder),
    counterEnd,
    rebuild: durable.recovered,
    // A process that is gone with its disk: what it was granted in its last moments is known to Redis alone.
    async lost(_holder, intents) {
      await Promise.all(intents.map((intent) => durable.recordIntent(intent)))
      await durable.caughtUp()
      await durable.store.expireHolds({ calls: intents.map(({ callId }) => callId) })
    },
    onProblem: (problem) => log.warn('budgets can not be counted in Redis', { problem }),
  })
  const close = counters.close.bind(counters)
  return { counters: Object.assign(counters, { close: () => close().finally(() => snapshots.close()) }), kept: 'cached' }
}

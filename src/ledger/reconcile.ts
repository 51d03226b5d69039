import { BursarError } from '../errors/index.js'
import { grains, noCost, noUsage, spendOf, type Money, type Spend } from '../quantities/index.js'
import { countedBy } from './budgets/periods.js'
import type { Line } from './counters/contract.js'
import { settledAmount } from './counters/decide.js'
import type { CallFilter, Ledger } from './ledger.js'
import type { CallRecord } from './record.js'
import type { HeldLine, Store } from './store/contract.js'

/** What a provider says of a call whose end nobody here saw. */
export type Billed =
  | {
      readonly usd: Money
      /** Of input and of output; absent where the provider tells only what it costs: then what was reserved stays. */
      readonly tokens?: { readonly input: number; readonly output: number } | undefined
    }
  /** It never counted the call: nothing is used in any unit. */
  | 'nothing'

export interface Reconciled {
  /** As it stood in the books, at its bound. */
  readonly lost: CallRecord
  /** As it stands there now. */
  readonly call: CallRecord
  /**
   * When budgets go by it: at once; later, since counters in Redis go on counting the bound until their windows are over or they are made anew; or
   * never, since what was reserved for the call is no longer kept (`ledger.keep_days`).
   */
  readonly budgets: 'now' | 'later' | 'never'
}

/** Counters that don't read the database's balances and have to be told. */
export interface ResumableCounters {
  resume(id: string, lines: readonly Pick<Line, 'counter' | 'amount' | 'transient'>[]): Promise<void>
  settle(id: string, actual: readonly bigint[]): void
}

export interface ReconciliationParts {
  readonly ledger: Pick<Ledger, 'calls' | 'recordCall'> & { readonly store: Pick<Store, 'expiredHold'> }
  /** `database` where counters are the database's balances; `cached` where they are a copy that nothing can be taken out of. */
  readonly counters: ResumableCounters | 'database' | 'cached'
}

/** Calls that may be put right at once; more are refused. */
const maxUnderWay = 1000

/**
 * Puts `lost` calls right: a call whose process died stands in the books at what was reserved for it, until somebody says what the provider
 * billed. What is said goes the way of every other call: into the journal, then the database, where the lost call is taken back in
 * all sums and the balances move from what was reserved to what was used.
 */
export class Reconciliation {
  private readonly underWay = new Map<string, Promise<unknown>>()

  constructor(private readonly parts: ReconciliationParts) {}

  /** Calls that are lost and were not put right, by when they began, the newest first. Throws `ledger_unavailable`. */
  lost(filter: Pick<CallFilter, 'key' | 'from' | 'to' | 'limit'>): Promise<readonly CallRecord[]> {
    return this.parts.ledger.calls({ ...filter, end: 'lost' })
  }

  /**
   * Replaces a lost call by what was really billed. Resolves when that is durable and this process goes by it. Throws `not_found` (404)
   * for a call that isn't lost, or was put right before: so it may be told again and again and counts once. Throws `ledger_unavailable` (503), after
   * which it may be tried again. May cost more than was reserved: budgets then show that they are overrun.
   */
  async reconcile(callId: string, billed: Billed): Promise<Reconciled> {
    if (this.underWay.size >= maxUnderWay)
      throw new BursarError('Too many calls are being put right at once. Try again in a moment.', {
        code: 'overloaded',
        status: 503,
        retryAfterSeconds: 1,
      })
    // Of two that say it at once, the second finds what the first has said.
    const before = this.underWay.get(callId) ?? Promise.resolve()
    const done = before.then(() => this.putRight(callId, billed))
    const settled = done.catch(() => undefined)
    this.underWay.set(callId, settled)
    try {
      return await done
    } finally {
      if (this.underWay.get(callId) === settled) this.underWay.delete(callId)
    }
  }

  private async putRight(callId: string, billed: Billed): Promise<Reconciled> {
    const { ledger, counters } = this.parts
    const [lost] = await ledger.calls({ callId, limit: 1 })
    if (lost?.end !== 'lost')
      throw new BursarError(
        lost === undefined
          ? `There is no call "${callId}".`
          : `The call "${callId}" is not lost: it ended "${lost.end}"${lost.priceSource === reconciledSource ? ', as it was told before' : ''}.`,
        { code: 'not_found', status: 404, path: 'call_id' },
      )
    const held = await ledger.store.expiredHold(callId)
    const call = reconciledCall(lost, billed, held ?? [])
    const resumable = typeof counters === 'string' || held === undefined ? undefined : counters
    await resumable?.resume(callId, held ?? [])
    try {
      await ledger.recordCall(call)
    } catch (thrown) {
      // It may be written yet. Until the next start tells, the larger of both counts.
      resumable?.settle(
        callId,
        (held ?? []).map((line, index) => larger(settledAmount(line, call.settled?.[index]), line.amount)),
      )
      throw thrown
    }
    resumable?.settle(callId, call.settled ?? [])
    await this.requireOurs(call)
    return { lost, call, budgets: held === undefined ? 'never' : counters === 'cached' ? 'later' : 'now' }
  }

  /** Another gateway on the same database may have been told of the call at the same moment: then the first in the database counts. */
  private async requireOurs({ callId, end, cost, usage }: CallRecord): Promise<void> {
    const found = await this.parts.ledger.calls({ callId, limit: 1 }).catch(() => undefined)
    const [stands] = found ?? []
    // When it can't be read now, what we wrote is durable all the same; and a record that isn't kept can't be compared.
    if (stands === undefined) return
    const same =
      stands.end === end &&
      stands.cost.usd === cost.usd &&
      stands.usage.inputTokens === usage.inputTokens &&
      stands.usage.outputTokens === usage.outputTokens
    if (!same)
      throw new BursarError(`The call "${callId}" was put right by somebody else at the same moment; what they said counts.`, {
        code: 'not_found',
        status: 404,
        path: 'call_id',
      })
  }
}

/** What `priceSource` says of a call whose cost an operator told. */
export const reconciledSource = 'reconciled'

/** The record that replaces a lost call. `held` is what the call holds on, in the order of its intent. O(lines). */
export function reconciledCall(lost: CallRecord, billed: Billed, held: readonly HeldLine[]): CallRecord {
  const base = { ...lost, errorCode: undefined, priceSource: reconciledSource, cacheSavings: undefined }
  if (billed === 'nothing')
    return {
      ...base,
      end: 'failed',
      usage: noUsage,
      usageEstimated: false,
      cost: noCost,
      settled: held.map((line) => settledLine(line, undefined)),
    }
  const { usd: cost, tokens } = billed
  const call: CallRecord = {
    ...base,
    end: 'complete',
    usage: tokens === undefined ? lost.usage : { ...noUsage, inputTokens: tokens.input, outputTokens: tokens.output },
    usageEstimated: tokens === undefined,
    cost: { ...lost.cost, usd: cost },
  }
  // What nobody knows isn't guessed: how long it took, and what it took in joules.
  const told: Told = { spend: spendOf(call), units: tokens === undefined ? ['usd', 'calls'] : ['usd', 'calls', 'tokens'] }
  return { ...call, settled: held.map((line) => settledLine(line, told)) }
}

interface Told {
  readonly spend: Spend
  readonly units: readonly (keyof Spend)[]
}

/** What one line is settled to; `told` is absent for a call that used nothing. What isn't known stays at what was reserved. */
function settledLine({ counter, amount, transient }: HeldLine, told: Told | undefined): bigint {
  if (transient === true) return 0n
  const counted = countedBy(counter)
  // A request was made, whatever became of its call.
  if (counted === undefined || (counted.counting === 'sliding' && counted.unit === 'calls')) return amount
  if (counted.counting === 'parallel') return 0n
  if (told === undefined) return 0n
  return told.units.includes(counted.unit) ? (grains(told.spend, counted.unit) ?? amount) : amount
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

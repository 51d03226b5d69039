import { BudgetExceeded, type BursarError, toBursarError } from '../../errors/index.js'
import type { CallBound, CallEnd, CallRecord, Held, PlannedCall, Whole } from '../../ledger/index.js'
import type { CostReport, Delta, EmbeddingRequest, ReportedUsage, Request } from '../../protocol/index.js'
import { type Budget, type Cost, type Money, noUsage, totalOutputTokens, type Usage, zeroMoney } from '../../quantities/index.js'
import { modelFamily } from '../../understanding/index.js'
import type { CallOptions, Completion, CutCall } from '../environment.js'
import type { CallProgress, ProviderCall, ProviderResult } from '../provider.js'
import { UpstreamFailure } from '../upstream-failure.js'
import type { Deployment, Place } from './deployment.js'
import type { CallScope, LiveWorld, Serving } from './live-world.js'

/** One attempt at one deployment: its reservation, its metering and its record. */
export class Attempt {
  yielded = false
  private readonly startedAt: number
  private readonly progress: CallProgress = { sent: false, outputTokens: 0, reported: undefined, dropped: [] }
  private firstTokenSeconds: number | undefined
  /** When the provider was last heard of, in monotonic seconds. */
  private heardAt = 0
  private held: Held | undefined
  private bound: CallBound | undefined
  private outputLimit: number | undefined
  private readonly plan: PlannedCall
  private readonly place: Place
  private begun = false
  private open = true
  private warning: string | undefined
  private priced: { readonly reported: ReportedUsage; readonly report: CostReport } | undefined
  private source: string | undefined

  constructor(
    private readonly world: LiveWorld,
    private readonly scope: CallScope,
    readonly deployment: Deployment,
    private readonly request: Request | EmbeddingRequest,
    private readonly number: number,
    operation: CallRecord['operation'],
    callNumber: number,
    private readonly secondsLeft: number,
  ) {
    this.place = deployment.begin()
    this.startedAt = world.clock.monotonic()
    const { organisation, team, user, key, run, session, tags } = scope.attribution
    // Every field by name: an object that begins as a copy of another is made anew for each field that is added to it.
    const planned = {
      organisation,
      team,
      user,
      key,
      run,
      session,
      tags,
      callId: `${scope.callIds}_${callNumber}`,
      requestId: scope.requestId,
      decisionId: scope.decisionId,
      at: world.clock.now(),
      requestedModel: scope.requestedModel,
      provider: deployment.provider.id,
      deployment: deployment.id,
      model: deployment.model,
      operation,
      stream: 'stream' in request && request.stream,
      attempt: number,
    } satisfies Whole<PlannedCall>
    this.plan = planned
  }

  /**
   * Reserves the most this call can cost at every level of the budget, and notes that it is about to be made. When a budget has no
   * room, looks closer at what the call can cost. Throws `BudgetExceeded`, `rate_limited` or `ledger_unavailable` before anything is sent.
   */
  async hold(): Promise<void> {
    const { world, deployment, request, scope } = this
    const bound = world.bound(deployment, request)
    if (await this.tryToHold(bound)) return
    if (!exhausted(scope.budget))
      for (const closer of await world.closerBounds(deployment, request)) if (await this.tryToHold(closer.bound, closer.outputLimit)) return
    this.held = await scope.budget.hold(this.plan, bound)
    this.bound = bound
  }

  /** False when a budget has no room for this bound; it may have room for another. */
  private async tryToHold(bound: CallBound, outputLimit?: number): Promise<boolean> {
    try {
      this.held = await this.scope.budget.hold(this.plan, bound, { tentative: true })
    } catch (thrown) {
      if (thrown instanceof BudgetExceeded) return false
      throw thrown
    }
    this.bound = bound
    this.outputLimit = outputLimit
    return true
  }

  serving(): Serving {
    return { deployment: this.deployment.id, model: this.deployment.model, attempts: this.number, warnings: this.earlyWarnings() }
  }

  /** What can be said before the answer is complete. */
  private earlyWarnings(): string[] {
    const warnings: string[] = []
    if (this.progress.dropped.length > 0) warnings.push(droppedWarning(this.progress.dropped))
    if (this.outputLimit !== undefined)
      warnings.push(`the budget has room for ${this.outputLimit} output tokens, so the answer was limited to them`)
    return warnings
  }

  providerCall(request: Request, wire: CallOptions['wire']): ProviderCall {
    const { outputLimit } = this
    if (outputLimit === undefined) return Object.assign(this.common(), { request, wire })
    return Object.assign(this.common(), { request: { ...request, maxOutputTokens: outputLimit }, outputLimit, wire })
  }

  common(): Omit<ProviderCall, 'request' | 'wire'> {
    const { deployment, scope, secondsLeft } = this
    const { limits } = deployment
    this.begun = true
    return {
      model: deployment.model,
      tap: { price: (reported) => this.price(reported), usage: scope.streamUsage },
      progress: this.progress,
      limits: secondsLeft < limits.totalSeconds - 0.01 ? { ...limits, totalSeconds: secondsLeft } : limits,
      cancellation: scope.cancellation,
      headers: scope.headers,
      dropUnsupported: scope.dropUnsupported,
    }
  }

  /**
   * Passes the provider's deltas on. What comes before content (`start`, usage) is held back, so that a fallback stays possible; and all of it
   * until the ledger's note of the call is durable, which goes on beside the provider's work.
   */
  async *relay(stream: AsyncGenerator<Delta, ProviderResult>): AsyncGenerator<Delta, Completion> {
    let held: Delta[] | undefined
    try {
      for (;;) {
        const step = await stream.next()
        if (step.done) {
          if (!this.yielded && held) yield* held
          return await this.succeeded(step.value)
        }
        const delta = step.value
        this.heardAt = this.world.clock.monotonic()
        if (!this.yielded) {
          if (delta.type === 'start' || delta.type === 'usage') {
            ;(held ??= []).push(delta)
            continue
          }
          await this.held?.durable()
          this.yielded = true
          this.firstTokenSeconds = this.heardAt - this.startedAt
          this.deployment.answers(this.place)
          if (held) yield* held
        }
        yield delta
      }
    } finally {
      // Runs also when our own consumer stops early: then the provider's generator must cancel its request.
      if (this.open) await stream.return(undefined as never)
    }
  }

  async succeeded(result: ProviderResult): Promise<Completion> {
    const estimated = result.reported === undefined
    const reported = result.reported ?? {
      usage: await this.estimatedUsage(
        this.mayReasonUnseen
          ? Math.max(result.estimatedOutputTokens, reservedOutput(this.bound, this.progress))
          : result.estimatedOutputTokens,
      ),
    }
    const report = this.price(reported)
    if (!estimated) this.world.learn(this.deployment, this.request, reported.usage, this.outputLimit)
    this.deployment.finish(this.place, 'ok', { firstToken: this.firstTokenSeconds ?? this.world.clock.monotonic() - this.startedAt })
    const cost = await this.record('complete', 200, reported, estimated, report.usd)
    const warnings = this.earlyWarnings()
    if (this.warning !== undefined) warnings.push(this.warning)
    if (estimated) warnings.push('the provider reported no usage; it is estimated')
    return {
      callId: this.plan.callId,
      model: this.deployment.model,
      provider: this.deployment.provider.id,
      deployment: this.deployment.id,
      answer: result.answer,
      usage: reported.usage,
      usageEstimated: estimated,
      cost,
      costReport: report,
      serviceTier: reported.serviceTier,
      attempts: this.number,
      headers: result.headers,
      warnings,
    }
  }

  /** Records a failed attempt and says what it was. */
  async failed(thrown: unknown): Promise<BursarError> {
    const { cancelled, reason } = this.scope.cancellation
    const failure = reason ?? toBursarError(thrown)
    if (!this.begun || !this.open) throw failure
    const upstream = thrown instanceof UpstreamFailure ? thrown : undefined
    const end: CallEnd = cancelled ? 'cancelled' : this.yielded ? 'truncated' : 'failed'
    const { wentToRest } = this.deployment.finish(this.place, cancelled ? 'neutral' : healthOf(upstream), {
      retryAfter: upstream?.retryAfterSeconds,
    })
    if (wentToRest && upstream) this.world.observer.rested(this.deployment, upstream)
    await this.settleUnfinished(end, upstream?.upstreamStatus ?? 0, failure.code, upstream)
    return failure
  }

  /** Called last in every case; records an attempt whose consumer stopped in the middle, and says what it took. */
  async close(): Promise<CutCall | undefined> {
    this.deployment.finish(this.place, 'neutral')
    if (!this.open) return undefined
    if (!this.begun) {
      this.open = false
      // Nothing can have been sent. What was noted as about to happen is noted as not done.
      if (this.held) await this.record('cancelled', 0, { usage: noUsage }, false, zeroMoney, 'client_closed_request')
      return undefined
    }
    return this.settleUnfinished('cancelled', 0, 'client_closed_request', undefined)
  }

  /**
   * An attempt without a proper end is billed for what is known of it, never guessed low; one that was refused is not billed. A stream
   * is known by what was seen of it and what may have been written since; of anything else nothing is known, so its bound counts.
   */
  private async settleUnfinished(end: CallEnd, status: number, errorCode: string, failure: UpstreamFailure | undefined): Promise<CutCall> {
    const refused =
      !this.progress.sent ||
      failure?.phase === 'connect' ||
      (failure !== undefined && failure.upstreamStatus >= 300 && !mayHaveAnswered.has(failure.upstreamStatus))
    if (refused) {
      return this.taken(noUsage, await this.record(end, status, { usage: noUsage }, false, zeroMoney, errorCode))
    }
    const { bound, progress, request } = this
    const { reported } = progress
    const searches = bound?.usage.webSearches ?? 0
    const most = searches > 0 ? reservedOutput(bound, progress) : this.mostOutputTokens()
    const input = reported && searches === 0 ? reported.usage : await this.estimatedUsage(0)
    const usage = { ...input, outputTokens: input.outputTokens + Math.max(0, most - totalOutputTokens(input)) }
    const tier = reported?.serviceTier ?? ('messages' in request ? request.serviceTier : undefined)
    const settled = { ...reported, usage, serviceTier: tier }
    let { usd } = this.price(settled)
    // The tier that was used may be the ordinary one, and the dearer.
    if (usd !== null && tier !== reported?.serviceTier)
      usd = larger(
        usd,
        this.world.price(this.deployment, { ...settled, serviceTier: undefined }, { since: this.plan.at, request }).report.usd,
      )
    // Nobody has said whether this input was written to a cache, which costs more, nor what the provider's own tools added to it.
    const unknown = searches > 0 || (!reported && input.inputTokens >= (bound?.usage.inputTokens ?? Infinity))
    if (bound && usd !== null && unknown && most >= totalOutputTokens(bound.usage)) usd = larger(usd, bound.cost.usd)
    return this.taken(usage, await this.record(end, status, settled, true, usd, errorCode))
  }

  private taken(usage: Usage, cost: Cost): CutCall {
    return { callId: this.plan.callId, provider: this.deployment.provider.id, deployment: this.deployment.id, usage, cost }
  }

  /** Output tokens that an attempt without a proper end may be billed for at the most. */
  private mostOutputTokens(): number {
    const { request, bound, progress, firstTokenSeconds, deployment, heardAt } = this
    // What was seen is counted upwards: no provider writes, or bills, beyond the limit that it was sent.
    const limit =
      'messages' in request && request.maxOutputTokens !== undefined ? request.maxOutputTokens * (request.n ?? 1) : Number.POSITIVE_INFINITY
    const written = Math.min(progress.outputTokens, Math.max(limit, reservedOutput(bound, progress)))
    const seen = Math.max(written, progress.reported ? totalOutputTokens(progress.reported.usage) : 0)
    const reserved = Math.max(seen, reservedOutput(bound, progress))
    if (!('stream' in request) || !request.stream || firstTokenSeconds === undefined) return reserved
    if (this.mayReasonUnseen) return reserved
    const { reasoning } = deployment.facts.capabilities
    const flowing = Math.max(SHORTEST_FLOW_SECONDS, heardAt - this.startedAt - firstTokenSeconds)
    // What a provider holds back (arguments of a tool until they are whole) is written at the same rate as what it shows.
    const silent = this.world.clock.monotonic() - heardAt
    // A model of which nothing is known may have reasoned before it began.
    const before = reasoning === undefined ? firstTokenSeconds : 0
    const unseen = MIN_UNDER_WAY_TOKENS + Math.ceil((seen / flowing) * (before + silent + UNDER_WAY_SECONDS))
    return Math.min(reserved, seen + unseen)
  }

  /** Reasoning is billed and may not be shown. Claude reasons only when it is asked to. */
  private get mayReasonUnseen(): boolean {
    const { request, deployment } = this
    return (
      deployment.facts.capabilities.reasoning === true &&
      'messages' in request &&
      (request.reasoning !== undefined || modelFamily(deployment.model) !== 'claude')
    )
  }

  private async estimatedUsage(outputTokens: number): Promise<Usage> {
    return { ...noUsage, inputTokens: await this.world.inputTokens(this.deployment, this.request), outputTokens }
  }

  /** The price; what a pass-through has worked out for the body isn't worked out again for the record. */
  private price(reported: ReportedUsage): CostReport {
    if (this.priced?.reported === reported) return this.priced.report
    const { report, warning, source } = this.world.price(this.deployment, reported, { since: this.plan.at, request: this.request })
    this.warning = warning
    this.source = source
    this.priced = { reported, report }
    return report
  }

  private async record(
    end: CallEnd,
    status: number,
    reported: ReportedUsage,
    estimated: boolean,
    usd: Money | null,
    errorCode?: string,
  ): Promise<Cost> {
    this.open = false
    const cost: Cost = { usd, seconds: this.world.clock.monotonic() - this.startedAt, joules: null, gramsCO2e: null }
    const { held, plan, world, request } = this
    const { usage } = reported
    const record = {
      organisation: plan.organisation,
      team: plan.team,
      user: plan.user,
      key: plan.key,
      run: plan.run,
      session: plan.session,
      tags: plan.tags,
      callId: plan.callId,
      requestId: plan.requestId,
      decisionId: plan.decisionId,
      at: plan.at,
      requestedModel: plan.requestedModel,
      provider: plan.provider,
      deployment: plan.deployment,
      model: plan.model,
      operation: plan.operation,
      stream: plan.stream,
      attempt: plan.attempt,
      end,
      status,
      errorCode,
      usage,
      usageEstimated: estimated,
      cost,
      serviceTier: reported.serviceTier,
      priceSource: this.source,
      firstTokenSeconds: this.firstTokenSeconds,
      cacheSavings:
        usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens > 0
          ? world.cacheSavings(this.deployment, reported, usd)
          : undefined,
      composition: plan.run !== undefined && 'messages' in request ? world.compose(plan, request) : undefined,
      settled: held?.settled({ usage, cost, sent: end === 'complete' || this.progress.sent }),
    } satisfies Whole<CallRecord>
    world.observer.callEnded(record)
    try {
      await world.ledger.recordCall(record)
    } catch (fault) {
      world.observer.unrecorded(record, fault)
    }
    if (held && record.settled) held.settle(record.settled)
    return cost
  }
}

/**
 * A provider that is told to stop has written more than has arrived: what comes in this time at the rate so far, and a little.
 */
const UNDER_WAY_SECONDS = 0.5
const MIN_UNDER_WAY_TOKENS = 16
/** Pieces that come together say nothing of a rate; seconds. */
const SHORTEST_FLOW_SECONDS = 0.05

/** Statuses of proxies that gave up waiting for a provider, who may go on, and bill. */
const mayHaveAnswered: ReadonlySet<number> = new Set([408, 504, 520, 524])

/** Output tokens that were reserved; those seen where nothing was. */
function reservedOutput(bound: CallBound | undefined, { outputTokens }: CallProgress): number {
  return bound === undefined ? outputTokens : totalOutputTokens(bound.usage)
}

/** The larger of two amounts; one that isn't known is none. */
function larger(a: Money, b: Money | null): Money {
  return b !== null && b > a ? b : a
}

/** Nothing fits any more, however closely one looks. */
function exhausted(budget: Budget): boolean {
  return Object.values(budget.remaining()).some((left: number | bigint | undefined) => left !== undefined && left <= 0)
}

function droppedWarning(fields: readonly string[]): string {
  return `left out or adjusted: ${fields.join(', ')}`
}

/** What a failure says of a deployment's health. */
function healthOf(failure: UpstreamFailure | undefined): 'fault' | 'limited' | 'neutral' {
  if (!failure?.retryable || failure.code === 'upstream_rejected') return 'neutral'
  return failure.code === 'upstream_rate_limited' ? 'limited' : 'fault'
}

import { createCatalog } from '../catalog/index.js'
import { BursarError } from '../errors/index.js'
import { Deadlines } from '../environment/index.js'
import { SharedBudgets, type Ledger } from '../ledger/index.js'
import { noUsage, systemClock, type Clock } from '../quantities/index.js'
import { exposureProblem, hasDashboard, type Config } from './config/index.js'
import { alertText, createWebhook } from './alerts/index.js'
import { createObserver } from './observer.js'
import { openProof, whyRolledBack } from './proof/index.js'
import { openLedger } from './open-ledger.js'
import { createOwnRequests, type OwnCaller, type OwnRequests } from './own-requests.js'
import { GatewayServer } from './server.js'
import type { ListedModel } from './state.js'
import { createLogger, type Logger } from './telemetry/log.js'
import { createMetrics, type Metrics } from './telemetry/metrics.js'
import { createTracing } from './telemetry/tracing.js'
import { createOutputQuantile, createRunMemory } from '../understanding/index.js'
import { createAnswerVerifiers } from './verifiers/index.js'
import { embedTexts, openRouting, ownCalls, trainBase } from './routing/index.js'
import { wire, type SharedParts, type WiredState } from './wiring.js'

export interface GatewayOptions {
  readonly config: Config
  readonly version: string
  /** Parts to use instead of the usual ones: for tests and for embedding Bursar in a program. */
  readonly ledger?: Ledger
  readonly clock?: Clock
  readonly log?: Logger
}

/** The gateway as one object: `create`, `listen`, `reload` as often as wanted, `close`. */
export class Gateway {
  private closing: Promise<void> | undefined
  /** One reload at a time: each builds on the one before. */
  private reloading: Promise<void> = Promise.resolve()
  /** Old providers are closed in order, each when the requests that may use it are over. */
  private retiring: Promise<void> = Promise.resolve()
  /** Where it listens, whatever a reload says. */
  private readonly host: string

  private constructor(
    private config: Config,
    private state: WiredState,
    private readonly shared: SharedParts,
    private readonly server: GatewayServer,
    readonly log: Logger,
    private readonly metrics: Metrics,
    private readonly endTelemetry: () => Promise<void>,
  ) {
    this.host = config.server.host
  }

  static async create(options: GatewayOptions): Promise<Gateway> {
    const { config } = options
    refuseOpenDoor(config, config.server.host)
    const log = options.log ?? createLogger({ level: config.log.level === 'trace' ? 'debug' : config.log.level })
    const metrics = createMetrics({ version: options.version })
    const tracing = await createTracing({
      endpoint: config.telemetry.otlp_endpoint,
      headers:
        config.telemetry.otlp_headers &&
        Object.fromEntries(Object.entries(config.telemetry.otlp_headers).map(([name, value]) => [name, value.reveal()])),
      serviceName: config.telemetry.service_name,
      version: options.version,
      onFault: (fault) => log.warn('spans could not be sent to the collector', { fault: asError(fault) }),
    })
    // The server asks for the current state with every request; `gateway` is set before it listens.
    let gateway: Gateway | undefined = undefined as Gateway | undefined
    const current = (): WiredState => (gateway as Gateway).state
    const observer = createObserver({ metrics, log, tracing, logsRequests: () => (gateway as Gateway).config.log.requests })
    const clock = options.clock ?? systemClock
    const opened = await openLedger(config, { log, metrics, ledger: options.ledger })
    const { ledger, counters, accounts, lostCalls } = opened
    const { webhook: told } = config.budgets
    const webhook =
      told &&
      createWebhook({
        url: told.url,
        secret: told.secret?.reveal(),
        onFailure: (reason) => log.warn('an alert could not be delivered', { reason }),
      })
    const open = ownCalls(current)
    const routing = await openRouting(config.routing, {
      embed: embedTexts(open),
      guides: {
        open,
        priceOf(model, inputTokens, outputTokens) {
          const { world } = current()
          const prices = (world.route(model)?.deployments ?? []).map(
            (deployment) => world.price(deployment, { usage: { ...noUsage, inputTokens, outputTokens } }).report.usd,
          )
          // The dearest of those that may serve it; unknown where one is.
          return prices.reduce((most, price) => (most === null || price === null ? null : price > most ? price : most), prices[0] ?? null)
        },
      },
      clock,
      onDecision: (arm) => metrics.routed(arm),
      onFault(kind, fault) {
        metrics.routingFault(kind)
        log.warn('routing failed at something', { kind, fault: asError(fault) })
      },
      note: (text) => log.warn('routing', { note: text }),
    })
    const proof = await openProof(config.proof, config.routing.predictor.seed, {
      current,
      ledger,
      clock,
      learn: (outcome) => routing.memory.told(outcome),
      onTrial: (heldOut) => metrics.proofTrial(heldOut),
      onWork: (purpose, result) => metrics.proofWork(purpose, result),
      onRollBack(rolledBack) {
        metrics.rolledBack(rolledBack.scope)
        const text = `Routed traffic (${rolledBack.scope}) went back to the reference: ${whyRolledBack(rolledBack)}.`
        log.error('routing was rolled back', { alert: text })
        webhook?.send({ ...rolledBack, kind: 'rolled_back', text })
      },
      onFault: (fault) => log.warn('something of the proof failed; no request is affected', { fault: asError(fault) }),
      note: (text) => log.warn('proof', { note: text }),
    })
    // What is said of an answer is recorded first, and then learned from.
    const verifiers = createAnswerVerifiers({
      ledger: {
        recordOutcome: async (outcome) => (await ledger.recordOutcome(outcome), routing.memory.told(outcome), proof.told(outcome)),
      },
      now: () => clock.now(),
      onFault: (fault) => log.warn('an answer could not be verified', { fault: asError(fault) }),
    })
    const shared: SharedParts = {
      catalog: createCatalog(),
      ledger,
      ledgerProblem: () => opened.problem(),
      accounts,
      lostCalls,
      budgets: new SharedBudgets({
        counters,
        ledger,
        clock,
        alert(alert) {
          log.warn('budget alert', { alert: alertText(alert) })
          webhook?.send(alert)
        },
        settings: { queueSeconds: config.budgets.queue_seconds, alertShares: config.budgets.alert_at },
      }),
      lengths: createOutputQuantile(),
      runs: createRunMemory(),
      verifiers,
      routing: routing.memory,
      proof,
      routingState: routing.state,
      clock,
      observer,
      deadlines: new Deadlines(),
      traceHeaders: (requestId) => tracing.headersFor(requestId),
    }
    const state = await wire(config, shared).catch(async (thrown: unknown) => {
      await routing.memory.close()
      await opened.close()
      throw thrown
    })
    if (routing.state === undefined && config.routing.predictor.train !== undefined)
      await trainBase(config.routing, state.router, routing.memory, (rows, seconds) =>
        log.info('routing learned from the outcome table', { rows, seconds }),
      ).catch(async (thrown: unknown) => {
        await routing.memory.close()
        await opened.close()
        throw thrown
      })
    metrics.knowModels(namesOf(state))
    keepSecrets(config, log)
    const server = new GatewayServer(current, observer, {
      headerBytes: config.limits.header_bytes,
      slowReaderSeconds: config.server.slow_reader_seconds,
      corsOrigins: config.server.cors_origins ?? [],
      metrics: config.telemetry.prometheus,
      dashboard: hasDashboard(config),
    })
    gateway = new Gateway(config, state, shared, server, log, metrics, async () => {
      await verifiers.close()
      await proof.close()
      await routing.memory.close()
      await webhook?.close()
      await opened.close()
      await tracing.close()
      await log.flush()
    })
    proof.recall()
    return gateway
  }

  get ledger(): Ledger {
    return this.shared.ledger
  }

  get inFlight(): number {
    return this.server.inFlight
  }

  /** Connections of callers, busy or idle. */
  get connections(): number {
    return this.server.connections
  }

  models(): readonly ListedModel[] {
    return this.state.models()
  }

  /** Requests of Bursar's own commands, answered in this process; there is no need to `listen` for them. */
  ownRequests(caller: OwnCaller): OwnRequests {
    return createOwnRequests(this.config, this.state, caller)
  }

  /** Starts to listen; resolves to the base URL. */
  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const { host, port } = this.config.server
    try {
      const bound = await this.server.listen(port, host)
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`, port: bound.port }
    } catch (cause) {
      // What it holds (the database's lock, threads) is let go: nobody is going to use it.
      await this.close()
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
      const reason =
        code === 'EADDRINUSE'
          ? `Port ${port} on ${host} is in use. Choose another with --port (0 takes a free one), or stop what uses it.`
          : code === 'EACCES'
            ? `This user may not listen on port ${port}. Choose one above 1023.`
            : `Can't listen on ${host}:${port} (${String(code ?? cause)}).`
      throw new BursarError(reason, { code: 'invalid_configuration', status: 500, cause })
    }
  }

  /**
   * Takes a new configuration into use. Requests under way keep the old one to their end. Throws, and changes nothing, when it can't be
   * used.
   */
  reload(config: Config): Promise<void> {
    const reloaded = this.reloading.then(() => this.takeOver(config))
    this.reloading = reloaded.catch(() => undefined)
    return reloaded
  }

  private async takeOver(config: Config): Promise<void> {
    if (this.closing) return
    try {
      refuseOpenDoor(config, this.host)
      keepSecrets(config, this.log)
      const next = await wire(config, this.shared, this.state)
      const models = next.models()
      const before = this.state
      const later = changedForLater(this.config, config)
      if (later.length > 0) this.log.warn('some changed settings take effect at the next start', { settings: later.join(', ') })
      this.state = next
      this.config = config
      this.shared.proof?.configure(config.proof)
      this.metrics.knowModels(namesOf(next))
      this.log.setLevel(config.log.level === 'trace' ? 'debug' : config.log.level)
      this.log.info('configuration reloaded', { models: models.length, providers: next.providers.size })
      this.metrics.configurationReloaded('ok')
      this.retire(before, next)
    } catch (thrown) {
      this.rejectReload(thrown)
      throw thrown
    }
  }

  /** A provider may be shared with every state before, so all of their requests must be over. */
  private retire(old: WiredState, next: WiredState): void {
    this.retiring = Promise.all([this.retiring, old.uses.over()])
      .then(() => old.retire(next))
      .catch((fault: unknown) => this.log.warn('an old provider did not close', { fault: fault instanceof Error ? fault : String(fault) }))
  }

  /** Says that a new configuration could not be read; the old one goes on serving. */
  rejectReload(thrown: unknown): void {
    this.metrics.configurationReloaded('rejected')
    this.log.error('the new configuration is not used; the old one goes on serving', {
      reason: thrown instanceof Error ? thrown.message : String(thrown),
    })
  }

  /** Drains and closes. Closing again waits for the same end. */
  close(): Promise<void> {
    this.closing ??= this.drainAndClose()
    return this.closing
  }

  private async drainAndClose(): Promise<void> {
    await this.reloading
    await this.server.close(this.config.server.shutdown_seconds)
    await this.state.retire(undefined)
    await this.endTelemetry()
  }
}

/** Listening beyond this machine without keys would let anybody spend the operator's money. */
function refuseOpenDoor(config: Config, host: string): void {
  const problem = exposureProblem({ ...config, server: { ...config.server, host } })
  if (problem !== undefined)
    throw new BursarError(`server.host: ${problem}.`, { code: 'invalid_configuration', status: 500, path: 'server.host' })
}

/** Settings that only a start reads. */
function changedForLater(before: Config, after: Config): readonly string[] {
  const settings: Readonly<Record<string, (config: Config) => unknown>> = {
    'server.host': ({ server }) => server.host,
    'server.port': ({ server }) => server.port,
    'server.cors_origins': ({ server }) => server.cors_origins,
    'limits.header_bytes': ({ limits }) => limits.header_bytes,
    telemetry: ({ telemetry }) => [telemetry.otlp_endpoint, telemetry.service_name, telemetry.prometheus],
    dashboard: hasDashboard,
    'proof.state': ({ proof }) => proof.state,
    'routing.encoder': ({ routing }) => routing.encoder,
    'routing.predictor.train': ({ routing }) => routing.predictor.train,
    ledger: ({ ledger }) => [
      { ...ledger, database_url: undefined, redis_url: undefined },
      ledger.database_url?.reveal(),
      ledger.redis_url?.reveal(),
    ],
    budgets: ({ budgets }) => [budgets.queue_seconds, budgets.alert_at, budgets.webhook?.url],
  }
  return Object.keys(settings).filter((name) => JSON.stringify(settings[name]?.(before)) !== JSON.stringify(settings[name]?.(after)))
}

/** Everything that callers may name. */
function namesOf(state: WiredState): readonly string[] {
  return [...state.router.names(), ...state.models().map((model) => model.id)]
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

function keepSecrets(config: Config, log: Logger): void {
  for (const key of config.keys) if (key.key) log.keepSecret(key.key.reveal())
  const { admin, ledger, budgets } = config
  for (const secret of [admin?.key, ledger.database_url, ledger.redis_url, budgets.webhook?.secret])
    if (secret) log.keepSecret(secret.reveal())
  // Drivers name passwords without the address around them; and the address of a webhook is often all that its receiver asks for.
  for (const secret of [ledger.database_url, ledger.redis_url]) {
    const password = secret && URL.canParse(secret.reveal()) ? new URL(secret.reveal()).password : ''
    if (password !== '')
      log.keepSecret(password.replace(/%[0-9a-f]{2}/gi, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16))))
  }
  if (budgets.webhook) log.keepSecret(budgets.webhook.url)
  for (const provider of Object.values(config.providers)) {
    if (!('api_key' in provider)) continue
    if (provider.api_key) log.keepSecret(provider.api_key.reveal())
    for (const value of Object.values(provider.headers ?? {})) log.keepSecret(value.reveal())
  }
}

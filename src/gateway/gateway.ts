import { createCatalog } from '../catalog/index.js'
import { BursarError } from '../errors/index.js'
import { Deadlines } from '../environment/index.js'
import { createMemoryLedger, type Ledger } from '../ledger/index.js'
import { systemClock, type Clock } from '../quantities/index.js'
import { exposureProblem, type Config } from './config/index.js'
import { createObserver } from './observer.js'
import { GatewayServer } from './server.js'
import type { ListedModel } from './state.js'
import { createLogger, type Logger } from './telemetry/log.js'
import { createMetrics } from './telemetry/metrics.js'
import { createTracing } from './telemetry/tracing.js'
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

  private constructor(
    private config: Config,
    private state: WiredState,
    private readonly shared: SharedParts,
    private readonly server: GatewayServer,
    readonly log: Logger,
    private readonly reportReload: (result: 'ok' | 'rejected') => void,
    private readonly endTelemetry: () => Promise<void>,
  ) {}

  static async create(options: GatewayOptions): Promise<Gateway> {
    const { config } = options
    refuseOpenDoor(config)
    const log = options.log ?? createLogger({ level: config.log.level === 'trace' ? 'debug' : config.log.level })
    const metrics = createMetrics({ version: options.version })
    const tracing = await createTracing({
      endpoint: config.telemetry.otlp_endpoint,
      headers: config.telemetry.otlp_headers && Object.fromEntries(Object.entries(config.telemetry.otlp_headers).map(([name, value]) => [name, value.reveal()])),
      serviceName: config.telemetry.service_name,
      version: options.version,
    })
    // The server asks for the current state with every request; `gateway` is set before it listens.
    let gateway: Gateway | undefined = undefined as Gateway | undefined
    const current = (): WiredState => (gateway as Gateway).state
    const observer = createObserver({ metrics, log, tracing, logsRequests: () => (gateway as Gateway).config.log.requests })
    const shared: SharedParts = {
      catalog: createCatalog(),
      ledger: options.ledger ?? createMemoryLedger({ rememberCalls: config.ledger.remember_calls }),
      clock: options.clock ?? systemClock,
      observer,
      deadlines: new Deadlines(),
      traceHeaders: (requestId) => tracing.headersFor(requestId),
    }
    const state = await wire(config, shared)
    metrics.knowModels(state.models().map((model) => model.id))
    keepSecrets(config, log)
    const server = new GatewayServer(current, observer, { headerBytes: config.limits.header_bytes, slowReaderSeconds: config.server.slow_reader_seconds, corsOrigins: config.server.cors_origins ?? [], metrics: config.telemetry.prometheus })
    gateway = new Gateway(config, state, shared, server, log, (result) => metrics.configurationReloaded(result), async () => {
      await tracing.close()
      await log.flush()
    })
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

  /** Starts to listen; resolves to the base URL. */
  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const { host, port } = this.config.server
    try {
      const bound = await this.server.listen(port, host)
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`, port: bound.port }
    } catch (cause) {
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

  /** Takes a new configuration into use. Requests under way keep the old one to their end. Throws, and changes nothing, when it can't be used. */
  async reload(config: Config): Promise<void> {
    try {
      refuseOpenDoor(config)
      const next = await wire(config, this.shared, this.state)
      const before = this.state
      if (config.server.host !== this.config.server.host || config.server.port !== this.config.server.port)
        this.log.warn('server.host and server.port take effect at the next start')
      this.state = next
      this.config = config
      keepSecrets(config, this.log)
      this.log.setLevel(config.log.level === 'trace' ? 'debug' : config.log.level)
      this.log.info('configuration reloaded', { models: next.models().length, providers: next.providers.size })
      this.reportReload('ok')
      before.retire(next).catch((fault: unknown) => this.log.warn('an old provider did not close', { fault: fault instanceof Error ? fault : String(fault) }))
    } catch (thrown) {
      this.rejectReload(thrown)
      throw thrown
    }
  }

  /** Says that a new configuration could not be read; the old one goes on serving. */
  rejectReload(thrown: unknown): void {
    this.reportReload('rejected')
    this.log.error('the new configuration is not used; the old one goes on serving', { reason: thrown instanceof Error ? thrown.message : String(thrown) })
  }

  /** Drains and closes. Closing again waits for the same end. */
  close(): Promise<void> {
    this.closing ??= this.drainAndClose()
    return this.closing
  }

  private async drainAndClose(): Promise<void> {
    await this.server.close(this.config.server.shutdown_seconds)
    await this.state.retire(undefined)
    await this.shared.ledger.close()
    await this.endTelemetry()
  }
}

/** Listening beyond this machine without keys would let anybody spend the operator's money. */
function refuseOpenDoor(config: Config): void {
  const problem = exposureProblem(config)
  if (problem !== undefined) throw new BursarError(`server.host: ${problem}.`, { code: 'invalid_configuration', status: 500, path: 'server.host' })
}

function keepSecrets(config: Config, log: Logger): void {
  for (const key of config.keys) if (key.key) log.keepSecret(key.key.reveal())
  for (const provider of Object.values(config.providers)) {
    if (!('api_key' in provider)) continue
    if (provider.api_key) log.keepSecret(provider.api_key.reveal())
    for (const value of Object.values(provider.headers ?? {})) log.keepSecret(value.reveal())
  }
}

import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { BursarError, toBursarError } from '../errors/index.js'
import { anthropicMessages, openaiChat, openaiEmbeddings, openaiResponses } from '../protocol/index.js'
import { CallerExchange, type ErrorEncoder } from './endpoints/exchange.js'
import { handleCountTokens } from './endpoints/count-tokens.js'
import { handleEmbeddings } from './endpoints/embeddings.js'
import { handleGenerate } from './endpoints/generate.js'
import { EXPOSED_HEADERS } from './http/exposed-headers.js'
import { Turns } from './http/turns.js'
import type { RequestObserver } from './request-observer.js'
import type { GatewayState } from './state.js'

export interface ServerSettings {
  readonly headerBytes: number
  /** How long a caller may leave the rest of an answer unread before its connection is closed. */
  readonly slowReaderSeconds: number
  readonly corsOrigins: readonly string[]
  /** Whether `GET /metrics` answers. */
  readonly metrics: boolean
  /** Whether `GET /dashboard` answers. */
  readonly dashboard: boolean
}

/** Requests that are unpacked in one turn of the event loop. */
const REQUESTS_PER_TURN = 16

interface Endpoint {
  readonly errors: ErrorEncoder
  handle(exchange: CallerExchange, state: GatewayState): Promise<void>
}

/** The endpoints that carry traffic. They are answered on the raw Node response; everything else goes through hono. */
const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/v1/chat/completions', { errors: openaiChat, handle: (exchange, state) => handleGenerate(exchange, openaiChat, state) }],
  ['/v1/messages', { errors: anthropicMessages, handle: (exchange, state) => handleGenerate(exchange, anthropicMessages, state) }],
  ['/v1/responses', { errors: openaiResponses, handle: (exchange, state) => handleGenerate(exchange, openaiResponses, state) }],
  ['/v1/embeddings', { errors: openaiEmbeddings, handle: handleEmbeddings }],
  ['/v1/messages/count_tokens', { errors: anthropicMessages, handle: handleCountTokens }],
])

/** Paths that carry traffic, for docs and metrics. */
export const trafficPaths: readonly string[] = [...endpoints.keys()]

/** The HTTP server: routes, limits, draining. `state()` is asked anew for each request, so a reload takes effect at once. */
export class GatewayServer {
  readonly server: Server
  private readonly open = new Set<CallerExchange>()
  private readonly turns = new Turns(REQUESTS_PER_TURN)
  private readonly sockets = new Set<Socket>()
  /** Connections with a request that no `CallerExchange` stands for: one that waits for its turn, or one that carries no traffic. */
  private readonly aside = new Set<Socket>()
  private draining = false

  constructor(
    private readonly state: () => GatewayState,
    private readonly observer: RequestObserver,
    private readonly settings: ServerSettings,
  ) {
    // Loaded with the first request that carries no traffic: hono's listener brings Node's own fetch into memory.
    let loading: Promise<(req: IncomingMessage, res: ServerResponse) => Promise<void>> | undefined
    const listener = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
      loading ??= import('./app.js').then(({ createListener }) =>
        createListener({
          state,
          observer,
          draining: () => this.draining,
          corsOrigins: settings.corsOrigins,
          metrics: settings.metrics,
          dashboard: settings.dashboard,
        }),
      )
      return (await loading)(req, res)
    }
    const origins = new Set(settings.corsOrigins)
    this.server = createServer({ maxHeaderSize: settings.headerBytes, keepAliveTimeout: 75_000, requestTimeout: 300_000 }, (req, res) => {
      const { socket } = req
      this.aside.add(socket)
      const path = pathOf(req.url ?? '/')
      const endpoint = endpoints.get(path)
      if (!endpoint || req.method === 'OPTIONS') {
        if (req.url?.startsWith('/v1/v1/')) req.url = req.url.slice(3)
        return void listener(req, res).finally(() => this.aside.delete(socket))
      }
      if (origins.size > 0) allowOrigin(req, res, origins)
      this.turns.run(() => {
        this.aside.delete(socket)
        void this.answer(path, endpoint, req, res)
      })
    })
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
    })
    this.server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
      // Into an answer that has begun nothing else may be written.
      let begun = this.aside.has(socket) || socket.writableLength > 0
      for (const { req, res } of this.open) if (req.socket === socket && res.headersSent) begun = true
      if (begun) socket.destroy()
      else answerBrokenRequest(error, socket)
    })
  }

  /** Connections of callers, busy or idle. */
  get connections(): number {
    return this.sockets.size
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.open.size
  }

  listen(port: number, host: string): Promise<{ readonly port: number; readonly host: string }> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(port, host, 4096, () => {
        this.server.off('error', reject)
        const address = this.server.address()
        resolve({ port: typeof address === 'object' && address ? address.port : port, host })
      })
    })
  }

  /** Stops taking requests, lets those under way finish for at most `seconds`, then ends them with an error. */
  async close(seconds: number): Promise<void> {
    this.draining = true
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    this.closeUnused()
    const idle = setInterval(() => this.closeUnused(), 50)
    const deadline = setTimeout(() => {
      for (const exchange of this.open)
        exchange.abort(
          new BursarError('Bursar is shutting down; send the request again.', { code: 'shutting_down', status: 503, retryAfterSeconds: 1 }),
        )
      setTimeout(() => this.server.closeAllConnections(), 1000).unref()
    }, seconds * 1000)
    await closed
    clearInterval(idle)
    clearTimeout(deadline)
    // What lost its connection has been cancelled, and needs a moment to be settled and recorded.
    for (let turn = 0; turn < 100 && this.open.size > 0; turn++) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  /** Closes connections that carry no request. For Node, one on which no request ever came, or only half its headers, is busy. */
  private closeUnused(): void {
    const busy = this.busySockets()
    for (const socket of this.sockets) if (!busy.has(socket)) socket.destroy()
  }

  /**
   * Connections on which an answer is being made, or still to be sent. Found when it is asked for, so that requests needn't keep it up
   * to date.
   */
  private busySockets(): ReadonlySet<Socket> {
    const busy = new Set(this.aside)
    for (const { req } of this.open) busy.add(req.socket)
    for (const socket of this.sockets) if (socket.writableLength > 0) busy.add(socket)
    return busy
  }

  /** An answer that could not be written or told of: the caller sees a broken connection, the log the reason. */
  private faulted(exchange: CallerExchange, thrown: unknown): void {
    exchange.res.destroy()
    exchange.abort(toBursarError(thrown))
    try {
      this.observer.faulted(exchange, thrown)
    } catch {
      // The log itself is at fault: nobody is left to tell.
    }
  }

  /** Never rejects: a fault in telling of a request may cost that request, not the process. */
  private async answer(path: string, endpoint: Endpoint, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const exchange = new CallerExchange(req, res, path, endpoint.errors)
    this.open.add(exchange)
    try {
      this.observer.requestStarted(exchange)
      await this.handle(exchange, endpoint)
    } catch (thrown) {
      this.faulted(exchange, thrown)
    }
    this.open.delete(exchange)
    // The last bytes wait for a reader that may have stopped. Node closes the connection when nothing moves for so long.
    if (res.writableLength > 0 && !res.destroyed) res.socket?.setTimeout(this.settings.slowReaderSeconds * 1000)
    try {
      this.observer.requestEnded(exchange)
    } catch (thrown) {
      this.faulted(exchange, thrown)
    }
  }

  private async handle(exchange: CallerExchange, endpoint: Endpoint): Promise<void> {
    const { req, res } = exchange
    const state = this.state()
    state.uses.begin()
    try {
      if (req.method !== 'POST') {
        res.setHeader('allow', 'POST')
        throw new BursarError(`${exchange.endpoint} takes POST, not ${req.method ?? 'that'}.`, { code: 'method_not_allowed', status: 405 })
      }
      if (this.draining)
        throw new BursarError('Bursar is shutting down; send the request again.', {
          code: 'shutting_down',
          status: 503,
          retryAfterSeconds: 1,
        })
      if (this.open.size > state.limits.concurrentRequests)
        throw new BursarError(`More than ${state.limits.concurrentRequests} requests are under way (limits.concurrent_requests).`, {
          code: 'overloaded',
          status: 503,
          retryAfterSeconds: 1,
        })
      await endpoint.handle(exchange, state)
    } catch (thrown) {
      exchange.sendError(thrown)
    } finally {
      state.uses.end()
    }
  }
}

/** The path without its query, and without the doubled `/v1` that a base URL with `/v1` gives some clients. */
function pathOf(url: string): string {
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  return path.startsWith('/v1/v1/') ? path.slice(3) : path
}

function allowOrigin(req: IncomingMessage, res: ServerResponse, origins: ReadonlySet<string>): void {
  const { origin } = req.headers
  if (origin === undefined || !(origins.has('*') || origins.has(origin))) return
  res.setHeader('access-control-allow-origin', origin)
  res.setHeader('vary', 'origin')
  res.setHeader('access-control-expose-headers', EXPOSED_HEADERS.join(', '))
}

/** A request that isn't HTTP, or whose headers are too large, never reaches a handler. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'headers_too_large', 'The headers are larger than limits.header_bytes.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'invalid_request', 'The request did not arrive in time.']
        : [400, 'invalid_request', 'This is not a well-formed HTTP/1.1 request.']
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', code, param: null } })
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
  // Not only ended: the other side may never close its half.
  socket.destroySoon()
}

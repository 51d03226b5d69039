import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { cut, type Behaviour, type Bill, type ReceivedRequest, type Script } from './behaviour.js'
import { defaultBehaviour, stringField } from './defaults.js'
import { drained } from './drained.js'
import { knobOf } from './knobs.js'
import { openaiError } from './openai-chat.js'

/** Prices by which the upstream counts its own bill, in picodollars a token. */
export interface UpstreamPrices {
  readonly input: bigint
  readonly cached?: bigint
  readonly cacheWrite?: bigint
  readonly output: bigint
  readonly reasoning?: bigint
}

export interface UpstreamOptions {
  /** 0 (any free port) when absent. */
  readonly port?: number
  /** What paths answer when nothing is enqueued for them; anything else gets a well-formed canned answer. */
  readonly byPath?: Readonly<Record<string, Script>>
  /** Whether model names such as `mock-slow-200` choose a behaviour (see `knobs.ts`), and `/stats` and `/reset` answer. */
  readonly knobs?: boolean
  /** Refuses requests without `authorization: Bearer KEY`, `x-api-key: KEY`, `api-key: KEY` or `x-goog-api-key: KEY`. */
  readonly requireKey?: string
  readonly prices?: UpstreamPrices
}

/** Totals that the upstream counted for itself, to hold a gateway's bill against. */
export interface UpstreamTotals {
  readonly requests: number
  readonly aborted: number
  readonly inflight: number
  readonly billed: Required<Bill>
  /** Picodollars by `prices`; 0 without prices. */
  readonly spent: bigint
}

export interface Upstream {
  /** Such as `http://127.0.0.1:43210`, without a path. */
  readonly url: string
  readonly port: number
  /** Every request, oldest first. */
  readonly requests: readonly ReceivedRequest[]
  /** The newest request; throws when there was none. */
  readonly last: ReceivedRequest
  readonly totals: UpstreamTotals
  /** Scripts the next request (whose path ends with `path`, when given). First in, first out; unscripted requests get the default. */
  enqueue(script: Script, path?: string): void
  /** Scripts that were enqueued and not used yet. */
  readonly pending: number
  /** Sets what a path answers when nothing is enqueued for it. */
  always(path: string, script: Script): void
  /** Forgets requests, scripts that were not used, and totals. What `always` set stays. */
  reset(): void
  /** Forgets what `always` set; what was given at the start stays. */
  forget(): void
  /** Resolves once `count` requests have arrived; rejects after five seconds. */
  received(count: number): Promise<void>
  /** Resolves once `count` requests were aborted by the other side; rejects after five seconds. */
  aborted(count: number): Promise<void>
  /** Stops listening and drops idle connections: new connections are refused until `listen`. */
  refuse(): Promise<void>
  /** Breaks every connection there is, busy or idle. */
  disconnect(): void
  /** Listens again, on the same port. */
  listen(): Promise<void>
  close(): Promise<void>
}

interface Waiter {
  readonly met: () => boolean
  readonly resolve: () => void
}

/** Starts a loopback HTTP server that plays a provider, scripted request by request. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const requests: ReceivedRequest[] = []
  const queue: { script: Script; path: string | undefined; left: number }[] = []
  const byPath = new Map<string, Script>(Object.entries(options.byPath ?? {}))
  const failures = new Map<string, number>()
  const waiters = new Set<Waiter>()
  let requestCount = 0
  let abortCount = 0
  let inflight = 0
  let spent = 0n
  let billed = emptyBill()

  const settle = () => {
    for (const waiter of waiters) {
      if (!waiter.met()) continue
      waiters.delete(waiter)
      waiter.resolve()
    }
  }
  const wait = (met: () => boolean, what: () => string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (met()) return resolve()
      const timer = setTimeout(() => {
        waiters.delete(waiter)
        reject(new Error(`the upstream waited five seconds for ${what()}`))
      }, 5_000)
      const waiter: Waiter = {
        met,
        resolve: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      waiters.add(waiter)
    })

  const take = (request: ReceivedRequest): Behaviour => {
    const at = queue.findIndex((entry) => entry.path === undefined || request.path.endsWith(entry.path))
    const entry = queue[at]
    if (entry) {
      if (--entry.left === 0) queue.splice(at, 1)
      return play(entry.script, request)
    }
    const fixed = byPath.get(request.path) ?? [...byPath].find(([path]) => request.path.endsWith(path))?.[1]
    if (fixed !== undefined) return play(fixed, request)
    return options.knobs ? withKnob(request, failures) : defaultBehaviour(request)
  }

  const account = (bill: Bill | undefined) => {
    if (!bill) return
    const cached = bill.cached ?? 0
    const cacheWrite = bill.cacheWrite ?? 0
    const reasoning = bill.reasoning ?? 0
    billed = {
      input: billed.input + bill.input,
      cached: billed.cached + cached,
      cacheWrite: billed.cacheWrite + cacheWrite,
      output: billed.output + bill.output,
      reasoning: billed.reasoning + reasoning,
    }
    const prices = options.prices
    if (!prices) return
    spent +=
      BigInt(bill.input - cached - cacheWrite) * prices.input +
      BigInt(cached) * (prices.cached ?? prices.input) +
      BigInt(cacheWrite) * (prices.cacheWrite ?? prices.input) +
      BigInt(bill.output - reasoning) * prices.output +
      BigInt(reasoning) * (prices.reasoning ?? prices.output)
  }

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const received = await receive(incoming, requestCount)
    if (!received) return
    if (options.knobs && received.path === '/stats')
      return void response.end(JSON.stringify({ requests: requestCount, aborted: abortCount, inflight }))
    if (options.knobs && received.path === '/reset') {
      reset()
      return void response.end('ok')
    }
    requestCount++
    inflight++
    requests.push(received)
    let over = false
    const closed = () => {
      if (over) return
      over = true
      incoming.socket.off('close', closed)
      inflight--
      if (!received.finished) {
        received.abortedAt = performance.now()
        abortCount++
      }
      settle()
    }
    // The other side may have gone while the end of the body was taken in: then the event is over.
    if (response.destroyed) return closed()
    response.once('close', closed)
    // A response that waits for an earlier one on its connection isn't told when the connection goes.
    incoming.socket.once('close', closed)
    settle()
    const behaviour = options.requireKey !== undefined && !hasKey(incoming, options.requireKey) ? badKey : take(received)
    if ((behaviour.status ?? 200) < 400 && !behaviour.neverAnswer && !behaviour.hangUp && behaviour.garbage === undefined)
      account(behaviour.bill)
    await respond(behaviour, received, response)
  }

  const server = createServer((incoming, response) => {
    incoming.on('error', () => {})
    response.on('error', () => {})
    handle(incoming, response).catch((fault: unknown) => {
      // A fault of the script itself must be seen by the test, whatever stands between.
      if (!response.headersSent && !response.destroyed) response.writeHead(599).end(`scripted upstream: ${String(fault)}`)
      else response.destroy()
    })
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = 60_000
  const listenOn = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', 4096, () => {
        server.off('error', reject)
        resolve()
      })
    })
  await listenOn(options.port ?? 0)
  const port = addressOf(server.address()).port

  function reset() {
    requests.length = 0
    queue.length = 0
    failures.clear()
    requestCount = 0
    abortCount = 0
    spent = 0n
    billed = emptyBill()
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    get last() {
      const newest = requests.at(-1)
      if (!newest) throw new Error('the upstream received no request')
      return newest
    },
    get totals() {
      return { requests: requestCount, aborted: abortCount, inflight, billed, spent }
    },
    get pending() {
      return queue.reduce((sum, entry) => sum + entry.left, 0)
    },
    enqueue: (script, path) => void queue.push({ script, path, left: typeof script === 'function' ? 1 : (script.times ?? 1) }),
    always: (path, script) => void byPath.set(path, script),
    reset,
    forget: () => {
      byPath.clear()
      for (const [path, script] of Object.entries(options.byPath ?? {})) byPath.set(path, script)
    },
    received: (count) =>
      wait(
        () => requestCount >= count,
        () => `request ${count}; ${requestCount} came`,
      ),
    aborted: (count) =>
      wait(
        () => abortCount >= count,
        () => `abort ${count}; ${abortCount} came`,
      ),
    refuse: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
    disconnect: () => server.closeAllConnections(),
    listen: () => listenOn(port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const badKey: Behaviour = openaiError(401, 'Incorrect API key provided', 'invalid_api_key')

function play(script: Script, request: ReceivedRequest): Behaviour {
  return typeof script === 'function' ? script(request) : script
}

function withKnob(request: ReceivedRequest, failures: Map<string, number>): Behaviour {
  const usual = defaultBehaviour(request)
  const name = stringField(request.json, 'model') ?? ''
  const knob = knobOf(name)
  switch (knob.kind) {
    case 'plain':
      return usual
    case 'slow':
      return { ...usual, delayMs: knob.ms }
    case 'drip':
      return { ...usual, gapMs: knob.ms }
    case 'cut':
      return { ...usual, destroyAfter: 10 }
    case 'fail': {
      const done = failures.get(name) ?? 0
      if (done >= knob.times) return usual
      failures.set(name, done + 1)
      return openaiError(knob.status, `scripted ${knob.status}`, String(knob.status), knob.status === 429 ? { 'retry-after': '1' } : {})
    }
  }
}

async function receive(incoming: IncomingMessage, index: number): Promise<ReceivedRequest | undefined> {
  const parts: Buffer[] = []
  try {
    for await (const part of incoming) parts.push(Buffer.from(part as Uint8Array))
  } catch {
    return undefined // the other side left while it was still sending
  }
  const body = Buffer.concat(parts)
  const url = incoming.url ?? '/'
  const query = url.indexOf('?')
  return {
    index,
    method: incoming.method ?? '',
    url,
    path: query < 0 ? url : url.slice(0, query),
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    body,
    json: parseJson(body),
    arrivedAt: performance.now(),
    clientPort: incoming.socket.remotePort ?? 0,
    bytesWritten: 0,
    finished: false,
    abortedAt: undefined,
  }
}

async function respond(behaviour: Behaviour, received: ReceivedRequest, response: ServerResponse): Promise<void> {
  if (behaviour.hangUp) return breakOff(received, response)
  if (behaviour.neverAnswer) return
  await behaviour.until
  if (behaviour.delayMs !== undefined) await sleep(behaviour.delayMs)
  if (response.destroyed) return
  if (behaviour.garbage !== undefined) {
    received.finished = true
    response.socket?.end(behaviour.garbage)
    return
  }
  const writes = cut(piecesOf(behaviour), behaviour.chunking ?? (behaviour.events ? 'pieces' : 'whole'))
  const length = behaviour.contentLength ?? (behaviour.events ? undefined : writes.reduce((sum, write) => sum + write.length, 0))
  const headers: Record<string, string | readonly string[]> = {
    'content-type': behaviour.events ? 'text/event-stream' : typeof behaviour.body === 'string' ? 'text/plain' : 'application/json',
    ...(length !== undefined && { 'content-length': String(length) }),
    ...behaviour.headers,
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, typeof value === 'string' ? value : [...value])
  response.strictContentLength = false
  response.writeHead(behaviour.status ?? 200)
  response.flushHeaders()
  if (received.method === 'HEAD') {
    received.finished = true
    return void response.end()
  }
  if (behaviour.bodyDelayMs !== undefined) await sleep(behaviour.bodyDelayMs)
  let sent = 0
  for (const write of writes) {
    if (sent === behaviour.destroyAfter) return breakOff(received, response)
    if (sent === behaviour.stallAfter) {
      if (!behaviour.resume) return
      await behaviour.resume
    }
    if (sent > 0) await (behaviour.gapMs === undefined ? turn() : sleep(behaviour.gapMs))
    if (response.destroyed) return
    const free = response.write(write)
    received.bytesWritten += write.length
    sent++
    if (!free) await drained(response)
  }
  if (sent === behaviour.stallAfter) {
    if (!behaviour.resume) return
    await behaviour.resume
  }
  if (response.destroyed) return
  if (behaviour.thenDestroy || behaviour.destroyAfter !== undefined) return breakOff(received, response)
  received.finished = true
  response.end()
}

/** Breaks the connection on purpose, once what was written has left this process, so that the other side surely sees all of it. */
function breakOff(received: ReceivedRequest, response: ServerResponse): void {
  received.finished = true
  const socket = response.socket
  if (!socket) return
  // Corked writes go out at the end of this turn; an empty write is done when all before it are.
  setImmediate(() => {
    if (socket.writableLength === 0) socket.destroy()
    else socket.write('', () => socket.destroy())
  })
}

function piecesOf(behaviour: Behaviour): readonly Buffer[] {
  if (behaviour.events) return behaviour.events.map((event) => Buffer.from(event))
  const body = behaviour.body
  if (body === undefined) return []
  if (typeof body === 'string' || body instanceof Uint8Array) return [Buffer.from(body)]
  return [Buffer.from(JSON.stringify(body))]
}

function hasKey(incoming: IncomingMessage, key: string): boolean {
  const { authorization } = incoming.headers
  return (
    authorization === `Bearer ${key}` ||
    ['x-api-key', 'api-key', 'x-goog-api-key'].some((name) => incoming.headers[name] === key) ||
    new URL(incoming.url ?? '/', 'http://upstream').searchParams.get('key') === key
  )
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  try {
    const value: unknown = JSON.parse(body.toString())
    return value
  } catch {
    return undefined
  }
}

function emptyBill(): Required<Bill> {
  return { input: 0, cached: 0, cacheWrite: 0, output: 0, reasoning: 0 }
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the upstream has no TCP address')
  return address
}

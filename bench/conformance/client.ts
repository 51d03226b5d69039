import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'

/** A gateway under test. */
export interface Subject {
  readonly name: string
  /** Base URL without `/v1`. */
  readonly url: string
  /** Headers of an ordinary caller, the key included. */
  readonly headers: Readonly<Record<string, string>>
  readonly model: string
  /** False for gateways that have no keys of their own. */
  readonly hasKeys: boolean
}

export interface CallOptions {
  readonly path?: string
  readonly method?: string
  /** The body: bytes as they are, or a value to be written as JSON. */
  readonly body?: unknown
  /** More headers; `undefined` leaves one of the subject's out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** After so long the call is given up; 15 s when absent. */
  readonly patienceMs?: number
}

/** How an answer came. */
export interface Answer {
  /** 0 when there was no answer. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** `clean`: ended as HTTP says. `broken`: the connection broke. `gave up`: our patience ended. `left`: we left. */
  readonly end: 'clean' | 'broken' | 'gave up' | 'left'
  readonly firstByteMs: number
  readonly totalMs: number
  /** Pieces of the body as they arrived. */
  readonly pieces: readonly { readonly atMs: number; readonly bytes: Buffer }[]
}

/** A call under way. */
export interface OpenCall {
  readonly answer: Promise<Answer>
  /** The body so far. */
  soFar(): string
  /** Resolves to true once the body so far satisfies the condition, to false after `ms` or when the call is over without. */
  until(condition: (body: string) => boolean, ms: number): Promise<boolean>
  leave(): void
  pause(): void
  resume(): void
}

const agent = new Agent({ keepAlive: false, maxSockets: 1_000 })

/** Starts a call; never throws. */
export function open(subject: Pick<Subject, 'url' | 'headers'>, options: CallOptions = {}): OpenCall {
  const body =
    options.body === undefined
      ? undefined
      : options.body instanceof Uint8Array
        ? Buffer.from(options.body)
        : Buffer.from(JSON.stringify(options.body))
  const headers: Record<string, string | string[]> = {
    ...subject.headers,
    ...(body && { 'content-type': 'application/json', 'content-length': String(body.length) }),
  }
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value === undefined) delete headers[name]
    else headers[name] = typeof value === 'string' ? value : [...value]
  }
  const startedAt = performance.now()
  const pieces: { atMs: number; bytes: Buffer }[] = []
  let text = ''
  let over = false
  let status = 0
  let incoming: IncomingHttpHeaders = {}
  const waiting = new Set<() => void>()
  let settle: (end: Answer['end']) => void = () => {}
  const answer = new Promise<Answer>((resolve) => {
    settle = (end) => {
      if (over) return
      over = true
      clearTimeout(patience)
      resolve({
        status,
        headers: incoming,
        body: Buffer.concat(pieces.map((piece) => piece.bytes)),
        end,
        firstByteMs: pieces[0]?.atMs ?? NaN,
        totalMs: performance.now() - startedAt,
        pieces,
      })
      for (const check of waiting) check()
    }
  })
  let pauseOrResume: (pause: boolean) => void = () => {}
  const sent = request(
    `${subject.url}${options.path ?? '/v1/chat/completions'}`,
    { method: options.method ?? (body ? 'POST' : 'GET'), headers, agent },
    (response) => {
      status = response.statusCode ?? 0
      incoming = response.headers
      pauseOrResume = (pause) => (pause ? response.pause() : response.resume())
      response.on('data', (bytes: Buffer) => {
        pieces.push({ atMs: performance.now() - startedAt, bytes })
        text += bytes.toString('latin1')
        for (const check of waiting) check()
      })
      response.once('end', () => settle(response.complete ? 'clean' : 'broken'))
      response.once('close', () => settle(response.complete ? 'clean' : 'broken'))
      response.once('error', () => settle('broken'))
    },
  )
  sent.once('error', () => settle('broken'))
  const patience = setTimeout(() => {
    settle('gave up')
    sent.destroy()
  }, options.patienceMs ?? 15_000)
  sent.end(body)
  return {
    answer,
    soFar: () => text,
    until: (condition, ms) =>
      new Promise((resolve) => {
        const finish = (met: boolean) => {
          clearTimeout(timer)
          waiting.delete(check)
          resolve(met)
        }
        const check = () => {
          if (condition(text)) finish(true)
          else if (over) finish(false)
        }
        const timer = setTimeout(() => finish(condition(text)), ms)
        waiting.add(check)
        check()
      }),
    leave: () => {
      settle('left')
      sent.destroy()
    },
    pause: () => pauseOrResume(true),
    resume: () => pauseOrResume(false),
  }
}

/** A call to its end. */
export function call(subject: Pick<Subject, 'url' | 'headers'>, options: CallOptions = {}): Promise<Answer> {
  return open(subject, options).answer
}

/** Sends raw bytes to the gateway's port; resolves to what came back within `ms` or until the connection ended. */
export function raw(
  subject: Pick<Subject, 'url'>,
  bytes: string | Buffer,
  ms = 5_000,
): Promise<{ readonly text: string; readonly ended: boolean }> {
  const { hostname, port } = new URL(subject.url)
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(port || 80), hostname, () => socket.write(bytes))
    const finish = (ended: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, ended })
    }
    const timer = setTimeout(() => finish(false), ms)
    socket.on('data', (data: Buffer) => (text += data.toString('latin1')))
    socket.once('error', () => finish(true))
    socket.once('end', () => finish(true))
  })
}

/** Server-sent events of a body: the `data` of each, by the rules of WHATWG HTML 9.2. Independent of any product's parser. */
export function eventData(body: Buffer | string): readonly string[] {
  const found: string[] = []
  let data: string[] = []
  for (const line of body.toString().split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0) found.push(data.join('\n'))
      data = []
    } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
  }
  return found
}

/** A JSON value, or `undefined`. */
export function parsed(text: string | Buffer): unknown {
  try {
    const value: unknown = JSON.parse(text.toString())
    return value
  } catch {
    return undefined
  }
}

/** The value at a path of names and indexes; `undefined` where it doesn't exist. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.entries(here).find(([key]) => key === String(step))?.[1]
  }
  return here
}

/** The text of a streamed chat completion. */
export function streamedText(body: Buffer): string {
  return eventData(body)
    .map((data) => at(parsed(data), 'choices', 0, 'delta', 'content'))
    .filter((piece) => typeof piece === 'string')
    .join('')
}

/** Whether a stream tells of an error: an `error` event, or data with an `error`. */
export function hasErrorEvent(body: Buffer): boolean {
  return (
    /^event: ?error/m.test(body.toString()) ||
    eventData(body).some((data) => at(parsed(data), 'error') !== undefined && at(parsed(data), 'error') !== null)
  )
}

export function hasDone(body: Buffer): boolean {
  return eventData(body).includes('[DONE]')
}

import { connect, type Socket } from 'node:net'
import { KEY, type Bench } from './harness.js'

/** A connection to the gateway on which bytes are sent as they are. */
export interface RawConnection {
  readonly socket: Socket
  readonly closed: Promise<void>
  /** What has come so far. */
  text(): string
  send(bytes: string | Uint8Array): boolean
  /** Resolves once what came holds this text; rejects after five seconds. */
  contains(wanted: string): Promise<void>
  /** Reads until the connection is closed, at most for so long. */
  rest(milliseconds?: number): Promise<{ readonly text: string; readonly error: Error | undefined }>
}

export function openConnection(bench: Bench): RawConnection {
  const socket = connect(Number(new URL(bench.url).port), '127.0.0.1')
  let text = ''
  let error: Error | undefined
  const watchers = new Set<() => void>()
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    for (const watcher of watchers) watcher()
  })
  socket.on('error', (cause) => (error = cause))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return {
    socket,
    closed,
    text: () => text,
    send: (bytes) => socket.write(bytes),
    contains: (wanted) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`"${wanted}" did not come, only: ${text.slice(0, 500)}`)), 5000)
        const check = () => {
          if (!text.includes(wanted)) return
          clearTimeout(timer)
          watchers.delete(check)
          resolve()
        }
        watchers.add(check)
        check()
      }),
    async rest(milliseconds = 5000) {
      socket.resume()
      const timer = setTimeout(() => socket.destroy(), milliseconds)
      await closed
      clearTimeout(timer)
      return { text, error }
    },
  }
}

export interface RawOptions {
  readonly version?: '1.0' | '1.1'
  /** Headers, each with its line end; `content-type: application/json` unless given. */
  readonly head?: string
  readonly host?: string
  /** False to send no key. */
  readonly key?: boolean
  /** Declared length, where it isn't that of the body. */
  readonly length?: number
  readonly path?: string
}

/** The bytes of a POST. */
export function postBytes(body: unknown, options: RawOptions = {}): string {
  const {
    version = '1.1',
    head = 'content-type: application/json\r\n',
    host = '127.0.0.1',
    key = true,
    length,
    path = '/v1/chat/completions',
  } = options
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return `POST ${path} HTTP/${version}\r\nhost: ${host}\r\n${key ? `authorization: Bearer ${KEY}\r\n` : ''}${head}content-length: ${length ?? Buffer.byteLength(text)}\r\n\r\n${text}`
}

/** Sends a POST and reads until the connection closes. */
export function rawPost(
  bench: Bench,
  body: unknown,
  options: RawOptions = {},
): Promise<{ readonly text: string; readonly error: Error | undefined }> {
  const connection = openConnection(bench)
  connection.send(postBytes(body, { ...options, head: `${options.head ?? 'content-type: application/json\r\n'}connection: close\r\n` }))
  return connection.rest()
}

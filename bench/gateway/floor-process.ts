// The floor: bare pass-through proxies that read nothing of what they carry. The least that any Node gateway can cost, with
// the two upstream clients that are worth considering.
// Usage: node --import tsx bench/gateway/floor-process.ts --client http|undici --upstream URL [--port N]
import { Agent as HttpAgent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'

const { values } = parseArgs({
  options: {
    client: { type: 'string', default: 'http' },
    upstream: { type: 'string', default: 'http://127.0.0.1:9901' },
    port: { type: 'string', default: '0' },
  },
})
const upstream = new URL(values.upstream)
const agent = new HttpAgent({ keepAlive: true, maxSockets: Infinity })
const pool = new Pool(upstream.origin, { connections: 512, pipelining: 1 })

function overHttp(request: IncomingMessage, response: ServerResponse): void {
  const onward = httpRequest(
    { host: upstream.hostname, port: upstream.port, method: request.method, path: request.url, headers: request.headers, agent },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    },
  )
  onward.on('error', () => response.destroy())
  response.on('close', () => {
    if (!response.writableFinished) onward.destroy()
  })
  request.pipe(onward)
}

function overUndici(request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const leave = new AbortController()
    response.on('close', () => {
      if (!response.writableFinished) leave.abort()
    })
    pool
      .request({
        path: request.url ?? '/',
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' },
        body: Buffer.concat(parts),
        signal: leave.signal,
      })
      .then((answer) => {
        response.writeHead(answer.statusCode, { 'content-type': answer.headers['content-type'] ?? '' })
        answer.body.on('error', () => response.destroy())
        answer.body.pipe(response)
      })
      .catch(() => response.destroy())
  })
}

const server = createServer(values.client === 'undici' ? overUndici : overHttp)
server.keepAliveTimeout = 120_000
server.listen(Number(values.port), '127.0.0.1', 4096, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`floor listening on http://127.0.0.1:${address.port}`)
})

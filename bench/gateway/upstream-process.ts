// The upstream of the load test: as cheap as a Node server can be, so that it is never what is measured. Its answers are made
// once; the model's name chooses a behaviour (see test/upstream/knobs.ts). `GET /stats` counts, `GET /reset` clears.
// Usage: node --import tsx bench/gateway/upstream-process.ts [--port N]
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { chatReply, chatStream, knobOf, words, type Knob } from '../../test/upstream/index.js'

const CHUNKS = 50
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } })
const answer = { id: 'mock', model: 'mock', text: words(CHUNKS - 1) }
const whole = Buffer.from(JSON.stringify(chatReply(answer).body))
const events = (chatStream({ ...answer, usageIn: 'finish' }).events ?? []).map((event) => Buffer.from(event))
const jsonHeaders = { 'content-type': 'application/json', 'content-length': whole.length }
const streamHeaders = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }

let requests = 0
let aborted = 0
let inflight = 0
const failures = new Map<string, number>()

const server = createServer((request, response) => {
  if (request.method === 'GET') return control(request.url ?? '', response)
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    requests++
    inflight++
    response.on('close', () => {
      inflight--
      if (!response.writableFinished && !cutOnPurpose.has(response)) aborted++
    })
    const body = Buffer.concat(parts).toString()
    const model = /"model"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? 'mock'
    const stream = /"stream"\s*:\s*true/.test(body)
    const knob = knobOf(model)
    if (knob.kind === 'plain') send(response, stream)
    else void behave(response, stream, model, knob)
  })
})
const cutOnPurpose = new WeakSet<ServerResponse>()

function send(response: ServerResponse, stream: boolean): void {
  if (!stream) return void response.writeHead(200, jsonHeaders).end(whole)
  response.writeHead(200, streamHeaders)
  for (const event of events) response.write(event)
  response.end()
}

async function behave(response: ServerResponse, stream: boolean, model: string, knob: Exclude<Knob, { kind: 'plain' }>): Promise<void> {
  if (knob.kind === 'fail') {
    const done = failures.get(model) ?? 0
    if (done >= knob.times) return send(response, stream)
    failures.set(model, done + 1)
    const error = { error: { message: `scripted ${knob.status}`, type: 'scripted', param: null, code: String(knob.status) } }
    return void response
      .writeHead(knob.status, { 'content-type': 'application/json', ...(knob.status === 429 && { 'retry-after': '1' }) })
      .end(JSON.stringify(error))
  }
  if (knob.kind === 'slow') await sleep(knob.ms)
  if (response.destroyed) return
  if (!stream || knob.kind === 'slow') return send(response, stream)
  response.writeHead(200, streamHeaders)
  for (const [index, event] of events.entries()) {
    if (response.destroyed) return
    if (knob.kind === 'cut' && index === 10) {
      await sleep(30)
      cutOnPurpose.add(response)
      return void response.destroy()
    }
    response.write(event)
    if (knob.kind === 'drip') await sleep(knob.ms)
  }
  response.end()
}

function control(path: string, response: ServerResponse): void {
  if (path === '/stats') return void response.end(JSON.stringify({ requests, aborted, inflight }))
  if (path === '/reset') {
    requests = 0
    aborted = 0
    failures.clear()
    return void response.end('ok')
  }
  if (path.endsWith('/models'))
    return void response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ object: 'list', data: [{ id: 'mock', object: 'model', created: 0, owned_by: 'upstream' }] }))
  response.writeHead(404).end()
}

server.keepAliveTimeout = 120_000
server.requestTimeout = 0
server.listen(Number(values.port), '127.0.0.1', 4096, () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`upstream listening on http://127.0.0.1:${address.port}`)
})

import { createServer, request as send, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountingChecks } from '../../bench/conformance/accounting.js'
import { faultChecks } from '../../bench/conformance/faults.js'
import { httpChecks } from '../../bench/conformance/http.js'
import { requestChecks } from '../../bench/conformance/requests.js'
import { streamChecks } from '../../bench/conformance/streams.js'
import type { Outcome } from '../../bench/conformance/check.js'
import { startUpstream, type Upstream } from '../upstream/index.js'

// The checks are checked: a gateway that does nothing but copy bytes must pass what copying gives and fail the rest, and one
// that swallows faults must be caught.
const checks = [...streamChecks, ...faultChecks, ...requestChecks, ...accountingChecks, ...httpChecks]
let upstream: Upstream
let copier: Server
let swallower: Server

beforeAll(async () => {
  upstream = await startUpstream()
  copier = await proxy((answer, done) => answer.on('error', () => done(true)))
  // Waits for the whole answer and ends cleanly whatever happened.
  swallower = await proxy((answer, done) => answer.on('error', () => done(false)))
})
afterAll(async () => {
  copier.closeAllConnections()
  swallower.closeAllConnections()
  copier.close()
  swallower.close()
  await upstream.close()
})

function proxy(onBreak: (answer: NodeJS.ReadableStream, done: (destroy: boolean) => void) => void): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const onward = send(
      `${upstream.url}${incoming.url ?? ''}`,
      { method: incoming.method, headers: { ...incoming.headers, connection: 'close' } },
      (answer) => {
        const { connection: _, 'transfer-encoding': __, ...headers } = answer.headers
        outgoing.writeHead(answer.statusCode ?? 502, headers)
        onBreak(answer, (destroy) => (destroy ? outgoing.destroy() : outgoing.end()))
        answer.pipe(outgoing)
      },
    )
    onward.on('error', () => outgoing.writeHead(502, { 'content-type': 'application/json' }).end('{"error":{"message":"bad gateway"}}'))
    incoming.pipe(onward)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

async function run(id: string, server: Server): Promise<Outcome> {
  upstream.disconnect()
  upstream.reset()
  upstream.forget()
  const check = checks.find((one) => one.id === id)
  if (!check) throw new Error(`no check ${id}`)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return check.run({ name: 'test', url, headers: { authorization: 'Bearer k' }, model: 'mock', hasKeys: true }, upstream)
}

describe('the conformance checks', () => {
  it('have ids of their own', () => {
    expect(new Set(checks.map((check) => check.id)).size).toBe(checks.length)
    expect(checks.length).toBeGreaterThan(45)
  })

  for (const id of [
    'flows',
    'bytes',
    'odd-sse',
    'split-bytes',
    'tool-deltas',
    'cut',
    'error-event',
    'hang-up-once',
    'passes-4xx',
    'usage-kept',
  ])
    it(`pass a gateway that copies bytes: ${id}`, async () => {
      expect(await run(id, copier)).toMatchObject({ verdict: 'pass' })
    })

  for (const id of [
    'no-end-mark',
    'retry-500',
    'malformed-json',
    'bad-utf8',
    'duplicate-keys',
    'missing-key',
    'usage-unasked',
    'hop-by-hop-back',
    'wrong-method',
  ])
    it(`catch what copying bytes does not give: ${id}`, async () => {
      expect(await run(id, copier)).toMatchObject({ verdict: 'fail' })
    })

  it('catch a gateway that ends a broken stream cleanly', async () => {
    expect(await run('cut', swallower)).toMatchObject({ verdict: 'fail' })
  })

  it("don't hold a missing cost against a gateway that tells none", async () => {
    expect(await run('cost-exact', copier)).toMatchObject({ verdict: 'n.a.' })
  })
})

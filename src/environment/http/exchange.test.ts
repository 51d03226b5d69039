import { BursarError } from '../../errors/index.js'
import { Cancellation } from '../cancellation.js'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Deadlines } from './deadlines.js'
import { Exchange, LimitExpired } from './exchange.js'
import { failureOf } from './failures.js'
import { UndiciAgent } from './undici-agent.js'

const limits = { connectSeconds: 5, firstTokenSeconds: 5, idleSeconds: 5, totalSeconds: 5 }
let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

describe('an exchange', () => {
  it('that never got a connection was not sent, and ends when it is cancelled', async () => {
    const agent = new UndiciAgent({ connect: () => undefined })
    const cancellation = new Cancellation()
    let sent = false
    const exchange = new Exchange(limits, cancellation, new Deadlines(), () => void (sent = true))
    exchange.send(agent, { origin: 'http://127.0.0.1:1', path: '/', method: 'POST', body: 'x' })
    const head = exchange.head()
    cancellation.cancel(new BursarError('left', { code: 'client_closed_request', status: 499 }))
    await expect(head).rejects.toThrow('left')
    expect(sent).toBe(false)
    await agent.destroy()
  })

  it('that never got a connection ends by its limit', async () => {
    const agent = new UndiciAgent({ connect: () => undefined })
    const exchange = new Exchange({ ...limits, totalSeconds: 0.1 }, new Cancellation(), new Deadlines())
    exchange.send(agent, { origin: 'http://127.0.0.1:1', path: '/', method: 'POST', body: 'x' })
    await expect(exchange.head()).rejects.toBeInstanceOf(LimitExpired)
    await agent.destroy()
  })

  it('gives up connecting by its own limit, and says so', async () => {
    const agent = new UndiciAgent({ connect: () => undefined })
    const exchange = new Exchange({ ...limits, connectSeconds: 0.1 }, new Cancellation(), new Deadlines())
    exchange.send(agent, { origin: 'http://127.0.0.1:1', path: '/', method: 'POST', body: 'x' })
    const thrown: unknown = await exchange.head().catch((cause: unknown) => cause)
    expect(thrown).toMatchObject({ limit: 'connect' })
    expect(failureOf(thrown, 'p', 'request')).toMatchObject({ code: 'upstream_unreachable', phase: 'connect', retryable: true })
    await agent.destroy()
  })

  it('that is cancelled before it begins never begins', async () => {
    const agent = new UndiciAgent()
    let sent = false
    const exchange = new Exchange(
      limits,
      Cancellation.following(AbortSignal.abort(new BursarError('left', { code: 'client_closed_request', status: 499 }))),
      new Deadlines(),
      () => void (sent = true),
    )
    exchange.send(agent, { origin: 'http://127.0.0.1:1', path: '/', method: 'POST', body: 'x' })
    await expect(exchange.head()).rejects.toThrow('left')
    expect(sent).toBe(false)
    await agent.destroy()
  })

  it('ends its silence limit anew with each piece, but not its total limit', async () => {
    server = createServer((_, res) => {
      const timer = setInterval(() => res.write('x'), 30)
      res.on('close', () => clearInterval(timer))
    })
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const agent = new UndiciAgent()
    const exchange = new Exchange(
      { connectSeconds: 5, firstTokenSeconds: 0.3, idleSeconds: 0.3, totalSeconds: 0.8 },
      new Cancellation(),
      new Deadlines(),
    )
    exchange.send(agent, { origin, path: '/', method: 'GET' })
    await exchange.head()
    await expect(exchange.whole(1_000_000)).rejects.toMatchObject({ limit: 'total' })
    await agent.destroy()
  })
})

import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { BudgetAlert } from '../../ledger/index.js'
import { systemClock, usd, type Clock } from '../../quantities/index.js'
import { alertText, type AlertPayload } from './payload.js'
import { createWebhook, type WebhookOptions } from './webhook.js'

const at = (text: string) => Date.parse(text) / 1000
const alert = (name = 'research', change: Partial<BudgetAlert> = {}): BudgetAlert => ({
  kind: 'share_reached',
  level: { kind: 'team', id: 't_1', name },
  rule: { unit: 'usd', limit: usd(10), per: 'day', hard: true },
  share: 0.8,
  used: usd('8.0000000001'),
  window: { start: at('2026-11-21T00:00:00Z'), end: at('2026-11-22T00:00:00Z') },
  at: at('2026-11-21T07:07:00Z'),
  ...change,
})

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly url: string | undefined
  readonly payload: AlertPayload
}

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** A real receiver; `answer` says what it does with the delivery of this number, from 0. */
async function receiver(answer: (res: ServerResponse, number: number) => void) {
  const received: Received[] = []
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        const body = Buffer.concat(chunks).toString()
        received.push({ headers: req.headers, body, url: req.url, payload: JSON.parse(body) as AlertPayload })
        answer(res, received.length - 1)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=s3cret` }
}

const ok = (res: ServerResponse) => void res.writeHead(204).end()
const status = (code: number) => (res: ServerResponse) => void res.writeHead(code).end('why not')

function webhook(options: WebhookOptions) {
  const hook = createWebhook(options)
  cleanups.push(() => hook.close(0))
  return hook
}

/** Sleeps are noted and end at once. */
function hasty(): Clock & { readonly slept: number[] } {
  const slept: number[] = []
  return { ...systemClock, slept, sleep: (seconds) => (slept.push(seconds), Promise.resolve()) }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('an alert', () => {
  it('arrives as JSON, signed', async () => {
    const { received, url } = await receiver(ok)
    const hook = webhook({ url, secret: 'hush' })
    hook.send(alert())
    await until(() => hook.counts.delivered === 1)
    const [one] = received
    expect(one?.url).toBe('/hook?token=s3cret')
    expect(one?.headers['content-type']).toBe('application/json')
    expect(one?.headers['x-bursar-signature']).toBe(
      `sha256=${createHmac('sha256', 'hush')
        .update(one?.body ?? '')
        .digest('hex')}`,
    )
    expect(one?.payload).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      type: 'budget.share_reached',
      at: '2026-11-21T07:07:00.000Z',
      text: 'The daily budget of team "research" has reached 80 %: $8.0000000001 of $10 used.',
      level: { kind: 'team', id: 't_1', name: 'research' },
      unit: 'usd',
      per: 'day',
      hard: true,
      limit: '10',
      used: '8.0000000001',
      share: 0.8,
      window: { start: '2026-11-21T00:00:00.000Z', end: '2026-11-22T00:00:00.000Z' },
    })
  })

  it('has no window when it is of a total, no signature without a secret, and the password of its URL', async () => {
    const { received, url } = await receiver(ok)
    const hook = webhook({ url: url.replace('http://', 'http://bur%20sar:p%40ss@') })
    hook.send(alert('x', { rule: { unit: 'tokens', limit: 1000n, per: 'total', hard: true }, window: { start: -Infinity, end: Infinity } }))
    await until(() => hook.counts.delivered === 1)
    expect(received[0]?.payload).not.toHaveProperty('window')
    expect(received[0]?.headers).not.toHaveProperty('x-bursar-signature')
    expect(received[0]?.headers.authorization).toBe(`Basic ${Buffer.from('bur sar:p@ss').toString('base64')}`)
  })

  it('is said in plain words', () => {
    expect(
      alertText(
        alert('a', {
          kind: 'soft_limit_overrun',
          share: undefined,
          rule: { unit: 'calls', limit: 5n, per: 'month', hard: false },
          used: 6n,
        }),
      ),
    ).toBe('The monthly soft limit of team "a" is overrun: 6 calls of 5 calls made.')
    expect(alertText(alert('a', { kind: 'refused', used: usd(9.5) }))).toBe(
      'The daily budget of team "a" refuses calls: $9.5 of $10 used, and what isn\'t reserved of the rest is too little for them.',
    )
  })
})

describe('delivery', () => {
  it('is in order, and tried again with longer waits, by the same id', async () => {
    const { received, url } = await receiver((res, number) => (number < 2 ? status(503)(res) : ok(res)))
    const clock = hasty()
    const hook = webhook({ url, clock })
    hook.send(alert('first'))
    hook.send(alert('second'))
    await until(() => hook.counts.delivered === 2)
    expect(received.map(({ payload }) => payload.level.name)).toEqual(['first', 'first', 'first', 'second'])
    expect(new Set(received.map(({ payload }) => payload.id)).size).toBe(2)
    expect(clock.slept).toEqual([1, 2])
  })

  it('is given up after four tries, and goes on with the next alert', async () => {
    const { received, url } = await receiver((res, number) => (number < 4 ? status(500)(res) : ok(res)))
    const failures: string[] = []
    const hook = webhook({ url, clock: hasty(), onFailure: (reason) => failures.push(reason) })
    hook.send(alert('first'))
    hook.send(alert('second'))
    await until(() => hook.counts.delivered === 1)
    expect(received).toHaveLength(5)
    expect(hook.counts).toEqual({ delivered: 1, failed: 1, dropped: 0, queued: 0 })
    expect(failures).toEqual(['it answered 500'])
  })

  it.each([301, 400, 401, 404, 410])('is not tried again after %s', async (code) => {
    const { received, url } = await receiver(status(code))
    const hook = webhook({ url, clock: hasty() })
    hook.send(alert())
    await until(() => hook.counts.failed === 1)
    expect(received).toHaveLength(1)
  })

  it('outlives a receiver that breaks the connection, and one that is not there, and tells no address', async () => {
    const { url } = await receiver((res, number) => (number === 0 ? res.destroy() : ok(res)))
    const hook = webhook({ url, clock: hasty() })
    hook.send(alert())
    await until(() => hook.counts.delivered === 1)
    const failures: string[] = []
    const nobody = webhook({ url: 'http://user:hidden@127.0.0.1:1/secret', clock: hasty(), onFailure: (reason) => failures.push(reason) })
    nobody.send(alert())
    await until(() => nobody.counts.failed === 1)
    expect(failures).toEqual(['it could not be reached (ECONNREFUSED)'])
  })

  it('ends when the receiver hangs, before or within its answer', async () => {
    const { received, url } = await receiver((res, number) => {
      if (number === 1) res.writeHead(200).write('still')
    })
    const failures: string[] = []
    const hook = webhook({ url, timeoutSeconds: 1, tries: 2, clock: hasty(), onFailure: (reason) => failures.push(reason) })
    hook.send(alert())
    await until(() => hook.counts.failed === 1)
    expect(received).toHaveLength(2)
    expect(failures).toEqual(['it did not answer within 1 s'])
  })

  it('holds so many alerts, and drops the oldest', async () => {
    const { received, url } = await receiver((res, number) => void setTimeout(() => ok(res), number === 0 ? 50 : 0))
    const hook = webhook({ url, maxQueued: 3 })
    for (let number = 0; number < 8; number++) hook.send(alert(String(number)))
    expect(hook.counts).toMatchObject({ queued: 3, dropped: 4 })
    await until(() => hook.counts.delivered === 4)
    expect(received.map(({ payload }) => payload.level.name)).toEqual(['0', '5', '6', '7'])
  })
})

describe('closing', () => {
  it('delivers what is queued, and takes nothing more', async () => {
    const { received, url } = await receiver(ok)
    const hook = webhook({ url })
    for (let number = 0; number < 3; number++) hook.send(alert(String(number)))
    await hook.close()
    expect(received).toHaveLength(3)
    hook.send(alert())
    expect(hook.counts).toEqual({ delivered: 3, failed: 0, dropped: 1, queued: 0 })
    await hook.close()
  })

  it('does not wait for a receiver that hangs, nor for the next try', async () => {
    const { url } = await receiver(() => {})
    const hanging = webhook({ url, timeoutSeconds: 600 })
    for (let number = 0; number < 3; number++) hanging.send(alert())
    await hanging.close(0.05)
    expect(hanging.counts).toEqual({ delivered: 0, failed: 0, dropped: 3, queued: 0 })
    const { received, url: busy } = await receiver(status(503))
    const waiting = webhook({ url: busy, backoffSeconds: 600 })
    waiting.send(alert())
    await until(() => received.length === 1)
    await waiting.close(0.05)
    expect(waiting.counts).toMatchObject({ dropped: 1 })
  })
})

it.each(['nonsense', 'ftp://example.com/'])('takes no %s for a URL', (url) => expect(() => createWebhook({ url })).toThrow(TypeError))

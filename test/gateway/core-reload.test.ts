import { afterEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/gateway/index.js'
import { chatReply, chatStream } from '../upstream/index.js'
import { baseConfig, chat, dataOf, startBench, type Bench } from './harness.js'
import { openConnection, postBytes, rawPost } from './raw.js'

let bench: Bench
afterEach(() => bench.close())

const changed = (change: (config: Record<string, unknown>) => void = () => undefined) => {
  const config = baseConfig(bench.upstream.url)
  change(config)
  return parseConfig(JSON.stringify(config), {}).config
}
/** The provider under another key: it has to be built anew. */
const withKey = (key: string) =>
  changed(
    (config) =>
      void ((config['providers'] as Record<string, Record<string, unknown>>)['up'] = {
        type: 'openai-compatible',
        base_url: `${bench.upstream.url}/v1`,
        api_key: key,
      }),
  )
const gate = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

describe('a reload', () => {
  it('drops no request: not one whose body is still coming, nor one that waits to be tried again', async () => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 2, base_seconds: 0.4 }))
    const body = JSON.stringify(chat('fast'))
    const slow = openConnection(bench)
    slow.send(postBytes(body.slice(0, 20), { length: body.length }))
    bench.upstream.enqueue({ status: 500, body: {} })
    const waiting = bench.post('/v1/chat/completions', chat('fast'))
    await bench.upstream.received(1)
    const pause = gate()
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 3, resume: pause.opened })
    const streaming = bench.post('/v1/chat/completions', chat('fast', { stream: true }))
    await bench.upstream.received(2)

    await bench.gateway.reload(withKey('sk-second-0123456789'))
    await bench.gateway.reload(withKey('sk-third-01234567890'))
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    expect(bench.upstream.last.headers.authorization).toBe('Bearer sk-third-01234567890')

    slow.send(body.slice(20))
    await slow.contains('HTTP/1.1 200')
    slow.socket.destroy()
    expect((await waiting).status).toBe(200)
    pause.open()
    expect(dataOf(await (await streaming).text()).at(-1)).toBe('[DONE]')
  })

  it('made several times at once ends with the last, and leaves nothing closed that is in use', async () => {
    bench = await startBench()
    const reloads = [withKey('sk-a-0123456789ab'), changed(), withKey('sk-b-0123456789ab'), changed(), changed()].map((config) =>
      bench.gateway.reload(config),
    )
    const calls = Array.from({ length: 20 }, () => bench.post('/v1/chat/completions', chat('fast')))
    await Promise.all(reloads)
    for (const answer of await Promise.all(calls)) expect(answer.status).toBe(200)
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    expect(bench.upstream.last.headers.authorization).toBe('Bearer sk-upstream-secret')
  })

  it('forgets no rest of a faulty deployment that has not changed', async () => {
    bench = await startBench((config) => {
      config['retries'] = { attempts: 0 }
      config['cooldown'] = { after_faults: 2, seconds: 60 }
    })
    const same = (config: Record<string, unknown>) => {
      config['retries'] = { attempts: 0 }
      config['cooldown'] = { after_faults: 2, seconds: 60 }
    }
    bench.upstream.enqueue({ status: 500, body: {}, times: 2 })
    for (let index = 0; index < 2; index++) await bench.post('/v1/chat/completions', chat('fast'))
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(503)
    await bench.gateway.reload(changed(same))
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(503)
    await bench.gateway.reload(changed((config) => (same(config), void (config['cooldown'] = { after_faults: 9, seconds: 60 }))))
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
  })

  it('keeps what a key has spent', async () => {
    bench = await startBench((config) => void (config['keys'] = [{ name: 'test', key: 'sk-test-0123456789abcdef', budget_usd: 0.0006 }]))
    const keys = (usd: number) =>
      changed((config) => void (config['keys'] = [{ name: 'test', key: 'sk-test-0123456789abcdef', budget_usd: usd }]))
    const call = async () => (await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 60 }))).status
    let paid = 0
    while ((await call()) === 200) paid++
    expect(paid).toBeGreaterThan(0)
    await bench.gateway.reload(keys(0.0006))
    expect(await call()).toBe(429)
    await bench.gateway.reload(keys(0.01))
    expect(await call()).toBe(200)
  })

  it('cannot open the door: where it listens is what counts, not where the new file says', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, host: '0.0.0.0' }))
    await expect(bench.gateway.reload(changed((config) => void (config['keys'] = [])))).rejects.toThrow(/keys/)
    const answer = await rawPost(bench, chat('fast'), { key: false, host: 'localhost' })
    expect(answer.text).toMatch(/^HTTP\/1\.1 401/)
  })

  it('after the end does nothing', async () => {
    bench = await startBench()
    await bench.gateway.close()
    await bench.gateway.reload(changed())
  })

  it('makes new models known to the metrics', async () => {
    bench = await startBench()
    await bench.gateway.reload(changed((config) => void (config['models'] = { brandnew: 'up/mock' })))
    bench.upstream.enqueue(chatReply())
    await bench.post('/v1/chat/completions', chat('brandnew'))
    expect(await (await fetch(`${bench.url}/metrics`)).text()).toContain('model="brandnew"')
  })
})

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { serve } from '../cli/process.js'
import { chatStream, startUpstream, words, type Upstream } from '../upstream/index.js'
import { baseConfig, chat, dataOf, KEY } from './harness.js'

const STREAMS = 100
/** Only a bound: a process starts and reads its file within a second or two, on a busy machine more. */
const PATIENCE_MS = 20_000
vi.setConfig({ testTimeout: 60_000 })

let upstream: Upstream
let folder: string
let file: string
let served: Awaited<ReturnType<typeof serve>> | undefined
beforeEach(async () => {
  upstream = await startUpstream()
  folder = mkdtempSync(join(tmpdir(), 'bursar-reload-'))
  file = join(folder, 'bursar.yaml')
})
afterEach(async () => {
  served?.process.kill('SIGKILL')
  await served?.exited
  await upstream.close()
  rmSync(folder, { recursive: true })
})

/** Puts a file in place as editors do: another file, then a rename. */
function save(text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

function configText(change: (config: Record<string, unknown>) => void = () => {}): string {
  const config = baseConfig(upstream.url)
  change(config)
  return stringify(config)
}

async function startServed(args: readonly string[] = []): Promise<string> {
  served = await serve(args, folder)
  return served.url
}

const post = (url: string, body: unknown) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  })

async function models(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } })
  return ((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
}

async function metric(url: string, line: string): Promise<string | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return text.split('\n').find((candidate) => candidate.startsWith(line))
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

/** Many at once. A failure is told where the result is awaited, not before. */
function allOf<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const all = Promise.all(Array.from({ length: count }, make))
  all.catch(() => undefined)
  return all
}

describe('a configuration file that changes under load', () => {
  it(`takes a new model into use and drops none of ${STREAMS} streams, though their provider is built anew`, async () => {
    save(configText())
    const url = await startServed()
    const halfway = gate()
    const text = words(20)
    for (let index = 0; index < STREAMS; index++)
      upstream.enqueue({ ...chatStream({ text, usage: { input: 10, output: 5 } }), stallAfter: 8, resume: halfway.opened })
    const streams = allOf(STREAMS, async () => {
      const answer = await post(url, chat('fast', { stream: true }))
      expect(answer.status).toBe(200)
      return answer.text()
    })
    await upstream.received(STREAMS)

    save(
      configText((config) => {
        config['models'] = { fast: 'up/mock', brandnew: 'up/mock-2' }
        config['allow_unlisted_models'] = false
        config['providers'] = { up: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, api_key: 'sk-another-secret' } }
      }),
    )
    await expect.poll(() => models(url), { timeout: PATIENCE_MS }).toContain('brandnew')
    expect((await post(url, chat('brandnew'))).status).toBe(200)
    expect(upstream.last.headers.authorization).toBe('Bearer sk-another-secret')
    expect(upstream.last.json).toMatchObject({ model: 'mock-2' })
    // What is gone from the file is gone for new calls.
    expect((await post(url, chat('claude'))).status).toBe(404)

    halfway.open()
    for (const answer of await streams) {
      const events = dataOf(answer)
      expect(events.at(-1)).toBe('[DONE]')
      const said = events
        .slice(0, -1)
        .map((event) => (JSON.parse(event) as { choices: { delta?: { content?: string } }[] }).choices[0]?.delta?.content ?? '')
      expect(said.join('')).toBe(text.join(''))
    }
    expect(upstream.totals.aborted).toBe(0)
    expect(await metric(url, 'bursar_configuration_reloads_total{result="ok"}')).toMatch(/ 1$/)
    expect(await metric(url, `bursar_requests_total{endpoint="/v1/chat/completions",model="fast",status="200"`)).toMatch(
      new RegExp(` ${STREAMS}$`),
    )
  })

  it('goes on with the old configuration when the new one is bad, and says so; the next good one is taken', async () => {
    save(configText())
    const url = await startServed()
    save(configText((config) => void (config['modles'] = { brandnew: 'up/mock' })))
    await served?.says('the new configuration is not used')
    expect(served?.err()).toMatch(/modles.*models/)
    expect(await metric(url, 'bursar_configuration_reloads_total{result="rejected"}')).toMatch(/ 1$/)
    expect((await post(url, chat('fast'))).status).toBe(200)

    save('models: [unclosed')
    await expect.poll(() => metric(url, 'bursar_configuration_reloads_total{result="rejected"}'), { timeout: PATIENCE_MS }).toMatch(/ 2$/)
    rmSync(file)
    await expect.poll(() => metric(url, 'bursar_configuration_reloads_total{result="rejected"}'), { timeout: PATIENCE_MS }).toMatch(/ 3$/)
    expect((await post(url, chat('fast'))).status).toBe(200)

    save(configText((config) => void (config['models'] = { brandnew: 'up/mock' })))
    await expect.poll(() => models(url), { timeout: PATIENCE_MS }).toContain('brandnew')
    expect(served?.err()).not.toContain('sk-upstream-secret')
  })

  it('keeps what the command line said', async () => {
    save(configText((config) => void (config['server'] = { port: 1 })))
    const url = await startServed(['--port', '0'])
    save(configText((config) => void (config['models'] = { brandnew: 'up/mock' })))
    await expect.poll(() => models(url), { timeout: PATIENCE_MS }).toContain('brandnew')
    expect(served?.err()).not.toContain('server.port')
  })
})

describe('SIGTERM under load', () => {
  it('lets every stream end, takes no new request, and leaves with 0', async () => {
    save(configText())
    const url = await startServed()
    const halfway = gate()
    for (let index = 0; index < 20; index++) upstream.enqueue({ ...chatStream(), stallAfter: 8, resume: halfway.opened })
    const streams = allOf(20, async () => (await post(url, chat('fast', { stream: true }))).text())
    await upstream.received(20)
    served?.process.kill('SIGTERM')
    await served?.says('finishing 20 requests')
    await expect
      .poll(() =>
        post(url, chat('fast')).then(
          (answer) => answer.status,
          () => 'refused',
        ),
      )
      .toBe('refused')
    halfway.open()
    for (const text of await streams) expect(dataOf(text).at(-1)).toBe('[DONE]')
    expect((await served?.exited)?.code).toBe(0)
  })

  it('ends what takes longer than server.shutdown_seconds with an error that no client takes for the end', async () => {
    save(configText((config) => void (config['server'] = { port: 0, shutdown_seconds: 0.3 })))
    const url = await startServed()
    upstream.enqueue({ ...chatStream(), stallAfter: 8 })
    const answer = await post(url, chat('fast', { stream: true }))
    let text = ''
    const read = (async () => {
      for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString()
    })()
    served?.process.kill('SIGTERM')
    await expect(read).rejects.toThrow()
    expect(text).toContain('shutting_down')
    expect(text).toContain('"truncated":true')
    expect(text).not.toContain('[DONE]')
    expect((await served?.exited)?.code).toBe(0)
    await upstream.aborted(1)
  })
})

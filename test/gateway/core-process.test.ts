import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { chatStream, startUpstream, type Upstream } from '../upstream/index.js'
import { chat, dataOf, KEY } from './harness.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Faults on demand, since there are none to be had otherwise. */
const faults = `process.on('SIGUSR2', () => void Promise.reject(new Error('nobody looked'))); process.on('SIGWINCH', () => { throw new Error('nobody caught') })`

let child: ChildProcess | undefined
let upstream: Upstream | undefined
let folder: string | undefined
afterEach(async () => {
  child?.kill('SIGKILL')
  await upstream?.close()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

interface Served {
  readonly process: ChildProcess
  readonly url: string
  readonly exited: Promise<number | null>
}

async function serve(): Promise<Served> {
  upstream = await startUpstream()
  folder = mkdtempSync(join(tmpdir(), 'bursar-process-'))
  const started = spawn(
    process.execPath,
    [
      '--import',
      join(root, 'node_modules/tsx/dist/loader.mjs'),
      '--import',
      `data:text/javascript,${encodeURIComponent(faults)}`,
      join(root, 'src/cli/main.ts'),
      'serve',
      '--port',
      '0',
      '--key',
      KEY,
    ],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], OPENAI_API_KEY: 'sk-upstream-secret', OPENAI_BASE_URL: `${upstream.url}/v1` },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  child = started
  started.stderr.resume()
  const exited = new Promise<number | null>((resolve) => started.once('exit', (code) => resolve(code)))
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    started.stdout.setEncoding('utf8')
    started.stdout.on('data', (chunk: string) => {
      text += chunk
      const found = /listening on (\S+)/.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
    started.once('exit', (code) => reject(new Error(`exit ${code}: ${text}`)))
  })
  return { process: started, url, exited }
}

const post = (url: string, stream: boolean) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(chat('openai/gpt-4o-mini', { stream })),
  })

describe('bursar serve', () => {
  it('outlives a forgotten rejection and a closed terminal, drains on SIGTERM, and leaves with 0', async () => {
    const served = await serve()
    served.process.stdout?.destroy()
    served.process.kill('SIGUSR2')
    expect((await post(served.url, false)).status).toBe(200)
    let resume = () => {}
    upstream?.enqueue({ ...chatStream(), stallAfter: 3, resume: new Promise<void>((resolve) => (resume = resolve)) })
    const streaming = await post(served.url, true)
    const idle = connect(Number(new URL(served.url).port), '127.0.0.1')
    await new Promise((resolve) => idle.once('connect', resolve))
    served.process.kill('SIGTERM')
    // The idle connection goes first: so the signal has been taken.
    await new Promise((resolve) => idle.once('close', resolve).resume())
    resume()
    expect(dataOf(await streaming.text()).at(-1)).toBe('[DONE]')
    expect(await served.exited).toBe(0)
  })

  it('stops at once at the second signal', async () => {
    const served = await serve()
    upstream?.enqueue({ ...chatStream(), stallAfter: 3 })
    const streaming = await post(served.url, true)
    served.process.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 100))
    served.process.kill('SIGTERM')
    expect(await served.exited).toBe(1)
    await streaming.text().catch(() => undefined)
  })

  it('finishes what is under way after an exception that nothing caught, then leaves with 1', async () => {
    const served = await serve()
    let resume = () => {}
    upstream?.enqueue({ ...chatStream(), stallAfter: 3, resume: new Promise<void>((resolve) => (resume = resolve)) })
    const streaming = await post(served.url, true)
    served.process.kill('SIGWINCH')
    resume()
    expect(dataOf(await streaming.text()).at(-1)).toBe('[DONE]')
    expect(await served.exited).toBe(1)
  })
})

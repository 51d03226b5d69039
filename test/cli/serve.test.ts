import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { run, serve } from './process.js'

vi.setConfig({ testTimeout: 60_000 })

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-serve-'))
  writeFileSync(join(folder, 'sandbox.yaml'), 'providers:\n  sandbox:\n    type: sandbox\n    speed: instant\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('bursar serve', () => {
  it('without anything: first line, a key that is kept, and a curl line that works when pasted', async () => {
    const own = mkdtempSync(join(folder, 'own-'))
    const served = await serve(['--port', '0'], own)
    try {
      await served.says('Clients: base URL')
      const out = served.out()
      expect(out).toMatch(/^bursar listening on http:\/\/127\.0\.0\.1:\d+\n/)
      const key = readFileSync(join(own, '.bursar', 'key'), 'utf8').trim()
      expect(key).toMatch(/^sk-bursar-[0-9a-f]{48}$/)
      expect(statSync(join(own, '.bursar', 'key')).mode & 0o077).toBe(0)
      const curl = /curl (\S+) \\\n\s+-H "Authorization: Bearer (\S+)" \\\n\s+-H "Content-Type: application\/json" \\\n\s+-d '(.*)'\n/.exec(
        out,
      )
      expect(curl?.[2]).toBe(key)
      const answer = await fetch(curl?.[1] ?? '', {
        method: 'POST',
        headers: { authorization: `Bearer ${curl?.[2]}`, 'content-type': 'application/json' },
        body: curl?.[3] ?? '',
      })
      // Unless a model server happens to run on this machine: then it is what is offered.
      if (out.includes('sandbox (simulated models')) {
        expect(answer.status).toBe(200)
        expect(await answer.json()).toMatchObject({ object: 'chat.completion', usage: { cost: expect.any(Number) as number } })
      }
      const stranger = await fetch(`${served.url}/v1/models`)
      expect(stranger.status).toBe(401)
      served.process.kill('SIGTERM')
      expect((await served.exited).code).toBe(0)

      const again = await serve(['--port', '0'], own)
      expect(again.out()).toContain(key)
      again.process.kill('SIGTERM')
      await again.exited
    } finally {
      served.process.kill('SIGKILL')
    }
  })

  it('says when the port is in use, in one line, and exits with 1', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const address = holder.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { code, out, err } = await run(['serve', '-c', 'sandbox.yaml', '--port', String(port)], folder)
    holder.close()
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toBe(
      `bursar: Port ${port} on 127.0.0.1 is in use. Choose another with --port (0 takes a free one), or stop what uses it.\n`,
    )
  })

  it('refuses to listen beyond this machine without keys', async () => {
    const { code, out, err } = await run(['serve', '-c', 'sandbox.yaml', '--host', '0.0.0.0', '--port', '0'], folder)
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toContain('keys')
    expect(err).not.toMatch(/\n\s+at /)
  })

  it('listens beyond this machine with a key', async () => {
    const served = await serve(['-c', 'sandbox.yaml', '--host', '0.0.0.0', '--port', '0', '--key', 'sk-outside-0123456789'], folder)
    const local = served.url.replace('0.0.0.0', '127.0.0.1')
    expect((await fetch(`${local}/v1/models`)).status).toBe(401)
    expect((await fetch(`${local}/v1/models`, { headers: { authorization: 'Bearer sk-outside-0123456789' } })).status).toBe(200)
    served.process.kill('SIGTERM')
    expect((await served.exited).code).toBe(0)
  })

  it.each([
    ['a file that is not there', ['-c', 'nowhere.yaml'], 'nowhere.yaml'],
    ['a port that is none', ['--port', '99999'], '0 to 65535'],
    ['a speed that is none', ['--speed', 'brisk'], 'instant'],
    ['an option that is none', ['--prot', '1'], '--port'],
  ])('%s is told in plain words', async (_what, args, wanted) => {
    const { code, out, err } = await run(['serve', ...args], folder)
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toContain(wanted)
    expect(err).not.toMatch(/\n\s+at /)
  })
})

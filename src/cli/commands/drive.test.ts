import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startQuietGateway } from '../../gateway/fixtures/quiet-gateway.js'
import type { Gateway } from '../../gateway/index.js'
import { driveCommand } from './drive.js'

const KEY = 'sk-drive-command-0123456789'
const row = (answer: string) =>
  JSON.stringify({
    id: '1',
    request: { messages: [{ role: 'user', content: 'q' }] },
    outcomes: { m: { answer, inputTokens: 2, outputTokens: 3, usd: 0.25 } },
  })

let folder: string
let gateway: Gateway
let url: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-drive-command-'))
  writeFileSync(join(folder, 'served.jsonl'), row('right'))
  writeFileSync(join(folder, 'changed.jsonl'), row('wrong'))
  const started = await startQuietGateway({
    keys: [{ name: 'test', key: KEY }],
    providers: { recorded: { type: 'recorded', file: join(folder, 'served.jsonl') } },
  })
  gateway = started.gateway
  url = started.url
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

async function run(...args: string[]): Promise<{ out: string; exitCode: typeof process.exitCode }> {
  let out = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  driveCommand(program)
  await program.parseAsync(['node', 'bursar', 'drive', '--base-url', url, '--key', KEY, ...args])
  return { out, exitCode: process.exitCode }
}

describe('bursar drive', () => {
  it('prints the bill, writes the report without the key, and ends well', async () => {
    const json = join(folder, 'report.json')
    const { out, exitCode } = await run('--requests', join(folder, 'served.jsonl'), '--json', json)
    expect(exitCode).toBeUndefined()
    expect(out).toMatch(/^m +1 +0 +1 +2 +3 +0\.250000 +0\.250000/m)
    const text = readFileSync(json, 'utf8')
    expect(text).not.toContain(KEY)
    expect(JSON.parse(text)).toMatchObject({
      command: 'drive',
      data: [{ name: 'served.jsonl', rows: 1, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }],
      settings: { concurrency: 16, stream: true, format: 'openai-chat' },
      results: { ok: true, total: { calls: 1, billedUsd: '0.25' }, models: { m: { identical: 1 } }, mismatches: [] },
    })
  })

  it('ends with 1 when an answer is not the recorded one', async () => {
    const { out, exitCode } = await run('--requests', join(folder, 'changed.jsonl'), '--no-stream')
    expect(exitCode).toBe(1)
    expect(out).toMatch(/wrong: row 1, m: the answer differs from byte 0 on/)
  })

  it.each([
    ['--concurrency', '0'],
    ['--limit', 'x'],
    ['--format', 'grpc'],
  ])('refuses %s %s', async (...args) => {
    await expect(run('--requests', join(folder, 'served.jsonl'), ...args)).rejects.toMatchObject({ code: 'commander.invalidArgument' })
  })
})

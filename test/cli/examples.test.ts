import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KEY, startBench, type Bench } from '../gateway/harness.js'

vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL('../..', import.meta.url))
let bench: Bench
/** Where they run: a gateway in an example keeps its ledger in the folder it is started from. */
const folder = mkdtempSync(join(tmpdir(), 'bursar-examples-'))
beforeAll(async () => {
  bench = await startBench((config) => {
    config['providers'] = { sandbox: { type: 'sandbox', speed: 'instant' } }
    config['models'] = {}
    config['prices'] = {}
  })
})
afterAll(async () => {
  await bench.close()
  rmSync(folder, { recursive: true })
})

/** What each example must print. An example that isn't here fails. */
const expected: Readonly<Record<string, readonly RegExp[]>> = {
  'ai-sdk.ts': [/rain/i, /2 calls, \d+ tokens/],
  'anthropic.ts': [/about \d+ tokens in/, /Tokyo/, /end_turn: \d+ in, \d+ out/],
  'budgets.ts': [
    /step 4: \$0\.0\d+ and 0 calls left, last_call/,
    /step 5: .*The budget of run "example-\d+" doesn't allow this call/,
    /feedback: 201; the run: 4 calls, \$0\.0\d+/,
  ],
  'chat.ts': [/399/, /sandbox\/large took \d+ tokens and \$0\.0\d+/, /"cost":0\.0/],
  'embedded.ts': [/"cost":/, /sandbox\/small: \d+ tokens in, \d+ out, \d+ picodollars/],
  'embeddings.ts': [/rivers carry/, /\d+ tokens/],
  'errors.ts': [
    /misspelt model: NotFoundError, HTTP 404, code model_not_found, field model/,
    /bad field: BadRequestError, HTTP 400, code invalid_request, field temperature/,
    /rate limit that lasts: RateLimitError, HTTP 429, code upstream_rate_limited/,
    /two failures, then an answer: answered/,
    /breaks in the middle: APIError, HTTP already 200, code stream_truncated/,
  ],
  'responses.ts': [/34/, /\d+ output tokens, \d+ of them reasoning/],
  'structured-output.ts': [/name: '/, /kilometres: -?\d/],
  'why.ts': [/"requested_model": "sandbox\/large"/, /"end": "complete"/],
}

describe('examples', () => {
  it('are all here', () => {
    expect(readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts') && name !== 'connection.ts')).toEqual(
      Object.keys(expected),
    )
  })

  it.each(Object.entries(expected))('%s', async (name, wanted) => {
    const { code, out, err } = await runExample(name)
    expect(err).toBe('')
    expect(code).toBe(0)
    for (const pattern of wanted) expect(out).toMatch(pattern)
  })
})

function runExample(name: string): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), join(root, 'examples', name)], {
    cwd: folder,
    env: { PATH: process.env['PATH'], BURSAR_URL: bench.url, BURSAR_KEY: KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })))
}

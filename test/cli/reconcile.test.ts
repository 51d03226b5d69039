import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { reconcileCommand } from '../../src/cli/commands/reconcile.js'
import { readBilledCsv } from '../../src/cli/admin/billed-csv.js'
import { run as runCommand } from '../../src/cli/fixtures/inspection.js'
import { chatReply, startUpstream, type Upstream } from '../upstream/index.js'
import { serve } from './process.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const ADMIN_KEY = 'admin-0123456789abcdef'
const KEY = 'sk-caller-0123456789'

let folder: string
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  folder = mkdtempSync(join(tmpdir(), 'bursar-reconcile-'))
  writeFileSync(
    join(folder, 'bursar.yaml'),
    `admin:
  key: ${ADMIN_KEY}
keys:
  - name: app
    key: ${KEY}
    budgets: [{ usd: 10, per: day }, { tokens: 1000000, per: total }]
providers:
  up:
    type: openai-compatible
    base_url: ${upstream.url}/v1
    api_key: sk-very-secret-0123
models:
  chat:
    deployments: [{ provider: up, model: some-model }]
    prices: { input: 1, output: 4 }
`,
  )
})
afterAll(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const ask = (url: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: 'chat', max_tokens: 1000, messages: [{ role: 'user', content: 'hello' }] }),
  })

async function admin(
  url: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

interface Usage {
  readonly total: { readonly usd: number; readonly calls: number; readonly lost: number; readonly input_tokens: number }
  readonly budgets: readonly { readonly unit: string; readonly used: number }[]
}

async function usage(url: string): Promise<{ readonly total: Usage['total']; readonly used: Readonly<Record<string, number>> }> {
  const { total, budgets } = (await admin(url, '/admin/keys/app/usage')).body as unknown as Usage
  return { total, used: Object.fromEntries(budgets.map(({ unit, used }) => [unit, used])) }
}

interface Lost {
  readonly id: string
  readonly key: string
  readonly bound: { readonly usd: number; readonly input_tokens: number; readonly output_tokens: number }
}

describe('a gateway that is killed with calls under way', () => {
  it('lists them as lost after the restart, counts their bound, and takes what was billed', async () => {
    const env = { PATH: process.env['PATH'] ?? '' }
    const killed = await serve(['--port', '0'], folder, env)
    upstream.enqueue({ neverAnswer: true, times: 5 })
    const calls = Array.from({ length: 5 }, () => ask(killed.url).catch(() => undefined))
    await upstream.received(5)
    killed.process.kill('SIGKILL')
    await killed.exited
    await Promise.all(calls)

    const again = await serve(['--port', '0'], folder, env)
    try {
      const { url } = again
      const listed = await admin(url, '/admin/lost')
      const lost = listed.body['data'] as readonly Lost[]
      expect(listed.body).toMatchObject({ object: 'list', more: false })
      expect(lost).toHaveLength(5)
      const [first, second, third, fourth, fifth] = lost as readonly [Lost, Lost, Lost, Lost, Lost]
      // 1,000 tokens at $4 a million, and the input.
      for (const call of lost) expect(call).toMatchObject({ key: 'app', bound: { output_tokens: 1000 } })
      expect(first.bound.usd).toBeGreaterThan(0.004)
      const bound = first.bound.usd
      const near = (value: number) => expect.closeTo(value, 11) as number
      expect(await usage(url)).toMatchObject({ total: { calls: 5, lost: 5, usd: near(5 * bound) }, used: { usd: near(5 * bound) } })

      expect(
        await admin(url, `/admin/lost/${first.id}`, { usd: 0.0001, input_tokens: 8, output_tokens: 2, note: 'invoice 7' }),
      ).toMatchObject({
        status: 200,
        body: {
          object: 'reconciled_call',
          id: first.id,
          end: 'complete',
          billed: { usd: 0.0001, input_tokens: 8, output_tokens: 2 },
          bound: { usd: bound },
          budgets: 'moved',
        },
      })
      expect(await admin(url, `/admin/lost/${first.id}`, { usd: 0.0001 })).toMatchObject({
        status: 404,
        body: { error: { code: 'not_found' } },
      })
      expect(await admin(url, '/admin/lost/nobody', { usd: 0.0001 })).toMatchObject({ status: 404 })
      await again.says('a lost call was put right')
      expect(again.err()).toContain('"note":"invoice 7"')
      const after = await usage(url)
      expect(after).toMatchObject({ total: { calls: 5, lost: 4, usd: near(4 * bound + 0.0001) }, used: { usd: near(4 * bound + 0.0001) } })

      const cli = (...line: string[]) =>
        runCommand(reconcileCommand, ['reconcile', ...line], { env: { BURSAR_ADMIN_KEY: ADMIN_KEY, BURSAR_URL: url } })
      const shown = await cli()
      expect(shown.out).toMatch(/^CALL +AT \(UTC\) +MODEL +AT MOST \$$/m)
      for (const call of lost.slice(1)) expect(shown.out).toContain(call.id)
      expect(shown.out).toContain('4 lost calls, counted with $')
      for (const line of shown.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
      expect(JSON.parse((await cli('list', '--only-key', 'app', '--json')).out)).toHaveLength(4)
      expect((await cli('list', '--to', '1d')).out).toBe('No lost calls.\n')
      expect((await cli('--limit', '2')).err).toContain('--limit')
      expect((await cli(second.id, '--not-billed')).out).toContain('counts with $0 now, instead of $')
      expect((await cli(third.id, '--usd', '0.02')).out.replaceAll('\n', ' ')).toContain('counts with $0.02 now')
      await expect(cli(third.id, '--usd', '0.02')).rejects.toThrow(/not lost/)

      const file = join(folder, 'billed.csv')
      writeFileSync(file, `call_id,usd,input_tokens,output_tokens\n${fourth.id},0.003,,\n"${fifth.id}",0.0005,9,1\n${first.id},0.1,,\n`)
      const many = await cli('--from-csv', file)
      expect(many.code).toBe(1)
      expect(many.err).toContain('line 4: ')
      expect(many.out).toMatch(/^rows +3\nput right +2 {3}\$0\.0035 billed, instead of \$0\.\d+\nrefused +1\n$/)
      for (const line of `${many.out}${many.err}`.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)

      // Nothing more is lost, the invoice and the books say the same, and so does the budget, which the next call is checked by.
      expect((await cli()).out).toBe('No lost calls.\n')
      const invoice = 0.0001 + 0.02 + 0.003 + 0.0005
      expect(await usage(url)).toMatchObject({ total: { calls: 5, lost: 0, errors: 1, usd: near(invoice) }, used: { usd: near(invoice) } })
      upstream.enqueue(chatReply())
      const answer = await ask(url)
      expect(answer.status).toBe(200)
      expect(Number(answer.headers.get('x-bursar-budget-remaining-usd'))).toBeLessThanOrEqual(10 - invoice)
      expect(Number(answer.headers.get('x-bursar-budget-remaining-usd'))).toBeGreaterThan(10 - invoice - 2 * bound)

      const settled = await usage(url)
      again.process.kill('SIGTERM')
      expect((await again.exited).code).toBe(0)
      const last = await serve(['--port', '0'], folder, env)
      try {
        expect(await usage(last.url)).toEqual(settled)
        expect((await admin(last.url, '/admin/lost')).body).toMatchObject({ data: [] })
      } finally {
        last.process.kill('SIGKILL')
        await last.exited
      }
    } finally {
      again.process.kill('SIGKILL')
      await again.exited
    }
  })

  it('says what is wrong with what was typed, before anything is changed', async () => {
    const cli = (...line: string[]) =>
      runCommand(reconcileCommand, ['reconcile', ...line], { env: { BURSAR_ADMIN_KEY: ADMIN_KEY, BURSAR_URL: 'http://127.0.0.1:1' } })
    await expect(cli('call_1')).rejects.toThrow(/--usd 0\.0123/)
    await expect(cli('call_1', '--usd', 'much')).rejects.toThrow(/expected dollars/)
    await expect(cli('--usd', '1')).rejects.toThrow(/needs the id/)
    await expect(cli('call_1', '--usd', '1', '--from', '7d')).rejects.toThrow(/for the list/)
    await expect(cli('call_1', '--from-csv', 'x')).rejects.toThrow(/the file says it all/)
    await expect(cli('--from-csv', join(folder, 'nowhere.csv'))).rejects.toThrow(/ENOENT/)
  })
})

describe('a file of what was billed', () => {
  it('is read with its columns in any order, quotes, and other columns', () => {
    expect(readBilledCsv('\uFEFFusd, call_id ,who\r\n"0.5","a ""b"", c",me\r\n\r\n1,d,"two\nlines"\n')).toEqual([
      { line: 2, callId: 'a "b", c', body: { usd: '0.5' } },
      { line: 4, callId: 'd', body: { usd: '1' } },
    ])
    expect(readBilledCsv('call_id,usd,input_tokens,output_tokens\na,1,2,3\nb,0,,')).toMatchObject([
      { body: { input_tokens: 2, output_tokens: 3 } },
      { line: 3, body: { usd: '0' } },
    ])
    expect(readBilledCsv('call_id,usd\n')).toEqual([])
  })

  it.each([
    ['', /the file is empty/],
    ['id,usd\na,1', /name the columns/],
    ['call_id,usd,input_tokens\na,1,2', /name the columns/],
    [
      'call_id,usd\na,1\nb,-1\nc,1e3\na,2\n,1\nd',
      /line 3: "-1" is no amount.*\n.*line 4: "1e3".*\n.*line 5: the same call as in line 2\n.*line 6: no call_id\n.*line 7: 1 fields/,
    ],
    ['call_id,usd,input_tokens,output_tokens\na,1,2,', /line 2: tokens are whole numbers/],
    ['call_id,usd\n"a,1', /line 2: a quotation mark/],
  ])('%j is refused whole, with the lines', (text, wanted) => {
    expect(() => readBilledCsv(text)).toThrow(wanted)
  })
})

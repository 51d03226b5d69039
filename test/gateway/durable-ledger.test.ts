import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { chat, startBench, type Bench } from './harness.js'

let bench: Bench | undefined
let folder: string | undefined
afterEach(async () => {
  await bench?.close()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

it('keeps calls in a database by default: they are there in the next process, with the budget that they used', async () => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-ledger-'))
  const path = join(folder, 'money.db')
  const start = () =>
    startBench((config) =>
      Object.assign(config, { ledger: { path }, keys: [{ name: 'test', key: 'sk-test-0123456789abcdef', budgets: [{ calls: 3 }] }] }),
    )
  bench = await start()
  expect(await (await fetch(`${bench.url}/health`)).json()).toMatchObject({ status: 'ok' })
  for (let call = 0; call < 2; call++) expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 10 }))).status).toBe(200)
  await bench.close()
  bench = await start()
  const usage = (await (
    await fetch(`${bench.url}/v1/usage`, { headers: { authorization: 'Bearer sk-test-0123456789abcdef' } })
  ).json()) as { total: { calls: number; usd: string } }
  expect(usage.total.calls).toBe(2)
  expect(Number(usage.total.usd)).toBeGreaterThan(0)
  const third = await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 10 }))
  expect(third.status).toBe(200)
  expect(third.headers.get('x-bursar-budget-remaining-calls')).toBe('0')
  const refused = await bench.post('/v1/chat/completions', chat('fast', { max_tokens: 10 }))
  expect(refused.status).toBe(429)
  expect(await refused.json()).toMatchObject({ error: { code: 'budget_exceeded' } })
  expect(bench.upstream.requests).toHaveLength(1)
})

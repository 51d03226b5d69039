import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noUsage, usd } from '../quantities/index.js'
import { callRecord } from './ledger-contract.js'
import { openLedgerReader } from './open-reader.js'
import { connect } from './store/connect.js'
import { openStore } from './store/index.js'
import { costOfPass, exportRecords, findAnomalies, forecastSpending, hoursOf, monthOf } from './report/index.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-reader-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const now = Date.UTC(2026, 10, 20, 15, 30) / 1000

async function filled(file: string): Promise<void> {
  const store = await openStore({ file })
  const calls = Array.from({ length: 1500 }, (_, index) =>
    callRecord({ callId: `call-${index}`, requestId: `request-${index}`, decisionId: `decision-${index}`, at: now - 1 - index * 2000, key: 'ci', run: index < 30 ? `run-${index}` : undefined, usage: { ...noUsage, inputTokens: 100 }, cost: { usd: usd(index === 100 ? 90 : 0.25), seconds: 1, joules: null, gramsCO2e: null } }),
  )
  await store.apply({
    segment: 's1',
    from: 0,
    to: 1,
    holder: 'h',
    records: [
      ...calls.map((record) => ({ type: 'call' as const, record })),
      ...Array.from({ length: 30 }, (_, index) => ({ type: 'outcome' as const, record: { outcomeId: `o${index}`, at: now - 10, run: `run-${index}`, key: 'ci', source: 'user', score: index % 3 === 0 ? 0 : 1 } })),
    ],
  })
  await store.close()
}

describe('openLedgerReader', () => {
  it('reads reports, single records and exports from a real database, while a gateway holds it', async () => {
    const file = join(folder, 'ledger.db')
    await filled(file)
    const gateway = await openStore({ file })
    const reader = await openLedgerReader({ file })
    try {
      const { from, to } = monthOf(now)
      const forecast = forecastSpending({ hours: hoursOf(await reader.report({ from: now - 60 * 86_400, to: now + 3600, by: ['hour'], order: 'group' })), now, from, to })
      expect(forecast.historyDays).toBe(34)
      expect(forecast.total?.high).toBeGreaterThan(forecast.spent)
      const { anomalies } = await findAnomalies(await reader.report({ from: now - 60 * 86_400, to: now + 3600, by: ['key', 'day'] }), { from: now - 7 * 86_400, to: now })
      expect(anomalies).toHaveLength(1)
      const { rows } = await costOfPass(reader, { unit: 'run', from: now - 86_400, to: now, by: ['key'] })
      expect(rows).toMatchObject([{ attempts: 30, passed: 20, usd: usd(7.5), estimate: { value: 0.375 } }])
      let ids: string[] = []
      for await (const { text } of exportRecords(reader, { what: 'calls', format: 'jsonl', from: 0, to: now + 1 }))
        ids = ids.concat(text.trimEnd().split('\n').map((line) => (JSON.parse(line) as { callId: string }).callId))
      expect(ids).toHaveLength(1500)
      expect(new Set(ids).size).toBe(1500)
    } finally {
      await reader.close()
      await gateway.close()
    }
  })

  it('refuses what is no ledger of this version, in words', async () => {
    const empty = join(folder, 'empty.db')
    const made = await connect({ file: empty })
    await made.db.schema.createTable('something').addColumn('x', 'integer').execute()
    await made.close()
    await expect(openLedgerReader({ file: empty })).rejects.toMatchObject({ code: 'invalid_configuration', message: 'This database holds no ledger of Bursar.' })
    const newer = join(folder, 'newer.db')
    await (await openStore({ file: newer })).close()
    const connection = await connect({ file: newer })
    await connection.db.insertInto('migrations').values({ version: 999, name: 'later', checksum: '', applied_at: 0 }).execute()
    await connection.close()
    await expect(openLedgerReader({ file: newer })).rejects.toMatchObject({ code: 'invalid_configuration', message: expect.stringMatching(/has version 999 .* Use the version of Bursar that serves it/) as string })
  })
})

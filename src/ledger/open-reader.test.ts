import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noUsage, usd } from '../quantities/index.js'
import { hasPostgres } from './counters/fixtures/services.js'
import { callRecord } from './ledger-contract.js'
import { openLedgerReader } from './open-reader.js'
import { connect } from './store/connect.js'
import type { StoreSettings } from './store/contract.js'
import { openStore } from './store/index.js'
import { costOfPass, exportRecords, findAnomalies, forecastSpending, hoursOf, monthOf } from './report/index.js'

const here = await hasPostgres()
const server = process.env['BURSAR_TEST_POSTGRES'] ?? 'postgres://root@127.0.0.1:5432/postgres'
const database = `bursar_reader_${randomUUID().replaceAll('-', '')}`
const url = Object.assign(new URL(server), { pathname: `/${database}` }).href
async function administer(statement: string): Promise<void> {
  if (!here) return
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(statement)
  await client.end()
}

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-reader-'))
  await administer(`CREATE DATABASE ${database}`)
}, 60_000)
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await administer(`DROP DATABASE ${database} WITH (FORCE)`)
}, 60_000)

const now = Date.UTC(2026, 10, 20, 15, 30) / 1000

async function filled(settings: StoreSettings): Promise<void> {
  const store = await openStore(settings)
  const calls = Array.from({ length: 1500 }, (_, index) =>
    callRecord({
      callId: `call-${index}`,
      requestId: `request-${index}`,
      decisionId: `decision-${index}`,
      at: now - 1 - index * 2000,
      key: 'ci',
      run: index < 30 ? `run-${index}` : undefined,
      usage: { ...noUsage, inputTokens: 100 },
      cost: { usd: usd(index === 100 ? 90 : 0.25), seconds: 1, joules: null, gramsCO2e: null },
    }),
  )
  await store.apply({
    segment: 's1',
    from: 0,
    to: 1,
    holder: 'h',
    records: [
      ...calls.map((record) => ({ type: 'call' as const, record })),
      ...Array.from({ length: 30 }, (_, index) => ({
        type: 'outcome' as const,
        record: { outcomeId: `o${index}`, at: now - 10, run: `run-${index}`, key: 'ci', source: 'user', score: index % 3 === 0 ? 0 : 1 },
      })),
    ],
  })
  await store.close()
}

describe('openLedgerReader', () => {
  async function readsEverything(settings: StoreSettings): Promise<void> {
    await filled(settings)
    const gateway = await openStore(settings)
    const reader = await openLedgerReader(settings)
    try {
      const { from, to } = monthOf(now)
      const forecast = forecastSpending({
        hours: hoursOf(await reader.report({ from: now - 60 * 86_400, to: now + 3600, by: ['hour'], order: 'group' })),
        now,
        from,
        to,
      })
      expect(forecast.historyDays).toBe(34)
      expect(forecast.total?.high).toBeGreaterThan(forecast.spent)
      const { anomalies } = await findAnomalies(await reader.report({ from: now - 60 * 86_400, to: now + 3600, by: ['key', 'day'] }), {
        from: now - 7 * 86_400,
        to: now,
      })
      expect(anomalies).toHaveLength(1)
      const { rows } = await costOfPass(reader, { unit: 'run', from: now - 86_400, to: now, by: ['key'] })
      expect(rows).toMatchObject([{ attempts: 30, passed: 20, usd: usd(7.5), estimate: { value: 0.375 } }])
      let ids: string[] = []
      for await (const { text } of exportRecords(reader, { what: 'calls', format: 'jsonl', from: 0, to: now + 1 }))
        ids = ids.concat(
          text
            .trimEnd()
            .split('\n')
            .map((line) => (JSON.parse(line) as { callId: string }).callId),
        )
      expect(ids).toHaveLength(1500)
      expect(new Set(ids).size).toBe(1500)
    } finally {
      await reader.close()
      await gateway.close()
    }
  }

  it('reads reports, single records and exports from an embedded database, while a gateway holds it', () =>
    readsEverything({ file: join(folder, 'ledger.db') }))
  it.skipIf(!here)('does so from PostgreSQL (skipped without a server at 127.0.0.1:5432)', async () => {
    await expect(openLedgerReader({ url })).rejects.toMatchObject({ message: 'This database holds no ledger of Bursar.' })
    await readsEverything({ url })
  })

  it('refuses what is no ledger of this version, in words', async () => {
    const empty = join(folder, 'empty.db')
    const made = await connect({ file: empty })
    await made.db.schema.createTable('something').addColumn('x', 'integer').execute()
    await made.close()
    await expect(openLedgerReader({ file: empty })).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: 'This database holds no ledger of Bursar.',
    })
    const newer = join(folder, 'newer.db')
    await (await openStore({ file: newer })).close()
    const connection = await connect({ file: newer })
    await connection.db.insertInto('migrations').values({ version: 999, name: 'later', checksum: '', applied_at: 0 }).execute()
    await connection.close()
    await expect(openLedgerReader({ file: newer })).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringMatching(/has version 999 .* Use the version of Bursar that serves it/) as string,
    })
  })
})

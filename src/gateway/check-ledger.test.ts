import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from './config/index.js'
import { checkLedger } from './check-ledger.js'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bursar-check-ledger-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const look = (ledger: Record<string, unknown>) => checkLedger(parseConfig(JSON.stringify({ ledger }), {}, { folder }).config)

describe('checkLedger', () => {
  it('says what will be made, and makes nothing', async () => {
    const [ledger, journal] = await look({ path: 'deep/er/money.db' })
    expect(ledger).toMatchObject({ ok: true, message: expect.stringContaining('to be made') as string })
    expect(journal).toMatchObject({ ok: true, message: join(folder, 'deep/er/money.journal') })
    expect(existsSync(join(folder, 'deep'))).toBe(false)
  })

  it('tells a file where a folder should be', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect((await look({ path: 'file/x/money.db' }))[0]?.ok).toBe(false)
  })

  it('tells a server that is not there, without its password', async () => {
    const parts = await look({ database_url: 'postgres://bursar:very-secret@127.0.0.1:1/x', redis_url: 'redis://:very-secret@127.0.0.1:1' })
    expect(parts.map(({ name, ok }) => [name, ok])).toEqual([
      ['ledger', false],
      ['journal', true],
      ['redis', false],
    ])
    expect(parts[0]?.message).toContain('ECONNREFUSED')
    expect(JSON.stringify(parts)).not.toContain('very-secret')
  })

  it('tells Redis without PostgreSQL', async () => {
    expect((await look({ redis_url: 'redis://127.0.0.1:6379' })).at(-1)).toMatchObject({
      name: 'redis',
      ok: false,
      message: expect.stringContaining('database_url') as string,
    })
  })

  it('calls memory what it is', async () => {
    expect(await look({ store: 'memory' })).toEqual([{ name: 'ledger', ok: true, message: expect.stringContaining('forgotten') as string }])
  })
})

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { picoUsd } from '../quantities/index.js'
import { hasPostgres } from './counters/fixtures/services.js'
import { openGate } from './counters/fixtures/tcp-gate.js'
import { openDurableLedger, type DurableLedger, type DurableLedgerSettings, type LedgerFault } from './durable-ledger.js'
import { intentRecord } from './journal/fixtures/records.js'
import { callRecord } from './ledger-contract.js'

let directory: string
const opened: DurableLedger[] = []
const here = await hasPostgres()
const server = process.env['BURSAR_TEST_POSTGRES'] ?? 'postgres://root@127.0.0.1:5432/postgres'
const database = `bursar_ledger_${randomUUID().replaceAll('-', '')}`
const url = Object.assign(new URL(server), { pathname: `/${database}` }).href
const administer = async (statement: string): Promise<void> => {
  if (!here) return
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(statement)
  await client.end()
}
beforeAll(() => administer(`CREATE DATABASE ${database}`), 60_000)
afterAll(() => administer(`DROP DATABASE ${database} WITH (FORCE)`), 60_000)
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-stores-'))
})
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(settings: Partial<DurableLedgerSettings> = {}) {
  const faults: LedgerFault[] = []
  const ledger = await openDurableLedger(
    { journals: join(directory, 'journals'), store: { file: join(directory, 'bursar.db') }, durability: 'process', ...settings },
    { onFault: (fault) => faults.push(fault) },
  )
  opened.push(ledger)
  return { ledger, faults }
}

/** What each call of `record-until-killed.ts` holds, and what it costs. */
const [reserved, spent] = [100n, 30n]

describe('an embedded ledger whose process is killed', () => {
  it('has every call that was acknowledged, once; what was under way counts as lost, at what it held', { timeout: 180_000 }, async () => {
    const rounds = 6
    const script = fileURLToPath(new URL('./worker/fixtures/record-until-killed.ts', import.meta.url))
    const acknowledgements = join(directory, 'acknowledged')
    const lines = () => (existsSync(acknowledgements) ? readFileSync(acknowledgements, 'utf8').split('\n').slice(0, -1) : [])
    for (let round = 0; round < rounds; round++) {
      const holder = `holder-${round}`
      const child = spawn(
        process.execPath,
        [
          '--import',
          'tsx',
          script,
          join(directory, 'bursar.db'),
          join(directory, 'journals'),
          holder,
          acknowledgements,
          round % 2 === 0 ? 'process' : 'disk',
        ],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      )
      let complaint = ''
      child.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
      const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)))
      await expect.poll(() => lines().includes(`open ${holder}`), { timeout: 20_000, message: complaint }).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 250))
      child.kill('SIGKILL')
      expect(await ended, complaint).toBe('SIGKILL')
    }
    const { ledger, faults } = await open()
    const told = (word: string) => new Set(lines().flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : [])))
    const [acknowledgedIntents, acknowledgedCalls] = [told('intent'), told('call')]
    expect(acknowledgedCalls.size).toBeGreaterThan(500)
    const calls = await ledger.calls({ limit: 1_000_000 })
    const ids = calls.map(({ callId }) => callId)
    expect(new Set(ids).size).toBe(ids.length)
    const ended = new Map(calls.map((call) => [call.callId, call.end]))
    expect([...acknowledgedCalls].filter((id) => ended.get(id) !== 'complete')).toEqual([])
    // An intent that was acknowledged may have cost something: its call is there, one way or the other.
    expect([...acknowledgedIntents].filter((id) => !ended.has(id))).toEqual([])
    const lost = calls.filter(({ end }) => end === 'lost')
    expect(lost.length).toBeLessThanOrEqual(rounds * 5)
    const expected = BigInt(calls.length - lost.length) * spent + BigInt(lost.length) * reserved
    expect((await ledger.totals({})).cost.usd).toBe(expected)
    expect(await ledger.balances(['c'])).toEqual([expected])
    expect(faults).toEqual([])
    expect(readdirSync(join(directory, 'journals'))).toEqual([ledger.holder])
  })
})

describe.skipIf(!here)('a ledger in PostgreSQL (skipped without a server at 127.0.0.1:5432)', () => {
  const through = (port: number) => Object.assign(new URL(url), { port: String(port) }).href
  const journalsOf = (name: string) => join(directory, name)

  it('records while the server is away, and brings it all in, once, when it is back', { timeout: 60_000 }, async () => {
    const gate = await openGate({ host: '127.0.0.1', port: 5432 })
    try {
      const { ledger, faults } = await open({ store: { url: through(gate.port) }, limits: { read: 20 } })
      const before = (await ledger.totals({ key: 'gate' })).calls
      for (let index = 0; index < 60; index++) {
        if (index === 20) gate.shut()
        if (index === 40) {
          await expect.poll(() => faults.some(({ kind }) => kind === 'store'), { timeout: 10_000 }).toBe(true)
          gate.open()
        }
        await ledger.recordIntent(intentRecord({ callId: `gate-${index}`, key: 'gate' }))
        await ledger.recordCall(callRecord({ callId: `gate-${index}`, key: 'gate', settled: [1n] }))
        if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 100))
      }
      await expect
        .poll(
          () =>
            ledger.totals({ key: 'gate' }).then(
              ({ calls }) => calls - before,
              () => undefined,
            ),
          { timeout: 30_000 },
        )
        .toBe(60)
      expect(ledger.lag()).toEqual({ records: 0, bytes: 0, late: 0 })
    } finally {
      await gate.close()
    }
  })

  it(
    'turns into spend what a process held that said nothing for the lease, and takes it back when its call comes in',
    { timeout: 60_000 },
    async () => {
      const { ledger: silent } = await open({ store: { url }, journals: journalsOf('silent'), heartbeatSeconds: 1000, leaseSeconds: 1000 })
      await silent.recordIntent(intentRecord({ callId: 'silent-1', key: 'silent', held: [{ counter: 'silent', amount: 99n }] }))
      await silent.caughtUp()
      const { ledger: other } = await open({ store: { url }, journals: journalsOf('other'), heartbeatSeconds: 0.1, leaseSeconds: 1 })
      expect((await other.calls({ callId: 'silent-1', limit: 1 })).map(({ end }) => end)).toEqual([])
      await expect
        .poll(() => other.calls({ callId: 'silent-1', limit: 1 }).then((calls) => calls.map(({ end }) => end)), { timeout: 10_000 })
        .toEqual(['lost'])
      expect((await other.totals({ key: 'silent' })).cost.usd).toBe(99n)
      expect(await other.balances(['silent'])).toEqual([99n])
      await silent.recordCall(
        callRecord({
          callId: 'silent-1',
          key: 'silent',
          cost: { usd: picoUsd(42n), seconds: 0, joules: null, gramsCO2e: null },
          settled: [42n],
        }),
      )
      await silent.caughtUp()
      expect((await other.totals({ key: 'silent' })).cost.usd).toBe(42n)
      expect(await other.balances(['silent'])).toEqual([42n])
    },
  )

  it('brings in first what a process left that died here, so that its calls count as what they were', { timeout: 60_000 }, async () => {
    const gate = await openGate({ host: '127.0.0.1', port: 5432 })
    const { ledger: first } = await open({ store: { url: through(gate.port) }, limits: { close: 0.3 } })
    await gate.close()
    await first.recordIntent(intentRecord({ callId: 'left-1', key: 'left', held: [{ counter: 'left', amount: 99n }] }))
    await first.recordCall(callRecord({ callId: 'left-1', key: 'left', settled: [1n] }))
    await first.close()
    const { ledger: second } = await open({ store: { url } })
    expect((await second.calls({ callId: 'left-1', limit: 1 })).map(({ end }) => end)).toEqual(['complete'])
    expect(await second.balances(['left'])).toEqual([1n])
  })
})

import { createServer, type Server } from 'node:http'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { createUsageApp } from '../../gateway/index.js'
import { createMemoryLedger, type CallRecord, type MemoryLedger, type StoreSettings } from '../../ledger/index.js'
import { noUsage, usd } from '../../quantities/index.js'
import { textWidth } from '../table.js'
import type { UsageDependencies } from '../usage/process.js'
import { plannedCall } from '../../ledger/fixtures/records.js'
import { callOfSimulated, simulatedTraffic } from '../../evaluation/proof/fixtures/simulated-trials.js'
import { exportCommand } from './export.js'
import { reportCommand } from './report.js'

const day = 86_400
const now = Date.UTC(2026, 10, 20, 15, 30) / 1000
const ADMIN = 'admin-key-for-tests'

let folder: string
let database: string
let server: Server
let url: string
let ledger: MemoryLedger

function call(index: number, fields: Partial<CallRecord> = {}): CallRecord {
  return {
    ...plannedCall,
    callId: `call-${index}`,
    requestId: `request-${index}`,
    decisionId: `decision-${index}`,
    at: now - 1 - index * 3600,
    key: 'ci',
    requestedModel: 'fast',
    stream: false,
    end: 'complete',
    status: 200,
    usage: { ...noUsage, inputTokens: 3000, cacheReadTokens: 1000, outputTokens: 200 },
    usageEstimated: false,
    cost: { usd: usd(0.125), seconds: 1.5, joules: null, gramsCO2e: null },
    ...fields,
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-report-'))
  database = join(folder, 'bursar.db')
  writeFileSync(database, '')
  ledger = createMemoryLedger()
  for (let index = 0; index < 40 * 24; index++) await ledger.recordCall(call(index))
  await ledger.recordCall(call(2000, { at: now - 2 * day, cost: { usd: usd(70), seconds: 9, joules: null, gramsCO2e: null } }))
  await ledger.recordCall(
    call(2001, {
      at: now - day,
      key: 'a-key-with-a-very-long-name-that-no-column-holds',
      end: 'failed',
      model: 'gpt-5',
      cost: { usd: null, seconds: 9, joules: null, gramsCO2e: null },
    }),
  )
  for (let step = 0; step < 6; step++)
    await ledger.recordCall(
      call(3000 + step, {
        at: now - 7200 + step * 20,
        run: 'nightly-7',
        usage: { ...noUsage, inputTokens: 2000 + 700 * step, outputTokens: 150 },
        composition: {
          systemTokens: 600,
          toolSchemaTokens: 800,
          observationTokens: 400 + 600 * step,
          assistantTokens: 100 + 100 * step,
          userTokens: 100,
          repeatedTokens: step === 0 ? 0 : 1300 + 700 * step,
        },
      }),
    )
  await ledger.recordOutcome({ outcomeId: 'o1', at: now - 100, run: 'nightly-7', key: 'ci', source: 'user', score: 1 })
  const app = createUsageApp({
    authorize: (headers) => {
      if (headers.get('authorization') === `Bearer ${ADMIN}`) return 'all'
      throw new BursarError('This is not a key.', { code: 'invalid_key', status: 401 })
    },
    ledger: () => ledger,
    now: () => now,
  })
  const listener = getRequestListener(app.fetch)
  server = createServer((req, res) => void listener(req, res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
})

async function run(
  command: 'report' | 'export',
  args: readonly string[],
  env: NodeJS.Dict<string> = {},
  from: MemoryLedger = ledger,
): Promise<{ out: string; told: string; opened: StoreSettings[]; closed: number }> {
  let [out, told, closed] = ['', '', 0]
  const opened: StoreSettings[] = []
  const deps: UsageDependencies = {
    env,
    openReader: (settings) => {
      opened.push(settings)
      return Promise.resolve({ ...readerOf(from), close: () => Promise.resolve(void closed++) })
    },
    now: () => now,
    print: (text) => void (out += text),
    report: (text) => void (told += text),
    terminal: false,
    width: 80,
    signal: new AbortController().signal,
  }
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  if (command === 'report') reportCommand(program, deps)
  else exportCommand(program, deps)
  await program.parseAsync(['node', 'bursar', command, ...args])
  return { out, told, opened, closed }
}

function readerOf(from: MemoryLedger) {
  return {
    decision: from.decision.bind(from),
    decisions: from.decisions.bind(from),
    calls: from.calls.bind(from),
    outcomes: from.outcomes.bind(from),
    trials: from.trials.bind(from),
    totals: from.totals.bind(from),
    report: from.report.bind(from),
  }
}

const direct = () => ['--database', database]

describe('bursar report', () => {
  it('shows the month by day, key and model within 80 columns, and closes the database', async () => {
    const { out, opened, closed } = await run('report', direct())
    expect(opened).toEqual([{ file: database }])
    expect(closed).toBe(1)
    for (const line of out.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
    expect(out).toMatch(
      /^2026-11-01 to 2026-11-20 16:00 UTC, from .*bursar\.db\n\n {2}spent {5}\$129\.75\n {2}calls {5}480 \(1 not complete, 1 of unknown price\)\n/,
    )
    expect(out).toMatch(/^2026-11-18 Wed {2}\$73\.00 {2}█+$/m)
    expect(out).toMatch(/^2026-11-17 Tue {3}\$3\.00 {2}██▎?$/m)
    expect(out).toMatch(/^KEY +SPENT +SHARE +CALLS +BAD +IN +CACHED +OUT +P50 s +P95 s$/m)
    expect(out).toMatch(/^ci +\$129\.75 +100%/m)
    expect(out).toMatch(/^a-key-wi…n-holds +\$0/m)
    expect(out).toMatch(/^MODEL/m)
  })

  it('says the same of a gateway as of the database behind it', async () => {
    const here = await run('report', [...direct(), '--by', 'key,model', '--from', '7d', '--json'])
    const there = await run('report', ['--url', url, '--by', 'key,model', '--from', '7d', '--json'], { BURSAR_ADMIN_KEY: ADMIN })
    expect(there.out).toBe(here.out)
    expect(there.opened).toEqual([])
    expect(JSON.parse(here.out)).toMatchObject({ object: 'usage', by: ['key', 'model'] })
  })

  it('groups, filters and limits', async () => {
    const { out } = await run('report', [...direct(), '--by', 'model', '--where', 'key=ci', '--top', '1'])
    expect(out).toMatch(/^gpt-5-mini +\$129\.75 +100% +479/m)
    expect((await run('report', [...direct(), '--by', 'key', '--top', '1'])).out).toMatch(/^\(1 other\) +\$0.*\n\(all\) +\$129\.75/m)
  })

  it('leaves columns out where many groups would be wider than the terminal', async () => {
    const { out } = await run('report', [...direct(), '--by', 'key,provider,model'])
    expect(out).toMatch(/^KEY +PROVIDER +MODEL +SPENT +SHARE +CALLS +BAD +IN +OUT +P95 s$/m)
    for (const line of out.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
  })

  it('foretells the month', async () => {
    const { out } = await run('report', [...direct(), '--forecast'])
    expect(out).toMatch(
      /^Forecast for 2026-11-01 to 2026-11-30\n\n {2}so far {4}\$129\.75\n {2}in all {4}\$1\d\d\.\d\d, with 90% chance between \$1\d\d\.\d\d and \$\d\d\d\.\d\d\n +\(from 39 days of history, by the day of the week\)\n$/,
    )
    expect((await run('report', [...direct(), '--forecast', '--by', 'key'])).out).toMatch(/^ci +\$129\.75 +\$1/m)
  })

  it('finds days out of line, in words', async () => {
    const { out } = await run('report', [...direct(), '--anomalies'])
    expect(out).toMatch(
      /^Days out of line, 2026-11-13 to 2026-11-20 15:30 UTC: 1 \(\d days of 1 group judged; 1\ntoo young|^Days out of line/,
    )
    expect(out).toMatch(/^key ci spent \$73\.00 on 2026-11-18, usually \$/m)
  })

  it('shows runs, one run in full, and what a success costs', async () => {
    const runs = (await run('report', [...direct(), '--runs'])).out
    expect(runs).toMatch(/^1 run, /)
    expect(runs).toMatch(/^ci +nightly-7 +\$0\.75 +6 +22\.5k +25:1 +700 +\d\d% +0%$/m)
    const one = (await run('report', [...direct(), '--run', 'nightly-7'])).out
    expect(one).toMatch(/^Run nightly-7 of key ci, gpt-5-mini$/m)
    expect(one).toMatch(/^ {2}results of tools +11\.4k +51% {2}█+/m)
    expect(one).toMatch(/had been sent before in this run: each token was sent 4\.1 times\non average\.$/m)
    expect(one).toMatch(/^Outcomes: user 1$/m)
    for (const line of `${runs}${one}`.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
    const pass = (await run('report', [...direct(), '--cost-of-pass'])).out
    expect(pass).toMatch(/^ci +1 +1 +\$0\.75 +\$0\.75 +\$0 +any$/m)
  })

  it('prints several sections as one JSON object', async () => {
    const { out } = await run('report', [...direct(), '--forecast', '--anomalies', '--json'])
    expect(Object.keys(JSON.parse(out) as object)).toEqual(['forecast', 'anomalies'])
  })

  it('prints CSV', async () => {
    const { out } = await run('report', [...direct(), '--csv', '--by', 'model'])
    expect(out.split('\n')[0]).toMatch(/^model,usd,calls/)
  })

  it.each([
    [['--database', '/nowhere/bursar.db'], /^There is no database at .*nowhere/],
    [['--url', 'http://127.0.0.1:9', '--database', 'x'], /not both/],
    [['--url', 'nonsense'], /is no address/],
    [['--where', 'nonsense'], /expected dimension=value/],
    [['--by', 'modle'], /"modle" is no dimension \(did you mean "model"\?\)/],
    [['--from', 'yesterday'], /^from: expected a date/],
    [['--csv', '--json'], /--csv/],
    [['--source', 'user'], /goes with --cost-of-pass/],
  ])('says what is wrong with %s', async (args, message) => {
    await expect(run('report', args.includes('--url') || args.includes('--database') ? args : [...direct(), ...args])).rejects.toThrow(
      message,
    )
  })

  it('says what is wrong with a gateway', async () => {
    await expect(run('report', ['--url', url])).rejects.toThrow('This is not a key.')
    await expect(run('report', ['--url', 'http://127.0.0.1:9'])).rejects.toThrow(/^http:\/\/127\.0\.0\.1:9 can't be reached/)
  })

  it('reads where the configuration keeps the ledger', async () => {
    const config = join(folder, 'bursar.yaml')
    writeFileSync(config, 'ledger:\n  path: bursar.db\n')
    expect((await run('report', ['--config', config])).opened).toEqual([{ file: database }])
    expect((await run('report', ['--config', config], { DATABASE_URL: 'postgres://u:p@h/d' })).opened).toEqual([
      { url: 'postgres://u:p@h/d', poolSize: 1 },
    ])
    expect((await run('report', ['--config', config], { DATABASE_URL: 'postgres://u:secret@h/d' })).out).not.toContain('secret')
    writeFileSync(config, 'ledger:\n  store: memory\n')
    await expect(run('report', ['--config', config])).rejects.toThrow(/in memory/)
  })
})

describe('bursar report savings', () => {
  const filled = () => {
    const saved = createMemoryLedger()
    for (const one of simulatedTraffic({ seed: 2, requests: 1_200, holdout: 0.2, judge: { share: 0.5 }, feedback: 0.3, turns: 2 })) {
      saved.recordDecision(one.decision)
      void saved.recordCall(callOfSimulated(one))
      for (const outcome of one.outcomes) void saved.recordOutcome(outcome)
    }
    return saved
  }
  const period = ['--from', '2026-10-01', '--to', '2026-10-08']

  it('tells what was saved and whether quality held, within 80 columns, the same each time', async () => {
    const from = filled()
    const { out } = await run('report', ['savings', ...direct(), ...period], {}, from)
    for (const line of out.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(80)
    expect(out).toMatch(/^Savings\n=+\n2026-10-01 to 2026-10-08 UTC, from .*bursar\.db\n/)
    expect(out).toMatch(/Saved: \$\d+\.\d\d, between \$\d+\.\d\d and \$\d+\.\d\d, \d\d\.\d % \(/)
    expect(out).toMatch(/Quality within 2 points of the reference: not yet \(needs about [\d,]+ more\s+requests\)/)
    expect(out).toMatch(/the judge is taken\s+at\s+its\s+word/)
    expect(out).toMatch(/By key\n-+\nkey/)
    expect((await run('report', ['savings', ...direct(), ...period], {}, from)).out).toBe(out)
  })

  it('takes the margin of the configuration, unless another is named', async () => {
    const config = join(folder, 'margin.yaml')
    writeFileSync(config, 'ledger:\n  path: bursar.db\nproof:\n  margin: 0.25\n')
    const marginOf = async (...args: readonly string[]) =>
      (JSON.parse((await run('report', ['savings', ...args, ...period, '--json'], {}, filled())).out) as { margin: number }).margin
    expect(await marginOf('--config', config)).toBe(0.25)
    expect(await marginOf('--config', config, '--margin', '0.125')).toBe(0.125)
    expect(await marginOf(...direct())).toBe(0.02)
  })

  it('prints JSON, and writes a page', async () => {
    const from = filled()
    const { out } = await run('report', ['savings', ...direct(), ...period, '--json', '--by', 'key', '--margin', '0.5'], {}, from)
    expect(JSON.parse(out)).toMatchObject({
      object: 'usage.savings',
      margin: 0.5,
      all: { verdict: 'proven' },
      scopes: [{ dimension: 'key' }],
    })
    const file = join(folder, 'savings.html')
    const { told, out: nothing } = await run('report', ['savings', ...direct(), ...period, '--html', file], {}, from)
    expect([told, nothing]).toEqual([`Written to ${file}.\n`, ''])
    const page = readFileSync(file, 'utf8')
    for (const words of ['<svg', 'Dollars saved so far', 'against the margin', 'Expected quality', 'Where the money went'])
      expect(page).toContain(words)
  })

  it('says what to do where there is nothing to tell, and what does not go together', async () => {
    expect((await run('report', ['savings', ...direct()])).out).toContain('proof.holdout')
    await expect(run('report', ['savings', ...direct(), '--csv'])).rejects.toThrow(/--csv does not go with savings/)
    await expect(run('report', [...direct(), '--margin', '0.1'])).rejects.toThrow(/bursar report savings/)
    await expect(run('report', ['savings', ...direct(), '--margin', 'x'])).rejects.toThrow(/margin/)
  })
})

describe('bursar export', () => {
  it('writes every record once, the same from a gateway and a database', async () => {
    const here = await run('export', [...direct(), '--what', 'calls', '--from', '60d'])
    const ids = here.out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { callId: string }).callId)
    expect(ids).toHaveLength(968)
    expect(new Set(ids).size).toBe(968)
    expect(here.told).toMatch(/^968 lines, \d+kB\n$/)
    const there = await run('export', ['--url', url, '--key', ADMIN, '--what', 'calls', '--from', '60d'])
    expect(there.out).toBe(here.out)
  })

  it('writes to a file, and CSV', async () => {
    const file = join(folder, 'outcomes.csv')
    await run('export', [...direct(), '--what', 'outcomes', '--format', 'csv', '--output', file])
    expect(readFileSync(file, 'utf8')).toBe(
      'at,outcomeId,decisionId,run,key,source,score,comment,sought,arm\n2026-11-20T15:28:20.000Z,o1,,nightly-7,ci,user,1,,,\n',
    )
  })

  it("says what it has not, and where it can't write", async () => {
    await expect(run('export', [...direct(), '--what', 'outcome-table', '--format', 'csv'])).rejects.toThrow(/JSON Lines/)
    await expect(run('export', [...direct(), '--what', 'calls', '--where', 'model=x'])).rejects.toThrow(/by key only/)
    await expect(run('export', [...direct(), '--what', 'calls', '--output', join(folder, 'none', 'x')])).rejects.toThrow(/broke off/)
    await expect(run('export', [...direct(), '--what', 'everything'])).rejects.toMatchObject({ code: 'commander.invalidArgument' })
  })
})

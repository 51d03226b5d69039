import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HoldProcessResult, HoldProcessSettings } from './fixtures/hold-process.js'
import { createDatabase, hasPostgres, hasRedis, redisUrl, type TestDatabase } from './fixtures/services.js'

const postgres = await hasPostgres()
const redis = await hasRedis()
const prefix = `{test-${randomUUID()}}:`
const children = new Set<ChildProcess>()
let database: TestDatabase
beforeAll(async () => {
  if (postgres) database = await createDatabase()
}, 60_000)
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  if (postgres) await database.drop()
  if (!redis) return
  const client = new Redis(redisUrl)
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 }))
    if ((keys as string[]).length > 0) await client.unlink(...(keys as string[]))
  await client.quit()
}, 60_000)

const loader = fileURLToPath(new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url))
const program = fileURLToPath(new URL('./fixtures/hold-process.ts', import.meta.url))

/** Runs processes that begin at once, and tells what came of each. */
async function run(all: readonly HoldProcessSettings[]): Promise<HoldProcessResult[]> {
  const started = all.map((settings) => {
    const child = spawn(process.execPath, ['--import', loader, program, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
  })
  for (const { lines } of started) expect((await lines.next()).value).toBe('ready')
  for (const { child } of started) child.stdin.write('go\n')
  return Promise.all(started.map(async ({ lines }) => JSON.parse(String((await lines.next()).value)) as HoldProcessResult))
}

/** 1,000 calls for four processes, of sizes that no two neighbours share; a dollar is 10^12 grains. */
function callsOf(process: number, settled: boolean): HoldProcessSettings['calls'] {
  return Array.from({ length: 250 }, (_, index) => {
    const bound = 200_000_000n + ((BigInt(process * 250 + index + 1) * 6_364_136_223_846_793_005n) % 3_000_000_000n)
    return settled ? [String(bound), String((bound * BigInt(40 + ((index * 13) % 60))) / 100n)] : [String(bound)]
  })
}

describe.each([
  ['PostgreSQL', postgres, false],
  ['Redis in front of PostgreSQL', postgres && redis, true],
])('four processes share a limit through %s (skipped without the servers)', (_, here, inRedis) => {
  it.skipIf(!here).each([
    ['that keep what they reserve', false, 1_000_000_000_000n],
    ['that use less than they reserve', true, 800_000_000_000n],
  ])(
    '1,000 calls %s: never above the limit, and at least 97 % of it is used',
    async (_name, settled, limit) => {
      const counter = `shared:${randomUUID()}`
      const settings = [0, 1, 2, 3].map((index): HoldProcessSettings => ({
        holder: `${counter}/${index}`,
        postgres: database.url,
        redis: inRedis ? { url: redisUrl, prefix } : undefined,
        counter,
        limit: String(limit),
        calls: callsOf(index, settled),
        concurrency: settled ? 4 : 250,
      }))
      const results = await run(settings)
      const used = results.reduce((sum, result) => sum + BigInt(result.used), 0n)
      expect(results.map(({ failed }) => failed)).toEqual([0, 0, 0, 0])
      expect(results.reduce((sum, { granted, refused }) => sum + granted + refused, 0)).toBe(1000)
      expect(results.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0)
      expect(used).toBeLessThanOrEqual(limit)
      expect(used).toBeGreaterThanOrEqual((limit * 97n) / 100n)
      // What is counted is what was granted, to the grain.
      const [again] = await run([
        {
          ...(settings[0] as HoldProcessSettings),
          holder: randomUUID(),
          calls: [[String(limit - used + 1n)], [String(limit - used)]],
          concurrency: 1,
        },
      ])
      expect(again).toEqual({ used: String(limit - used), granted: 1, refused: 1, failed: 0 })
    },
    60_000,
  )
})

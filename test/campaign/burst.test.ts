import { describe, expect, it } from 'vitest'
import { burst, type BurstStore } from '../../bench/money/burst.js'
import { sources } from '../../bench/money/gateway-process.js'
import { missingPostgres, missingRedis } from '../../bench/money/services.js'

// Short versions; `npm run bench:money -- --campaign burst` has the long ones.
const held = async (store: BurstStore, processes: number, callers: number) => {
  const said: string[] = []
  const { violations, rows } = await burst({
    store,
    program: sources,
    runs: 1,
    callers,
    processes,
    usable: 0.92,
    seed: 7,
    say: (text) => void said.push(text),
  })
  expect(violations, said.join('\n')).toEqual([])
  expect(rows).toHaveLength(1)
}

describe('many callers against one hard budget', () => {
  it('never spend more than it, and nearly all of it: one process, the embedded database', () => held('embedded', 1, 60), 120_000)

  it.skipIf(missingPostgres())(`two processes on PostgreSQL${note(missingPostgres())}`, () => held('postgres', 2, 40), 120_000)

  it.skipIf(missingPostgres() ?? missingRedis())(
    `two processes on PostgreSQL with Redis in front${note(missingPostgres() ?? missingRedis())}`,
    () => held('redis', 2, 40),
    120_000,
  )
})

function note(why: string | undefined): string {
  return why === undefined ? '' : ` (skipped: ${why})`
}

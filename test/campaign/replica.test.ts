import { describe, expect, it } from 'vitest'
import { sources } from '../../bench/money/gateway-process.js'
import { replica } from '../../bench/money/replica.js'
import { missingPostgres, missingRedis } from '../../bench/money/services.js'

// Short versions; `npm run bench:money -- --campaign replica` has the long ones.
const held = async (store: 'postgres' | 'redis') => {
  const said: string[] = []
  const { violations, rows } = await replica({
    store,
    program: sources,
    runs: 1,
    callers: 8,
    loadMs: 300,
    seed: 17,
    say: (text) => void said.push(text),
  })
  expect(violations, said.join('\n')).toEqual([])
  expect(rows).toHaveLength(1)
}
const missing = { postgres: missingPostgres(), redis: missingPostgres() ?? missingRedis() }

describe('a replica that dies, what it had reserved becomes spend:', () => {
  for (const store of ['postgres', 'redis'] as const)
    it.skipIf(missing[store])(`${store}${missing[store] === undefined ? '' : ` (skipped: ${missing[store]})`}`, () => held(store), 240_000)
})

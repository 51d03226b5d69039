import { describe, expect, it } from 'vitest'
import { sources } from '../../bench/money/gateway-process.js'
import { kill } from '../../bench/money/kill.js'
import { missingPostgres } from '../../bench/money/services.js'

// Short versions; `npm run bench:money -- --campaign kill` has the long ones.
const held = async (store: 'embedded' | 'postgres', kills: number) => {
  const said: string[] = []
  const { violations, rows } = await kill({
    store,
    program: sources,
    kills,
    callers: 12,
    loadMs: 300,
    seed: 11,
    say: (text) => void said.push(text),
  })
  expect(violations, said.join('\n')).toEqual([])
  expect(rows).toHaveLength(kills)
}

describe('a gateway that is killed under load', () => {
  it('has every call in its books when it comes back: the embedded database', () => held('embedded', 3), 120_000)

  const missing = missingPostgres()
  it.skipIf(missing)(`PostgreSQL${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => held('postgres', 1), 120_000)
})

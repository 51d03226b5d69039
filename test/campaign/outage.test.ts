import { describe, expect, it } from 'vitest'
import { sources } from '../../bench/money/gateway-process.js'
import { outage, type OutageKind } from '../../bench/money/outage.js'
import { missingPostgres } from '../../bench/money/services.js'

// Short versions; `npm run bench:money -- --campaign outage` has the long ones.
const held = async (kind: OutageKind) => {
  const said: string[] = []
  const found = await outage({ kind, program: sources, runs: 1, callers: 8, partMs: 700, seed: 13, say: (text) => void said.push(text) })
  expect(found.violations, said.join('\n')).toEqual([])
  expect(found.rows).toHaveLength(1)
}
const missing = missingPostgres()
const note = missing === undefined ? '' : ` (skipped: ${missing})`

describe('under load', () => {
  it.skipIf(missing)(`PostgreSQL crashes and comes back${note}`, () => held('postgres-crash'), 120_000)

  it.skipIf(process.getuid?.() !== 0)(
    `the disk of the journal and the database is full for a while${process.getuid?.() === 0 ? '' : ' (skipped: a small file system takes root)'}`,
    () => held('disk'),
    120_000,
  )

  it('a webhook that never answers delays nothing', () => held('webhook'), 120_000)
})

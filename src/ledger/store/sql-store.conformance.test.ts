import { afterAll, describe, it } from 'vitest'
import { ledgerContract } from '../ledger-contract.js'
import { emptied, engines, type TestDatabase } from './fixtures/databases.js'
import { storeLedger } from './fixtures/store-ledger.js'
import { openStore } from './index.js'

for (const { name, there, make } of engines) {
  if (!there) {
    describe(`store, ${name}`, () => it.skip('keeps every promise of a ledger (no server)'))
    continue
  }
  let database: TestDatabase | undefined
  ledgerContract(`store, ${name}`, async () => {
    database ??= await make()
    await emptied(database.settings)
    return storeLedger(await openStore(database.settings))
  })
  afterAll(() => database?.drop())
}

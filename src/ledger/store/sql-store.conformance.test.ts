import { afterAll, describe, it } from 'vitest'
import { ledgerContract } from '../ledger-contract.js'
import { empty, engines, type TestDatabase } from './fixtures/databases.js'
import { storeLedger } from './fixtures/store-ledger.js'
import { openDatabase, SqlStore } from './index.js'

for (const { name, there, make } of engines) {
  if (!there) {
    describe(`store, ${name}`, () => it.skip('keeps every promise of a ledger (no server)'))
    continue
  }
  let database: TestDatabase | undefined
  ledgerContract(`store, ${name}`, async () => {
    database ??= await make()
    const connection = await openDatabase(database.settings)
    await empty(connection)
    return storeLedger(new SqlStore(connection))
  })
  afterAll(() => database?.drop())
}

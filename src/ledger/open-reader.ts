import { BursarError } from '../errors/index.js'
import type { LedgerReader } from './ledger.js'
import type { StoreSettings } from './store/contract.js'

/**
 * Opens a database to read its ledger, beside a gateway that may be using it: no table is made or changed, and on PostgreSQL the right to read
 * is enough. What a running gateway has not brought into its database yet (a moment's worth) is missing. The database's driver is loaded on first use.
 * Throws `ledger_unavailable` when the database isn't there now, `invalid_configuration` when it isn't a ledger of this version.
 */
export async function openLedgerReader(settings: StoreSettings): Promise<LedgerReader & { close(): Promise<void> }> {
  const [{ connect }, { migrations }, { SqlStore }, { storeFault }] = await Promise.all([
    import('./store/connect.js'),
    import('./store/migrations/index.js'),
    import('./store/sql-store.js'),
    import('./store/fault.js'),
  ])
  const connection = await connect(settings).catch((thrown: unknown) => {
    throw storeFault(thrown)
  })
  try {
    const versions = await connection.db.selectFrom('migrations').select('version').execute()
    const newest = Math.max(0, ...versions.map(({ version }) => Number(version)))
    if (newest !== migrations.length)
      throw unreadable(
        `The database has version ${newest} of the ledger's schema, and this program reads version ${migrations.length}. ` +
          (newest < migrations.length
            ? 'It is brought up to date when a gateway of this version starts on it.'
            : 'Use the version of Bursar that serves it.'),
      )
    return new SqlStore(connection)
  } catch (thrown) {
    await connection.close().catch(() => undefined)
    throw isNoTable(thrown) ? unreadable('This database holds no ledger of Bursar.') : storeFault(thrown)
  }
}

function isNoTable(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  return /no such table/.test(thrown.message) || ('code' in thrown && thrown.code === '42P01')
}

function unreadable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500 })
}

import { sql } from 'kysely'
import type { Migration } from './migration.js'

/** The live proof: a decision's part in it, and how an outcome was come by. The index holds trials only, so that other decisions cost nothing. */
export const trialsStep: Migration = {
  version: 4,
  name: 'trials',
  async up(db) {
    await db.schema.alterTable('decisions').addColumn('trial', 'text').execute()
    await db.schema.alterTable('outcomes').addColumn('sought', 'double precision').execute()
    await db.schema.alterTable('outcomes').addColumn('arm', 'integer').execute()
    await db.schema.createIndex('decisions_trials').on('decisions').columns(['at', 'id']).where(sql.ref('trial'), 'is not', null).execute()
  },
}

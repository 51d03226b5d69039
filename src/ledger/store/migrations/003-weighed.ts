import type { Migration } from './migration.js'

/** What was weighed for a decision, as compact JSON: hardly any bytes for the many decisions where nothing was. */
export const weighedStep: Migration = {
  version: 3,
  name: 'weighed',
  async up(db) {
    await db.schema.alterTable('decisions').addColumn('weighed', 'text').execute()
  },
}

import { accountsMigration } from '../../accounts/migration.js'
import type { Migration } from './migration.js'

export const accountsStep: Migration = { version: 2, name: 'accounts', up: (db) => accountsMigration.up(db) }

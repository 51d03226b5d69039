import { ledgerMigration } from './001-ledger.js'
import { accountsStep } from './002-accounts.js'
import { weighedStep } from './003-weighed.js'
import { trialsStep } from './004-trials.js'
import { scaleStep } from './005-scale.js'
import type { Migration } from './migration.js'

export type { Migration } from './migration.js'

/** Every step of the schema, in order. */
export const migrations: readonly Migration[] = [ledgerMigration, accountsStep, weighedStep, trialsStep, scaleStep]

import type { Kysely } from 'kysely'
import type { Engine } from '../connect.js'

/**
 * One step of the schema. A step that was released is never changed: a database that has it is refused when the step's statements are
 * others than those it was made by.
 */
export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number
  readonly name: string
  /** Runs in a transaction. May not read: its statements are also written down without a database, for the checksum. */
  up(db: Kysely<unknown>, engine: Engine): Promise<void>
}

import type { Context } from 'hono'
import { InvalidRequest } from '../../errors/index.js'
import type { Keyring } from '../keys.js'
import type { AdministeredAccounts } from './administration.js'
import type { LostCalls } from './lost-calls.js'
import type { UsageParts } from './usage.js'

/** What the admin API stands on. */
export interface AdminParts extends UsageParts {
  /** Of the newest configuration. */
  keyring(): Keyring
  /** `undefined` where there is no database. */
  accounts(): AdministeredAccounts | undefined
  /** `undefined` where there is no database. */
  lostCalls(): LostCalls | undefined
}

/** Lets the admin key pass; throws `admin_only` (403), `missing_key` or `invalid_key` (401). */
export function requireAdmin(c: Context, keyring: Keyring): void {
  keyring.requireAdmin(Object.fromEntries(c.req.raw.headers))
}

/** Who is at the admin key, for the audit: what they say, since one key may be in several hands. */
export function actorOf(c: Context): string {
  const path = c.req.header('x-bursar-actor') === undefined ? 'litellm-changed-by' : 'x-bursar-actor'
  const label = c.req.header(path)
  if (label === undefined || label === '') return 'admin'
  if (!/^[\x20-\x7e]{1,100}$/.test(label)) throw new InvalidRequest(`${path}: expected at most 100 printable ASCII characters.`, { path })
  return `admin (${label})`
}

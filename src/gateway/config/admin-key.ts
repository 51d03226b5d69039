import { MIN_KEY_LENGTH } from './accounts-schema.js'
import type { Environment } from './interpolate.js'
import { InvalidConfiguration } from './problem.js'

const fit = new RegExp(`^[\\x21-\\x7e]{${MIN_KEY_LENGTH},}$`)
const expected = `expected at least ${MIN_KEY_LENGTH} printable characters without spaces`

/**
 * The admin key of the environment: `BURSAR_ADMIN_KEY`, else `LITELLM_MASTER_KEY`. A master key that callers use here (`taken`) is
 * none, nor is one that is too easy to guess, and a note says so. Throws `InvalidConfiguration` when `BURSAR_ADMIN_KEY` is no good.
 */
export function adminFromEnvironment(env: Environment, taken: readonly unknown[], notes: string[]): { readonly key: string } | undefined {
  const own = env['BURSAR_ADMIN_KEY']?.trim() ?? ''
  if (own !== '' && !fit.test(own))
    throw new InvalidConfiguration('the environment', [
      { path: 'BURSAR_ADMIN_KEY', message: `${expected}; \`openssl rand -hex 24\` makes a good one` },
    ])
  if (own !== '') return { key: own }
  const master = env['LITELLM_MASTER_KEY']?.trim() ?? ''
  if (master === '' || taken.includes(master)) return undefined
  if (fit.test(master)) return { key: master }
  notes.push(`LITELLM_MASTER_KEY is set, but is no admin key here: ${expected}. The admin API stays off.`)
  return undefined
}

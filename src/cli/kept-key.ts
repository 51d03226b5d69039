import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isLoopback } from '../gateway/index.js'

/** A key that `bursar serve` without a configuration made for this folder: what callers send, or what manages the gateway. */
export type KeptKey = 'key' | 'admin-key'

export interface Kept {
  readonly key: string
  /** Where it is kept, from this folder. */
  readonly file: string
}

const fileOf = (name: KeptKey) => join('.bursar', name)

/** The key of this folder, made at the first start and kept, so that clients need not change at every restart. Its file is for its owner alone. */
export function keepKey(name: KeptKey): Kept {
  const file = fileOf(name)
  const kept = readKept(file)
  if (kept !== undefined) return { key: kept, file }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const key = `sk-bursar-${name === 'admin-key' ? 'admin-' : ''}${randomBytes(24).toString('hex')}`
  writeFileSync(file, `${key}\n`, { mode: 0o600 })
  chmodSync(file, 0o600)
  return { key, file }
}

/** The key that was made in this folder: for a gateway on this machine only, so that it is sent nowhere else. */
export function keptKeyFor(url: string, name: KeptKey): string | undefined {
  return URL.canParse(url) && isLoopback(new URL(url).hostname) ? readKept(fileOf(name)) : undefined
}

function readKept(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8').trim()
  return text === '' ? undefined : text
}

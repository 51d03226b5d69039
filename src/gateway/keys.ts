import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BursarError } from '../errors/index.js'
import { isLoopback } from './config/index.js'
import { MemoryBudget, unlimited, usd, type Budget } from '../quantities/index.js'

/** A key as the configuration gives it. The text of the key is never kept, only its SHA-256. */
export interface KeySettings {
  readonly name: string
  /** SHA-256 of the key, hexadecimal. */
  readonly hash: string
  /** Models that this key may name; `undefined` for all. A trailing `*` matches any ending. */
  readonly models?: readonly string[] | undefined
  readonly budgetUsd?: number | undefined
  /** Unix seconds. */
  readonly expiresAt?: number | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

export interface Key extends KeySettings {
  readonly budget: Budget
}

export function hashKey(text: string): string {
  return hash('sha256', text, 'hex')
}

/** The keys that may call. Looked up by hash, then compared in constant time. */
export class Keyring {
  private readonly byHash = new Map<string, Key>()

  /** `before`: the keyring that this one replaces; budgets of keys with the same name keep what was spent. */
  constructor(settings: readonly KeySettings[], before?: Keyring) {
    const spentBefore = new Map([...(before?.byHash.values() ?? [])].map((key) => [key.name, key.budget]))
    for (const entry of settings) {
      const kept = spentBefore.get(entry.name)
      const limits = { usd: entry.budgetUsd === undefined ? undefined : usd(entry.budgetUsd) }
      if (kept instanceof MemoryBudget) kept.adjust(limits)
      const budget = kept instanceof MemoryBudget ? kept : entry.budgetUsd === undefined ? unlimited : new MemoryBudget(`key ${entry.name}`, limits)
      this.byHash.set(entry.hash, { ...entry, budget })
    }
  }

  get size(): number {
    return this.byHash.size
  }

  /**
   * The key of a request. Without any keys configured everyone on this machine may call, but not a web page that a browser on it
   * shows: those are told by a foreign `Host` (DNS rebinding), an `Origin`, or a body that needs no preflight. Throws `missing_key`, `invalid_key` or `key_expired`, all 401. */
  authenticate(headers: IncomingHttpHeaders, nowSeconds: number): Key {
    if (this.byHash.size === 0) return anonymous(headers)
    const text = keyOf(headers)
    if (text === undefined)
      throw new BursarError('No key was sent. Send "Authorization: Bearer <key>" or "x-api-key: <key>"; the key is printed when Bursar starts.', {
        code: 'missing_key',
        status: 401,
      })
    const digest = hashKey(text)
    const key = this.byHash.get(digest)
    if (!key || !timingSafeEqual(Buffer.from(key.hash), Buffer.from(digest)))
      throw new BursarError('The key is not one of this gateway. Note that Bursar wants its own key, not a provider’s.', { code: 'invalid_key', status: 401 })
    if (key.expiresAt !== undefined && nowSeconds >= key.expiresAt)
      throw new BursarError(`The key "${key.name}" has expired.`, { code: 'key_expired', status: 401 })
    return key
  }
}

/** Throws `model_not_allowed` (403) when the key may not name this model. */
export function requireModel(key: Key, model: string): void {
  if (key.models === undefined) return
  for (const allowed of key.models) if (allowed === model || (allowed.endsWith('*') && model.startsWith(allowed.slice(0, -1)))) return
  throw new BursarError(`The key "${key.name}" may not use the model "${model}".`, { code: 'model_not_allowed', status: 403, path: 'model' })
}

const everyone: Key = { name: 'anonymous', hash: '', budget: unlimited }

function anonymous(headers: IncomingHttpHeaders): Key {
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  if (isLoopback(host) && headers.origin === undefined) return everyone
  throw new BursarError('Without keys in the configuration only programs on this machine may call. Configure keys to call from a web page or by another name.', {
    code: 'missing_key',
    status: 401,
  })
}

function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers
  if (authorization !== undefined) {
    const match = /^bearer +(\S+) *$/i.exec(authorization)
    if (match) return match[1]
  }
  const named = headers['x-api-key'] ?? headers['api-key'] ?? headers['x-goog-api-key']
  return typeof named === 'string' && named !== '' ? named : undefined
}

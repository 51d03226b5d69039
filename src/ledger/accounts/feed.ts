import { BursarError } from '../../errors/index.js'
import type { Account, AccountKind, AccountStore, KeyAccount } from './contract.js'

export interface AccountFeedSettings {
  /** How often the database is asked whether anything has changed; seconds. */
  readonly pollSeconds?: number | undefined
  /** How long it may be out of reach before keys from it are refused: one may have been revoked since; seconds. */
  readonly staleSeconds?: number | undefined
  /** How long one answer may take; seconds. */
  readonly answerSeconds?: number | undefined
  /** Told once when the database is out of reach, and once (without a fault) when it is back. */
  onFault?(fault: Error | undefined): void
}

/** Rows of one answer. */
const PAGE = 1000

/**
 * Accounts and keys of the database, kept in this process's memory and up to date with what other processes change. Looking up
 * waits for nothing and costs O(1); a poll costs one small query while nothing changes, and O(changes) otherwise.
 */
export class AccountFeed {
  private readonly keys = new Map<string, KeyAccount>()
  private readonly byHash = new Map<string, KeyAccount>()
  private readonly accounts = new Map<string, Account>()
  private known = 0
  private version = 0
  private freshAt = -Infinity
  private faulty = false
  private refreshing: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private closed = false

  constructor(
    private readonly store: Pick<AccountStore, 'revision' | 'changes'>,
    private readonly settings: AccountFeedSettings = {},
  ) {}

  /** Reads everything, then goes on asking. Throws `ledger_unavailable` when the database can't be read. */
  async start(): Promise<void> {
    await this.refresh()
    this.schedule()
  }

  /** Changes whenever an account or a key does. */
  get revision(): number {
    return this.version
  }

  /** Keys that were ever made, also those that are revoked. */
  get size(): number {
    return this.keys.size
  }

  keyByHash(hash: string): KeyAccount | undefined {
    return this.byHash.get(hash)
  }

  account(kind: AccountKind, id: string): Account | undefined {
    return this.accounts.get(`${kind}:${id}`)
  }

  ensureFresh(): void {
    const { staleSeconds = 60 } = this.settings
    if (now() - this.freshAt <= staleSeconds) return
    throw new BursarError('The database of keys can’t be asked now, so this key can’t be checked. Try again in a moment.', {
      code: 'ledger_unavailable',
      status: 503,
      retryAfterSeconds: 1,
    })
  }

  /**
   * Brings in what changed up to this call. Calls at the same time share the work, but none resolves with what was read before it was
   * made. Throws `ledger_unavailable`.
   */
  async refresh(): Promise<void> {
    // What is under way may have looked before the change that this call is about.
    const before = this.refreshing
    if (before !== undefined) await before.catch(() => undefined)
    this.refreshing ??= this.read().finally(() => (this.refreshing = undefined))
    return this.refreshing
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
  }

  private async read(): Promise<void> {
    try {
      for (;;) {
        const asked = now()
        const latest = await this.bounded(this.store.revision())
        if (latest === this.known) {
          this.fresh(asked)
          return
        }
        if (latest < this.known) this.forget()
        const { revision, accounts, keys, deleted, more } = await this.bounded(this.store.changes(this.known, PAGE))
        for (const account of accounts) this.accounts.set(`${account.kind}:${account.id}`, account)
        for (const { kind, id } of deleted) this.accounts.delete(`${kind}:${id}`)
        for (const key of keys) this.takeKey(key)
        this.known = revision
        this.version++
        if (!more) {
          this.fresh(asked)
          return
        }
      }
    } catch (thrown) {
      if (!this.faulty) this.settings.onFault?.(thrown instanceof Error ? thrown : new Error(String(thrown)))
      this.faulty = true
      throw thrown
    }
  }

  /** The database is another one, or an older copy of it: nothing that was read before counts. */
  private forget(): void {
    this.keys.clear()
    this.byHash.clear()
    this.accounts.clear()
    this.known = 0
    this.version++
  }

  private takeKey(key: KeyAccount): void {
    const before = this.keys.get(key.id)
    if (before !== undefined) {
      this.byHash.delete(before.hash)
      if (before.previous !== undefined) this.byHash.delete(before.previous.hash)
    }
    this.keys.set(key.id, key)
    this.byHash.set(key.hash, key)
    if (key.previous !== undefined) this.byHash.set(key.previous.hash, key)
  }

  private fresh(asked: number): void {
    this.freshAt = asked
    if (this.faulty) this.settings.onFault?.(undefined)
    this.faulty = false
  }

  private schedule(): void {
    if (this.closed) return
    const { pollSeconds = 0.5 } = this.settings
    this.timer = setTimeout(() => {
      this.refresh()
        // Told by `onFault`; the next poll tries again.
        .catch(() => undefined)
        .finally(() => this.schedule())
    }, pollSeconds * 1000).unref()
  }

  /** A database that never answers is one that can't be asked. */
  private async bounded<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { answerSeconds = 10 } = this.settings
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new BursarError('The database of keys did not answer in time.', {
              code: 'ledger_unavailable',
              status: 503,
              retryAfterSeconds: 1,
            }),
          ),
        answerSeconds * 1000,
      ).unref()
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Monotonic: a clock that is set back must not make old knowledge fresh. Seconds. */
function now(): number {
  return performance.now() / 1000
}

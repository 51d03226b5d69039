import { BursarError, InvalidRequest } from '../../errors/index.js'
import {
  accountKinds,
  chainOf,
  isBroken,
  type Account,
  type AccountFeed,
  type AccountKind,
  type AccountPatch,
  type AccountStore,
  type KeyAccount,
  type KeyPatch,
  type NewAccount,
  type NewKey,
  type Parents,
  type Subject,
  type TopUp,
} from '../../ledger/index.js'
import type { Keyring } from '../keys.js'
import { makeKeyId, makeSecret } from './secret.js'

/** The database's accounts as the admin API needs them. */
export interface AdministeredAccounts {
  readonly store: AccountStore
  /** What this process knows of it: brought up to date before a change is answered. */
  readonly feed: Pick<AccountFeed, 'refresh'>
}

/** A key with its text: shown to whoever made it, and never again. */
export interface MadeKey {
  readonly key: KeyAccount
  readonly text: string
}

/** Settings of a key that is to be made. */
export type KeyToMake = Omit<NewKey, 'id' | 'hash' | 'prefix'>

/**
 * What an operator does to keys and accounts, over configuration and database together: what the configuration has is seen here and
 * changed there. Every change has taken effect in this process when it resolves.
 */
export class Administration {
  constructor(
    private readonly keyring: () => Keyring,
    private readonly accounts: () => AdministeredAccounts | undefined,
  ) {}

  get store(): AccountStore {
    return this.opened.store
  }

  async createKey(settings: KeyToMake, by: string): Promise<MadeKey> {
    await this.opened.feed.refresh()
    const { name } = settings
    if (this.keyring().namesOfConfiguration(name))
      throw new BursarError(`The configuration has a key "${name}" already; records go by the name, so it has to be another one.`, {
        code: 'already_exists',
        status: 409,
        path: 'name',
      })
    this.requireParents(settings)
    const { text, hash, prefix } = makeSecret()
    const key = await this.store.createKey({ ...settings, id: makeKeyId(), hash, prefix }, by)
    // The key is made and its text known nowhere else: it must be answered, even if this process sees the key only with the next poll.
    await this.opened.feed.refresh().catch(() => undefined)
    return { key, text }
  }

  /** By id, else by name; of the revoked ones with a name the latest. Throws `not_found` (404). */
  async key(reference: string): Promise<KeyAccount> {
    const configured = this.keyring()
      .keysOfConfiguration()
      .find(({ name, id }) => name === reference || id === reference)
    if (configured !== undefined) return configured
    const byId = await this.store.key(reference)
    if (byId !== undefined) return byId
    const { items } = await this.store.keys({ name: reference, revoked: true, limit: 1000 })
    const found = items.find(({ revokedAt }) => revokedAt === undefined) ?? items[0]
    if (found === undefined) throw new BursarError(`There is no key "${reference}".`, { code: 'not_found', status: 404, path: 'id' })
    return found
  }

  async updateKey(reference: string, patch: (key: KeyAccount) => KeyPatch, by: string): Promise<KeyAccount> {
    await this.opened.feed.refresh()
    const key = await this.changeableKey(reference)
    const changes = patch(key)
    const parents = { organisation: key.organisation, team: key.team, user: key.user }
    for (const kind of accountKinds) {
      const changed = changes[kind]
      if (changed !== undefined) parents[kind] = changed ?? undefined
    }
    this.requireParents(parents)
    return this.settled(await this.store.updateKey(key.id, changes, by))
  }

  async rotateKey(reference: string, graceSeconds: number, by: string): Promise<MadeKey> {
    const { id } = await this.changeableKey(reference)
    const { text, hash, prefix } = makeSecret()
    const key = await this.store.rotateKey(id, { hash, prefix }, graceSeconds, by)
    await this.opened.feed.refresh().catch(() => undefined)
    return { key, text }
  }

  async revokeKey(reference: string, by: string): Promise<KeyAccount> {
    const { id } = await this.changeableKey(reference)
    return this.settled(await this.store.revokeKey(id, by))
  }

  async createAccount(account: NewAccount, by: string): Promise<Account> {
    await this.opened.feed.refresh()
    const { kind, id } = account
    if (this.keyring().account(kind, id)?.source === 'configuration')
      throw new BursarError(`The configuration has a ${kind} "${id}" already.`, { code: 'already_exists', status: 409, path: 'id' })
    requireFittingParents(kind, account)
    this.requireParents({ organisation: account.organisation, team: account.team })
    return this.settled(await this.store.createAccount(account, by))
  }

  async account(kind: AccountKind, id: string): Promise<Account> {
    const account = this.keyring().account(kind, id)
    const found = account?.source === 'configuration' ? account : await this.store.account(kind, id)
    if (found === undefined) throw new BursarError(`There is no ${kind} "${id}".`, { code: 'not_found', status: 404, path: 'id' })
    return found
  }

  async updateAccount(kind: AccountKind, id: string, patch: (account: Account) => AccountPatch, by: string): Promise<Account> {
    await this.opened.feed.refresh()
    const account = await this.changeableAccount(kind, id)
    const changes = patch(account)
    requireFittingParents(kind, changes)
    const { organisation = account.organisation, team = account.team } = changes
    this.requireParents({ organisation: organisation ?? undefined, team: team ?? undefined })
    return this.settled(await this.store.updateAccount(kind, id, changes, by))
  }

  async deleteAccount(kind: AccountKind, id: string, by: string): Promise<void> {
    await this.changeableAccount(kind, id)
    await this.settled(await this.store.deleteAccount(kind, id, by))
  }

  async topUp(subject: Subject, topUp: TopUp, by: string): Promise<Account | KeyAccount> {
    const { kind, id } = subject
    const changeable = kind === 'key' ? await this.changeableKey(id) : await this.changeableAccount(kind, id)
    return this.settled(await this.store.topUp({ kind, id: changeable.id }, topUp, by))
  }

  private get opened(): AdministeredAccounts {
    const accounts = this.accounts()
    if (accounts === undefined)
      throw new BursarError('This gateway keeps no database, so it has no keys but those of its configuration.', {
        code: 'ledger_unavailable',
        status: 503,
      })
    return accounts
  }

  private async changeableKey(reference: string): Promise<KeyAccount> {
    const key = await this.key(reference)
    if (key.source === 'configuration')
      throw new InvalidRequest(`The key "${key.name}" is in the configuration; change it there.`, { path: 'id' })
    return key
  }

  private async changeableAccount(kind: AccountKind, id: string): Promise<Account> {
    const account = await this.account(kind, id)
    if (account.source === 'configuration')
      throw new InvalidRequest(`The ${kind} "${id}" is in the configuration; change it there.`, { path: 'id' })
    return account
  }

  /** A parent that isn't there, or two that contradict each other, would leave the key without limits that were meant. */
  private requireParents(parents: Parents): void {
    const find = (kind: AccountKind, id: string) => this.keyring().account(kind, id)
    for (const kind of accountKinds) {
      const id = parents[kind]
      if (id !== undefined && find(kind, id) === undefined)
        throw new InvalidRequest(
          `${kind}: there is no ${kind} "${id}"; make it first (POST /admin/accounts, or bursar accounts create ${kind} ${id}).`,
          { path: kind },
        )
    }
    const chain = chainOf(parents, find)
    if (isBroken(chain))
      throw new InvalidRequest(`These accounts don't fit together: ${chain.fault}.`, { path: parents.user === undefined ? 'team' : 'user' })
  }

  /** Waits until this process goes by a change that was made. */
  private async settled<Result>(result: Result): Promise<Result> {
    try {
      await this.opened.feed.refresh()
    } catch (cause) {
      throw new BursarError(
        'The change is made, but this process can’t read it back now; it takes effect here once the database answers again.',
        {
          code: 'ledger_unavailable',
          status: 503,
          retryAfterSeconds: 1,
          cause,
        },
      )
    }
    return result
  }
}

function requireFittingParents(
  kind: AccountKind,
  { organisation, team }: { readonly organisation?: string | null | undefined; readonly team?: string | null | undefined },
): void {
  if (team !== undefined && team !== null && kind !== 'user')
    throw new InvalidRequest(`team: only users and keys are under a team, not a ${kind}.`, { path: 'team' })
  if (organisation !== undefined && organisation !== null && kind === 'organisation')
    throw new InvalidRequest('organisation: an organisation is under no other.', { path: 'organisation' })
}

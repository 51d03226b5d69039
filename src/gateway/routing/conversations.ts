import { hash } from 'node:crypto'
import type { Request } from '../../protocol/index.js'
import type { ArmId, Session } from '../../routing/index.js'

/** How long providers keep a prompt in their caches where nobody asks for longer; seconds. */
const CACHE_SECONDS = 300
/** After this long a conversation is a new one; seconds. */
const FORGET_SECONDS = 3600
const MOST_CONVERSATIONS = 20_000
/** Characters of a message by which a conversation without a name is told from others. */
const MOST_CHARACTERS = 4000

interface Kept {
  readonly arm: ArmId
  readonly tokens: number
  readonly turns: number
  /** Seconds of a steady clock. */
  readonly at: number
}

/**
 * Which arm answered a conversation last, and how much of it that arm's provider still has in its prompt cache. The newest 20,000
 * conversations, each for an hour; never any of their text.
 */
export class Conversations {
  private readonly kept = new Map<string, Kept>()

  /** `now`: seconds of a steady clock. */
  constructor(private readonly now: () => number) {}

  session(id: string): Session | undefined {
    const kept = this.kept.get(id)
    if (kept === undefined) return undefined
    const age = this.now() - kept.at
    if (age > FORGET_SECONDS) {
      this.kept.delete(id)
      return undefined
    }
    return { arm: kept.arm, warmTokens: age <= CACHE_SECONDS ? kept.tokens : 0, turns: kept.turns }
  }

  /** `tokens`: what the provider has read and written of the conversation by now. */
  answered(id: string, arm: ArmId, tokens: number): void {
    const turns = (this.kept.get(id)?.turns ?? 0) + 1
    this.kept.delete(id)
    this.kept.set(id, { arm, tokens, turns, at: this.now() })
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_CONVERSATIONS) break
      this.kept.delete(oldest)
    }
  }
}

/**
 * Names the conversation of a request within its key: by the session that the caller named, else by how it begins, since every turn sends
 * the beginning again. Two conversations of a key that begin alike share a name, and no more than an arm and a count hang on it.
 */
export function conversationOf(keyId: string, { session }: { readonly session?: string | undefined }, request: Request): string {
  if (session !== undefined) return `${keyId}\0session\0${session}`
  const first: string[] = []
  for (const role of ['system', 'developer', 'user'] as const) {
    const message = request.messages.find((one) => one.role === role)
    first.push(role, ...(message?.parts ?? []).flatMap((part) => (part.type === 'text' ? part.text.slice(0, MOST_CHARACTERS) : part.type)))
  }
  return `${keyId}\0${hash('sha256', first.join('\0'), 'base64')}`
}

/** Whether a request goes on with something: the caller says so, or a model has spoken in it before. */
export function continues({ session }: { readonly session?: string | undefined }, request: Request): boolean {
  return session !== undefined || request.messages.some(({ role }) => role === 'assistant')
}

/**
 * Stands for the end user that a request names, of its key; what is learned of a user's taste is kept by it, never by the name.
 * `undefined` where it names none.
 */
export function userOf(keyId: string, { user }: { readonly user?: string | undefined }): string | undefined {
  return user === undefined ? undefined : hash('sha256', `${keyId}\0user\0${user}`, 'base64url').slice(0, 22)
}

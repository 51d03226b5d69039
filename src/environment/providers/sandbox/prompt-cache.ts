import type { Clock } from '../../../quantities/index.js'
import type { PromptSegment } from './prompt.js'
import { segmentTokens } from './prompt.js'
import { tokenise } from './tokens.js'

/** Automatic caching works on whole blocks of so many tokens. */
const BLOCK_TOKENS = 64
/** Shorter prompts are not worth caching (real providers start at 1,024; a simulator is tried with shorter ones). */
const LEAST_TOKENS = 128
const MOST_ENTRIES = 50_000
const TTL_SECONDS = { '5m': 300, '1h': 3_600 }

/** How the input of a call splits up. */
export interface InputSplit {
  readonly fresh: number
  readonly read: number
  readonly write5m: number
  readonly write1h: number
}

interface Boundary {
  readonly hash: string
  readonly tokens: number
  readonly ttl: '5m' | '1h'
  readonly marked: boolean
}

/**
 * The simulated provider's prompt cache. Without marks it works as OpenAI's does: prefixes of whole blocks are kept and read at
 * the lower price, and writing is free. With `cache_control` marks it works as Anthropic's: a prefix is kept up to each mark, and
 * writing it is billed. Entries live five minutes or an hour after their last use; the oldest go first beyond a limit.
 */
export class PromptCache {
  /** Least recently used first. */
  private readonly entries = new Map<string, { ttl: number; expires: number }>()

  constructor(private readonly clock: Clock) {}

  /**
   * Splits a prompt's tokens into read, written and fresh, and remembers its prefixes. `scope` keeps models (and callers who say so)
   * apart.
   */
  use(scope: string, segments: readonly PromptSegment[]): InputSplit {
    const marked = segments.some((segment) => segment.cacheTtl !== undefined)
    const { boundaries, total } = marked ? markedBoundaries(scope, segments) : blockBoundaries(scope, segments)
    if (total < LEAST_TOKENS) return { fresh: total, read: 0, write5m: 0, write1h: 0 }
    const now = this.clock.monotonic()
    let read = 0
    let write5m = 0
    let write1h = 0
    for (const { hash, tokens } of [...boundaries].reverse()) {
      const entry = this.entries.get(hash)
      if (entry && entry.expires > now && tokens >= LEAST_TOKENS) {
        read = tokens
        break
      }
      if (entry) this.entries.delete(hash)
    }
    let reached = read
    for (const { hash, tokens, ttl, marked: billed } of boundaries) {
      if (tokens < LEAST_TOKENS) continue
      if (billed && tokens > reached) {
        if (ttl === '1h') write1h += tokens - reached
        else write5m += tokens - reached
        reached = tokens
      }
      const seconds = Math.max(TTL_SECONDS[ttl], this.entries.get(hash)?.ttl ?? 0)
      this.entries.delete(hash)
      this.entries.set(hash, { ttl: seconds, expires: now + seconds })
    }
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= MOST_ENTRIES) break
      this.entries.delete(oldest)
    }
    return { fresh: total - read - write5m - write1h, read, write5m, write1h }
  }
}

function markedBoundaries(scope: string, segments: readonly PromptSegment[]): { boundaries: Boundary[]; total: number } {
  const hasher = new PrefixHash(scope)
  const boundaries: Boundary[] = []
  let total = 0
  for (const segment of segments) {
    hasher.add(segment.text)
    total += segmentTokens(segment)
    if (segment.cacheTtl !== undefined) boundaries.push({ hash: hasher.value(), tokens: total, ttl: segment.cacheTtl, marked: true })
  }
  return { boundaries, total }
}

function blockBoundaries(scope: string, segments: readonly PromptSegment[]): { boundaries: Boundary[]; total: number } {
  const hasher = new PrefixHash(scope)
  const boundaries: Boundary[] = []
  let total = 0
  let next = BLOCK_TOKENS
  for (const { text, extraTokens } of segments) {
    for (const token of tokenise(text)) {
      hasher.add(token)
      total += 1
      if (total >= next) {
        boundaries.push({ hash: hasher.value(), tokens: total, ttl: '5m', marked: false })
        next = total + BLOCK_TOKENS
      }
    }
    // An image has no inner boundary.
    total += extraTokens
  }
  return { boundaries, total }
}

/** A running 64-bit hash (two FNV-1a with different offsets) of all text so far. */
class PrefixHash {
  private low = 0x811c9dc5
  private high = 0x9747b28c

  constructor(scope: string) {
    this.add(scope)
    this.add('\0')
  }

  add(text: string): void {
    let { low, high } = this
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      low = Math.imul(low ^ unit, 0x01000193)
      high = Math.imul(high ^ unit ^ (low >>> 16), 0x01000193)
    }
    this.low = low
    this.high = high
  }

  value(): string {
    return `${(this.low >>> 0).toString(36)}.${(this.high >>> 0).toString(36)}`
  }
}

import { hash } from 'node:crypto'
import type { Message, Request } from '../../protocol/index.js'
import type { Random } from '../../statistics/index.js'

/** After this long without a turn an unnamed conversation is a new one; seconds. */
const FORGET_SECONDS = 3600
const MOST_REMEMBERED = 20_000
/** Characters at either end of a text by which a message is told from others. */
const ENDS = 1000

/** Whether a request is held out to the reference arm, and how that was drawn. */
export interface Assignment {
  readonly heldOut: boolean
  /** Probability of that, fixed before the draw; in (0, 1). */
  readonly holdout: number
  /** The same text for all requests that were drawn as one. */
  readonly unit: string
}

export interface AssignmentQuestion {
  /** Probability with which a new conversation is held out; in (0, 1). */
  readonly holdout: number
  readonly keyId: string
  /** What the caller named, where it did. */
  readonly session: string | undefined
  readonly user: string | undefined
  readonly request: Pick<Request, 'messages'>
  /** Whether the request brings results of tools: what the model is in the middle of must not change hands. */
  readonly toolLoop: boolean
  readonly random: Random
}

interface Remembered {
  readonly assignment: Assignment
  /** Seconds of a steady clock. */
  readonly at: number
}

/**
 * Draws once for each conversation who is held out. A conversation that the caller names (`x-bursar-session`) is drawn by a hash of its
 * name, the same in every process and after a restart. Of others each turn is known by what stands before the model's last answer,
 * which is what an earlier request was; so requests that merely begin alike (a system prompt, examples) are drawn one by one. Remembers
 * the newest 20,000 requests, each for an hour: as hashes, never any text. O(length of the conversation's parts, at most 2,000
 * characters of each).
 */
export class Assignments {
  private readonly kept = new Map<string, Remembered>()

  /** `seed`: of the draws by name. `now`: seconds of a steady clock. */
  constructor(
    private readonly seed: number,
    private readonly now: () => number,
  ) {}

  /**
   * `undefined` for a request that is no part of the proof: it goes on with tools whose beginning nobody knows. Takes two random
   * numbers, or none.
   */
  assign({ holdout, keyId, session, user, request: { messages }, toolLoop, random }: AssignmentQuestion): Assignment | undefined {
    if (session !== undefined) return named(holdout, `${this.seed}\0${keyId}\0${session}`)
    const caller = `${keyId}\0${user ?? ''}`
    const before = answeredOf(messages)
    const known = before === undefined ? undefined : this.recall(nameOf(caller, before))
    if (known === undefined && toolLoop) return undefined
    const assignment = known ?? {
      heldOut: random.next() < holdout,
      holdout,
      unit: hash('sha256', `${caller}\0${this.now()}\0${random.next()}`, 'base64url').slice(0, UNIT_LENGTH),
    }
    this.remember(nameOf(caller, messages), assignment)
    return assignment
  }

  private recall(name: string): Assignment | undefined {
    const found = this.kept.get(name)
    if (found === undefined || this.now() - found.at > FORGET_SECONDS) return undefined
    return found.assignment
  }

  private remember(name: string, assignment: Assignment): void {
    this.kept.delete(name)
    this.kept.set(name, { assignment, at: this.now() })
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_REMEMBERED) break
      this.kept.delete(oldest)
    }
  }
}

const UNIT_LENGTH = 12

/**
 * The first 48 bits of a hash as a number in [0, 1): the same name falls on the same side, and on the same one again when the share is
 * raised.
 */
function named(holdout: number, name: string): Assignment {
  const digest = hash('sha256', `holdout\0${name}`, 'hex')
  return {
    heldOut: Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48 < holdout,
    holdout,
    unit: Buffer.from(digest.slice(12, 12 + 18), 'hex')
      .toString('base64url')
      .slice(0, UNIT_LENGTH),
  }
}

/** What stood before the model's last answer; `undefined` where no model has spoken. An answer may be several messages in a row. */
function answeredOf(messages: readonly Message[]): readonly Message[] | undefined {
  let at = messages.findLastIndex(({ role }) => role === 'assistant')
  if (at < 0) return undefined
  while (at > 0 && messages[at - 1]?.role === 'assistant') at--
  return messages.slice(0, at)
}

function nameOf(caller: string, messages: readonly Message[]): string {
  const said: string[] = [caller]
  for (const { role, parts } of messages) {
    said.push(role)
    for (const part of parts) {
      if (part.type === 'text') said.push(`${part.text.length}`, part.text.slice(0, ENDS), part.text.slice(-ENDS))
      else if (part.type === 'tool_call') said.push(part.id, part.name)
      else if (part.type === 'tool_result') said.push(part.callId)
      // Clients leave thoughts out of later turns.
      else if (part.type !== 'reasoning') said.push(part.type)
    }
  }
  return hash('sha256', said.join('\0'), 'base64')
}

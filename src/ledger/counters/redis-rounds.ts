import { randomUUID } from 'node:crypto'
import { ledgerUnavailable } from '../journal/unavailable.js'
import { within } from '../within.js'
import { pause } from './pauses.js'
import type { HoldsSnapshot } from './postgres-snapshot.js'
import { formatEpoch, parseEpoch, type Epoch } from './redis-epoch.js'
import type { RedisLink } from './redis-link.js'

export interface RoundSettings {
  readonly holder: string
  /** What the names of all keys begin with. */
  readonly prefix: string
  /** See `redis-settings.ts`. */
  readonly snapshot: () => Promise<HoldsSnapshot>
  readonly holders: () => Promise<readonly string[]>
  readonly fenceSeconds: number
  readonly flushSeconds: number
  readonly lifeOf: (counter: string) => number | undefined
  readonly onProblem: (message: string) => void
  /** Resolves when nothing that this process was granted can still be missing from the database. */
  readonly settled: () => Promise<void>
}

/** What holds in Redis now: how its keys are named, and the epoch that scripts must find. */
export interface Generation {
  readonly base: string
  readonly epoch: string
}

/** How long somebody may take to build before another does. */
const BUILDER_MILLISECONDS = 30_000
const ASK_AGAIN_SECONDS = 0.05
const KEYS_AT_ONCE = 500

/**
 * How processes agree on what is in Redis, above all after it has lost something. A generation of counters is made in a round:
 * everybody who is alive stops (scripts refuse, since the epoch is another), gets what it was granted into the database, and says so;
 * then one of them reads the open reservations and their balances from the database at one moment, writes them under new names, and
 * makes them the generation that holds. Counters that nobody holds are filled from the database when they are first used: nobody
 * has anything on them that isn't there.
 */
export class Rounds {
  /** The round in which this process told last, and the one in which it had told when it was asked to rebuild. */
  private told: string | undefined
  private toldBefore: string | undefined
  /** The generation it was part of last. */
  private joined: string | undefined

  constructor(
    private readonly settings: RoundSettings,
    /** Whether this process may have been granted something before it joined its first generation, which the database lacks. */
    private mustRebuild: boolean,
  ) {}

  get epochKey(): string {
    return `${this.settings.prefix}epoch`
  }

  /** Makes the next `join` begin a new round, or take part in one that it hasn't told of yet. */
  rebuild(): void {
    this.mustRebuild = true
    this.toldBefore = this.told
  }

  /** Resolves with the generation that holds, once this process is part of it. Rejects when the connection or the database fails. */
  async join(link: RedisLink, stopped: () => boolean): Promise<Generation> {
    while (!stopped()) {
      const text = await link.ask((redis) => redis.get(this.epochKey))
      const epoch = parseEpoch(text)
      const generation = epoch?.state === 'ready' ? { epoch: formatEpoch(epoch), base: this.base(epoch) } : undefined
      if (epoch === undefined || epoch.run !== link.run || (generation && !(await this.isPart(link, epoch)))) {
        await this.begin(link, text ?? '')
      } else if (generation) {
        this.joined = epoch.generation
        return generation
      } else {
        await this.tell(link, epoch.round)
        if (await this.mayBuild(link, epoch.round)) await this.build(link, epoch)
        else await pause(ASK_AGAIN_SECONDS)
      }
    }
    throw ledgerUnavailable('The ledger is closed.')
  }

  private base(epoch: Epoch): string {
    return `${this.settings.prefix}g:${epoch.generation}:`
  }

  /** A process that was left out of a round has reservations that the generation may lack. One that has just begun has none. */
  private async isPart(link: RedisLink, epoch: Epoch): Promise<boolean> {
    if (!this.mustRebuild && (this.joined === undefined || this.joined === epoch.generation)) return true
    if (this.told !== epoch.round || this.told === this.toldBefore) return false
    if ((await link.ask((redis) => redis.sismember(`${this.base(epoch)}members`, this.settings.holder))) === 0) return false
    this.mustRebuild = false
    return true
  }

  private async begin(link: RedisLink, old: string): Promise<void> {
    const round = randomUUID()
    // Where somebody else was faster, their round is as good.
    await link.script('swap', this.epochKey, [old, formatEpoch({ state: 'building', round, run: link.run, generation: '' })])
  }

  /** Says that all that this process was granted is in the database. */
  private async tell(link: RedisLink, round: string): Promise<void> {
    if (this.told === round) return
    await within(this.settings.flushSeconds, this.settings.settled(), 'the journal was not applied in time')
    const key = this.toldKey(round)
    await link.ask((redis) => redis.sadd(key, this.settings.holder))
    await link.ask((redis) => redis.expire(key, 3600))
    this.told = round
  }

  /** One at a time builds; who failed at it may try again. Two who do it at once write under two names, and one comes first. */
  private async mayBuild(link: RedisLink, round: string): Promise<boolean> {
    const key = `${this.settings.prefix}builder:${round}`
    const first = await link.ask((redis) => redis.set(key, this.settings.holder, 'PX', BUILDER_MILLISECONDS, 'NX'))
    return first !== null || (await link.ask((redis) => redis.get(key))) === this.settings.holder
  }

  private toldKey(round: string): string {
    return `${this.settings.prefix}told:${round}`
  }

  private async build(link: RedisLink, building: Epoch): Promise<void> {
    const members = await this.fence(link, building.round)
    const snapshot = await this.settings.snapshot()
    const ready: Epoch = { ...building, state: 'ready', generation: randomUUID() }
    const base = this.base(ready)
    await this.write(link, base, members, snapshot)
    const swapped = await link.script('swap', this.epochKey, [formatEpoch(building), formatEpoch(ready)])
    // Another was faster, or a new round has begun: what was written is cleaned up by whoever makes the next generation.
    if (swapped === 1) void this.clean(link, { base, epoch: formatEpoch(ready) }).catch(() => undefined)
  }

  /**
   * Waits until everybody alive has told. Who is alive and doesn't tell can't reach Redis but can reach the database: after `fenceSeconds`
   * what it was granted has been applied, or it has not applied its journal for that long. It has to begin a round of its own when it is back.
   */
  private async fence(link: RedisLink, round: string): Promise<readonly string[]> {
    const until = performance.now() + this.settings.fenceSeconds * 1000
    for (;;) {
      const alive = await this.settings.holders()
      const told = await link.ask((redis) => redis.smembers(this.toldKey(round)))
      const silent = alive.filter((holder) => !told.includes(holder))
      if (silent.length === 0) return told
      if (performance.now() > until) {
        this.settings.onProblem(
          `Counters in Redis are built without ${silent.join(', ')}: alive by the database, but silent in Redis for ${this.settings.fenceSeconds} s`,
        )
        return told
      }
      await link.ask((redis) => redis.pexpire(`${this.settings.prefix}builder:${round}`, BUILDER_MILLISECONDS))
      await pause(ASK_AGAIN_SECONDS)
    }
  }

  private async write(link: RedisLink, base: string, members: readonly string[], { holds, balances }: HoldsSnapshot): Promise<void> {
    for (const some of slices([...balances]))
      await link.ask((redis) => {
        const pipeline = redis.pipeline()
        for (const [counter, used] of some) {
          const life = this.settings.lifeOf(counter)
          if (life === undefined) pipeline.set(`${base}c:${counter}`, String(used))
          else pipeline.set(`${base}c:${counter}`, String(used), 'EX', life)
        }
        return allDone(pipeline.exec())
      })
    for (const some of slices(holds))
      await link.ask((redis) => {
        const pipeline = redis.pipeline()
        for (const { id, holder, at, lines, intent } of some)
          pipeline.hset(`${base}h:${holder}`, id, encodeEntry(at, lines, intent)).sadd(`${base}holders`, holder)
        return allDone(pipeline.exec())
      })
    if (members.length > 0) await link.ask((redis) => redis.sadd(`${base}members`, ...members))
  }

  /** Removes the keys of earlier generations, a slice at a time. O(all keys of the server). */
  private async clean(link: RedisLink, { base, epoch }: Generation): Promise<void> {
    const pattern = `${escapeGlob(`${this.settings.prefix}g:`)}*`
    let cursor = '0'
    do {
      const [next, keys] = await link.ask((redis) => redis.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_AT_ONCE))
      const old = keys.filter((key) => !key.startsWith(base))
      // Once the generation is over, what looks old may be the new one being written.
      if (old.length > 0 && (await link.script('remove', this.epochKey, [epoch, JSON.stringify(old)])) !== 1) return
      cursor = next
      await pause(0.001)
    } while (cursor !== '0' && link.up)
  }
}

/** A reservation as Redis has it: JSON. */
export function encodeEntry(at: number, lines: string, intent: string): string {
  return `{"at":${at},"lines":${lines},"intent":${intent}}`
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&')
}

function slices<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / KEYS_AT_ONCE) }, (_, index) =>
    items.slice(index * KEYS_AT_ONCE, (index + 1) * KEYS_AT_ONCE),
  )
}

async function allDone(executed: Promise<[error: Error | null, result: unknown][] | null>): Promise<void> {
  for (const [error] of (await executed) ?? []) if (error) throw error
}

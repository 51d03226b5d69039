import type { Redis } from 'ioredis'
import { within } from '../within.js'
import { countScript, fillScript, readScript, removeScript, swapScript } from './redis-scripts.js'

const scripts = { count: countScript, fill: fillScript, read: readScript, swap: swapScript, remove: removeScript }
export type ScriptName = keyof typeof scripts

/**
 * One connection to one run of a server. It is never opened again: whoever wants to go on opens another, and so learns whether the
 * server is still the one that it was.
 */
export interface RedisLink {
  /** Names the server since it was started: after a restart it is another, whatever data it has. */
  readonly run: string
  readonly up: boolean
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>
  script(name: ScriptName, key: string, args: readonly string[]): Promise<unknown>
  /** A command, with an answer in time or none. */
  ask<Answer>(command: (redis: Redis) => Promise<Answer>): Promise<Answer>
  drop(): void
}

/**
 * Opens a connection and asks what stands at its other end. Rejects when nothing answers in `seconds`, or the server would throw counters
 * away when its memory is full.
 */
export async function openLink(url: string, seconds: number): Promise<RedisLink> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: seconds * 1000,
    // Nothing is ever sent twice, or later than it was meant: a count that is made twice is wrong.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    keepAlive: 10_000,
    connectionName: 'bursar-counters',
  })
  let up = true
  const gone = new Promise<void>((resolve) => {
    const over = (): void => {
      up = false
      resolve()
    }
    redis.on('close', over).on('end', over)
  })
  // What goes wrong is told by the command that it goes wrong under.
  redis.on('error', () => undefined)
  const ask = <Answer>(command: (redis: Redis) => Promise<Answer>): Promise<Answer> =>
    within(seconds, command(redis), 'Redis did not answer in time')
  try {
    await within(seconds * 2, redis.connect(), 'Redis did not answer in time')
    const { run, problem } = facts(await ask((open) => open.info()))
    if (problem !== undefined) throw new Error(problem)
    const hashes: Record<string, string> = {}
    for (const [name, text] of Object.entries(scripts)) hashes[name] = String(await ask((open) => open.script('LOAD', text)))
    return {
      run,
      get up() {
        return up
      },
      gone,
      ask,
      script: (name, key, args) => ask((open) => open.evalsha(hashes[name] ?? '', 1, key, ...args)),
      drop: () => redis.disconnect(),
    }
  } catch (thrown) {
    redis.disconnect()
    throw thrown
  }
}

function facts(info: string): { readonly run: string; readonly problem?: string } {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const run = field('run_id')
  if (run === '') return { run, problem: 'Redis does not tell its run_id, so that a restart could not be noticed' }
  if (Number.parseInt(field('redis_version')) < 6) return { run, problem: 'Redis is older than version 6' }
  const policy = field('maxmemory_policy')
  if (field('maxmemory') !== '0' && policy !== 'noeviction')
    return { run, problem: `Redis throws keys away when its memory is full (maxmemory-policy ${policy}): budgets need noeviction` }
  return { run }
}

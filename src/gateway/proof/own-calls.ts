import type { Deployment, LiveEnvironment, LiveWorld } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import type { Money } from '../../quantities/index.js'
import type { Key } from '../keys.js'
import { openOwnEnvironment, type CallingState } from '../own-environment.js'

/**
 * In whose name judges and shadow calls are recorded: nobody's who calls, so that they are in no caller's budget, and in reports by
 * themselves.
 */
export const LEARNER = 'bursar:learning'

export type Purpose = 'judge' | 'shadow'

/**
 * Runs work in an environment of its own: calls like any other, recorded under key and organisation `bursar:learning` with the tag
 * `purpose`. `perDay` is a hard budget, counted where all budgets are, so it holds after a restart and between processes too. The state
 * that it began with stays until it is over.
 */
export async function withOwnCalls<T>(
  current: () => CallingState,
  purpose: Purpose,
  model: string,
  perDay: Money,
  signal: AbortSignal,
  run: (env: LiveEnvironment) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const attribution = { organisation: LEARNER, key: LEARNER, tags: { purpose } }
  const { env, end } = openOwnEnvironment(current(), keyOf(purpose, perDay), attribution, model, signal)
  try {
    return await run(env)
  } finally {
    end()
  }
}

function keyOf(purpose: Purpose, perDay: Money): Key {
  const level = {
    kind: 'key',
    id: `${LEARNER}/${purpose}`,
    name: `${LEARNER} (${purpose})`,
    rules: [{ unit: 'usd', limit: perDay, per: 'day', hard: true }],
  } as const
  return { id: level.id, name: LEARNER, source: 'none', modelLists: [], levels: [level], endUsers: [], runRules: [], requestRules: [] }
}

/** The most that a call of this model can cost; `null` where its price isn't known. */
export function mostUsd(world: Pick<LiveWorld, 'route' | 'bound'>, model: string, request: Request): Money | null {
  const deployments: readonly Deployment[] = world.route(model)?.deployments ?? []
  let most: Money | null = null
  for (const deployment of deployments) {
    const { usd } = world.bound(deployment, request).cost
    if (usd === null) return null
    if (most === null || usd > most) most = usd
  }
  return most
}

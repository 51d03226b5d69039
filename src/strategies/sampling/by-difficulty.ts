import { InvalidRequest } from '../../errors/index.js'
import type { CallOptions, Environment } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import type { Difficulty } from '../../understanding/index.js'
import type { Answer, PlannedUse, Strategy } from '../strategy.js'
import { loopFor, type LoopTable } from './loop-table.js'

export interface ByDifficultySettings {
  /** Ways to spend, by the ids that the table uses. */
  readonly loops: Readonly<Record<string, Strategy>>
  readonly table: LoopTable
  /** What may be spent on a question, in the table's unit. */
  readonly budget: number
  /** Where the table has nothing: one of `loops`. */
  readonly otherwise: string
  /** How hard a request is (`Features.difficulty`). */
  level(request: Request): Difficulty['level']
}

/** Spends on each request as the table has it for its difficulty (097). Streams where the chosen strategy does. Throws `InvalidRequest` where `otherwise` names no loop. */
export function byDifficulty({ loops, table, budget, otherwise, level }: ByDifficultySettings): Strategy {
  const fallback = Object.hasOwn(loops, otherwise) ? loops[otherwise] : undefined
  if (fallback === undefined) throw new InvalidRequest(`otherwise: "${otherwise}" is none of the loops.`, { path: 'otherwise' })
  const strategies = Object.values(loops)
  return {
    id: `by_difficulty(${Object.keys(loops).join(', ')})`,
    // Only one of them runs.
    plan: strategies.flatMap(({ plan }) => plan.map((use): PlannedUse => ({ ...use, expected: use.expected / strategies.length }))),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const cell = loopFor(table, level(request), budget)
      const chosen = cell !== null && Object.hasOwn(loops, cell.loop) ? (loops[cell.loop] ?? fallback) : fallback
      return yield* chosen.run(request, env, options)
    },
  }
}

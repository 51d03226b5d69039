import { BursarError, type ErrorCode } from '../errors/index.js'
import { UpstreamFailure, type CallOptions, type Environment } from '../environment/index.js'
import type { Delta, Request } from '../protocol/index.js'
import type { Answer, Strategy } from './strategy.js'

/** Failures of Bursar's own that another model may not share. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  'no_deployment_available',
  'context_length_exceeded',
  'unsupported_parameter',
  'model_not_found',
])

/**
 * Tries strategies in order: the next one runs when one fails before anything was yielded, for a reason that another may
 * not share. The last failure is thrown when all fail.
 */
export function fallback(strategies: readonly [Strategy, ...Strategy[]]): Strategy {
  if (strategies.length === 1) return strategies[0]
  return {
    id: `fallback(${strategies.map((strategy) => strategy.id).join(', ')})`,
    plan: strategies.flatMap(({ plan }, index) => plan.map((use) => ({ ...use, expected: index === 0 ? use.expected : 0 }))),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const failed: string[] = []
      for (const [index, strategy] of strategies.entries()) {
        let yielded = false
        const running = strategy.run(request, env, options)
        try {
          for (;;) {
            const step = await running.next()
            if (step.done) return { ...step.value, fellBackFrom: [...failed, ...step.value.fellBackFrom] }
            yielded = true
            yield step.value
          }
        } catch (thrown) {
          if (yielded || index === strategies.length - 1 || env.signal.aborted || !mayWorkElsewhere(thrown)) throw thrown
          failed.push(strategy.id)
        } finally {
          await running.return(undefined as never)
        }
      }
      throw new BursarError('A fallback needs at least one strategy.', { code: 'internal_error', status: 500 })
    },
  }
}

function mayWorkElsewhere(thrown: unknown): boolean {
  if (thrown instanceof UpstreamFailure) return thrown.retryable || ELSEWHERE.has(thrown.code)
  return BursarError.is(thrown) && ELSEWHERE.has(thrown.code)
}

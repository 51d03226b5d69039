import type { CallOptions, Environment } from '../../environment/index.js'
import { edit, type Delta, type Effort, type Request } from '../../protocol/index.js'
import type { Answer, Strategy } from '../../strategies/index.js'

/** The strategy with a reasoning effort for callers that ask for none themselves. */
export function atEffort(effort: Effort, strategy: Strategy): Strategy {
  return {
    ...strategy,
    id: `${strategy.id}@${effort}`,
    run: (request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> =>
      strategy.run(withEffort(request, effort), env, options),
  }
}

function withEffort(request: Request, effort: Effort): Request {
  const { reasoning } = request
  return reasoning?.effort !== undefined || reasoning?.maxTokens !== undefined
    ? request
    : edit(request, { reasoning: { ...reasoning, effort } })
}

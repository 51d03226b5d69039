import type { CallOptions, Environment, ModelId } from '../environment/index.js'
import type { Delta, Request } from '../protocol/index.js'
import type { Answer, Strategy } from './strategy.js'

/** One call of one model: what a caller without Bursar would have made. */
export function single(model: ModelId): Strategy {
  return {
    id: `single(${model})`,
    plan: [{ model, expected: 1, most: 1 }],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const completion = yield* env.call(model, request, options)
      return { completion, usage: completion.usage, cost: completion.cost, fellBackFrom: [] }
    },
  }
}

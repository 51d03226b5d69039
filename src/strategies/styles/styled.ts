import type { CallOptions, Environment } from '../../environment/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { saidAfter, whyPlain } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import { styleOf, type Style, type StyleId } from './style-library.js'

/**
 * The strategy with its model told to work in a style. The request goes as it is where a style would do harm: for JSON and tools, inside a tool
 * loop, and where the caller asks for reasoning (models that reason of themselves get no style text; see `preferredStyles`). Streams as the
 * inner strategy does. Throws `InvalidRequest` for an id that no style has.
 */
export function styled(id: StyleId, strategy: Strategy): Strategy {
  const style = styleOf(id)
  return {
    id: `styled(${style.id}, ${strategy.id})`,
    plan: strategy.plan.map((use) => ({ ...use, outputRatio: (use.outputRatio ?? 1) * style.outputRatio })),
    run: (request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> =>
      strategy.run(inStyle(request, style), env, options),
  }
}

/** The request with the style's text and stop hints, or the same request where no style fits. */
export function inStyle(request: Request, { text, stopHints }: Style): Request {
  const reasons = request.reasoning !== undefined && request.reasoning.effort !== 'none'
  if (reasons || whyPlain(request) !== undefined) return request
  const messages = saidAfter(request.messages, text)
  return edit(request, stopHints.length === 0 || request.stop !== undefined ? { messages } : { messages, stop: stopHints })
}

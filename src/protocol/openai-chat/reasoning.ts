import type { DropPolicy } from '../codec.js'
import type { Effort, Request } from '../conversation.js'
import { effortOf, reasoningPath, tellThoughtless } from '../reasoning-effort.js'

/**
 * Whether one of OpenAI's models reasons, by its name (with or without a maker's name in front). `undefined`: a name that
 * isn't OpenAI's, as of a compatible server's model or of a deployment.
 */
export function reasons(model: string): boolean | undefined {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  if (/^(?:gpt-[34]|chatgpt-4|gpt-5(?:\.\d+)?-chat|davinci|babbage)/.test(name)) return false
  return /^(?:o\d|gpt-[5-9]|gpt-oss|codex|computer-use)/.test(name) ? true : undefined
}

/** The effort that a server of OpenAI's formats is asked for; what it can't be asked for is told. */
export function askedEffort(request: Request, model: string, drop: DropPolicy): Effort | undefined {
  const { effort, maxTokens } = request.reasoning ?? {}
  const thinks = reasons(model)
  if (thinks === false) {
    tellThoughtless(request, drop)
    return undefined
  }
  if (effort !== undefined || maxTokens === undefined || thinks === true) return effortOf(request, drop)
  // A server whose models are not known may refuse an effort for those that don't think; a ceiling of tokens asks for none.
  drop.adjusted?.(
    reasoningPath(request, 'maxTokens'),
    'this server takes no number of thinking tokens; its model thinks as much as it does by default',
  )
  return undefined
}

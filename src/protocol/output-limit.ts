import type { DropPolicy } from './codec.js'
import { edit, type Request } from './conversation.js'

/**
 * The request with its ceiling of output tokens cut to what the model can write at most, noted. Clients ask for what their own
 * models can (Claude Code for 32,000 and more), and other models refuse a ceiling that they can't reach anyway.
 */
export function limitOutput(request: Request, most: number | undefined, drop: DropPolicy): Request {
  const { maxOutputTokens: asked, paths } = request
  if (asked === undefined || most === undefined || asked <= most) return request
  drop.adjusted?.(paths['maxOutputTokens'] ?? 'max_tokens', `this model writes at most ${most} tokens`)
  return edit(request, { maxOutputTokens: most })
}

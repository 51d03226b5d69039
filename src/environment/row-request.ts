import { BursarError, InvalidRequest } from '../errors/index.js'
import { openaiChat, type Request } from '../protocol/index.js'
import type { OutcomeRow } from './outcome-row.js'

/**
 * The request of a row in canonical form, as a gateway would have read it. Throws `InvalidRequest` with the field's path (`request.messages[0].role`) for what
 * is no request in OpenAI's chat form. Linear.
 */
export function requestOfRow({ request }: OutcomeRow): Request {
  try {
    return openaiChat.decodeRequest({ ...request, model: 'auto' })
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new InvalidRequest(`request.${thrown.message}`, { path: `request.${thrown.path ?? ''}`, cause: thrown })
  }
}

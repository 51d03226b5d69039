import { BursarError, InvalidRequest } from '../errors/index.js'
import { openaiChat, type Message, type Request } from '../protocol/index.js'
import type { OutcomeRow } from './outcome-row.js'

/**
 * The request of a row in canonical form, as a gateway would have read it. Throws `InvalidRequest` with the field's path
 * (`request.messages[0].role`) for what is no request in OpenAI's chat form. Linear; messages of plain text alone, as most tables have,
 * take no schema.
 */
export function requestOfRow({ request }: Pick<OutcomeRow, 'request'>): Request {
  const plain = plainRequest(request)
  if (plain) return plain
  try {
    return openaiChat.decodeRequest({ ...request, model: 'auto' })
  } catch (thrown) {
    if (!BursarError.is(thrown)) throw thrown
    throw new InvalidRequest(`request.${thrown.message}`, { path: `request.${thrown.path ?? ''}`, cause: thrown })
  }
}

/** What the decoder gives for messages of plain text and nothing else; `undefined` for anything more. */
function plainRequest(request: OutcomeRow['request']): Request | undefined {
  for (const field in request) if (field !== 'messages') return undefined
  const messages: Message[] = []
  for (const [at, message] of request.messages.entries()) {
    const { role, content } = message
    if (typeof content !== 'string' || (role !== 'user' && role !== 'system' && role !== 'assistant')) return undefined
    for (const field in message) if (field !== 'role' && field !== 'content') return undefined
    const place = `messages[${at}]`
    messages.push({ role, parts: content === '' ? [] : [{ type: 'text', text: content, at: `${place}.content` }], at: place })
  }
  return { model: 'auto', messages, stream: false, paths: {}, extra: [] }
}

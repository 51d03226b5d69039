import { requestOfRow, type OutcomeRow } from '../../environment/index.js'
import { fieldOf, isRecord } from './record-fields.js'

type TableRequest = OutcomeRow['request']

/** What a row says where a log holds no content: the marker that Bursar's own export uses. */
export const notStored: TableRequest = { messages: [{ role: 'user', content: '' }], contentStored: false }

/** Fields of a request body that are about the call, not about what is asked. */
const aboutTheCall = new Set([
  'model',
  'stream',
  'stream_options',
  'user',
  'metadata',
  'store',
  'service_tier',
  'api_key',
  'api_base',
  'litellm_params',
])

/**
 * The request that a log holds, in the table's form: a chat-completions body as it is (less what is about the call); else what can be read of it as plain
 * messages: a list of messages in any provider's form, a `prompt`, `input` or `contents`, or a bare text. What isn't text (images, tool calls) is lost then.
 * `undefined` where nothing can be read. Linear.
 */
export function askedRequest(value: unknown): TableRequest | undefined {
  if (typeof value === 'string') return value === '' ? undefined : { messages: [{ role: 'user', content: value }] }
  if (Array.isArray(value)) return plainMessages(value)
  if (!isRecord(value)) return undefined
  const messages = value['messages']
  if (Array.isArray(messages) && messages.length > 0 && messages.every(isMessage)) {
    const request: TableRequest = { messages }
    for (const [field, told] of Object.entries(value))
      if (field !== 'messages' && !aboutTheCall.has(field) && told !== null) request[field] = told
    if (decodes(request)) return request
    if (decodes({ messages })) return { messages }
  }
  const system = textOf(value['system'] ?? value['instructions'] ?? fieldOf(value, 'systemInstruction.parts'))
  const asked = askedRequest(
    messages ?? value['prompt'] ?? value['input'] ?? value['contents'] ?? value['query'] ?? value['question'] ?? value['content'],
  )
  if (asked === undefined || system === '') return asked
  return { ...asked, messages: [{ role: 'system', content: system }, ...asked.messages] }
}

/** The text of an answer in any of the usual forms: a text, a message, a chat completion, an Anthropic message, Gemini's candidates, a response's output. */
export function answerText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) {
    const last: unknown = value.at(-1)
    return isRecord(last) && 'role' in last ? answerText(last['content']) : textOf(value) || undefined
  }
  if (!isRecord(value)) return undefined
  const choice = Array.isArray(value['choices']) ? (value['choices'][0] as unknown) : undefined
  if (isRecord(choice)) return answerText(choice['message'] ?? choice['text'])
  const candidate = Array.isArray(value['candidates']) ? (value['candidates'][0] as unknown) : undefined
  if (isRecord(candidate)) return answerText(fieldOf(candidate, 'content.parts'))
  if (Array.isArray(value['output']))
    return (
      textOf(value['output'].flatMap((item: unknown) => (isRecord(item) && item['type'] === 'message' ? [item['content']] : []))) ||
      undefined
    )
  const inner =
    value['content'] ??
    value['output_text'] ??
    value['text'] ??
    value['completion'] ??
    value['output'] ??
    value['message'] ??
    value['response']
  return inner === undefined || inner === null ? undefined : answerText(inner)
}

function plainMessages(list: readonly unknown[]): TableRequest | undefined {
  const messages: TableRequest['messages'] = []
  for (const one of list) {
    const content = isRecord(one) ? textOf(one['content'] ?? one['parts'] ?? one['text']) : textOf(one)
    if (content === '') continue
    messages.push({ role: isRecord(one) ? plainRole(one['role'] ?? one['type']) : 'user', content })
  }
  return messages.length === 0 ? undefined : { messages }
}

function plainRole(role: unknown): string {
  switch (role) {
    case 'system':
    case 'developer':
      return 'system'
    case 'assistant':
    case 'model':
    case 'ai':
      return 'assistant'
    default:
      return 'user'
  }
}

/** All text within a content of any shape, a line each. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value))
    return value
      .map(textOf)
      .filter((text) => text !== '')
      .join('\n')
  if (!isRecord(value)) return ''
  return textOf(value['text'] ?? value['content'] ?? value['parts'])
}

function isMessage(value: unknown): value is TableRequest['messages'][number] {
  return isRecord(value) && typeof value['role'] === 'string' && value['role'] !== '' && 'content' in value
}

function decodes(request: TableRequest): boolean {
  try {
    requestOfRow({ request })
    return true
  } catch {
    return false
  }
}

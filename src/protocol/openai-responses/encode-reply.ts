import type { EncodeContext } from '../codec.js'
import type { Request } from '../conversation.js'
import type { Choice, Reply } from '../reply.js'
import { isContentType } from './content-type.js'
import {
  callItem,
  encodeLogprobs,
  incompleteReason,
  itemIds,
  messageItem,
  reasoningItem,
  refusalContent,
  responseObject,
  textContent,
  type Item,
} from './response-object.js'
import { callSeal, encryptedContent } from './seal.js'

/**
 * Writes a whole response with `cost` and `cost_details` in its usage. The format holds one choice: the first. Blocks that
 * only another format knows are left out.
 */
export function encodeReply(reply: Reply, context: EncodeContext): Record<string, unknown> {
  const { request, usage, cost } = context
  const head = {
    id: reply.id === '' ? context.id : reply.id,
    model: reply.model === '' ? request.model : reply.model,
    created: reply.created,
  }
  const choice: Choice = reply.choices[0] ?? { parts: [], finish: 'stop' }
  const refused = choice.parts.some((part) => part.type === 'refusal')
  const end = { finish: choice.finish, refused, usage, cost, serviceTier: reply.reported?.serviceTier }
  return responseObject(request, head, outputItems(choice, head.id, request), end)
}

/** Whether the caller wants the reasoning: unless it said no. */
export function showsReasoning(request: Request): boolean {
  return request.reasoning?.visible !== false
}

function outputItems(choice: Choice, responseId: string, request: Request): Item[] {
  const items: Item[] = []
  const nextId = itemIds(responseId)
  let content: Item[] = []
  let logprobs = choice.logprobs
  const flush = (): void => {
    if (content.length > 0) items.push(messageItem(nextId('msg'), 'completed', content))
    content = []
  }
  for (const part of choice.parts) {
    switch (part.type) {
      case 'text':
        content.push(textContent(part.text, logprobs ? encodeLogprobs(logprobs) : []))
        logprobs = undefined
        break
      case 'refusal':
        content.push(refusalContent(part.text))
        break
      case 'reasoning': {
        if (!showsReasoning(request)) break
        flush()
        const sealed = encryptedContent(part)
        if (part.text !== '' || sealed !== undefined) items.push(reasoningItem(ownId(part) ?? nextId('rs'), part.text, sealed))
        break
      }
      case 'tool_call':
        flush()
        if (part.signature !== undefined) items.push(reasoningItem(nextId('rs'), '', callSeal(part.signature)))
        items.push(callItem(nextId('fc'), 'completed', part, part.arguments === '' ? '{}' : part.arguments))
        break
      case 'native':
        if (part.format !== 'openai-responses') break
        if (isContentType(part.value['type'])) {
          content.push({ ...part.value })
          break
        }
        flush()
        items.push({ ...part.value })
        break
      // Models answer with none of these in this format.
      case 'image':
      case 'audio':
      case 'file':
      case 'tool_result':
        break
    }
  }
  flush()
  const last = items.at(-1)
  if (last !== undefined && 'status' in last && incompleteReason(choice.finish, false) === 'max_output_tokens')
    last['status'] = 'incomplete'
  return items
}

/** OpenAI's own id of a piece of reasoning, by which it knows it again. */
export function ownId(part: { readonly signatureFormat?: string | undefined; readonly id?: string | undefined }): string | undefined {
  return part.signatureFormat === undefined || part.signatureFormat === 'openai-responses' ? part.id : undefined
}

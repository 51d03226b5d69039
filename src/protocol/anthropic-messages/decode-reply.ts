import type { Part } from '../conversation.js'
import { argumentsText } from '../exact-numbers.js'
import { arrayOf, isObject, stringOf, textOf, type JsonObject } from '../json-value.js'
import type { Reply } from '../reply.js'
import { anthropicUsage } from '../usage.js'
import { decodeRedacted, decodeThinking } from './decode-content.js'
import { malformed, streamEventError } from './errors.js'
import { finishReason } from './stop-reason.js'

/**
 * Reads an answer of Anthropic, and `text`, which it was parsed from. It names no time, so `created` (Unix seconds) is handed in.
 * Citations of a text have no canonical form and are left behind. Throws `BursarError` `upstream_malformed`.
 */
export function decodeMessagesReply(json: unknown, created: number, text?: string): Reply {
  if (!isObject(json)) throw malformed('it is not a JSON object')
  if (json['type'] === 'error') throw streamEventError(json)
  if (!Array.isArray(json['content'])) throw malformed('it has no content')
  return {
    id: stringOf(json['id']) ?? '',
    model: stringOf(json['model']) ?? '',
    created,
    choices: [
      {
        parts: arrayOf(json['content']).flatMap((block, index) => decodeReplyBlock(block, index, text)),
        finish: finishReason(json['stop_reason']),
        stopSequence: textOf(json['stop_sequence']),
      },
    ],
    reported: anthropicUsage(json['usage']),
  }
}

function decodeReplyBlock(block: unknown, index: number, whole: string | undefined): Part[] {
  if (!isObject(block)) throw malformed('a content block is not an object')
  switch (block['type']) {
    case 'text': {
      const text = stringOf(block['text']) ?? ''
      return text === '' ? [] : [{ type: 'text', text }]
    }
    case 'thinking':
      return [decodeThinking(stringOf(block['thinking']) ?? '', stringOf(block['signature']) ?? '')]
    case 'redacted_thinking':
      return [decodeRedacted(stringOf(block['data']) ?? '')]
    case 'tool_use':
      return [{ type: 'tool_call', ...callNames(block), arguments: argumentsText(block['input'], whole, 'content', index, 'input') }]
    default:
      return [{ type: 'native', format: 'anthropic-messages', value: block }]
  }
}

/** Id and name of a tool call; without a name it can't be answered. */
export function callNames(block: JsonObject): { readonly id: string; readonly name: string } {
  const name = textOf(block['name'])
  if (name === undefined) throw malformed('a tool call has no name')
  return { id: stringOf(block['id']) ?? '', name }
}

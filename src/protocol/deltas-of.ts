import type { Part } from './conversation.js'
import type { Delta, Reply } from './reply.js'

/** The deltas that a stream of this whole reply would have had: for callers who stream from a provider that did not. */
export function* deltasOf(reply: Reply): Generator<Delta> {
  yield { type: 'start', id: reply.id, model: reply.model, created: reply.created }
  for (const [choice, { parts, finish, stopSequence, logprobs }] of reply.choices.entries()) {
    let unsaid = logprobs
    for (const [part, content] of parts.entries()) {
      yield* partDeltas(choice, part, content, unsaid)
      if (content.type === 'text') unsaid = undefined
    }
    yield { type: 'finish', choice, reason: finish, stopSequence }
  }
  if (reply.reported) yield { type: 'usage', reported: reply.reported }
}

function* partDeltas(choice: number, part: number, content: Part, logprobs: Reply['choices'][number]['logprobs']): Generator<Delta> {
  switch (content.type) {
    case 'text':
      yield { type: 'text', choice, part, text: content.text, logprobs }
      return
    case 'refusal':
      yield { type: 'refusal', choice, part, text: content.text }
      return
    case 'reasoning':
      if (content.text !== '') yield { type: 'reasoning', choice, part, text: content.text }
      if (content.signature !== undefined && content.signatureFormat !== undefined)
        yield {
          type: 'reasoning_signature',
          choice,
          part,
          signature: content.signature,
          signatureFormat: content.signatureFormat,
          redacted: content.redacted,
          id: content.id,
        }
      return
    case 'tool_call':
      yield { type: 'tool_call', choice, part, id: content.id, name: content.name, signature: content.signature }
      if (content.arguments !== '') yield { type: 'tool_arguments', choice, part, json: content.arguments }
      return
    case 'native':
      yield { type: 'native', choice, part, format: content.format, value: content.value }
      return
    // Models answer with none of these; a provider that does is passed through in its own format.
    case 'image':
    case 'audio':
    case 'file':
    case 'tool_result':
  }
}

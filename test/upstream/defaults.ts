import { countTokensReply, messagesReply, messagesStream } from './anthropic.js'
import type { Behaviour, ReceivedRequest } from './behaviour.js'
import { embeddingsReply } from './embeddings.js'
import { geminiReply, geminiStream } from './gemini.js'
import { chatReply, chatStream, openaiError } from './openai-chat.js'
import { responsesReply, responsesStream } from './openai-responses.js'

/** What the upstream answers when nothing is scripted: a well-formed answer of the format that the path belongs to. */
export function defaultBehaviour(request: ReceivedRequest): Behaviour {
  const { path, method } = request
  const model = stringField(request.json, 'model') ?? 'mock'
  const stream = field(request.json, 'stream') === true
  if (method === 'GET' && path.endsWith('/models')) return modelsReply([model, 'mock-large'])
  if (method !== 'POST') return openaiError(405, `${method} is not allowed here`)
  if (path.endsWith('/chat/completions')) {
    const withUsage = field(field(request.json, 'stream_options'), 'include_usage') === true
    return stream ? chatStream(withUsage ? { model } : { model, usage: null }) : chatReply({ model })
  }
  if (path.endsWith('/messages')) return stream ? messagesStream({ model }) : messagesReply({ model })
  if (path.endsWith('/messages/count_tokens')) return countTokensReply(12)
  if (path.endsWith('/responses')) return stream ? responsesStream({ model }) : responsesReply({ model })
  if (path.endsWith('/embeddings')) {
    const input = field(request.json, 'input')
    const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1
    return embeddingsReply({ inputs, base64: field(request.json, 'encoding_format') === 'base64', model })
  }
  const gemini = /\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path)
  if (gemini) return gemini[2] === 'generateContent' ? geminiReply({ model: gemini[1] ?? '' }) : geminiStream({ model: gemini[1] ?? '' })
  return openaiError(404, `no such path: ${path}`)
}

/** A model list as OpenAI writes it. */
export function modelsReply(ids: readonly string[]): Behaviour {
  return { body: { object: 'list', data: ids.map((id) => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'upstream' })) } }
}

/** A field of a value that may not be an object. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}

export function stringField(value: unknown, name: string): string | undefined {
  const found = field(value, name)
  return typeof found === 'string' ? found : undefined
}

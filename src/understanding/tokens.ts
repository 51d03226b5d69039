import type { Part, Request } from '../protocol/index.js'
import { imageTokens } from './image-tokens.js'
import { encodingOf, modelFamily, tokenFactor } from './model-family.js'
import { likelyMedia } from './token-bounds.js'
import { TextCounter, type TokenCount } from './tokenizer.js'

/**
 * Counts the input tokens of a request for a model. Exact for text to OpenAI's models (messages are wrapped as
 * https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken says: three tokens and the role for each, one more
 * for a name, three for the beginning of the answer). An estimate on the high side for all others (`tokenFactor`), and
 * wherever there are tools (by their JSON), images (by their size), files or sound.
 */
export async function countRequestTokens(request: Request, model: string): Promise<TokenCount> {
  const counter = await TextCounter.for(encodingOf(model))
  let exact = modelFamily(model) === 'openai'
  let overhead = 3
  let media = 0
  for (const message of request.messages) {
    overhead += 4
    if (message.name !== undefined) {
      overhead += 1
      await counter.add(message.name)
    }
    for (const part of message.parts) {
      exact &&= part.type === 'text'
      media += partMedia(part, model)
      for (const text of partTexts(part)) await counter.add(text)
    }
  }
  const { tools, responseFormat } = request
  if (tools !== undefined && tools.length > 0) {
    exact = false
    // Anthropic adds its own instructions for tools.
    overhead += 12 + tools.length * 8 + (modelFamily(model) === 'claude' ? 350 : 0)
    for (const tool of tools)
      await counter.add(
        JSON.stringify(
          tool.type === 'native' ? tool.value : { name: tool.name, description: tool.description, parameters: tool.parameters },
        ),
      )
  }
  if (responseFormat?.type === 'json_schema') {
    exact = false
    await counter.add(JSON.stringify(responseFormat.schema))
  }
  const counted = counter.result()
  return { tokens: Math.ceil(counted.tokens * tokenFactor(model)) + overhead + media, exact: exact && counted.exact }
}

/** What a part says in words. Seals are left out: what they seal was counted when it was made. */
function partTexts(part: Part): readonly string[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
    case 'reasoning':
      return [part.text]
    case 'tool_call':
      return [part.name, part.arguments, part.id]
    case 'tool_result':
      return [part.callId, ...part.content.flatMap(partTexts)]
    case 'native':
      return [JSON.stringify(part.value)]
    case 'image':
    case 'audio':
    case 'file':
      return []
  }
}

function partMedia(part: Part, model: string): number {
  if (part.type === 'image') return imageTokens(part, model)
  if (part.type === 'tool_result') return part.content.reduce((sum, inner) => sum + partMedia(inner, model), 0)
  return likelyMedia(part)
}

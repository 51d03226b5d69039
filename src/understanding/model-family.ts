import type { Encoding } from './tokenizer.js'

/** Makers whose models count alike. */
export type ModelFamily = 'openai' | 'claude' | 'gemini' | 'llama' | 'qwen' | 'deepseek' | 'mistral' | 'other'

/** The family of a model, by its name (with or without a provider in front). */
export function modelFamily(model: string): ModelFamily {
  const name = model.toLowerCase()
  const last = name.slice(name.lastIndexOf('/') + 1)
  if (/^(?:ft:)?(?:gpt-|chatgpt-|o[1-9](?:$|-)|codex|text-embedding-|davinci|babbage|computer-use)/.test(last)) return 'openai'
  if (name.includes('claude')) return 'claude'
  if (/gemini|gemma/.test(name)) return 'gemini'
  if (name.includes('llama')) return 'llama'
  if (/qwen|qwq/.test(name)) return 'qwen'
  if (name.includes('deepseek')) return 'deepseek'
  if (/mi[sx]tral|codestral|devstral|magistral|pixtral|ministral/.test(name)) return 'mistral'
  return 'other'
}

/** OpenAI's vocabulary of a model: the current one unless the model is an old one. */
export function encodingOf(model: string): Encoding {
  const last = model
    .slice(model.lastIndexOf('/') + 1)
    .toLowerCase()
    .replace(/^ft:/, '')
  return /^(?:gpt-4(?!o|\.)|gpt-3|text-embedding-|davinci|babbage)/.test(last) ? 'cl100k_base' : 'o200k_base'
}

/**
 * How many more tokens a family may make of a text than OpenAI's current vocabulary: what a count is multiplied by where
 * the real vocabulary isn't public. Chosen on the high side of what their makers and users report, not measured here.
 */
export function tokenFactor(model: string): number {
  switch (modelFamily(model)) {
    case 'openai':
      return 1
    case 'claude':
      // Since Opus 4.7 its vocabulary makes up to 35 % more tokens than before.
      return /(?:opus|sonnet|haiku)-(?:4-[7-9]|[5-9])/.test(model.toLowerCase()) ? 1.75 : 1.3
    case 'gemini':
    case 'llama':
    case 'qwen':
    case 'deepseek':
      return 1.2
    case 'mistral':
    case 'other':
      return 1.35
  }
}

import type { Capabilities } from './model.js'

/** What the models of a family share. What isn't said here isn't known. */
export interface Family {
  readonly capabilities: Capabilities
  readonly contextTokens?: number | undefined
  readonly maxOutputTokens?: number | undefined
}

const text: Capabilities = { tools: true, jsonSchema: false, images: false, audio: false, reasoning: false, embeddings: false }
const seeing: Capabilities = { ...text, jsonSchema: true, images: true }
const thinking: Capabilities = { ...seeing, reasoning: true }
const hearing: Capabilities = { ...seeing, audio: true }
const hearingAndThinking: Capabilities = { ...thinking, audio: true }

/**
 * Capabilities and output limits by the model's name, without a vendor before it. The first that matches counts; a name that
 * none matches has unknown capabilities. From the providers' model pages: https://platform.openai.com/docs/models,
 * https://docs.claude.com/en/docs/about-claude/models/overview, https://ai.google.dev/gemini-api/docs/models,
 * https://docs.mistral.ai/getting-started/models, https://api-docs.deepseek.com/quick_start/pricing.
 */
const families: readonly (readonly [RegExp, Family])[] = [
  [
    /embed|^voyage-|^bge-|^e5-|^gte-/,
    { capabilities: { tools: false, jsonSchema: false, images: undefined, audio: undefined, reasoning: false, embeddings: true } },
  ],
  [
    /image|tts|realtime|transcri|whisper|moderation|-live|native-audio|omni|rerank|-ocr|computer-use/,
    { capabilities: { embeddings: false } },
  ],
  // OpenAI
  [/^gpt-(4o(-mini)?-audio|audio)/, { capabilities: { ...text, audio: true }, contextTokens: 128_000, maxOutputTokens: 16_384 }],
  [
    /^gpt-5(\.\d)?-chat/,
    { capabilities: { jsonSchema: true, images: true, audio: false, embeddings: false }, contextTokens: 128_000, maxOutputTokens: 16_384 },
  ],
  [/^gpt-5[.-][456]-pro|^gpt-5(\.2)?-pro/, { capabilities: { ...thinking, jsonSchema: undefined }, maxOutputTokens: 128_000 }],
  [/^gpt-5(\.[1-6])?($|-(mini|nano|codex|luna|sol|terra|20\d\d))/, { capabilities: thinking, maxOutputTokens: 128_000 }],
  [/^gpt-4\.1/, { capabilities: seeing, maxOutputTokens: 32_768 }],
  [/^gpt-4o-2024-05-13/, { capabilities: { ...seeing, jsonSchema: false }, contextTokens: 128_000, maxOutputTokens: 4_096 }],
  [/^gpt-4o/, { capabilities: seeing, contextTokens: 128_000, maxOutputTokens: 16_384 }],
  [/^gpt-4-turbo-preview|^gpt-4-(1106|0125)/, { capabilities: text, maxOutputTokens: 4_096 }],
  [/^gpt-4-turbo/, { capabilities: { ...text, images: true }, maxOutputTokens: 4_096 }],
  [/^gpt-4(-0613|-0314)?$/, { capabilities: text, maxOutputTokens: 8_192 }],
  [/^gpt-3\.5-turbo-instruct/, { capabilities: { ...text, tools: false } }],
  [/^gpt-3\.5/, { capabilities: text, maxOutputTokens: 4_096 }],
  [/^o1-(mini|preview)/, { capabilities: { ...text, tools: false, reasoning: true } }],
  [/^o3-mini/, { capabilities: { ...thinking, images: false }, maxOutputTokens: 100_000 }],
  [/^o(1|3|4-mini)/, { capabilities: thinking, maxOutputTokens: 100_000 }],
  [/^gpt-oss/, { capabilities: { ...text, jsonSchema: undefined, reasoning: true }, contextTokens: 131_072 }],
  // Anthropic
  [
    /^claude-(3-|3\.)?(haiku|opus|sonnet)-3|^claude-3-(haiku|opus|sonnet)/,
    { capabilities: { ...text, images: true }, maxOutputTokens: 4_096 },
  ],
  [/^claude-3[.-]5/, { capabilities: { ...text, images: true }, maxOutputTokens: 8_192 }],
  [/^claude-3[.-]7/, { capabilities: { ...text, images: true, reasoning: true }, maxOutputTokens: 64_000 }],
  [
    /^claude-(4-opus|opus-4-[01]|opus-4\.1|opus-4-20)|^claude-opus-4$/,
    { capabilities: { ...thinking, jsonSchema: undefined }, maxOutputTokens: 32_000 },
  ],
  [
    /^claude-(4-sonnet|sonnet-4-0|sonnet-4-20)|^claude-sonnet-4$/,
    { capabilities: { ...thinking, jsonSchema: undefined }, maxOutputTokens: 64_000 },
  ],
  [/^claude-((haiku|sonnet|opus)-4[.-]5|sonnet-4[.-]6)/, { capabilities: thinking, maxOutputTokens: 64_000 }],
  [/^claude-(opus-4[.-][6-9]|opus-5|sonnet-5|fable-5|mythos-5)/, { capabilities: thinking, maxOutputTokens: 128_000 }],
  // Google
  [/^gemini-(1\.5|flash-1\.5|pro-1\.5)/, { capabilities: hearing, maxOutputTokens: 8_192 }],
  [/^gemini-2\.0/, { capabilities: hearing, contextTokens: 1_048_576, maxOutputTokens: 8_192 }],
  [/^gemini-(2\.5|3)/, { capabilities: hearingAndThinking, contextTokens: 1_048_576, maxOutputTokens: 65_536 }],
  // Others
  [
    /^(mistral-(large|medium|small)|ministral|codestral|devstral)/,
    { capabilities: { tools: true, jsonSchema: true, audio: false, embeddings: false } },
  ],
  [/^magistral/, { capabilities: { tools: true, jsonSchema: true, audio: false, reasoning: true, embeddings: false } }],
  [/^deepseek-(reasoner|r1)/, { capabilities: { jsonSchema: false, images: false, audio: false, reasoning: true, embeddings: false } }],
  [/^deepseek-(chat|v3)/, { capabilities: { ...text, reasoning: undefined } }],
  [/^grok-4/, { capabilities: { tools: true, jsonSchema: true, images: true, audio: false, embeddings: false } }],
]

/** What is known of a model's family; an empty family when nothing is. */
export function familyOf(model: string): Family {
  const name = bareName(model)
  return families.find(([pattern]) => pattern.test(name))?.[1] ?? unknownFamily
}

const unknownFamily: Family = { capabilities: {} }

/** `us.anthropic.claude-sonnet-4-5-v1:0` and `anthropic/claude-sonnet-4.5` without their vendors. */
function bareName(model: string): string {
  const name = model.toLowerCase().slice(model.lastIndexOf('/') + 1)
  return name.replace(/^((us|eu|apac|au|jp|global|regional)\.)?(anthropic|openai|mistral|deepseek|meta|amazon|cohere|google)\./, '')
}

/**
 * What providers multiply their token prices with at a service tier. The price data knows only the ordinary tier. A tier that
 * isn't listed has no known price: Anthropic's priority tier, for example, is a contract and not a price.
 *
 * Sources: https://platform.openai.com/docs/pricing, https://ai.google.dev/gemini-api/docs/pricing,
 * https://docs.claude.com/en/docs/about-claude/pricing (batches; `us` is inference kept in the United States),
 * https://console.groq.com/docs/flex-processing, https://aws.amazon.com/bedrock/service-tiers. Provider and model by the
 * names of the price data.
 */
export function serviceTiersOf(provider: string, model: string): Readonly<Record<string, number>> | undefined {
  switch (provider) {
    case 'openai':
      return openai(model)
    case 'anthropic':
      return anthropic
    case 'google':
      return model.startsWith('gemini-3') ? geminiSince3 : gemini
    case 'groq':
      return groq
    case 'aws':
      return bedrock
    case 'mistral':
      return mistral
    default:
      return undefined
  }
}

const halfPrice = { flex: 0.5, batch: 0.5 }
const gemini = halfPrice
const geminiSince3 = { ...halfPrice, priority: 1.8 }
const anthropic = { batch: 0.5, us: 1.1 }
const groq = { flex: 1 }
const bedrock = { flex: 0.5, batch: 0.5, priority: 1.75 }
const mistral = { batch: 0.5 }

/** OpenAI publishes a table of priority prices and no rule: these are its quotients. The first that matches counts. */
const openaiPriority: readonly (readonly [RegExp, number])[] = [
  [/^gpt-4o-mini(-2024-07-18)?$/, 5 / 3],
  [/^gpt-4o-2024-05-13$/, 1.75],
  [/^gpt-4o(-2024-(08-06|11-20))?$/, 1.7],
  [/^gpt-4\.1-nano/, 2],
  [/^gpt-4\.1(-mini)?(-2025-04-14)?$/, 1.75],
  [/^o3(-2025-04-16)?$/, 1.75],
  [/^o4-mini(-2025-04-16)?$/, 20 / 11],
  [/^gpt-5(\.1-codex)?-mini/, 1.8],
  [/^gpt-5(\.[1-3])?(-codex|-chat-latest)?$/, 2],
  [/^gpt-5\.[4-6](-mini|-luna|-sol|-terra)?$/, 2],
]

function openai(model: string): Readonly<Record<string, number>> {
  const priority = openaiPriority.find(([pattern]) => pattern.test(model))?.[1]
  return priority === undefined ? halfPrice : { ...halfPrice, priority }
}

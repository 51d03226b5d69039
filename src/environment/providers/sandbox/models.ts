import type { ModelFacts, PriceSheet, Rate } from '../../../catalog/index.js'
import { picoUsd } from '../../../quantities/index.js'

/** What a simulated model is told to be like. */
export interface SandboxModel {
  /** The provider's own name of it, such as `small`. */
  readonly id: string
  readonly contextTokens: number
  readonly maxOutputTokens: number
  /** Dollars per million tokens. */
  readonly inputUsd: number
  readonly outputUsd: number
  readonly speed: {
    /** Median seconds to the first token of a short prompt. */
    readonly firstTokenSeconds: number
    /** Input tokens read in a second, which lengthens the time to the first token. */
    readonly inputTokensPerSecond: number
    readonly tokensPerSecond: number
    /** Spread of every time: the standard deviation of its logarithm. */
    readonly jitter: number
  }
  /** Share of calls that fail without being asked to. */
  readonly failureRate: number
  /** Probability of answering a question that the simulator knows (arithmetic, small facts) rightly, without reasoning. */
  readonly quality: number
  /** Mean length of a free answer. */
  readonly answerTokens: number
  readonly embeddings: boolean
}

/** The sandbox's models. Their figures are declared, not measured: three price tiers as they are common on the market. */
export const SANDBOX_MODELS: readonly SandboxModel[] = [
  {
    id: 'small',
    contextTokens: 128_000,
    maxOutputTokens: 16_384,
    inputUsd: 0.1,
    outputUsd: 0.4,
    speed: { firstTokenSeconds: 0.12, inputTokensPerSecond: 20_000, tokensPerSecond: 180, jitter: 0.25 },
    failureRate: 0,
    quality: 0.6,
    answerTokens: 60,
    embeddings: false,
  },
  {
    id: 'medium',
    contextTokens: 200_000,
    maxOutputTokens: 32_768,
    inputUsd: 0.8,
    outputUsd: 3.2,
    speed: { firstTokenSeconds: 0.25, inputTokensPerSecond: 10_000, tokensPerSecond: 110, jitter: 0.3 },
    failureRate: 0,
    quality: 0.8,
    answerTokens: 110,
    embeddings: false,
  },
  {
    id: 'large',
    contextTokens: 400_000,
    maxOutputTokens: 65_536,
    inputUsd: 5,
    outputUsd: 20,
    speed: { firstTokenSeconds: 0.5, inputTokensPerSecond: 5_000, tokensPerSecond: 65, jitter: 0.35 },
    failureRate: 0,
    quality: 0.95,
    answerTokens: 160,
    embeddings: false,
  },
  {
    id: 'embed',
    contextTokens: 8_192,
    maxOutputTokens: 0,
    inputUsd: 0.02,
    outputUsd: 0,
    speed: { firstTokenSeconds: 0.03, inputTokensPerSecond: 200_000, tokensPerSecond: 1, jitter: 0.2 },
    failureRate: 0,
    quality: 0,
    answerTokens: 0,
    embeddings: true,
  },
]

/** What the gateway learns of a simulated model. Every field that a person reads says that it is a simulator. */
export function sandboxFacts(provider: string, model: SandboxModel): ModelFacts {
  return {
    id: model.id,
    provider,
    name: `Sandbox ${model.id} (simulated)`,
    contextTokens: model.contextTokens,
    maxOutputTokens: model.embeddings ? undefined : model.maxOutputTokens,
    capabilities: {
      tools: !model.embeddings,
      jsonSchema: !model.embeddings,
      images: !model.embeddings,
      audio: false,
      reasoning: !model.embeddings,
      embeddings: model.embeddings,
    },
    prices: priceSheet(model),
  }
}

function priceSheet({ inputUsd, outputUsd, embeddings }: SandboxModel): PriceSheet {
  const source = 'sandbox (simulated prices: nobody bills them)'
  if (embeddings) return { input: rate(inputUsd), source }
  return {
    input: rate(inputUsd),
    cacheRead: rate(inputUsd / 10),
    cacheWrite5m: rate(inputUsd * 1.25),
    cacheWrite1h: rate(inputUsd * 2),
    output: rate(outputUsd),
    reasoning: rate(outputUsd),
    serviceTiers: { flex: 0.5, priority: 2 },
    source,
  }
}

/** A dollar for a million tokens is a million picodollars for one. */
function rate(usdPerMillion: number): Rate {
  return { base: picoUsd(Math.round(usdPerMillion * 1e6)), tiers: [] }
}

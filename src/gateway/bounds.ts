import { sheetAt, type ModelFacts } from '../catalog/index.js'
import type { CloserBound, Deployment, LiveWorld } from '../environment/index.js'
import type { CallBound } from '../ledger/index.js'
import type { EmbeddingRequest, ReportedUsage, Request } from '../protocol/index.js'
import { noUsage, picoUsd, totalOutputTokens, type Clock, type Money, type Usage } from '../quantities/index.js'
import { countRequestTokens, likelyTokens, modelFamily, sureTokenBound, type OutputQuantile } from '../understanding/index.js'

/** Largest output that is reserved for when neither the caller nor the catalog sets a limit; tokens. */
const UNKNOWN_MAX_OUTPUT_TOKENS = 128_000

/** Output that a call of unknown length is taken to have for a limit on a rate; tokens. */
const LIKELY_OUTPUT_TOKENS = 1_000

/** Texts that are longer aren't counted while a caller waits; their bytes are a bound already. */
const COUNTED_BYTES = 256 * 1024

/** How much a call can need: the world's view of requests before (and, where the provider doesn't tell, after) they are made. */
export function createBounds(clock: Clock, lengths: OutputQuantile): Pick<LiveWorld, 'bound' | 'closerBounds' | 'inputTokens' | 'learn'> {
  const likelyOutput = (deployment: Deployment, request: Request) => lengths.most(deployment.model, request)
  const boundOf = (deployment: Deployment, request: Request | EmbeddingRequest, inputTokens: number, outputTokens: number): CallBound => ({
    usage: { ...noUsage, inputTokens, outputTokens },
    cost: { usd: mostUsd(deployment.facts, request, inputTokens, outputTokens, clock.now()), seconds: deployment.limits.totalSeconds, joules: null, gramsCO2e: null },
    likelyTokens: 'messages' in request ? likelyTokens(request) + Math.min(outputTokens, likelyOutput(deployment, request) ?? LIKELY_OUTPUT_TOKENS) : inputTokens,
  })
  return {
    bound: (deployment, request) => boundOf(deployment, request, sureInput(request), mostOutput(deployment.facts, request)),
    async closerBounds(deployment, request) {
      if (!('messages' in request)) return []
      const sure = sureInput(request)
      const inputTokens = await exactInput(deployment.model, request, sure)
      const most = mostOutput(deployment.facts, request)
      const closer: CloserBound[] = inputTokens < sure ? [{ bound: boundOf(deployment, request, inputTokens, most) }] : []
      const likely = request.maxOutputTokens === undefined ? likelyOutput(deployment, request) : undefined
      if (likely !== undefined && likely * (request.n ?? 1) < most)
        closer.push({ bound: boundOf(deployment, request, inputTokens, likely * (request.n ?? 1)), outputLimit: likely })
      return closer
    },
    inputTokens: (deployment, request) => ('messages' in request ? exactInput(deployment.model, request, sureInput(request)) : Promise.resolve(sureInput(request))),
    learn(deployment, request, usage, outputLimit) {
      if ('messages' in request) lengths.observe(deployment.model, request, totalOutputTokens(usage), outputLimit)
    },
  }
}

/** Dollars that prompt caches saved: the price with all input fresh, less what was paid. */
export function savedByCaches(price: LiveWorld['price'], deployment: Deployment, reported: ReportedUsage, paid: Money | null): Money | null {
  if (paid === null) return null
  const { usage } = reported
  const fresh: Usage = {
    ...usage,
    inputTokens: usage.inputTokens + usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
  }
  const { usd } = price(deployment, { ...reported, usage: fresh }).report
  return usd === null ? null : picoUsd(usd - paid)
}

/** Every byte of input a token at the most; a token given as a number is one. */
function sureInput(request: Request | EmbeddingRequest): number {
  if ('messages' in request) return sureTokenBound(request)
  return request.inputs.reduce((sum, input) => sum + (typeof input === 'string' ? Buffer.byteLength(input) : input.length), 0)
}

/** By the model's own tokenizer where that is public and the request is plain text; else the sure bound. */
async function exactInput(model: string, request: Request, sure: number): Promise<number> {
  // The vocabulary is large: it is loaded only for models whose own it is.
  if (sure > COUNTED_BYTES || modelFamily(model) !== 'openai') return sure
  const { tokens, exact } = await countRequestTokens(request, model)
  return exact ? Math.min(tokens, sure) : sure
}

function mostOutput(facts: ModelFacts, request: Request | EmbeddingRequest): number {
  return 'messages' in request ? (request.maxOutputTokens ?? facts.maxOutputTokens ?? UNKNOWN_MAX_OUTPUT_TOKENS) * (request.n ?? 1) : 0
}

/**
 * The most that so many tokens can cost: all input at the dearest input rate, all output at the dearest output rate, at the highest
 * tier that so much input can reach. `null` when a rate is unknown.
 */
function mostUsd(facts: ModelFacts, request: Request | EmbeddingRequest, input: number, output: number, at: number): Money | null {
  if (!facts.prices) return null
  const prices = sheetAt(facts.prices, at)
  const listed = dearest(input, prices.input, prices.inputAudio, prices.inputImage, prices.inputVideo, prices.cacheWrite5m, prices.cacheWrite1h)
  // Writing to a prompt cache for an hour costs up to twice the input rate where the sheet names no rate for it.
  const inputRate = listed === undefined || prices.cacheWrite1h || !asksForCacheWrites(request) ? listed : listed * 2n
  const outputRate = dearest(input, prices.output, prices.reasoning, prices.outputAudio, prices.outputImage)
  if (inputRate === undefined || (output > 0 && outputRate === undefined)) return null
  // The tier that is billed may not be the one that was asked for, so the dearest known one counts.
  const tier = Math.max(1, ...Object.values(prices.serviceTiers ?? {}))
  const exact = picoUsd(BigInt(input) * inputRate + BigInt(output) * (outputRate ?? 0n) + (prices.call ?? 0n))
  return tier === 1 ? exact : picoUsd(BigInt(Math.ceil(Number(exact) * tier)))
}

function asksForCacheWrites(request: Request | EmbeddingRequest): boolean {
  return 'messages' in request && (request.messages.some((message) => message.parts.some((part) => part.cache)) || (request.tools ?? []).some((tool) => tool.type === 'function' && tool.cache !== undefined))
}

function dearest(inputTokens: number, ...rates: readonly (NonNullable<ModelFacts['prices']>['input'] | undefined)[]): bigint | undefined {
  let most: bigint | undefined
  for (const rate of rates) {
    if (!rate) continue
    if (most === undefined || rate.base > most) most = rate.base
    for (const tier of rate.tiers) if (inputTokens > tier.aboveInputTokens && tier.rate > most) most = tier.rate
  }
  return most
}

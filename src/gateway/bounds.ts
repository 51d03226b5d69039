import { sheetAt, type ModelFacts, type PriceSheet } from '../catalog/index.js'
import type { CloserBound, Deployment, LiveWorld } from '../environment/index.js'
import type { CallBound } from '../ledger/index.js'
import type { EmbeddingRequest, Part, ReportedUsage, Request } from '../protocol/index.js'
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
    usage: { ...noUsage, inputTokens, outputTokens, webSearches: mostSearches(request) },
    cost: {
      usd: mostUsd(deployment, request, inputTokens, outputTokens, clock.now()),
      seconds: deployment.limits.totalSeconds,
      joules: null,
      gramsCO2e: null,
    },
    likelyTokens:
      'messages' in request
        ? likelyTokens(request) + Math.min(outputTokens, likelyOutput(deployment, request) ?? LIKELY_OUTPUT_TOKENS)
        : inputTokens,
  })
  return {
    bound: (deployment, request) =>
      boundOf(deployment, request, mostInput(deployment.facts, request), mostOutput(deployment.facts, request)),
    async closerBounds(deployment, request) {
      if (!('messages' in request)) return []
      const sure = mostInput(deployment.facts, request)
      const inputTokens = await exactInput(deployment.model, request, sure)
      const most = mostOutput(deployment.facts, request)
      const closer: CloserBound[] = inputTokens < sure ? [{ bound: boundOf(deployment, request, inputTokens, most) }] : []
      const likely = request.maxOutputTokens === undefined ? likelyOutput(deployment, request) : undefined
      if (likely !== undefined && likely * (request.n ?? 1) < most)
        closer.push({ bound: boundOf(deployment, request, inputTokens, likely * (request.n ?? 1)), outputLimit: likely })
      return closer
    },
    inputTokens: (deployment, request) =>
      'messages' in request
        ? exactInput(deployment.model, request, mostInput(deployment.facts, request))
        : Promise.resolve(sureInput(request)),
    learn(deployment, request, usage, outputLimit) {
      if ('messages' in request) lengths.observe(deployment.model, request, totalOutputTokens(usage), outputLimit)
    },
  }
}

/** Dollars that prompt caches saved: the price with all input fresh, less what was paid. */
export function savedByCaches(
  price: LiveWorld['price'],
  deployment: Deployment,
  reported: ReportedUsage,
  paid: Money | null,
): Money | null {
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
 * tier that so much input can reach, and at the dearest prices that hold while the call may last. `null` when a rate is unknown.
 */
function mostUsd(
  { facts, limits }: Deployment,
  request: Request | EmbeddingRequest,
  input: number,
  output: number,
  at: number,
): Money | null {
  if (!facts.prices || billedApart(request).length > 0) return null
  let most: Money | undefined
  for (const prices of sheetsWithin(facts.prices, at, at + limits.totalSeconds)) {
    const usd = mostUsdAt(prices, request, input, output)
    if (usd === null) return null
    if (most === undefined || usd > most) most = usd
  }
  return most ?? null
}

function mostUsdAt(prices: PriceSheet, request: Request | EmbeddingRequest, input: number, output: number): Money | null {
  const listed = dearest(
    input,
    prices.input,
    prices.inputAudio,
    prices.inputImage,
    prices.inputVideo,
    prices.cacheWrite5m,
    prices.cacheWrite1h,
  )
  // Writing to a prompt cache for an hour costs up to twice the input rate where the sheet names no rate for it.
  const inputRate = listed === undefined || prices.cacheWrite1h || !asksForCacheWrites(request) ? listed : listed * 2n
  const outputRate = dearest(input, prices.output, prices.reasoning, prices.outputAudio, prices.outputImage)
  const searches = mostSearches(request)
  if (inputRate === undefined || (output > 0 && outputRate === undefined) || (searches > 0 && prices.webSearch === undefined)) return null
  // The tier that is billed may not be the one that was asked for, so the dearest known one counts.
  const tier = Math.max(1, ...Object.values(prices.serviceTiers ?? {}))
  const exact = picoUsd(
    BigInt(input) * inputRate + BigInt(output) * (outputRate ?? 0n) + (prices.call ?? 0n) + BigInt(searches) * (prices.webSearch ?? 0n),
  )
  return tier === 1 ? exact : picoUsd(BigInt(Math.ceil(Number(exact) * tier)))
}

/** The sheets that hold at some moment of a stretch of time: one at its beginning, and one more at each change in it. */
function sheetsWithin(sheet: PriceSheet, from: number, to: number): readonly PriceSheet[] {
  const { changes } = sheet
  if (!changes) return [sheet]
  const midnight = Math.floor(from / DAY_SECONDS) * DAY_SECONDS
  const turns = changes.flatMap(({ when }) =>
    'from' in when
      ? [when.from]
      : [when.daily.start, when.daily.end].flatMap((second) => [midnight + second, midnight + DAY_SECONDS + second]),
  )
  return [from, to, ...turns.filter((turn) => turn > from && turn < to)].map((at) => sheetAt(sheet, at))
}

const DAY_SECONDS = 86_400

/** Fields by which a caller has a provider search the web, beside its tools. */
const searchFields: ReadonlySet<string> = new Set(['web_search_options', 'search_parameters', 'plugins'])
/** Searches of a call that sets no limit to them: more than models usually make, though nothing holds them to it. */
const UNLIMITED_SEARCHES = 10
/** What the results of one search add to the input; tokens. */
const SEARCH_RESULT_TOKENS = 10_000
const UNKNOWN_CONTEXT_TOKENS = 200_000
/** Turns of the model between which it searches; beyond so many a provider hands back to the caller. */
const MOST_TURNS = 100

/** Searches of the web that the provider may run, and bill, for a request. */
function mostSearches(request: Request | EmbeddingRequest): number {
  if (!('messages' in request)) return 0
  let searches = request.extra.some(({ name, path }) => name === path && searchFields.has(name)) ? UNLIMITED_SEARCHES : 0
  for (const tool of request.tools ?? []) {
    if (tool.type !== 'native' || typeof tool.value['type'] !== 'string' || !tool.value['type'].includes('web_search')) continue
    const limit = tool.value['max_uses']
    searches += typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 0 ? limit : UNLIMITED_SEARCHES
  }
  return searches
}

/**
 * Tools of a provider that it bills by containers, calls or pictures, of which its usage says nothing. (Pages fetched, and what runs at the
 * caller's, cost tokens only.)
 */
const toolsBilledApart = ['code_interpreter', 'code_execution', 'file_search', 'image_generation']

/** Work of the provider that is billed beside tokens and searches and isn't told in its usage: what such a call costs can't be known. */
export function billedApart(request: Request | EmbeddingRequest): readonly string[] {
  if (!('messages' in request) || !request.tools) return []
  return request.tools.flatMap((tool) => {
    if (tool.type !== 'native' || typeof tool.value['type'] !== 'string') return []
    const type = tool.value['type']
    // A shell runs at the caller's, or in a container of the provider's.
    if (type === 'shell' && JSON.stringify(tool.value['environment'] ?? '').includes('container')) return ['shell']
    return toolsBilledApart.filter((name) => type === name || type.startsWith(`${name}_`))
  })
}

/** The input, and what a provider that searches adds to it: after each search the model reads again what it had, and all results so far. */
function mostInput(facts: ModelFacts, request: Request | EmbeddingRequest): number {
  const sure = sureInput(request)
  const searches = Math.min(mostSearches(request), MOST_TURNS)
  const window = Math.max(sure, facts.contextTokens ?? UNKNOWN_CONTEXT_TOKENS)
  let tokens = sure
  for (let done = 1; done <= searches; done++) tokens += Math.min(window, sure + done * SEARCH_RESULT_TOKENS)
  return tokens
}

/** Whether something asks the provider to write to its prompt cache: a mark on a part or a tool of any kind, or on the whole request. */
function asksForCacheWrites(request: Request | EmbeddingRequest): boolean {
  if (!('messages' in request)) return false
  const marked = (part: Part): boolean =>
    part.cache !== undefined ||
    (part.type === 'native' && 'cache_control' in part.value) ||
    (part.type === 'tool_result' && part.content.some(marked))
  return (
    request.messages.some((message) => message.parts.some(marked)) ||
    (request.tools ?? []).some((tool) => (tool.type === 'function' ? tool.cache !== undefined : 'cache_control' in tool.value)) ||
    request.extra.some(({ path }) => path.endsWith('cache_control'))
  )
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

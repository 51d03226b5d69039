import { noUsage, picoUsd, usd, type Money, type Usage } from '../quantities/index.js'
import type { ReportedUsage } from './reply.js'

/**
 * Readers of the usage objects that providers report, one for each way of counting. All of them return **disjoint**
 * buckets (`quantities/usage.ts`), whatever the provider overlaps, and follow the same rules:
 *
 * - What is missing, null, negative or not a number counts as not reported; numbers in strings are read; fractions are rounded up.
 * - A part never makes its whole smaller: the totals are at least what the provider reported.
 * - A "part" that is larger than its whole isn't a part of it, and is counted beside it, unless the provider's own total says otherwise.
 * - `undefined` when no token count can be read at all: then the caller must estimate, since nothing reported isn't nothing used.
 */

type Fields = Readonly<Record<string, unknown>>
type Counts = { -readonly [bucket in keyof Usage]: Usage[bucket] }

/** More than any model can take or give in one call: a larger figure is a fault of the provider and not a count. */
const maxCount = 1e12

/**
 * OpenAI-compatible chat (and completions) usage, with the dialects of DeepSeek, Mistral, Moonshot, Groq, Qwen, OpenRouter, xAI and
 * Perplexity.
 */
export function chatUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const given = fields(usage['prompt_tokens_details'])
  const made = fields(usage['completion_tokens_details'])
  const counts = overlapping({
    prompt: count(usage['prompt_tokens']) ?? count(usage['input_tokens']),
    completion: count(usage['completion_tokens']) ?? count(usage['output_tokens']),
    total: count(usage['total_tokens']),
    given,
    // Hosts fill the other dialects' fields with zeros, so the first that isn't zero counts.
    cached: firstPositive(
      given['cached_tokens'],
      usage['prompt_cache_hit_tokens'], // DeepSeek
      usage['num_cached_tokens'], // Mistral
      usage['cached_tokens'], // Moonshot, Together
    ),
    written: firstPositive(
      given['cache_write_tokens'], // OpenAI since GPT-5.6, OpenRouter
      given['cache_creation_input_tokens'], // Qwen
      given['cache_creation_tokens'], // LiteLLM
    ),
    reasoning: firstPositive(made['reasoning_tokens'], usage['reasoning_tokens']), // Perplexity has it outside the details
    outputAudio: count(made['audio_tokens']) ?? 0,
    outputImage: count(made['image_tokens']) ?? 0,
  })
  if (!counts) return undefined
  // Perplexity's deep research: pages it read, billed at the input rate and in no other count.
  counts.inputTokens += count(usage['citation_tokens']) ?? 0
  counts.webSearches = firstPositive(
    fields(usage['server_tool_use'])['web_search_requests'],
    usage['num_search_queries'], // Perplexity
    usage['num_sources_used'], // xAI
  )
  return reported(counts, text(usage['service_tier']), billed(usage))
}

/** Usage of OpenAI's Responses API and its look-alikes. */
export function responsesUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const given = fields(usage['input_tokens_details'])
  const made = fields(usage['output_tokens_details'])
  const counts = overlapping({
    prompt: count(usage['input_tokens']),
    completion: count(usage['output_tokens']),
    total: count(usage['total_tokens']),
    given,
    cached: count(given['cached_tokens']) ?? 0,
    written: count(given['cache_write_tokens']) ?? 0,
    reasoning: count(made['reasoning_tokens']) ?? 0,
    outputAudio: count(made['audio_tokens']) ?? 0,
    outputImage: count(made['image_tokens']) ?? 0,
  })
  if (!counts) return undefined
  counts.webSearches = firstPositive(fields(usage['server_tool_use'])['web_search_requests'], usage['num_sources_used'])
  return reported(counts, text(usage['service_tier']), billed(usage))
}

/** Adds the searches that stand in the output of a response: OpenAI bills each of them, and its usage doesn't count them. */
export function withSearches(reported: ReportedUsage, output: unknown): ReportedUsage {
  if (!Array.isArray(output)) return reported
  const searches = output.filter((item) => isFields(item) && item['type'] === 'web_search_call').length
  return searches > reported.usage.webSearches ? { ...reported, usage: { ...reported.usage, webSearches: searches } } : reported
}

/** Usage of an embeddings call: all of it is input. */
export function embeddingsUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const prompt = count(usage['prompt_tokens']) ?? count(usage['input_tokens']) ?? count(usage['total_tokens'])
  if (prompt === undefined) return undefined
  const given = fields(usage['prompt_tokens_details'])
  const counts = overlapping({
    prompt,
    completion: 0,
    total: undefined,
    given,
    cached: 0,
    written: 0,
    reasoning: 0,
    outputAudio: 0,
    outputImage: 0,
  })
  return counts && reported(counts, text(usage['service_tier']), billed(usage))
}

/**
 * Anthropic's Messages usage, where `input_tokens` is only what was neither read from nor written to the cache. The
 * totals leave out what `iterations` lists beside the messages: a compaction is billed like the call itself, an advisor
 * at its own model's price (https://platform.claude.com/docs/en/build-with-claude/compaction).
 */
export function anthropicUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  if (count(usage['input_tokens']) === undefined && count(usage['output_tokens']) === undefined) return undefined
  const counts = anthropicCounts(usage)
  counts.webSearches = count(fields(usage['server_tool_use'])['web_search_requests']) ?? 0
  const also: { model: string; usage: Usage }[] = []
  const iterations = usage['iterations']
  if (Array.isArray(iterations)) {
    for (const iteration of iterations) {
      if (!isFields(iteration) || iteration['type'] === 'message') continue
      const own = anthropicCounts(iteration)
      const model = text(iteration['model'])
      if (model !== undefined) also.push({ model, usage: own })
      else if (iteration['type'] === 'compaction') addInto(counts, own)
    }
  }
  const base = reported(counts, anthropicTier(usage), undefined)
  return also.length === 0 ? base : { ...base, also }
}

/**
 * Gemini's `usageMetadata`: the prompt includes what came from the cache, the candidates leave out the thoughts, tool results are
 * counted apart.
 */
export function geminiUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const total = count(usage['totalTokenCount'])
  let prompt = count(usage['promptTokenCount'])
  let candidates = count(usage['candidatesTokenCount']) ?? count(usage['responseTokenCount'])
  const tools = count(usage['toolUsePromptTokenCount']) ?? 0
  const thoughts = count(usage['thoughtsTokenCount']) ?? 0
  if (prompt === undefined && candidates === undefined && total === undefined) return undefined
  prompt ??= Math.max(0, (total ?? 0) - (candidates ?? 0) - tools - thoughts)
  candidates ??= Math.max(0, (total ?? 0) - prompt - tools - thoughts)

  const counts: Counts = { ...noUsage }
  let image = 0
  for (const key of ['promptTokensDetails', 'toolUsePromptTokensDetails']) {
    for (const [modality, tokens] of modalities(usage[key])) {
      if (modality === 'AUDIO') counts.inputAudioTokens += tokens
      else if (modality === 'VIDEO') counts.inputVideoTokens += tokens
      else if (modality === 'IMAGE') image += tokens
    }
  }
  counts.inputImageTokens = image
  const media = counts.inputAudioTokens + counts.inputVideoTokens + image
  counts.inputTokens = Math.max(0, prompt + tools - media)

  const cached = count(usage['cachedContentTokenCount']) ?? 0
  if (cached > 0) {
    let cachedAudio = 0
    let cachedImage = 0
    let cachedVideo = 0
    for (const [modality, tokens] of modalities(usage['cacheTokensDetails'])) {
      if (modality === 'AUDIO') cachedAudio += tokens
      else if (modality === 'VIDEO') cachedVideo += tokens
      else if (modality === 'IMAGE') cachedImage += tokens
    }
    takeFromCache(counts, cached, cachedAudio, cachedImage, cachedVideo, total === undefined)
  }

  for (const [modality, tokens] of modalities(usage['candidatesTokensDetails'] ?? usage['responseTokensDetails'])) {
    if (modality === 'AUDIO') counts.outputAudioTokens += tokens
    else if (modality === 'IMAGE') counts.outputImageTokens += tokens
  }
  counts.outputTokens = Math.max(0, candidates - counts.outputAudioTokens - counts.outputImageTokens)
  // What only the total holds was thought, since everything else has a name.
  counts.reasoningTokens = Math.max(thoughts, (total ?? 0) - prompt - tools - candidates)
  return reported(counts, geminiTier(usage), undefined)
}

/** Amazon Bedrock's Converse usage: like Anthropic's, in camel case, with cache lifetimes listed apart. */
export function bedrockUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const input = count(usage['inputTokens'])
  const output = count(usage['outputTokens'])
  if (input === undefined && output === undefined) return undefined
  const written = firstPositive(usage['cacheWriteInputTokens'], usage['cacheWriteInputTokenCount'])
  let hour = 0
  let minutes = 0
  if (Array.isArray(usage['cacheDetails'])) {
    for (const detail of usage['cacheDetails']) {
      if (!isFields(detail)) continue
      if (detail['ttl'] === '1h') hour += count(detail['inputTokens']) ?? 0
      else minutes += count(detail['inputTokens']) ?? 0
    }
  }
  const counts: Counts = {
    ...noUsage,
    inputTokens: input ?? 0,
    cacheReadTokens: firstPositive(usage['cacheReadInputTokens'], usage['cacheReadInputTokenCount']),
    cacheWrite1hTokens: hour,
    cacheWrite5mTokens: Math.max(minutes, written - hour),
    outputTokens: output ?? 0,
  }
  return reported(counts, text(usage['serviceTier']), undefined)
}

/**
 * Cohere's usage (`usage` of v2 chat, `meta` of the others): `billed_units` are what is paid for; `tokens` also hold Cohere's own
 * prompt.
 */
export function cohereUsage(usage: unknown): ReportedUsage | undefined {
  if (!isFields(usage)) return undefined
  const paid = isFields(usage['billed_units']) ? usage['billed_units'] : fields(usage['tokens'])
  const input = count(paid['input_tokens'])
  const output = count(paid['output_tokens'])
  const image = count(paid['image_tokens']) ?? 0
  if (input === undefined && output === undefined && image === 0) return undefined
  return reported({ ...noUsage, inputTokens: input ?? 0, inputImageTokens: image, outputTokens: output ?? 0 }, undefined, undefined)
}

interface Overlapping {
  readonly prompt: number | undefined
  readonly completion: number | undefined
  readonly total: number | undefined
  /** Details of the prompt. */
  readonly given: Fields
  readonly cached: number
  readonly written: number
  readonly reasoning: number
  readonly outputAudio: number
  readonly outputImage: number
}

/** Untangles counts where the prompt includes its cached and spoken parts, and the completion its reasoning (or not: xAI). */
function overlapping(told: Overlapping): Counts | undefined {
  const { total, given } = told
  if (told.prompt === undefined && told.completion === undefined && total === undefined) return undefined
  const prompt = told.prompt ?? Math.max(0, (total ?? 0) - (told.completion ?? 0))
  const completion = told.completion ?? Math.max(0, (total ?? 0) - prompt)
  /** What the provider's own total holds beyond the prompt and the completion. */
  const gap = total === undefined ? 0 : Math.max(0, total - prompt - completion)
  const cacheBeside = gap > 0 ? gap === told.cached + told.written : total === undefined

  const counts: Counts = { ...noUsage }
  counts.inputAudioTokens = count(given['audio_tokens']) ?? 0
  counts.inputImageTokens = count(given['image_tokens']) ?? 0
  counts.inputVideoTokens = count(given['video_tokens']) ?? 0
  counts.inputTokens = Math.max(0, prompt - counts.inputAudioTokens - counts.inputImageTokens - counts.inputVideoTokens)
  if (told.cached > 0) {
    const byKind = fields(given['cached_tokens_details'])
    takeFromCache(
      counts,
      told.cached,
      count(byKind['audio_tokens']) ?? 0,
      count(byKind['image_tokens']) ?? 0,
      count(byKind['video_tokens']) ?? 0,
      cacheBeside,
    )
  }
  if (told.written > 0) {
    const creation = fields(given['cache_creation'])
    const hour = Math.min(count(creation['ephemeral_1h_input_tokens']) ?? 0, told.written)
    const inside = !cacheBeside || told.written <= counts.inputTokens
    const written = inside ? Math.min(told.written, counts.inputTokens) : told.written
    if (inside) counts.inputTokens -= written
    counts.cacheWrite1hTokens = Math.min(hour, written)
    counts.cacheWrite5mTokens = written - counts.cacheWrite1hTokens
  }

  // xAI leaves the reasoning out of the completion, and Google's chat endpoint doesn't even name it: their total tells.
  // Perplexity's deep research reports more reasoning than completion and leaves it out of the total too.
  const unnamed = cacheBeside ? 0 : gap
  const outside = told.reasoning > completion ? Math.max(unnamed, told.reasoning) : unnamed
  const inside = Math.min(Math.max(0, told.reasoning - outside), completion)
  counts.reasoningTokens = outside + inside
  counts.outputAudioTokens = told.outputAudio
  counts.outputImageTokens = told.outputImage
  counts.outputTokens = Math.max(0, completion - inside - told.outputAudio - told.outputImage)
  return counts
}

/**
 * Moves cached tokens out of the fresh ones. Where the provider doesn't say of which kind they are, text comes first.
 * `mayExceed`: nothing says that the cached tokens are inside the prompt, so more of them than fresh ones stand beside it.
 */
function takeFromCache(counts: Counts, cached: number, audio: number, image: number, video: number, mayExceed: boolean): void {
  const fresh = counts.inputTokens + counts.inputAudioTokens + counts.inputImageTokens + counts.inputVideoTokens
  if (cached > fresh && mayExceed) {
    counts.cacheReadAudioTokens = Math.min(audio, cached)
    counts.cacheReadTokens = cached - counts.cacheReadAudioTokens
    return
  }
  let left = Math.min(cached, fresh)
  const take = (wanted: number, bucket: 'inputTokens' | 'inputAudioTokens' | 'inputImageTokens' | 'inputVideoTokens'): number => {
    const taken = Math.min(wanted, counts[bucket], left)
    counts[bucket] -= taken
    left -= taken
    return taken
  }
  let readAudio = take(audio, 'inputAudioTokens')
  let read = take(image, 'inputImageTokens') + take(video, 'inputVideoTokens')
  read += take(left, 'inputTokens')
  read += take(left, 'inputImageTokens') + take(left, 'inputVideoTokens')
  readAudio += take(left, 'inputAudioTokens')
  counts.cacheReadTokens = read
  counts.cacheReadAudioTokens = readAudio
}

function anthropicCounts(usage: Fields): Counts {
  const creation = fields(usage['cache_creation'])
  const hour = count(creation['ephemeral_1h_input_tokens']) ?? 0
  const minutes = count(creation['ephemeral_5m_input_tokens']) ?? 0
  const written = count(usage['cache_creation_input_tokens']) ?? 0
  const output = count(usage['output_tokens']) ?? 0
  const thinking = Math.min(count(fields(usage['output_tokens_details'])['thinking_tokens']) ?? 0, output)
  return {
    ...noUsage,
    inputTokens: count(usage['input_tokens']) ?? 0,
    cacheReadTokens: count(usage['cache_read_input_tokens']) ?? 0,
    cacheWrite1hTokens: hour,
    // What has no stated lifetime was written for the default five minutes.
    cacheWrite5mTokens: Math.max(minutes, written - hour),
    outputTokens: output - thinking,
    reasoningTokens: thinking,
  }
}

function addInto(counts: Counts, more: Usage): void {
  counts.inputTokens += more.inputTokens
  counts.cacheReadTokens += more.cacheReadTokens
  counts.cacheWrite5mTokens += more.cacheWrite5mTokens
  counts.cacheWrite1hTokens += more.cacheWrite1hTokens
  counts.outputTokens += more.outputTokens
  counts.reasoningTokens += more.reasoningTokens
}

/** The service tier; fast mode and inference kept in the United States are priced like tiers, and told beside it. */
function anthropicTier(usage: Fields): string | undefined {
  const tier = text(usage['service_tier'])
  const surcharges = [usage['speed'] === 'fast' ? 'fast' : '', usage['inference_geo'] === 'us' ? 'us' : ''].filter((name) => name !== '')
  if (surcharges.length === 0) return tier
  return (tier === undefined || tier === 'standard' ? surcharges : [tier, ...surcharges]).join('+')
}

/** The service tier in the words that price sheets use. */
function geminiTier(usage: Fields): string | undefined {
  const tier = text(usage['serviceTier']) ?? text(usage['trafficType'])
  switch (tier?.toUpperCase()) {
    case undefined:
    case 'TRAFFIC_TYPE_UNSPECIFIED':
    case 'SERVICE_TIER_UNSPECIFIED':
    case 'UNSPECIFIED':
      return undefined
    case 'ON_DEMAND':
    case 'STANDARD':
      return 'standard'
    case 'ON_DEMAND_FLEX':
      return 'flex'
    case 'ON_DEMAND_PRIORITY':
      return 'priority'
    default:
      return tier?.toLowerCase()
  }
}

function* modalities(details: unknown): Generator<readonly [modality: string, tokens: number]> {
  if (!Array.isArray(details)) return
  for (const detail of details) {
    if (!isFields(detail)) continue
    const tokens = count(detail['tokenCount'])
    const modality = text(detail['modality'])
    if (tokens !== undefined && modality !== undefined) yield [modality.toUpperCase(), tokens]
  }
}

/**
 * What the provider says it bills. OpenRouter: `cost`, and when the caller's own key was used (`is_byok`) that is only the
 * fee and the upstream's bill comes on top. Perplexity: `cost.total_cost`.
 */
function billed(usage: Fields): Money | undefined {
  const cost = usage['cost']
  if (isFields(cost)) return dollars(cost['total_cost'])
  const amount = dollars(cost)
  if (amount === undefined || usage['is_byok'] !== true) return amount
  const upstream = dollars(fields(usage['cost_details'])['upstream_inference_cost'])
  return upstream === undefined ? undefined : picoUsd(amount + upstream)
}

function dollars(value: unknown): Money | undefined {
  const amount = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof amount !== 'number' || !(amount >= 0) || amount > 1e9) return undefined
  // Fifteen digits: what comes after them is noise of the provider's floating point and would round up.
  return usd(Number(amount.toPrecision(15)))
}

function reported(usage: Usage, serviceTier: string | undefined, billedUsd: Money | undefined): ReportedUsage {
  return { usage, serviceTier, billedUsd }
}

/** A token count, or `undefined` for what isn't one. */
function count(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !(number >= 0) || number > maxCount) return undefined
  return Math.ceil(number)
}

function firstPositive(...values: readonly unknown[]): number {
  for (const value of values) {
    const number = count(value)
    if (number !== undefined && number > 0) return number
  }
  return 0
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

const none: Fields = {}

function fields(value: unknown): Fields {
  return isFields(value) ? value : none
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

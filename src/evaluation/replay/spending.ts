import { createCatalog, priceUsage, type Catalog, type ModelFacts } from '../../catalog/index.js'
import type { Outcome } from '../../environment/index.js'
import type { BursarError } from '../../errors/index.js'
import { noUsage, toDollars } from '../../quantities/index.js'
import type { Log } from '../logs/registry.js'

/** What the calls of one model in a log gave and took. What a call doesn't tell isn't in the sums. */
export interface LoggedModel {
  readonly model: string
  readonly requests: number
  /** Dollars that the log tells, or the catalog's for the tokens where it tells none. */
  readonly usd: number
  /** Calls whose dollars aren't known either way; they are not in `usd`. */
  readonly unpriced: number
  /** Calls that the catalog priced. */
  readonly estimated: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Mean; `null` where no call tells it. */
  readonly seconds: number | null
  /** Mean of the calls that the log scores. */
  readonly quality: { readonly mean: number; readonly n: number } | null
}

/** What another model would have cost for the same tokens, at the catalog's prices. An estimate: another model writes answers of another length. */
export interface PricedCandidate {
  readonly model: string
  /** Over the calls that tell their tokens; `null` where the catalog has no price. */
  readonly usd: number | null
  /** Those calls. */
  readonly requests: number
  /** 1 less `usd` over what these calls did cost, where both are known. */
  readonly saved: number | null
}

export interface LogSpending {
  readonly models: readonly LoggedModel[]
  readonly candidates: readonly PricedCandidate[]
  readonly requests: number
  readonly leftOut: number
  /** Requests whose content the log holds: only those could be asked again. */
  readonly withContent: number
  /** The catalog's name and version. */
  readonly prices: string
}

export interface SpendingOptions {
  /** Models to price the same tokens by, as `provider/model`; the log's own models are always among them. */
  readonly candidates?: readonly string[] | undefined
  readonly signal: AbortSignal
  readonly catalog?: Catalog | undefined
  onProgress?(done: { readonly bytes: number; readonly rows: number }): void
  onFault?(fault: BursarError): void
}

interface Tally {
  requests: number
  usd: number
  unpriced: number
  estimated: number
  inputTokens: number
  outputTokens: number
  seconds: number
  timed: number
  quality: number
  scored: number
}

interface Priced {
  readonly facts: ModelFacts | undefined
  usd: number
  /** Of the same calls, where both are known. */
  actual: number
  requests: number
}

/**
 * What can be known of a log in which one model answered each request: what it did cost, by model, and what other models would have cost for the same
 * tokens. What they would have answered can't be known. One pass; memory grows with models only. Throws as the log's reading, and the signal's reason.
 */
export async function logSpending(
  log: Log,
  { candidates = [], signal, catalog = createCatalog(), onProgress, onFault }: SpendingOptions,
): Promise<LogSpending> {
  const tallies = new Map<string, Tally>()
  const priced = new Map<string, Priced>(
    candidates.map((model) => [model, { facts: catalogFacts(catalog, model), usd: 0, actual: 0, requests: 0 }]),
  )
  let [requests, leftOut, withContent, bytes] = [0, 0, 0, 0]
  const reading = {
    onBytes: (chunk: Uint8Array) => void (bytes += chunk.byteLength),
    onFault: (fault: BursarError) => {
      leftOut += 1
      onFault?.(fault)
    },
  }
  for await (const batch of log.rows(reading)) {
    signal.throwIfAborted()
    for (const { request, outcomes } of batch) {
      requests += 1
      if (request['contentStored'] !== false) withContent += 1
      for (const [model, outcome] of Object.entries(outcomes)) {
        if (!priced.has(model) && priced.size < mostCandidates)
          priced.set(model, { facts: catalogFacts(catalog, model), usd: 0, actual: 0, requests: 0 })
        const usd = count(tallies, model, outcome, priced.get(model)?.facts)
        for (const one of priced.values()) {
          const would = one.facts && catalogUsd(one.facts, outcome)
          if (would === undefined || would === null) continue
          one.usd += would
          one.requests += 1
          one.actual += usd ?? NaN
        }
      }
    }
    onProgress?.({ bytes, rows: requests })
  }
  return {
    models: [...tallies].map(([model, tally]) => loggedModel(model, tally)).sort((a, b) => b.usd - a.usd || a.model.localeCompare(b.model)),
    candidates: [...priced]
      .map(([model, one]) => candidate(model, one))
      .sort((a, b) => (a.usd ?? Infinity) - (b.usd ?? Infinity) || a.model.localeCompare(b.model)),
    requests,
    leftOut,
    withContent,
    prices: catalog.source,
  }
}

const mostCandidates = 200
/** Where a log names a model without its provider. */
const usualProviders = ['openai', 'anthropic', 'google', 'mistral', 'deepseek', 'x-ai', 'cohere', 'groq', 'openrouter']

/** Facts of a model as logs name it: `provider/model`, with more in front (`azure/eu/gpt-4o`), or the model alone. */
export function catalogFacts(catalog: Catalog, name: string): ModelFacts | undefined {
  const own = catalog.find(name)
  if (own?.prices) return own
  const bare = name.slice(name.lastIndexOf('/') + 1)
  for (const provider of usualProviders) {
    const facts = catalog.facts(provider, bare)
    if (facts?.prices) return facts
  }
  return own
}

/** Dollars of an outcome's tokens at the catalog's prices; `undefined` where the tokens aren't told, `null` where the price isn't known. */
function catalogUsd(
  { prices }: ModelFacts,
  { inputTokens, cacheReadTokens = 0, outputTokens, reasoningTokens = 0 }: Outcome,
): number | null | undefined {
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const usage = {
    ...noUsage,
    inputTokens: Math.max(0, inputTokens - cacheReadTokens),
    cacheReadTokens: Math.min(inputTokens, cacheReadTokens),
    outputTokens,
    reasoningTokens,
  }
  const { usd } = priceUsage(prices, usage, { at: 0 }).report
  return usd === null ? null : toDollars(usd)
}

/** Counts a call; gives its dollars. */
function count(tallies: Map<string, Tally>, model: string, outcome: Outcome, facts: ModelFacts | undefined): number | undefined {
  let tally = tallies.get(model)
  if (!tally)
    tallies.set(
      model,
      (tally = {
        requests: 0,
        usd: 0,
        unpriced: 0,
        estimated: 0,
        inputTokens: 0,
        outputTokens: 0,
        seconds: 0,
        timed: 0,
        quality: 0,
        scored: 0,
      }),
    )
  const usd = outcome.usd ?? (facts ? (catalogUsd(facts, outcome) ?? undefined) : undefined)
  tally.requests += 1
  if (usd === undefined) tally.unpriced += 1
  else tally.usd += usd
  if (usd !== undefined && outcome.usd === undefined) tally.estimated += 1
  tally.inputTokens += outcome.inputTokens ?? 0
  tally.outputTokens += (outcome.outputTokens ?? 0) + (outcome.reasoningTokens ?? 0)
  if (outcome.seconds !== undefined) {
    tally.seconds += outcome.seconds
    tally.timed += 1
  }
  if (outcome.quality !== undefined) {
    tally.quality += outcome.quality
    tally.scored += 1
  }
  return usd
}

function loggedModel(
  model: string,
  { requests, usd, unpriced, estimated, inputTokens, outputTokens, seconds, timed, quality, scored }: Tally,
): LoggedModel {
  return {
    ...{ model, requests, usd, unpriced, estimated, inputTokens, outputTokens },
    seconds: timed === 0 ? null : seconds / timed,
    quality: scored === 0 ? null : { mean: quality / scored, n: scored },
  }
}

function candidate(model: string, { facts, usd, actual, requests }: Priced): PricedCandidate {
  const known = facts?.prices !== undefined && requests > 0
  return { model, usd: known ? usd : null, requests, saved: known && actual > 0 ? 1 - usd / actual : null }
}

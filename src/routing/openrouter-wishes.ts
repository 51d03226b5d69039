import { InvalidRequest } from '../errors/index.js'
import type { Objective } from './contracts.js'
import { mergeObjectives } from './objectives.js'

/** What OpenRouter's own request fields say about choosing. */
export interface OpenRouterWishes {
  readonly objective: Objective
  /** `models`: in the order in which they are to be tried. Empty: not said. */
  readonly models: readonly string[]
  /** `allowed_models` of the auto-router plugin: names, where `*` stands for any characters. Empty: all. */
  readonly allowedModels: readonly string[]
}

/** The fields of a request that are read here; anything else of them is left to others. */
export interface OpenRouterFields {
  readonly models?: unknown
  readonly provider?: unknown
  readonly plugins?: unknown
}

/**
 * Reads OpenRouter's fields as its public documentation describes them (read on 2026-11-21):
 * - `models`: model ids in order of priority; the next is tried when one fails.
 * - `provider.sort`: `price`, `throughput`, `latency`, or `{by: …}`. There it orders the providers of a model; here, of the arms: `price` takes the cheapest (λ = 0), the
 *   other two the quickest. Both mean our expected seconds of the whole answer, since that is what is predicted. A sort that isn't known
 *   (`exacto` and what may come; their type is open) says nothing.
 * - `provider.max_price`: dollars a million tokens, `prompt` and `completion`, numbers or decimal texts; nothing dearer is used, and a request that
 *   nothing fits fails. `request`, `image` and `audio` prices are refused where they are given, because arms have no such price to hold against them.
 * - `plugins: [{id: 'auto-router', cost_quality_tradeoff, allowed_models, enabled}]`: 0 is quality alone, 10 the cheapest, 7 where it isn't said. What lies
 *   between isn't documented; here a right answer is then worth 2·100^(1 − t/10) reference calls: 20 (`balanced`) at 5, 8 at 7.
 * Throws `InvalidRequest` with the field's path.
 */
export function openRouterWishes({ models, provider, plugins }: OpenRouterFields): OpenRouterWishes {
  const router = autoRouter(plugins)
  return {
    objective: mergeObjectives(router.objective, providerObjective(provider)),
    models: names(models, 'models'),
    allowedModels: router.allowedModels,
  }
}

/** True where a model's name fits one of the patterns (`anthropic/*`), or there are none. `*` stands for any characters. */
export function isAllowedModel(model: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matches(model, pattern))
}

/** Without a regular expression, whose time a hostile pattern could blow up: each piece is looked for after the one before. O(model × pieces). */
function matches(model: string, pattern: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces[0] ?? ''
  if (pieces.length === 1) return model === pattern
  const last = pieces.at(-1) ?? ''
  if (!model.startsWith(first) || !model.endsWith(last) || model.length < first.length + last.length) return false
  let from = first.length
  for (const piece of pieces.slice(1, -1)) {
    const at = model.indexOf(piece, from)
    if (at < 0) return false
    from = at + piece.length
  }
  return from <= model.length - last.length
}

/** λ of OpenRouter's dial, t from 0 to 10. */
export function objectiveOfTradeoff(tradeoff: number): Objective {
  if (tradeoff === 0) return { lambda: Number.POSITIVE_INFINITY }
  return { relativeLambda: tradeoff === 10 ? 0 : 2 * 100 ** (1 - tradeoff / 10) }
}

/** Dollars a second beside which the prices of answers hardly count: an hour is $3,600. */
const quickestUsdPerSecond = 1

function providerObjective(provider: unknown): Objective {
  if (provider == null) return {}
  if (!isRecord(provider)) throw wrong('provider', 'an object')
  const sort = provider['sort']
  if (sort != null && typeof sort !== 'string' && !isRecord(sort)) throw wrong('provider.sort', 'a name or an object with "by"')
  const by = isRecord(sort) ? sort['by'] : sort
  if (by != null && typeof by !== 'string') throw wrong('provider.sort.by', '"price", "throughput" or "latency"')
  return mergeObjectives(
    by === 'price' ? { lambda: 0 } : by === 'throughput' || by === 'latency' ? { lambda: 0, usdPerSecond: quickestUsdPerSecond } : {},
    maxPrice(provider['max_price']),
  )
}

function maxPrice(value: unknown): Objective {
  if (value == null) return {}
  if (!isRecord(value)) throw wrong('provider.max_price', 'an object with "prompt" and "completion"')
  for (const [field, price] of Object.entries(value))
    if (field !== 'prompt' && field !== 'completion' && price != null)
      throw new InvalidRequest(
        `provider.max_price.${field} can't be held against arms, which have prices of prompt and completion tokens only. Leave it out.`,
        {
          code: 'unsupported_parameter',
          path: `provider.max_price.${field}`,
        },
      )
  return {
    maxPrice: {
      input: price(value['prompt'], 'provider.max_price.prompt'),
      output: price(value['completion'], 'provider.max_price.completion'),
    },
  }
}

function price(value: unknown, path: string): number | undefined {
  if (value == null) return undefined
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof read !== 'number' || !(read >= 0 && read < Number.POSITIVE_INFINITY)) throw wrong(path, 'dollars a million tokens, at least 0')
  return read
}

function autoRouter(plugins: unknown): { readonly objective: Objective; readonly allowedModels: readonly string[] } {
  const none = { objective: {}, allowedModels: [] }
  if (plugins == null) return none
  if (!Array.isArray(plugins)) throw wrong('plugins', 'a list')
  const index = plugins.findIndex(
    (plugin: unknown) => isRecord(plugin) && (plugin['id'] === 'auto-router' || plugin['id'] === 'auto-beta-router'),
  )
  const plugin: unknown = plugins[index]
  if (!isRecord(plugin)) return none
  const path = `plugins[${index}]`
  const enabled = plugin['enabled']
  if (enabled != null && typeof enabled !== 'boolean') throw wrong(`${path}.enabled`, 'true or false')
  if (enabled === false) return none
  const tradeoff = plugin['cost_quality_tradeoff'] ?? 7
  if (typeof tradeoff !== 'number' || !Number.isInteger(tradeoff) || tradeoff < 0 || tradeoff > 10)
    throw wrong(`${path}.cost_quality_tradeoff`, 'a whole number from 0 (quality alone) to 10 (the cheapest)')
  return { objective: objectiveOfTradeoff(tradeoff), allowedModels: names(plugin['allowed_models'], `${path}.allowed_models`) }
}

function names(value: unknown, path: string): readonly string[] {
  if (value == null) return []
  if (!Array.isArray(value)) throw wrong(path, 'a list of names')
  return value.map((name: unknown, index) => {
    if (typeof name !== 'string' || name === '') throw wrong(`${path}[${index}]`, 'a name')
    return name
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(path: string, expected: string): InvalidRequest {
  return new InvalidRequest(`${path} must be ${expected}.`, { path })
}

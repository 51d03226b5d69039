import type { DropPolicy } from './codec.js'
import type { Effort, Request } from './conversation.js'

/**
 * Reasoning settings between formats, by one rule. A caller says how much a model should think as an effort (OpenAI, newer
 * Claude and Gemini models) or as a ceiling of thinking tokens (older Claude and Gemini models, OpenRouter); a target that
 * knows only the other gets the nearest, by one table.
 */

/** Efforts from the least to the most. */
export const efforts: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/**
 * An effort as a budget of thinking tokens. The figures are those by which Google's own chat-completions endpoint maps
 * efforts, the only maker that publishes such a table; each model's range cuts them.
 */
export const thinkingBudgets: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
}

/**
 * The largest budgets that still are `low` and `medium`: half-way between two budgets of the table. A budget never becomes
 * more than `high` or less than `low`, because not every model that thinks has the levels beyond, and a ceiling asks for no more
 * than its caller is ready to pay.
 */
export const budgetThresholds = { low: 4608, medium: 16_384 } as const

/** The effort nearest to a budget of thinking tokens; none at all is `none`. */
export function effortOfBudget(tokens: number): 'none' | 'low' | 'medium' | 'high' {
  if (tokens <= 0) return 'none'
  if (tokens <= budgetThresholds.low) return 'low'
  return tokens <= budgetThresholds.medium ? 'medium' : 'high'
}

/** The highest level not above the wanted one, or the lowest there is; `undefined` where there is none. */
export function nearestEffort(wanted: Effort, levels: readonly Effort[]): Effort | undefined {
  let best = levels[0]
  for (const level of levels) if (efforts.indexOf(level) <= efforts.indexOf(wanted)) best = level
  return best
}

/** A number cut to a range, both ends included. */
export function within(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(Math.max(value, least), most)
}

/** Where the caller's own words about a part of the reasoning stand. */
export function reasoningPath(request: Request, part: 'effort' | 'maxTokens'): string {
  return request.paths[`reasoning.${part}`] ?? request.paths['reasoning'] ?? 'reasoning'
}

/**
 * The caller's effort, for a target that knows no budgets: the one that was said, else the one nearest to the budget, which
 * is noted. Beside an effort a budget is a second opinion on the same wish.
 */
export function effortOf(request: Request, drop: DropPolicy): Effort | undefined {
  const { effort, maxTokens } = request.reasoning ?? {}
  if (effort !== undefined || maxTokens === undefined) return effort
  const nearest = effortOfBudget(maxTokens)
  drop.adjusted?.(reasoningPath(request, 'maxTokens'), `${maxTokens} thinking tokens became the effort "${nearest}", the nearest`)
  return nearest
}

/**
 * Tells what becomes of the settings at a model that does not think. An effort is a wish that can't be kept; a ceiling of
 * tokens, and leave to think as much as it likes, are kept by a model that answers at once.
 */
export function tellThoughtless(request: Request, drop: DropPolicy): void {
  const effort = request.reasoning?.effort
  if (effort === 'none') return
  if (effort !== undefined) drop.unsupported(reasoningPath(request, 'effort'), 'this model does not think')
  else drop.adjusted?.(reasoningPath(request, 'maxTokens'), 'this model answers without thinking')
}

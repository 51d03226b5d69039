import type { DropPolicy } from '../codec.js'
import type { Effort, Request } from '../conversation.js'
import type { ModelTraits } from './model-traits.js'

/**
 * An effort as a budget of thinking tokens, for models that take a budget and no effort. The same for every model; a
 * budget never takes more than three quarters of the caller's own maximum, since that counts thinking too.
 */
export const thinkingBudgets: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 27_648,
}
const smallestBudget = 1024
/** Room for the answer itself where neither the caller nor the catalog says how long it may get. */
const answerRoom = 4096
/** No model that thinks takes less than this as its maximum. */
const safeMaximum = 32_000

export interface ThinkingPlan {
  readonly maxTokens: number
  readonly thinking: Readonly<Record<string, unknown>> | undefined
  readonly effort: Effort | undefined
  /** Whether the model will think in this call: then it takes no sampling parameters and no forced tool. */
  readonly on: boolean
}

export interface ThinkingObstacles {
  /** A tool call is forced: no model thinks then. */
  readonly forcedTool: boolean
  /** A tool loop came without the thinking that led to its calls: models that take a budget refuse it. */
  readonly unsealedLoop: boolean
}

/**
 * Turns the canonical reasoning settings into `thinking`, `output_config.effort` and a `max_tokens` that leaves room for
 * both. `fallbackMaximum` is what the catalog says about the model.
 */
export function planThinking(
  request: Request,
  traits: ModelTraits,
  fallbackMaximum: number | undefined,
  /** What keeps this call from thinking, whatever was asked. */
  obstacles: ThinkingObstacles,
  drop: DropPolicy,
): ThinkingPlan {
  const asked = request.reasoning
  const path = request.paths['reasoning'] ?? 'reasoning'
  const maximum = request.maxOutputTokens
  const plain = { maxTokens: maximum ?? fallbackMaximum ?? answerRoom, thinking: undefined, effort: undefined, on: !traits.canDisableThinking }
  if (asked === undefined) return plain

  if (asked.effort === 'none') {
    if (traits.thinking === 'none') return plain
    if (!traits.canDisableThinking) {
      drop.unsupported(request.paths['reasoning.effort'] ?? path, 'this model always thinks; its lowest effort is "low"')
      return { ...plain, effort: 'low' }
    }
    return { ...plain, thinking: { type: 'disabled' } }
  }
  if (traits.thinking === 'none') {
    drop.unsupported(path, 'this model does not think')
    return plain
  }

  const display = asked.visible === undefined ? {} : { display: asked.visible ? 'summarized' : 'omitted' }
  const effort = asked.effort === undefined ? undefined : nearestEffort(asked.effort, traits.efforts)
  if (asked.effort !== undefined && effort !== undefined && effort !== asked.effort)
    drop.adjusted?.(request.paths['reasoning.effort'] ?? path, `"${asked.effort}" became "${effort}", the nearest that this model has`)

  const obstacle = obstacles.forcedTool ? 'a forced tool call leaves no room for it' : 'the tool calls in the conversation came without the thinking that led to them'
  const byBudget = traits.thinking === 'budget' || (traits.thinking === 'either' && asked.maxTokens !== undefined)
  if (!byBudget) {
    if (asked.maxTokens !== undefined)
      drop.unsupported(request.paths['reasoning.maxTokens'] ?? path, 'this model takes an effort and no budget of thinking tokens')
    if (obstacles.forcedTool && traits.canDisableThinking) {
      drop.adjusted?.(path, `no thinking in this call: ${obstacle}`)
      // Without thinking the two highest efforts are refused.
      return { ...plain, thinking: { type: 'disabled' }, effort: effort === 'xhigh' || effort === 'max' ? 'high' : effort }
    }
    const room = answerRoom + thinkingBudgets[asked.effort ?? 'medium']
    return { maxTokens: maximum ?? fallbackMaximum ?? room, thinking: { type: 'adaptive', ...display }, effort, on: true }
  }

  if (obstacles.forcedTool || obstacles.unsealedLoop) {
    drop.adjusted?.(path, `no thinking in this call: ${obstacle}`)
    return { ...plain, effort }
  }
  if (asked.maxTokens !== undefined) {
    const budgetPath = request.paths['reasoning.maxTokens'] ?? path
    const maxTokens = maximum ?? fallbackMaximum ?? asked.maxTokens + answerRoom
    if (asked.maxTokens >= smallestBudget && asked.maxTokens < maxTokens)
      return { maxTokens, thinking: { type: 'enabled', budget_tokens: asked.maxTokens, ...display }, effort, on: true }
    drop.unsupported(budgetPath, `a budget of thinking tokens must be at least ${smallestBudget} and below the maximum of ${maxTokens} output tokens`)
    return { ...plain, effort }
  }
  const wanted = thinkingBudgets[asked.effort ?? 'medium']
  const maxTokens = maximum ?? fallbackMaximum ?? Math.min(wanted + answerRoom, safeMaximum)
  const budget = Math.min(wanted, Math.floor(maxTokens * 0.75))
  if (budget < smallestBudget) {
    drop.unsupported(path, `thinking needs at least ${smallestBudget} tokens, and the maximum of ${maxTokens} output tokens counts them too`)
    return { ...plain, effort }
  }
  if (budget < wanted) drop.adjusted?.(path, `the thinking budget is ${budget} tokens, three quarters of the maximum`)
  return { maxTokens, thinking: { type: 'enabled', budget_tokens: budget, ...display }, effort, on: true }
}

const order: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/** The highest level not above the wanted one, or the lowest there is. */
export function nearestEffort(wanted: Effort, levels: readonly Effort[]): Effort | undefined {
  let best = levels[0]
  for (const level of levels) if (order.indexOf(level) <= order.indexOf(wanted)) best = level
  return best
}

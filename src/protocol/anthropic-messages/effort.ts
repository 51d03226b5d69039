import type { DropPolicy } from '../codec.js'
import type { Effort, Request } from '../conversation.js'
import { effortOf, nearestEffort, reasoningPath, tellThoughtless, thinkingBudgets, within } from '../reasoning-effort.js'
import type { ModelTraits } from './model-traits.js'

/** The least that Anthropic takes. */
const smallestBudget = 1024
/** Of the caller's own maximum, since that counts thinking too. */
const largestShare = 0.75
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
  const effortPath = reasoningPath(request, 'effort')
  const budgetPath = reasoningPath(request, 'maxTokens')
  const maximum = request.maxOutputTokens
  const plain = {
    maxTokens: maximum ?? fallbackMaximum ?? answerRoom,
    thinking: undefined,
    effort: undefined,
    on: !traits.canDisableThinking,
  }
  if (asked === undefined) return plain

  if (asked.effort === 'none' || (asked.effort === undefined && asked.maxTokens === 0)) {
    if (traits.thinking === 'none') return plain
    if (!traits.canDisableThinking) {
      drop.unsupported(asked.effort === undefined ? budgetPath : effortPath, 'this model always thinks; its lowest effort is "low"')
      return { ...plain, effort: 'low' }
    }
    return { ...plain, thinking: { type: 'disabled' } }
  }
  if (traits.thinking === 'none') {
    tellThoughtless(request, drop)
    return plain
  }

  const display = asked.visible === undefined ? {} : { display: asked.visible ? 'summarized' : 'omitted' }
  const byBudget = traits.thinking === 'budget' || (traits.thinking === 'either' && asked.maxTokens !== undefined)
  const wanted = byBudget ? asked.effort : effortOf(request, drop)
  const effort = wanted === undefined ? undefined : nearestEffort(wanted, traits.efforts)
  if (asked.effort !== undefined && effort !== undefined && effort !== asked.effort)
    drop.adjusted?.(effortPath, `"${asked.effort}" became "${effort}", the nearest that this model has`)

  const obstacle = obstacles.forcedTool
    ? 'a forced tool call leaves no room for it'
    : 'the tool calls in the conversation came without the thinking that led to them'
  if (!byBudget) {
    if (asked.effort !== undefined && asked.maxTokens !== undefined)
      drop.adjusted?.(budgetPath, 'this model takes an effort and no budget of thinking tokens; the effort beside it says the same')
    if (obstacles.forcedTool && traits.canDisableThinking) {
      drop.adjusted?.(path, `no thinking in this call: ${obstacle}`)
      // Without thinking the two highest efforts are refused.
      return { ...plain, thinking: { type: 'disabled' }, effort: effort === 'xhigh' || effort === 'max' ? 'high' : effort }
    }
    const both = answerRoom + (asked.maxTokens ?? thinkingBudgets[asked.effort ?? 'medium'])
    return { maxTokens: maximum ?? fallbackMaximum ?? both, thinking: { type: 'adaptive', ...display }, effort, on: true }
  }

  if (obstacles.forcedTool || obstacles.unsealedLoop) {
    drop.adjusted?.(path, `no thinking in this call: ${obstacle}`)
    return { ...plain, effort }
  }
  const asMuch = asked.maxTokens ?? thinkingBudgets[asked.effort ?? 'medium']
  const { maxTokens, most } = room(asMuch, maximum ?? fallbackMaximum, asked.maxTokens !== undefined)
  if (most < smallestBudget) {
    drop.unsupported(
      path,
      `thinking needs at least ${smallestBudget} tokens, and the maximum of ${maxTokens} output tokens counts them too`,
    )
    return { ...plain, effort }
  }
  const budget = within(asMuch, [smallestBudget, most])
  // That an effort is fewer tokens here than elsewhere is worth a note, that it is more is not.
  if (budget < asMuch)
    drop.adjusted?.(
      asked.maxTokens === undefined ? path : budgetPath,
      `the thinking budget is ${budget} tokens, since the maximum of ${maxTokens} counts them too`,
    )
  else if (asked.maxTokens !== undefined && budget > asMuch)
    drop.adjusted?.(budgetPath, `the thinking budget is ${budget} tokens, the least that Anthropic takes`)
  return { maxTokens, thinking: { type: 'enabled', budget_tokens: budget, ...display }, effort, on: true }
}

/**
 * The maximum of output tokens, and the most of it that thinking may take. Where nobody names a maximum it is made to hold
 * both; a named one leaves a quarter to the answer, unless the caller divided it itself.
 */
function room(asMuch: number, maximum: number | undefined, byCaller: boolean): { readonly maxTokens: number; readonly most: number } {
  if (maximum === undefined) {
    const whole = Math.max(asMuch, smallestBudget) + answerRoom
    const maxTokens = byCaller ? whole : Math.min(whole, safeMaximum)
    return { maxTokens, most: maxTokens - answerRoom }
  }
  return { maxTokens: maximum, most: byCaller && asMuch < maximum ? maximum - 1 : Math.floor(maximum * largestShare) }
}

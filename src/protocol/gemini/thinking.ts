import type { DropPolicy } from '../codec.js'
import type { Effort, Request } from '../conversation.js'
import { nearestEffort, reasoningPath, tellThoughtless, thinkingBudgets, within } from '../reasoning-effort.js'
import type { GeminiTraits } from './model-traits.js'

/** `generationConfig.thinkingConfig`, or nothing where the caller asked for nothing. Thoughts are shown unless the caller hides them. */
export function thinkingConfig(request: Request, traits: GeminiTraits, drop: DropPolicy): Record<string, unknown> | undefined {
  const asked = request.reasoning
  if (asked === undefined) return undefined
  const effortPath = reasoningPath(request, 'effort')
  const budgetPath = reasoningPath(request, 'maxTokens')
  if (asked.effort === 'none' || (asked.effort === undefined && asked.maxTokens === 0)) {
    if (traits.thinking === 'none') return undefined
    if (traits.canDisableThinking) return { thinkingBudget: 0 }
    drop.unsupported(asked.effort === undefined ? budgetPath : effortPath, 'this model always thinks')
    return traits.thinking === 'level' ? { thinkingLevel: levelName(traits.levels[0] ?? 'low') } : { thinkingBudget: traits.budgetRange[0] }
  }
  if (traits.thinking === 'none') {
    tellThoughtless(request, drop)
    return undefined
  }
  const config: Record<string, unknown> = { includeThoughts: asked.visible ?? true }
  if (asked.maxTokens !== undefined) {
    // Models that go by levels take a budget too.
    const budget = within(asked.maxTokens, traits.budgetRange)
    if (budget !== asked.maxTokens) drop.adjusted?.(budgetPath, `the thinking budget became ${budget}, within this model's range`)
    config['thinkingBudget'] = budget
  } else if (traits.thinking === 'budget')
    // Without an effort the model decides by itself.
    config['thinkingBudget'] = asked.effort === undefined ? -1 : within(thinkingBudgets[asked.effort], traits.budgetRange)
  else if (asked.effort !== undefined) {
    const level = nearestEffort(asked.effort, traits.levels) ?? asked.effort
    if (level !== asked.effort) drop.adjusted?.(effortPath, `"${asked.effort}" became "${level}", the nearest that this model has`)
    config['thinkingLevel'] = levelName(level)
  }
  return config
}

function levelName(level: Effort): string {
  return level.toUpperCase()
}

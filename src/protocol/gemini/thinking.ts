import type { DropPolicy } from '../codec.js'
import type { Effort, Request } from '../conversation.js'
import type { GeminiTraits } from './model-traits.js'

/** An effort as a budget of thinking tokens (generation 2.5), as Google's own chat-completions endpoint maps it; cut to the model's range. */
export const geminiThinkingBudgets: Readonly<Record<Exclude<Effort, 'none'>, number>> = {
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
}

const order = ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] as const
type Level = (typeof order)[number]
const levelOf: Readonly<Record<Exclude<Effort, 'none'>, Level>> = {
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
  max: 'HIGH',
}

/** `generationConfig.thinkingConfig`, or nothing where the caller asked for nothing. Thoughts are shown unless the caller hides them. */
export function thinkingConfig(request: Request, traits: GeminiTraits, drop: DropPolicy): Record<string, unknown> | undefined {
  const asked = request.reasoning
  if (asked === undefined) return undefined
  const path = request.paths['reasoning'] ?? 'reasoning'
  const effortPath = request.paths['reasoning.effort'] ?? path
  if (asked.effort === 'none') {
    if (traits.thinking === 'none') return undefined
    if (traits.canDisableThinking) return { thinkingBudget: 0 }
    drop.unsupported(effortPath, 'this model always thinks')
    return traits.thinking === 'level' ? { thinkingLevel: traits.levels[0] } : { thinkingBudget: traits.budgetRange[0] }
  }
  if (traits.thinking === 'none') {
    drop.unsupported(path, 'this model does not think')
    return undefined
  }
  const config: Record<string, unknown> = { includeThoughts: asked.visible ?? true }
  if (asked.maxTokens !== undefined) {
    const budget = within(asked.maxTokens, traits.budgetRange)
    if (budget !== asked.maxTokens) drop.adjusted?.(request.paths['reasoning.maxTokens'] ?? path, `the thinking budget became ${budget}, within this model's range`)
    config['thinkingBudget'] = budget
  } else if (traits.thinking === 'budget')
    // Without an effort the model decides by itself.
    config['thinkingBudget'] = asked.effort === undefined ? -1 : within(geminiThinkingBudgets[asked.effort], traits.budgetRange)
  else if (asked.effort !== undefined) {
    const level = nearest(levelOf[asked.effort], traits.levels)
    if (level.toLowerCase() !== asked.effort) drop.adjusted?.(effortPath, `"${asked.effort}" became "${level.toLowerCase()}", the nearest that this model has`)
    config['thinkingLevel'] = level
  }
  return config
}

function within(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(Math.max(value, least), most)
}

function nearest(wanted: Level, levels: readonly Level[]): Level {
  let best = levels[0] ?? wanted
  for (const level of levels) if (order.indexOf(level) <= order.indexOf(wanted)) best = level
  return best
}

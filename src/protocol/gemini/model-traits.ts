import type { Effort } from '../conversation.js'

/** What a Gemini model takes, as far as it differs from one generation to the next. */
export interface GeminiTraits {
  /**
   * How thinking is asked for (Google's thinking guide, November 2026): not at all before 2.5, by a budget of tokens in 2.5, by a
   * level from 3 on.
   */
  readonly thinking: 'none' | 'budget' | 'level'
  /** False where thinking can't be turned off: Pro models, and all of generation 3 and later. */
  readonly canDisableThinking: boolean
  readonly budgetRange: readonly [number, number]
  /** From the least to the most. */
  readonly levels: readonly Effort[]
  /** Whether function calls without their thought signature are refused, and media in function responses taken. */
  readonly third: boolean
}

/** A name without a number (`gemini-flash-latest`) is taken for the newest generation; a Gemma model doesn't think. */
export function geminiTraits(model: string): GeminiTraits {
  const name = model.toLowerCase()
  const match = /gemini-(\d{1,2}(?:\.\d{1,2})?)/.exec(name)
  const generation = match?.[1] === undefined ? (name.includes('gemini') ? Number.POSITIVE_INFINITY : 0) : Number(match[1])
  const pro = name.includes('pro')
  const third = generation >= 3
  return {
    thinking: third ? 'level' : generation >= 2.5 ? 'budget' : 'none',
    canDisableThinking: !third && !pro,
    budgetRange: pro ? [128, 32_768] : name.includes('lite') ? [512, 24_576] : [1, 24_576],
    levels: !pro ? ['minimal', 'low', 'medium', 'high'] : generation < 3.1 ? ['low', 'high'] : ['low', 'medium', 'high'],
    third,
  }
}

import type { Effort } from '../conversation.js'

/** What a Claude model takes and refuses, as far as it differs from one to the next. */
export interface ModelTraits {
  /**
   * How thinking is asked for: by a budget, by the adaptive mode, by either, or not at all. `unknown` names (a compatible
   * server's models) are taken for the oldest form, a budget.
   */
  readonly thinking: 'none' | 'budget' | 'either' | 'adaptive'
  /** False where the model always thinks. */
  readonly canDisableThinking: boolean
  /** Levels of `output_config.effort`, lowest first; empty where the field is refused. */
  readonly efforts: readonly Effort[]
  /** Whether `temperature`, `top_p` and `top_k` may be set, and whether the first two may be set together. */
  readonly sampling: 'free' | 'one' | 'refused'
  readonly structuredOutput: boolean
  /** Whether a tool call can be forced (`any`, `tool`). */
  readonly forcedTool: boolean
  /** Whether `role: system` may stand inside `messages`. */
  readonly systemInside: boolean
}

const threeEfforts: readonly Effort[] = ['low', 'medium', 'high']
const fourEfforts: readonly Effort[] = ['low', 'medium', 'high', 'max']
const fiveEfforts: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max']

/**
 * The table (Anthropic's documentation of thinking, effort, structured outputs, mid-conversation system messages and its
 * migration guides, November 2026). A model newer than the table is taken for the newest kind.
 *
 * | models | thinking | effort | sampling | structured output | system inside |
 * |---|---|---|---|---|---|
 * | up to 3.5 | none | no | free | no | no |
 * | 3.7 to 4.0 | budget | no | free | no | no |
 * | Opus 4.1, all 4.5 | budget | Opus 4.5: low to high | one of temperature and top_p | yes | no |
 * | 4.6 | adaptive or budget | low to high, max | one | yes | no |
 * | Opus 4.7 | adaptive | low to max | refused | yes | no |
 * | Opus 4.8, all 5 and later, Mythos, Fable | adaptive | low to max | refused | yes | yes |
 *
 * Thinking can't be turned off on Mythos, Fable, and Opus and Sonnet from 5.5; a tool call can't be forced on Fable from
 * 5.1, nor on Opus and Sonnet from 5.5.
 */
export function modelTraits(model: string): ModelTraits {
  const version = claudeVersion(model)
  if (version === undefined)
    return {
      thinking: 'budget',
      canDisableThinking: true,
      efforts: [],
      sampling: 'free',
      structuredOutput: true,
      forcedTool: true,
      systemInside: false,
    }
  const { family, number } = version
  const always = family === 'mythos' || family === 'fable' || ((family === 'opus' || family === 'sonnet') && number >= 5.5)
  return {
    thinking: number < 3.7 ? 'none' : number < 4.6 ? 'budget' : number < 4.7 ? 'either' : 'adaptive',
    canDisableThinking: !always,
    efforts: number >= 4.7 ? fiveEfforts : number >= 4.6 ? fourEfforts : family === 'opus' && number >= 4.5 ? threeEfforts : [],
    sampling: number >= 4.7 ? 'refused' : number >= 4.1 ? 'one' : 'free',
    structuredOutput: number >= 4.1,
    forcedTool: !((family === 'fable' && number >= 5.1) || ((family === 'opus' || family === 'sonnet') && number >= 5.5)),
    systemInside: number >= 4.8,
  }
}

/** `claude-sonnet-4-5-20250929`, `anthropic.claude-3-5-haiku-…-v1:0`, `claude-opus-4.8`; a minor has one or two digits, a date eight. */
function claudeVersion(model: string): { readonly family: string; readonly number: number } | undefined {
  const name = model.toLowerCase()
  const at = name.indexOf('claude')
  if (at === -1) return undefined
  const rest = name.slice(at)
  const family = /(?:opus|sonnet|haiku|fable|mythos|instant)/.exec(rest)?.[0] ?? ''
  const match = /[-_](\d{1,2})(?:[-._](\d{1,2}))?(?![\d.])/.exec(rest)
  // `claude-mythos-preview` has no number; it behaves like the models of its time.
  if (match === null) return family === '' ? undefined : { family, number: 5 }
  return { family, number: Number(`${match[1]}.${match[2] ?? '0'}`) }
}

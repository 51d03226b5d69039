import type { Features } from '../../understanding/index.js'
import type { LengthFeatures, OutputLengths } from '../effort/output-lengths.js'
import { styleLibrary, type StyleId } from './style-library.js'

/** What of a model decides which styles it takes. */
export interface StyledModel {
  readonly tier?: 'small' | 'medium' | 'large' | undefined
  /** Whether it reasons of itself: then no style helps, and its effort is set instead. */
  readonly thinks: boolean
}

/**
 * Styles worth trying, the best first, before any outcome is known (the prior of paper 032). Empty: leave the request as it is. Terse styles
 * harm what must be written out (code, translations, letters, data), small models ignore unusual formats, searches pay only for large models;
 * a model that reasons of itself gets none.
 */
export function preferredStyles(
  { category, traits }: Pick<Features, 'category' | 'traits'>,
  { tier, thinks }: StyledModel,
): readonly StyleId[] {
  if (thinks || traits.tools || traits.toolLoop || traits.structured || traits.code) return []
  const calculates = category?.name === 'math' || category?.name === 'reasoning' || traits.numeric > 0.1 || traits.stepCues > 0
  if (category !== undefined && verbatim.has(category.name)) return []
  if (tier === 'small') return calculates ? ['chain_of_thought', 'direct'] : ['direct']
  if (calculates && search.test(category?.name ?? '') && tier === 'large') return ['algorithm', 'chain_of_thought']
  if (calculates) return ['chain_of_draft', 'chain_of_thought']
  if (traits.choices > 0 || category?.name === 'knowledge') return ['sketch', 'direct', 'concise']
  return ['concise']
}

const verbatim: ReadonlySet<string> = new Set(['code', 'sql', 'writing', 'translation', 'extraction', 'chat'])
const search = /search|puzzle|game|planning|combinator/

/** Answers at which the learned ratio counts as much as the library's. */
const shrinkage = 10

/**
 * Output tokens of a style relative to the same arm's without one, for such requests: learned where both were seen (by `styledArm` and the
 * arm's own name in one `OutputLengths`), drawn to the library's ratio. O(1).
 */
export function styleRatio(lengths: OutputLengths, arm: string, style: StyleId, features: LengthFeatures): number {
  const prior = styleLibrary[style].outputRatio
  const [plain, styled] = [lengths.expected(arm, features), lengths.expected(styledArm(arm, style), features)]
  if (plain === undefined || styled === undefined || plain.mean <= 0) return prior
  const support = Math.min(lengths.answers(arm), lengths.answers(styledArm(arm, style)))
  // In logarithms: a ratio and its inverse weigh the same. An answer has a token at least.
  return Math.exp((Math.log(prior) * shrinkage + Math.log(Math.max(1, styled.mean) / plain.mean) * support) / (shrinkage + support))
}

/** The name under which lengths of an arm in a style are learned. */
export function styledArm(arm: string, style: StyleId): string {
  return `${arm} style ${style}`
}

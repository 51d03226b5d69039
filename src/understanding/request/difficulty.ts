import { InvalidRequest } from '../../errors/index.js'
import { quantile } from '../../statistics/index.js'
import type { Difficulty } from '../features.js'
import type { TextTraits } from './traits.js'

/** Values at which levels 2, 3, 4 and 5 begin, ascending. */
export type LevelCuts = readonly [number, number, number, number]

/** Even fifths of the scale: what holds before anything is known of the traffic. `levelCuts` takes them from it. */
export const evenCuts: LevelCuts = [0.2, 0.4, 0.6, 0.8]

/**
 * Difficulty guessed from a text, in [0, 1): d = 1 − exp(−s), with
 * s = 0.2·ln(1 + words) + 0.06·min(stepCues, 6) + 0.5·min(numeric, 0.2) + 0.15·[code] + 0.1·max(0, w − 4) / 4,
 * w the mean length of words, taken at most 8. It rises in each of its terms and falls in none. The weights are round numbers set by hand after a look at
 * which terms order problems whose difficulty is known: length does most. It is a start, for as long as nothing was learned (`Difficulty` of the
 * specification's section 0.1: lexical comes last), and `npm run bench:understanding` prints how little it tells beyond length.
 */
export function lexicalDifficulty(
  traits: Pick<TextTraits, 'stepCues' | 'numeric' | 'code'>,
  words: readonly string[],
  cuts: LevelCuts = evenCuts,
): Difficulty {
  let letters = 0
  for (const word of words) letters += word.length
  const meanLength = words.length === 0 ? 0 : Math.min(8, letters / words.length)
  const score =
    0.2 * Math.log1p(words.length) +
    0.06 * Math.min(traits.stepCues, 6) +
    0.5 * Math.min(traits.numeric, 0.2) +
    (traits.code ? 0.15 : 0) +
    (0.1 * Math.max(0, meanLength - 4)) / 4
  return difficultyOf(1 - Math.exp(-score), 'lexical', cuts)
}

/** A difficulty with its level. Throws `InvalidRequest` unless the value is in [0, 1]. */
export function difficultyOf(value: number, source: Difficulty['source'], cuts: LevelCuts = evenCuts): Difficulty {
  if (!(value >= 0 && value <= 1)) throw new InvalidRequest(`A difficulty must be between 0 and 1, not ${value}.`, { path: 'difficulty' })
  const [second, third, fourth, fifth] = cuts
  return { value, level: value < second ? 1 : value < third ? 2 : value < fourth ? 3 : value < fifth ? 4 : 5, source }
}

/** The quintiles of the difficulties of some traffic: levels that each hold about a fifth of it. Throws `InvalidRequest` for no values. */
export function levelCuts(values: readonly number[]): LevelCuts {
  if (values.length === 0 || values.some((value) => !Number.isFinite(value)))
    throw new InvalidRequest('Levels need the difficulties of at least one request, all of them numbers.', { path: 'difficulty' })
  return [quantile(values, 0.2), quantile(values, 0.4), quantile(values, 0.6), quantile(values, 0.8)]
}

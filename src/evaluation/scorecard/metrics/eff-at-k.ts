import { effAtK, sampleEfficiency } from '../samples.js'
import { ratioOf, type Metric, type ScoredOutcome, type ScoredRow } from '../metric.js'

/**
 * eff@k (138) with generated tokens in the place of time: of each sample max(0, T - t) / (T - t_ref), T = 2·t_ref, t_ref the fewest
 * tokens of any right sample of any arm on the request; 0 where it is wrong; then the expected best of k. One level, since a request
 * has but one size.
 */
export const efficiencyAtK: Metric = {
  id: 'eff@k',
  title: 'Efficiency of the best of k',
  unit: '',
  formula:
    'eff@k of e = max(0, T - t)/(T - t_ref) where right, else 0; t generated tokens, t_ref the fewest of a right sample of any arm, T = 2·t_ref; k by --k',
  source: '138, ENAMEL',
  better: 'higher',
  needs: [],
  width: 1,
  terms(outcome, _arm, row, { k }) {
    const samples = samplesOf(outcome)
    if (samples === null || samples.length < k) return null
    const reference = fewestRight(row)
    // Nobody was right: nothing to be efficient at.
    if (reference === null) return [0]
    return [
      effAtK(
        samples.map(({ right, tokens }) => sampleEfficiency(right, [{ seconds: tokens, reference }], [1])),
        k,
      ),
    ]
  },
  of: ([value]) => ratioOf(value, 1),
}

function samplesOf({
  samples,
  quality,
  generatedTokens,
}: ScoredOutcome): readonly { readonly right: boolean; readonly tokens: number }[] | null {
  const all = samples
    ? samples.map((one) => ({
        quality: one.quality,
        tokens: one.outputTokens === undefined ? undefined : one.outputTokens + (one.reasoningTokens ?? 0),
      }))
    : [{ quality, tokens: generatedTokens }]
  const known = all.flatMap(({ quality: q, tokens }) => (q === undefined || tokens === undefined ? [] : [{ right: q >= 0.5, tokens }]))
  return known.length < all.length ? null : known
}

/** Above 0: a right answer of no token has no efficiency to be told. */
function fewestRight({ outcomes }: ScoredRow): number | null {
  let fewest = Infinity
  for (const outcome of outcomes.values())
    for (const { right, tokens } of samplesOf(outcome) ?? []) if (right && tokens > 0) fewest = Math.min(fewest, tokens)
  return fewest === Infinity ? null : fewest
}

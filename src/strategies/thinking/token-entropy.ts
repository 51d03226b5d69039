import type { TokenLogprob } from '../../protocol/index.js'

/**
 * How unsure a model was of a token: the entropy, in nats, of its alternatives (the token itself among them), renormalised (paper 115). `null` where
 * fewer than two are told. O(alternatives).
 */
export function tokenEntropy({ token, logprob, top }: TokenLogprob): number | null {
  const told = top.some((one) => one.token === token) ? top : [...top, { token, logprob }]
  const shares = told.flatMap((one) => (Number.isFinite(one.logprob) ? [Math.exp(Math.min(0, one.logprob))] : []))
  const total = shares.reduce((sum, share) => sum + share, 0)
  if (shares.length < 2 || !(total > 0)) return null
  return -shares.reduce((sum, share) => sum + (share > 0 ? (share / total) * Math.log(share / total) : 0), 0)
}

/**
 * A sign of difficulty from an answer that is there (paper 115 for providers that can't branch): the mean of the highest twentieth of its token entropies, in
 * nats, at least one token. Its scale is a model's own: compare it with quantiles of that model. `null` where no alternatives were told. O(n log n).
 */
export function highEntropy(logprobs: readonly TokenLogprob[]): number | null {
  const known = logprobs
    .map(tokenEntropy)
    .filter((entropy) => entropy !== null)
    .sort((a, b) => b - a)
  const counted = known.slice(0, Math.max(1, Math.ceil(known.length / 20)))
  return counted.length === 0 ? null : counted.reduce((sum, entropy) => sum + entropy, 0) / counted.length
}

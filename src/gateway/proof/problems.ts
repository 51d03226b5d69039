import type { LiveWorld } from '../../environment/index.js'
import type { ProofConfig } from '../config/index.js'

/**
 * What `bursar check` tells of the proof: plain sentences about what works but looks like a mistake. `arms`: models that routing may
 * pick.
 */
export function proofProblems(
  { holdout, judge }: ProofConfig,
  { route }: Pick<LiveWorld, 'route'>,
  arms: readonly { readonly model: string }[],
): readonly string[] {
  if (judge === undefined) return []
  const deployments = route(judge.model)?.deployments ?? []
  return [
    ...(holdout === 0 ? ['proof.judge: nothing is randomised (proof.holdout is 0), so nothing is judged.'] : []),
    ...(deployments.length === 0 ? [`proof.judge: nobody serves "${judge.model}", so nothing is judged.`] : []),
    ...(deployments.some(({ facts }) => facts.prices === undefined)
      ? [
          `proof.judge: the price of "${judge.model}" is unknown, so it could not be held to usd_per_day and is never asked. Say it in prices.`,
        ]
      : []),
    ...(arms.some(({ model }) => model === judge.model)
      ? [`proof.judge: "${judge.model}" is an arm too, and models are kind to their own answers. Better let another one judge.`]
      : []),
  ]
}

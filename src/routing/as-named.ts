import type { Decision, Situation } from './contracts.js'

/** Takes the first arm, which is the model the caller named: what happens without Bursar's choosing. */
export const asNamed = {
  id: 'as-named',
  choose: ({ arms }: Pick<Situation, 'arms'>): Decision => ({
    arm: arms[0],
    alternatives: [],
    propensity: 1,
    policy: 'as-named',
    reason: `You named the model "${arms[0].model}", so it answers; no other arm was weighed.`,
  }),
}

export { LEARNER } from './own-calls.js'
export { openProof } from './open-proof.js'
export { whyRolledBack, type Proof, type TrialPlan } from './proof.js'
export { watchedByBoth } from './reply-watch.js'

import type { Request } from '../../src/protocol/index.js'
import {
  acceptByEvidence,
  acceptByScore,
  bestOfN,
  buildStrategy,
  byDifficulty,
  cascade,
  createEffortController,
  createThinkGate,
  cutThinking,
  fallback,
  fromLibrary,
  guided,
  judge,
  learnLoopTable,
  modelSwitch,
  parseStrategy,
  planAndBudget,
  revise,
  selective,
  selfConsistency,
  single,
  StrategyLibrary,
  strategyKinds,
  styled,
  thinkIfNeeded,
  withEffort,
  type Strategy,
} from '../../src/strategies/index.js'
import { examples } from '../../src/strategies/declared/fixtures/examples.js'
import { createUnderstanding } from '../../src/understanding/index.js'

const understanding = createUnderstanding()
const featuresOf = (request: Request, signal: AbortSignal) => understanding.of(request, signal)
const grader = judge({ model: 'judge' })

/** Every strategy that runs in the three worlds, each made anew for each run: adding one is one line. */
export const strategies: Readonly<Record<string, () => Strategy>> = {
  single: () => single('small'),
  fallback: () => fallback([single('broken'), single('large')]),
  styled: () => styled('chain_of_draft', single('small')),
  'with effort': () =>
    withEffort(single('small'), 0.5, { controller: createEffortController(), target: { arm: 'small', takes: 'none' }, featuresOf }),
  'think if needed': () =>
    thinkIfNeeded({
      instant: styled('direct', single('small')),
      reasoned: single('large'),
      gate: createThinkGate(),
      featuresOf,
      qualityPerToken: 1e-4,
      look: Infinity,
    }),
  'self-consistency': () => selfConsistency({ model: 'small', most: 5 }),
  'self-consistency, all at once': () => selfConsistency({ model: 'small', most: 5, together: 5, stop: { rule: 'none' } }),
  'model switch': () => modelSwitch({ rungs: [{ model: 'small' }, { model: 'large' }], samplesEach: 3, threshold: 0.8 }),
  'best of n': () => bestOfN({ model: 'small', n: 3, scorer: grader }),
  revise: () => revise({ model: 'small', rounds: 2 }),
  'by difficulty': () =>
    byDifficulty({
      loops: { single: single('small'), vote: selfConsistency({ model: 'small', most: 3 }) },
      table: learnLoopTable([], [1]),
      budget: 1,
      otherwise: 'vote',
      level: () => 3,
    }),
  'cascade by agreement': () =>
    cascade({
      rungs: [{ strategy: selfConsistency({ model: 'small', most: 3 }), accept: acceptByEvidence(0.99) }, { strategy: single('large') }],
    }),
  'cascade by judge': () =>
    cascade({
      rungs: [
        { strategy: single('broken') },
        { strategy: single('small'), accept: acceptByScore({ scorer: grader, threshold: 0.95 }) },
        { strategy: single('large') },
      ],
    }),
  'plan and budget': () => planAndBudget({ planner: { model: 'planner' }, solver: { model: 'large' } }),
  selective: () => selective({ outliner: { model: 'planner' }, cheap: { model: 'small' }, strong: { model: 'large' } }),
  'small plans': () => guided({ direction: 'small-plans', guide: { model: 'guide' }, writer: { model: 'large' } }),
  'large hints': () => guided({ direction: 'large-hints', guide: { model: 'large' }, writer: { model: 'small' } }),
  'from library': () => {
    const library = new StrategyLibrary()
    for (const spec of ['small', { kind: 'self_consistency', model: 'small', most: 3 }]) library.add(spec)
    return fromLibrary({ library, cluster: () => 'sums', lambda: 0.01 })
  },
  'cut thinking': () => cutThinking({ model: 'rambler', finisher: 'small', audits: 0 }),
  ...declared(),
}

/** One of every kind that can be declared, with this suite's models. */
function declared(): Record<string, () => Strategy> {
  return Object.fromEntries(
    examples.map((example): [string, () => Strategy] => {
      const spec: unknown = JSON.parse(JSON.stringify(example).replaceAll('sandbox/', ''))
      return [`declared ${example.kind}`, () => buildStrategy(parseStrategy(spec), strategyKinds, {})]
    }),
  )
}

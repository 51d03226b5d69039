import { predictorKinds, type MemberSettings } from '../../src/routing/index.js'

/** A predictor that is measured, with its settings. None of them was chosen on rows that are measured on. */
export interface Contender {
  readonly label: string
  readonly kind: string
  readonly settings: unknown
  readonly baseline?: boolean | undefined
}

const untold = { category: 0 }
const members: readonly MemberSettings[] = [
  { kind: 'knn' },
  { kind: 'ridge', settings: { sharedPenalty: 10, ownPenalty: 15, scales: untold } },
  { kind: 'logistic', settings: { sharedPenalty: 3, ownPenalty: 5, scales: untold } },
  { kind: 'topic' },
  { kind: 'trees' },
  { kind: 'task' },
]

export const contenders: readonly Contender[] = [
  {
    label: 'TF-IDF + ridge',
    kind: 'ridge',
    settings: { sharedPenalty: 3, ownPenalty: 3, scales: { words: 0, lexical: 1, dense: 0, traits: 0, category: 0 } },
    baseline: true,
  },
  { label: 'plain k-NN', kind: 'knn', settings: { neighbours: 64, power: 0, shrinkage: 0.001, denseShare: 0 }, baseline: true },
  { label: 'domain table', kind: 'domain', settings: {}, baseline: true },
  ...members.map(({ kind, settings }) => ({ label: kind, kind, settings: settings ?? {} })),
  { label: 'complexity (086)', kind: 'complexity', settings: {} },
  { label: 'ensemble', kind: 'ensemble', settings: { members } },
]

export function kindOf(name: string) {
  const kind = predictorKinds[name]
  if (!kind) throw new Error(`there is no predictor ${name}`)
  return kind
}

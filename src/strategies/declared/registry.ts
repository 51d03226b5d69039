import type { StrategyKind } from './kind.js'
import { cascadeKind } from './kinds/cascade-kind.js'
import { cutThinkingKind, effortKind, styledKind, thinkIfNeededKind } from './kinds/effort-kinds.js'
import { fallbackKind } from './kinds/fallback-kind.js'
import { ifKind } from './kinds/if-kind.js'
import { libraryKind } from './kinds/library-kind.js'
import { batchQuotaKind, guidedKind, planAndBudgetKind, selectiveKind } from './kinds/planning-kinds.js'
import { repeatKind } from './kinds/repeat-kind.js'
import { bestOfNKind, modelSwitchKind, reviseKind, selfConsistencyKind, voteKind } from './kinds/sampling-kinds.js'
import { singleKind } from './kinds/single-kind.js'
import type { StrategyRegistry } from './spec.js'

/** A registry of these kinds. Throws `RangeError` for a name that comes twice. */
export function strategyRegistry(kinds: readonly StrategyKind[]): StrategyRegistry {
  const registry = new Map<string, StrategyKind>()
  for (const kind of kinds) {
    if (registry.has(kind.kind)) throw new RangeError(`two kinds of strategy are named "${kind.kind}"`)
    registry.set(kind.kind, kind)
  }
  return registry
}

/** Every kind of declared strategy there is. A new one is one file and one line here. */
export const strategyKinds: StrategyRegistry = strategyRegistry([
  singleKind,
  fallbackKind,
  cascadeKind,
  selfConsistencyKind,
  voteKind,
  modelSwitchKind,
  bestOfNKind,
  reviseKind,
  planAndBudgetKind,
  selectiveKind,
  guidedKind,
  batchQuotaKind,
  styledKind,
  effortKind,
  thinkIfNeededKind,
  cutThinkingKind,
  ifKind,
  repeatKind,
  libraryKind,
])

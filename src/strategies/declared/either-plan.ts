import type { ModelId } from '../../environment/index.js'
import type { PlannedUse } from '../strategy.js'

/** The plan of one of several: of each model the most that any of them calls it, and what it is called on average. */
export function eitherPlan(plans: readonly (readonly PlannedUse[])[]): readonly PlannedUse[] {
  const models = new Map<ModelId, { expected: number; most: number }>()
  for (const plan of plans) {
    const own = new Map<ModelId, { expected: number; most: number }>()
    for (const { model, expected, most } of plan) {
      const before = own.get(model) ?? { expected: 0, most: 0 }
      own.set(model, { expected: before.expected + expected, most: before.most + most })
    }
    for (const [model, { expected, most }] of own) {
      const before = models.get(model) ?? { expected: 0, most: 0 }
      models.set(model, { expected: before.expected + expected / plans.length, most: Math.max(before.most, most) })
    }
  }
  return [...models].map(([model, use]) => ({ model, ...use }))
}

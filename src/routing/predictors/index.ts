import { z } from 'zod'
import type { PredictorKind } from '../contracts.js'
import { complexity } from './complexity.js'
import { domain } from './domain.js'
import { ensembleOf } from './ensemble.js'
import { knn } from './knn.js'
import { logistic, ridge } from './linear.js'
import { preferenceOf } from './preference.js'
import { task } from './task.js'
import { topic } from './topic.js'
import { trees } from './trees.js'
import { checkedKind, positive, scalesSchema } from './settings.js'

export type { ComplexitySettings } from './complexity.js'
export type { DomainSettings } from './domain.js'
export type { EnsembleSettings, MemberSettings } from './ensemble.js'
export type { PreferenceSettings } from './preference.js'
export type { TaskSettings } from './task.js'
export type { TopicSettings } from './topic.js'
export type { TreesSettings } from './trees.js'
export type { KnnSettings, KnnPredictor } from './knn.js'
export type { LinearSettings } from './linear.js'

const linearSettings = z.strictObject({
  sharedPenalty: positive.optional(),
  ownPenalty: positive.optional(),
  scales: scalesSchema.optional(),
  passes: z.int().min(1).max(1000).optional(),
})

const single: Readonly<Record<string, PredictorKind>> = {
  knn: checkedKind(
    knn,
    z.strictObject({
      neighbours: z.int().min(1).max(256).optional(),
      shrinkage: positive.optional(),
      power: z.number().min(0).max(10).optional(),
      denseShare: z.number().min(0).max(1).optional(),
      capacity: z
        .int()
        .min(1)
        .max(1 << 20)
        .optional(),
      exact: z.boolean().optional(),
    }),
  ),
  complexity: checkedKind(
    complexity,
    z.strictObject({
      levels: z.array(z.string().min(1).max(256)).max(100).optional(),
      falseAccept: z.number().min(0.01).max(100).optional(),
    }),
  ),
  domain: checkedKind(domain, z.strictObject({ shrinkage: positive.optional() })),
  ridge: checkedKind(ridge, linearSettings),
  logistic: checkedKind(logistic, linearSettings),
  task: checkedKind(task, z.strictObject({ shrinkage: positive.optional() })),
  topic: checkedKind(topic, z.strictObject({ shrinkage: positive.optional() })),
  trees: checkedKind(
    trees,
    z.strictObject({
      trees: z.int().min(1).max(2000).optional(),
      depth: z.int().min(1).max(8).optional(),
      rate: z.number().positive().max(1).optional(),
    }),
  ),
}

const memberSettings = z.strictObject({ kind: z.string(), settings: z.unknown().optional() })
const ensembleSettings = z.strictObject({
  members: z.array(memberSettings).min(1).max(16).optional(),
  folds: z.int().min(2).max(10).optional(),
})

const shared: Readonly<Record<string, PredictorKind>> = { ...single, ensemble: checkedKind(ensembleOf(single), ensembleSettings) }
const personal = checkedKind(preferenceOf(shared), z.strictObject({ base: memberSettings.optional() }))

/** Every way to learn, by the name that configurations use. */
export const predictorKinds: Readonly<Record<string, PredictorKind>> = { ...shared, preference: personal }

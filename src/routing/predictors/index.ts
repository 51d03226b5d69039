import { z } from 'zod'
import type { PredictorKind } from '../contracts.js'
import { domain } from './domain.js'
import { knn } from './knn.js'
import { logistic, ridge } from './linear.js'
import { checkedKind, positive, scalesSchema } from './settings.js'

export type { DomainSettings } from './domain.js'
export type { KnnSettings, KnnPredictor } from './knn.js'
export type { LinearSettings } from './linear.js'

const linearSettings = z.strictObject({
  sharedPenalty: positive.optional(),
  ownPenalty: positive.optional(),
  scales: scalesSchema.optional(),
  passes: z.int().min(1).max(1000).optional(),
})

/** Every way to learn, by the name that configurations use. */
export const predictorKinds: Readonly<Record<string, PredictorKind>> = {
  knn: checkedKind(
    knn,
    z.strictObject({
      neighbours: z.int().min(1).max(256).optional(),
      shrinkage: positive.optional(),
      power: z.number().min(0).max(10).optional(),
      denseShare: z.number().min(0).max(1).optional(),
      capacity: z.int().min(1).max(1 << 20).optional(),
      exact: z.boolean().optional(),
    }),
  ),
  domain: checkedKind(domain, z.strictObject({ shrinkage: positive.optional() })),
  ridge: checkedKind(ridge, linearSettings),
  logistic: checkedKind(logistic, linearSettings),
}

import type { OutcomeRow } from '../../environment/index.js'
import type { DecidingSettings } from './deciding.js'

/** What a thread that decides is begun with. */
export interface DecidingThreadSettings {
  readonly deciding: DecidingSettings
  /** One of `predictorKinds`, and what it wrote of itself. */
  readonly kind: string
  readonly predictor: Uint8Array
}

/** A batch of requests to be decided; they are answered in the order they were sent. */
export type ToDecidingThread = readonly OutcomeRow['request'][]

/** A request that is none: its place in the batch, and what is wrong with it. */
export interface RequestFault {
  readonly at: number
  readonly message: string
  readonly path: string | undefined
}

export interface DecidedBatch {
  /** Of each request in turn, the place of the arm that each objective takes. */
  readonly places: Uint16Array
  /** By rising place. */
  readonly faults: readonly RequestFault[]
}

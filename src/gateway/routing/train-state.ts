import { createUnderstanding } from '../../understanding/index.js'
import type { RoutingConfig } from '../config/index.js'
import { predictorKindOf } from './beliefs.js'
import type { Router } from './router.js'
import { writeStateFile } from './state-file.js'
import { learnedOf, trainOnTable, type Trained } from './train.js'

export interface TrainRequest {
  readonly from: string
  readonly out: string
  /** Instead of those of the configuration. */
  readonly kind: string | undefined
  readonly seed: number | undefined
  onRows(rows: number): void
}

export interface TrainReport extends Pick<Trained, 'rows' | 'arms'> {
  readonly kind: string
  readonly seed: number
  readonly file: string
  readonly bytes: number
}

/** Trains what everyone begins with, and writes it as a state file. Throws as `trainOnTable`. */
export async function trainState(
  router: Router,
  { predictor }: RoutingConfig,
  { from, out, kind: named, seed = predictor.seed, onRows }: TrainRequest,
): Promise<TrainReport> {
  const kind = predictorKindOf(named === undefined ? predictor : { kind: named })
  const understanding = createUnderstanding()
  try {
    const { bytes, rows, arms } = await trainOnTable(from, {
      kind,
      settings: named === undefined || named === predictor.kind ? predictor.settings : {},
      seed,
      facts: router.arms.facts,
      understanding,
      signal: new AbortController().signal,
      onRows,
    })
    await writeStateFile(out, { kind: kind.kind, base: learnedOf(bytes, arms), tenants: new Map() })
    return { rows, arms, kind: kind.kind, seed, file: out, bytes: bytes.length }
  } finally {
    await understanding.close()
  }
}

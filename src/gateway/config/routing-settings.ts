import { resolve } from 'node:path'
import type { Config } from './schema.js'

/** Paths from the file's folder; the state lies beside the ledger, and nowhere where that is only in memory. */
export function resolveRouting(routing: Config['routing'], ledger: Config['ledger'], folder: string | undefined): Config['routing'] {
  const { train, state } = routing.predictor
  const from = (path: string) => resolve(folder ?? '.', path)
  const beside = ledger.store === 'memory' || ledger.path === undefined ? undefined : ledger.path.replace(/(\.db)?$/, '.routing')
  const { encoder } = routing
  return {
    ...routing,
    encoder:
      typeof encoder === 'object' && 'onnx' in encoder
        ? { ...encoder, onnx: from(encoder.onnx), vocabulary: from(encoder.vocabulary) }
        : encoder,
    predictor: {
      ...routing.predictor,
      train: train === undefined ? undefined : from(train),
      state: state === undefined ? beside : from(state),
    },
  }
}

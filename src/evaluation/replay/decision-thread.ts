import { parentPort, workerData } from 'node:worker_threads'
import { InvalidRequest } from '../../errors/index.js'
import { predictorKinds } from '../../routing/index.js'
import { Decider, factsOf, featureReader } from './deciding.js'
import type { DecidedBatch, DecidingThreadSettings, RequestFault, ToDecidingThread } from './thread-messages.js'

/** A thread that decides requests of a log by a predictor that learns nothing more, so that several can. */

const { deciding, kind, predictor: bytes } = workerData as DecidingThreadSettings
const predictor = predictorKinds[kind]?.load(bytes, factsOf(deciding.arms), {})
if (!predictor) throw new RangeError(`there is no predictor ${kind}`)
const decider = new Decider(deciding, predictor)
const featuresOf = featureReader()

function decided(requests: ToDecidingThread): DecidedBatch {
  const places = new Uint16Array(requests.length * decider.decisions)
  const faults: RequestFault[] = []
  for (const [at, request] of requests.entries()) {
    try {
      decider.decide(featuresOf(request), places, at * decider.decisions)
    } catch (thrown) {
      if (!(thrown instanceof InvalidRequest)) throw thrown
      faults.push({ at, message: thrown.message, path: thrown.path })
    }
  }
  return { places, faults }
}

parentPort?.on('message', (requests: ToDecidingThread) => parentPort?.postMessage(decided(requests)))

import { parentPort, workerData } from 'node:worker_threads'
import type { FromThread, ThreadModel, ThreadModelModule, ThreadSettings, ToThread } from './thread-messages.js'

/** The thread that a model runs in, so that its work never holds up the requests. The model is opened by the first batch. */

const { module, settings, dimensions } = workerData as ThreadSettings

function tell(message: FromThread, transferred: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transferred)
}

async function openModel(): Promise<ThreadModel> {
  const { openModel: open } = (await import(module)) as ThreadModelModule
  return open(settings)
}

let model: Promise<ThreadModel> | undefined

async function answer({ id, texts }: ToThread): Promise<void> {
  let opened: ThreadModel
  try {
    opened = await (model ??= openModel())
  } catch (thrown) {
    // The next batch tries again: a file may have been put in its place.
    model = undefined
    return tell({ kind: 'refused', id, message: messageOf(thrown) })
  }
  try {
    const vectors = await opened.encode(texts)
    const values = new Float32Array(texts.length * dimensions)
    if (vectors.length !== texts.length) throw new RangeError(`the model gave ${vectors.length} vectors for ${texts.length} texts`)
    vectors.forEach((vector, at) => {
      if (vector.length !== dimensions) throw new RangeError(`the model gives ${vector.length} dimensions, not ${dimensions}`)
      values.set(vector, at * dimensions)
    })
    tell({ kind: 'vectors', id, values }, [values.buffer])
  } catch (thrown) {
    tell({ kind: 'failed', id, message: messageOf(thrown) })
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

parentPort?.on('message', (message: ToThread) => void answer(message))

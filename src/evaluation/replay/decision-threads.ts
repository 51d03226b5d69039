import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { DecidedBatch, DecidingThreadSettings, ToDecidingThread } from './thread-messages.js'

/** A predictor is kept by every thread, so more than these would be paid for in memory. */
const mostThreads = 4

/** Threads that a replay decides in where nobody says how many: one for every processor, up to 4; none where there is only one. */
export function usualThreads(): number {
  const processors = availableParallelism()
  return processors < 2 ? 0 : Math.min(mostThreads, processors)
}

interface Waiting {
  readonly resolve: (decided: DecidedBatch) => void
  readonly reject: (reason: unknown) => void
}

interface Thread {
  readonly worker: Worker
  /** In the order they were sent. */
  readonly waiting: Waiting[]
}

/** Decides batches of requests in threads, each batch in the next of them. A thread that fails rejects all that it was given. */
export class DecisionThreads {
  private readonly threads: readonly Thread[]
  private turn = 0

  constructor(settings: DecidingThreadSettings, count: number) {
    this.threads = Array.from({ length: count }, () => begun(settings))
  }

  decide(requests: ToDecidingThread): Promise<DecidedBatch> {
    const thread = this.threads[this.turn]
    this.turn = (this.turn + 1) % this.threads.length
    const decided = new Promise<DecidedBatch>((resolve, reject) => {
      if (!thread) throw new RangeError('there is no thread')
      thread.waiting.push({ resolve, reject })
      thread.worker.postMessage(requests)
    })
    // Whoever stops before asking for it isn't told of a failure twice.
    decided.catch(() => undefined)
    return decided
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()))
  }
}

function begun(settings: DecidingThreadSettings): Thread {
  const worker = new Worker(threadFile, { workerData: settings, execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 1024 } })
  const thread: Thread = { worker, waiting: [] }
  const failed = (reason: unknown) => {
    for (const { reject } of thread.waiting.splice(0)) reject(reason)
  }
  thread.worker.on('message', (decided: DecidedBatch) => thread.waiting.shift()?.resolve(decided))
  thread.worker.on('error', failed)
  thread.worker.on('exit', () => failed(new Error('A thread that decides ended.')))
  return thread
}

/** Run from source (tests, tsx), the thread needs to be bundled first. */
const threadFile = new URL(import.meta.url.endsWith('.ts') ? './start-from-source.mjs' : './decision-thread.js', import.meta.url)

import { Worker } from 'node:worker_threads'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { Encoder } from '../features.js'
import { unitVector } from '../unit-vector.js'
import { sendable } from './sendable.js'
import type { FromThread, ThreadSettings, ToThread } from './thread-messages.js'

export interface ThreadedEncoderOptions {
  /** Longest that a batch may take: 30 s when absent. Then the thread is ended, and begun again for the next. */
  readonly batchSeconds?: number | undefined
  /** Longest that the first batch of a thread may take, the model's opening included: 60 s when absent. */
  readonly openSeconds?: number | undefined
  /** Most texts that may be waiting: 256 when absent. */
  readonly maxWaiting?: number | undefined
  /** Most texts at one time in the model: 16 when absent. */
  readonly batch?: number | undefined
}

export interface ThreadedModel extends ThreadSettings {
  readonly id: string
  /** Characters of a text that the model sees; it costs more than linear beyond. */
  readonly longestText: number
}

interface Waiting {
  readonly text: string
  readonly resolve: (vector: Float32Array) => void
  readonly reject: (reason: unknown) => void
}

const firstPauseMs = 100
const longestPauseMs = 30_000

/** A thread with what it is at. */
interface Thread {
  readonly worker: Worker
  /** Has answered once: the model is open. */
  opened: boolean
  current: { readonly id: number; readonly items: readonly Waiting[]; readonly timer: NodeJS.Timeout } | undefined
}

/**
 * An encoder over a model in a thread of its own, begun by the first text. Texts of all callers go to it in batches, one batch at a time, in the order they came;
 * texts whose callers left before their turn are dropped. A thread that dies or hangs takes its batch with it (`internal_error`, `upstream_timeout`); the next text begins
 * another, after a pause that doubles with each death up to 30 s. Idle, it doesn't keep the process alive.
 */
export function threadedEncoder(
  model: ThreadedModel,
  { batchSeconds = 30, openSeconds = 60, maxWaiting = 256, batch = 16 }: ThreadedEncoderOptions = {},
): Encoder {
  for (const [path, value] of Object.entries({ batchSeconds, openSeconds, maxWaiting, batch })) {
    if (!(value > 0 && value <= 100_000)) throw new InvalidRequest(`${path} must be a number above 0, not ${value}.`, { path })
  }
  const queue: Waiting[] = []
  let thread: Thread | undefined
  let closed = false
  let batches = 0
  let deaths = 0
  let notBefore = 0

  function begin(): Thread {
    const worker = new Worker(threadFile, {
      workerData: { module: model.module, settings: model.settings, dimensions: model.dimensions } satisfies ThreadSettings,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    })
    const begun: Thread = { worker, opened: false, current: undefined }
    worker.unref()
    worker.on('message', (message: FromThread) => receive(begun, message))
    worker.on('error', (error) =>
      end(begun, failed(`The encoder ${model.id} stopped working. The next request starts it again.`, 'internal_error', 500, error)),
    )
    worker.on('exit', () =>
      end(begun, failed(`The encoder ${model.id} stopped working. The next request starts it again.`, 'internal_error', 500)),
    )
    return begun
  }

  /** The thread is gone, or to be given up: its batch is lost. */
  function end(ended: Thread, reason: BursarError): void {
    if (thread !== ended) return
    thread = undefined
    settle(ended, (item) => item.reject(reason))
    void ended.worker.terminate()
    if (closed) return
    notBefore = performance.now() + Math.min(longestPauseMs, firstPauseMs * 2 ** deaths++)
    // Those behind it would only wait for the pause: their requests go on without.
    for (const item of queue.splice(0)) item.reject(reason)
  }

  /** The batch in hand is over. */
  function settle(of: Thread, each: (item: Waiting, at: number) => void): void {
    const { current } = of
    if (current === undefined) return
    of.current = undefined
    clearTimeout(current.timer)
    of.worker.unref()
    current.items.forEach(each)
  }

  function receive(from: Thread, message: FromThread): void {
    if (thread !== from || from.current?.id !== message.id) return
    if (message.kind === 'vectors') {
      from.opened = true
      deaths = 0
      settle(from, (item, at) => {
        try {
          item.resolve(unitVector(message.values.slice(at * model.dimensions, (at + 1) * model.dimensions), model))
        } catch (error) {
          item.reject(error)
        }
      })
    } else {
      const reason =
        message.kind === 'refused'
          ? failed(`The encoder ${model.id} can’t start: ${message.message}`, 'invalid_configuration', 500)
          : failed(`The encoder ${model.id} failed: ${message.message}`, 'internal_error', 500)
      settle(from, (item) => item.reject(reason))
    }
    next()
  }

  function next(): void {
    if (closed || thread?.current !== undefined) return
    const items = queue.splice(0, batch)
    if (items.length === 0) return
    const at = (thread ??= begin())
    const id = ++batches
    const seconds = at.opened ? batchSeconds : openSeconds
    const timer = setTimeout(
      () => end(at, failed(`The encoder ${model.id} took longer than ${seconds} s.`, 'upstream_timeout', 504)),
      seconds * 1000,
    )
    at.current = { id, items, timer }
    // A caller waits now: the process must not end under it.
    at.worker.ref()
    at.worker.postMessage({ id, texts: items.map(({ text }) => text) } satisfies ToThread)
  }

  /** Queues the texts of one caller, until they are encoded or the caller leaves. */
  async function queued(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const items: Waiting[] = []
    const leave = () => {
      for (const item of items) {
        const at = queue.indexOf(item)
        if (at >= 0) queue.splice(at, 1)
        item.reject(signal.reason)
      }
    }
    signal.addEventListener('abort', leave, { once: true })
    try {
      const vectors = texts.map(
        (text) => new Promise<Float32Array>((resolve, reject) => items.push({ text: sendable(text, model.longestText), resolve, reject })),
      )
      queue.push(...items)
      next()
      return await Promise.all(vectors)
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  return {
    id: model.id,
    dimensions: model.dimensions,
    async encode(texts, signal) {
      signal.throwIfAborted()
      if (closed) throw failed(`The encoder ${model.id} is closed.`, 'shutting_down', 503)
      if (performance.now() < notBefore)
        throw failed(`The encoder ${model.id} stopped working a moment ago, and is not started again yet.`, 'overloaded', 503)
      const waiting = queue.length
      if (waiting + texts.length > maxWaiting)
        throw failed(
          `The encoder ${model.id} has ${waiting} texts waiting already; ${texts.length} more are too many (at most ${maxWaiting}).`,
          'overloaded',
          503,
        )
      return queued(texts, signal)
    },
    async close() {
      if (closed) return
      closed = true
      const reason = failed(`The encoder ${model.id} is closed.`, 'shutting_down', 503)
      for (const item of queue.splice(0)) item.reject(reason)
      const last = thread
      thread = undefined
      if (last === undefined) return
      settle(last, (item) => item.reject(reason))
      await last.worker.terminate()
    },
  }
}

function failed(
  message: string,
  code: 'internal_error' | 'invalid_configuration' | 'upstream_timeout' | 'overloaded' | 'shutting_down',
  status: number,
  cause?: unknown,
): BursarError {
  return new BursarError(message, { code, status, cause })
}

/** Run from source (tests, tsx), the thread needs a loader of its own. */
const threadFile = new URL(import.meta.url.endsWith('.ts') ? './start-from-source.mjs' : './thread.js', import.meta.url)

/** Address of a module beside this one, from source or built. */
export function besides(name: string): string {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url).href
}

import type { Completion } from '../../environment/index.js'
import type { Request, WireFormat } from '../../protocol/index.js'

/** A request whose decision was made, as verifiers need to know it. */
export interface WatchedRequest {
  readonly request: Request
  /** The format in which the caller speaks: pass-through bytes are in it. */
  readonly format: WireFormat
  /** Name of the caller's key. */
  readonly key: string
  readonly decisionId: string
}

/** Looks at answers after they have gone out. Endpoints call it; nothing that it does can fail or delay a request. */
export interface AnswerObserver {
  /** To be called once a decision was made. `undefined` when nothing of this answer is wanted: then nothing more needs to be told. */
  watch(request: WatchedRequest): AnswerWatch | undefined
}

/** One answer under way. An answer that breaks off is simply never told as complete. */
export interface AnswerWatch {
  /** Bytes of a stream that goes through untouched, as they are handed to the caller; copied, up to a bound. */
  streamed(bytes: Uint8Array): void
  /** The answer is complete and was handed to the caller. Looked at in a later turn of the event loop. */
  completed(answer: Completion['answer']): void
}

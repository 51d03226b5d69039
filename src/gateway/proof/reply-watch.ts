import type { Completion } from '../../environment/index.js'
import type { Reply, WireFormat } from '../../protocol/index.js'
import type { AnswerWatch } from '../verifiers/index.js'
import { readReply } from '../verifiers/wire-replies.js'

/** Largest answer that is looked at, in bytes. */
const MOST_BYTES = 1024 * 1024

/**
 * Hands an answer over in canonical form once it has gone out, in a later turn of the event loop. An answer that is too large, or can't
 * be read, is never told of.
 */
export function watchReply(format: WireFormat, onReply: (reply: Reply) => void, onFault: (fault: unknown) => void): AnswerWatch {
  let pieces: Buffer[] | undefined = []
  let length = 0
  const read = (answer: Completion['answer'], body: Buffer | undefined) => {
    if (answer.kind === 'reply') return answer.reply
    const bytes = answer.kind === 'wire' ? answer.bytes : body
    return bytes === undefined || bytes.length > MOST_BYTES ? undefined : readReply(format, bytes, answer.kind === 'streamed')
  }
  return {
    streamed(bytes) {
      length += bytes.length
      if (length > MOST_BYTES) pieces = undefined
      // A copy: a small piece may lie in a large buffer that would be kept alive.
      else pieces?.push(Buffer.from(bytes))
    },
    completed(answer) {
      const body = pieces && Buffer.concat(pieces)
      pieces = undefined
      setImmediate(() => {
        try {
          const reply = read(answer, body)
          if (reply) onReply(reply)
        } catch (fault) {
          onFault(fault)
        }
      })
    },
  }
}

/** Two that watch the same answer. */
export function watchedByBoth(one: AnswerWatch | undefined, other: AnswerWatch | undefined): AnswerWatch | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return {
    streamed(bytes) {
      one.streamed(bytes)
      other.streamed(bytes)
    },
    completed(answer) {
      one.completed(answer)
      other.completed(answer)
    },
  }
}

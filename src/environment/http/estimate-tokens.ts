import type { Delta, StreamTap } from '../../protocol/index.js'

/**
 * Output tokens of a stream whose usage never came: at least one a data event, and otherwise by the bytes beyond what stands around
 * the content of an event. Errs upwards, since the ledger may over-count an interrupted call and may not under-count it.
 */
export function estimateTokens({
  events,
  eventBytes,
  frameBytes = UNKNOWN_FRAME_BYTES,
}: Pick<StreamTap, 'events' | 'eventBytes' | 'frameBytes'>): number {
  const content = Math.max(0, eventBytes - events * frameBytes)
  return Math.max(events, tokensOfBytes(content, content / Math.max(1, events)))
}

/** What stands around the content of an event, where none has told. */
const UNKNOWN_FRAME_BYTES = 180

/** Up to here a piece is about one token. Longer pieces are several, and those of code and numbers are short. */
const ONE_TOKEN_BYTES = 12

function tokensOfBytes(bytes: number, pieceBytes: number): number {
  return Math.ceil(bytes / (pieceBytes > ONE_TOKEN_BYTES ? 2 : 3))
}

/** Output tokens that a delta stands for, estimated upwards: one for a short piece, else by its bytes, since other scripts have a token or more a character. */
export function seenTokens(delta: Delta): number {
  if (delta.type === 'tool_call') return 8
  const text =
    delta.type === 'text' || delta.type === 'reasoning' || delta.type === 'refusal'
      ? delta.text
      : delta.type === 'tool_arguments'
        ? delta.json
        : undefined
  if (text === undefined) return 0
  const bytes = Buffer.byteLength(text)
  return Math.max(1, tokensOfBytes(bytes, bytes))
}

import type { FinishReason } from '../reply.js'

const toAnthropic: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  refusal: 'refusal',
  pause: 'pause_turn',
}

export function stopReason(finish: FinishReason): string {
  return toAnthropic[finish]
}

/** An unknown reason is taken for a plain stop: the answer itself is whole. */
export function finishReason(stop: unknown): FinishReason {
  switch (stop) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length'
    case 'stop_sequence':
    case 'refusal':
      return stop
    case 'tool_use':
      return 'tool_calls'
    case 'pause_turn':
      return 'pause'
    default:
      return 'stop'
  }
}

import type { Delta, Reply } from './reply.js'

/**
 * "At most one tool call an answer" for providers that can't be told so, or don't listen: the first call of each choice is kept.
 * The model finds one call in the conversation when it goes on, and makes the others then.
 */
export function withOneCall(reply: Reply): Reply {
  return {
    ...reply,
    choices: reply.choices.map((choice) => {
      const first = choice.parts.findIndex((part) => part.type === 'tool_call')
      return { ...choice, parts: choice.parts.filter((part, index) => part.type !== 'tool_call' || index === first) }
    }),
  }
}

/** The same for a stream: says of each delta, in order, whether it goes on to the caller. */
export function createOneCallFilter(): (delta: Delta) => boolean {
  /** Part of the call that is kept, by choice. */
  const kept = new Map<number, number>()
  return (delta) => {
    if (delta.type !== 'tool_call' && delta.type !== 'tool_arguments') return true
    const first = kept.get(delta.choice)
    if (first !== undefined) return first === delta.part
    kept.set(delta.choice, delta.part)
    return true
  }
}

/** Longest id of a tool call that is remembered; characters. */
const MAX_ID_LENGTH = 256

/** Whose a tool call was. */
export interface RememberedCall {
  readonly decisionId: string
  readonly tool: string
}

/**
 * Which decision a tool call belongs to, until its result comes back. Scoped to the key. Holds the newest `capacity` calls; an
 * id that two answers of a key used stands for neither.
 */
export class CallMemory {
  private readonly calls = new Map<string, RememberedCall | 'ambiguous'>()

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.calls.size
  }

  remember(key: string, callId: string, call: RememberedCall): void {
    if (callId === '' || callId.length > MAX_ID_LENGTH) return
    const name = nameOf(key, callId)
    const known = this.calls.get(name)
    // Entered anew at the end, so that the oldest stand in front.
    this.calls.delete(name)
    this.calls.set(name, known === undefined ? call : 'ambiguous')
    for (const oldest of this.calls.keys()) {
      if (this.calls.size <= this.capacity) break
      this.calls.delete(oldest)
    }
  }

  /** Gives a call back and forgets it: the results of a conversation come again with each further request. */
  take(key: string, callId: string): RememberedCall | undefined {
    if (callId.length > MAX_ID_LENGTH) return undefined
    const name = nameOf(key, callId)
    const call = this.calls.get(name)
    if (call === undefined || call === 'ambiguous') return undefined
    this.calls.delete(name)
    return call
  }
}

function nameOf(key: string, callId: string): string {
  return `${key}\0${callId}`
}

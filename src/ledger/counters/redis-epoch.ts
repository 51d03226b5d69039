/**
 * What the key `epoch` says of the counters in Redis. Scripts do nothing unless it says exactly what their sender expects.
 * - `building`: the counters are being put together for the first time, or anew; nothing is granted.
 * - `ready`: the counters of this generation hold; `round` is the building that made it.
 */
export interface Epoch {
  readonly state: 'building' | 'ready'
  /** Id of the building that everybody takes part in. */
  readonly round: string
  /** The server's run in which the epoch was begun. In any other run the data may be older than the epoch says. */
  readonly run: string
  /** Part of the names of its keys; of `ready` only. */
  readonly generation: string
}

export function formatEpoch({ state, round, run, generation }: Epoch): string {
  return `${state}|${round}|${run}|${generation}`
}

/** `undefined` for what isn't an epoch. */
export function parseEpoch(text: string | null): Epoch | undefined {
  const [state, round, run, generation] = text?.split('|') ?? []
  if ((state !== 'building' && state !== 'ready') || round === undefined || run === undefined || generation === undefined) return undefined
  return { state, round, run, generation }
}

import { useEffect, useRef, useState } from 'preact/hooks'
import { Refusal } from './client.js'

/** What was read of the gateway, and when. A later failure leaves the figures of before, with their time. */
export interface Reading<Answer> {
  readonly answer: Answer | undefined
  /** Unix seconds at which `answer` was read. */
  readonly at: number | undefined
  readonly failure: Refusal | undefined
  again(): void
}

const usualSeconds = 10

/** Reads at once, whenever `what` changes, and every so many seconds while the page is looked at. One question at a time. */
export function useReading<Answer>(
  what: string,
  read: (signal: AbortSignal) => Promise<Answer>,
  everySeconds = usualSeconds,
): Reading<Answer> {
  const [state, setState] = useState<{ readonly what: string; readonly answer?: Answer; readonly at?: number; readonly failure?: Refusal }>(
    { what },
  )
  const [turn, setTurn] = useState(0)
  const latest = useRef(read)
  latest.current = read

  useEffect(() => {
    const leaving = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let readAt = 0
    let busy = false
    const once = async (): Promise<void> => {
      clearTimeout(timer)
      if (busy || leaving.signal.aborted || document.visibilityState === 'hidden') return
      busy = true
      try {
        const answer = await latest.current(leaving.signal)
        if (!leaving.signal.aborted) setState({ what, answer, at: Date.now() / 1000 })
      } catch (thrown) {
        const failure = thrown instanceof Refusal ? thrown : new Refusal(`This page failed: ${String(thrown)}`, 0, 'page')
        if (!leaving.signal.aborted) setState((before) => (before.what === what ? { ...before, failure } : { what, failure }))
      }
      busy = false
      readAt = Date.now()
      if (!leaving.signal.aborted) timer = setTimeout(() => void once(), everySeconds * 1000)
    }
    const onVisible = () => {
      clearTimeout(timer)
      if (document.visibilityState !== 'hidden')
        timer = setTimeout(() => void once(), Math.max(0, readAt + everySeconds * 1000 - Date.now()))
    }
    document.addEventListener('visibilitychange', onVisible)
    void once()
    return () => {
      leaving.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisible)
    }
  }, [what, turn, everySeconds])

  const own = state.what === what
  return {
    answer: own ? state.answer : undefined,
    at: own ? state.at : undefined,
    failure: own ? state.failure : undefined,
    again: () => setTurn((before) => before + 1),
  }
}

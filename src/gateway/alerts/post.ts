import type { UndiciAgent } from '../../environment/index.js'

type Agent = InstanceType<typeof UndiciAgent>
type Handler = Parameters<Agent['dispatch']>[1]
type Controller = Parameters<NonNullable<Handler['onRequestStart']>>[0]

export type PostOutcome = { readonly status: number } | { readonly fault: string }

/**
 * Posts a body and resolves to the status of the answer, whose body is thrown away; or to what went wrong, `seconds` after the beginning at
 * the latest. Follows no redirects. Never rejects.
 */
export function post(
  agent: Agent,
  url: URL,
  headers: Record<string, string>,
  body: Buffer,
  seconds: number,
  signal: AbortSignal,
): Promise<PostOutcome> {
  return new Promise((resolve) => {
    let controller: Controller | undefined
    let over = false
    const end = (outcome: PostOutcome) => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
      if ('fault' in outcome && controller && !controller.aborted) controller.abort(new Error(outcome.fault))
      resolve(outcome)
    }
    const cancel = () => end({ fault: 'Bursar is shutting down' })
    const timer = setTimeout(() => end({ fault: `it did not answer within ${seconds} s` }), seconds * 1000)
    // A receiver that hangs must not keep the process alive.
    timer.unref()
    if (signal.aborted) return cancel()
    signal.addEventListener('abort', cancel, { once: true })
    let status = 0
    const handler: Handler = {
      onRequestStart(started) {
        controller = started
        if (over) started.abort(new Error('too late'))
      },
      onResponseStart(_started, code) {
        status = code
      },
      onResponseData() {},
      onResponseEnd: () => end({ status }),
      // The answer has begun: that its end broke off changes nothing about it.
      onResponseError: (_started, error) => end(status >= 200 ? { status } : { fault: describe(error) }),
    }
    try {
      agent.dispatch({ origin: url.origin, path: url.pathname + url.search, method: 'POST', headers, body }, handler)
    } catch (thrown) {
      end({ fault: describe(thrown) })
    }
  })
}

/** What went wrong, without addresses: a URL may hold a secret. */
function describe(thrown: unknown): string {
  const code =
    typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
  return `it could not be reached${code === undefined ? '' : ` (${code})`}`
}

import { meaningOfStatus, UpstreamFailure, type FailurePhase } from '../../upstream-failure.js'

/** The failure that an HTTP provider would have been read as, had it answered this status. */
export function statusFault(provider: string, status: number, retryAfterSeconds: number | undefined): UpstreamFailure {
  const [code, callerStatus, retryable] = meaningOfStatus(status)
  return new UpstreamFailure(`The provider "${provider}" answered HTTP ${status}: a simulated failure.`, {
    code,
    status: callerStatus,
    upstreamStatus: status,
    retryable,
    phase: 'request',
    retryAfterSeconds,
  })
}

export function malformedFault(provider: string): UpstreamFailure {
  return new UpstreamFailure(`The provider "${provider}" sent an answer that can't be read: a simulated failure.`, {
    code: 'upstream_malformed',
    status: 502,
    upstreamStatus: 200,
    retryable: true,
    phase: 'first_token',
  })
}

export function brokenStreamFault(provider: string, phase: FailurePhase): UpstreamFailure {
  return new UpstreamFailure(`The provider "${provider}" broke the connection before the answer was complete: a simulated failure.`, {
    code: 'stream_truncated',
    status: 502,
    upstreamStatus: 200,
    retryable: true,
    phase,
  })
}

export function contextFault(provider: string, model: string, tokens: number, limit: number, path: string): UpstreamFailure {
  return new UpstreamFailure(
    `The prompt has ${tokens} tokens or more and ${provider}/${model} (simulated) takes at most ${limit}. Shorten it, or choose a model with a longer context.`,
    {
      code: 'context_length_exceeded',
      status: 400,
      upstreamStatus: 400,
      retryable: false,
      phase: 'request',
      path,
    },
  )
}

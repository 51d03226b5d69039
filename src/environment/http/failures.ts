import { BursarError } from '../../errors/index.js'
import type { OutboundCodec, WireFormat } from '../../protocol/index.js'
import { meaningOfStatus, UpstreamFailure, type FailurePhase } from '../upstream-failure.js'
import { UndecodableBody } from './decoding.js'
import { LimitExpired, type Exchange } from './exchange.js'

const LIMIT_TEXTS = {
  connect: 'could not be connected to within timeouts.connect_seconds',
  first_token: 'sent no token within timeouts.first_token_seconds',
  idle: 'fell silent in the middle of the stream for longer than timeouts.idle_seconds',
  total: 'did not finish within timeouts.total_seconds',
} as const

/** Turns what an exchange threw into a typed failure. A cancelled call keeps its reason. */
export function failureOf(thrown: unknown, provider: string, phase: FailurePhase): BursarError {
  if (thrown instanceof UpstreamFailure) return thrown
  if (thrown instanceof LimitExpired && thrown.limit === 'connect')
    return unreachable(provider, 'no connection within timeouts.connect_seconds', thrown)
  if (thrown instanceof LimitExpired)
    return new UpstreamFailure(`The provider "${provider}" ${LIMIT_TEXTS[thrown.limit]}.`, {
      code: 'upstream_timeout',
      status: 504,
      upstreamStatus: 0,
      retryable: thrown.limit !== 'total',
      phase,
      cause: thrown,
    })
  // The same request would be billed again for an answer as long.
  if (thrown instanceof RangeError) return malformed(provider, 'it is larger than limits.response_bytes', thrown, false)
  if (thrown instanceof UndecodableBody) return malformed(provider, thrown.message, thrown)
  if (BursarError.is(thrown)) {
    if (
      thrown.code === 'client_closed_request' ||
      thrown.code === 'shutting_down' ||
      thrown.code === 'unsupported_parameter' ||
      thrown.code === 'invalid_request'
    )
      return thrown
    return new UpstreamFailure(thrown.message, {
      code: thrown.code,
      status: thrown.status >= 500 ? thrown.status : 502,
      upstreamStatus: 0,
      retryable: true,
      phase,
      cause: thrown,
    })
  }
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown))
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (CONNECT_CODES.has(code)) return unreachable(provider, code, cause)
  return new UpstreamFailure(
    phase === 'stream'
      ? `The provider "${provider}" broke the connection in the middle of the stream; the answer is truncated.`
      : `The provider "${provider}" broke the connection before answering (${code || cause.message}).`,
    { code: phase === 'stream' ? 'stream_truncated' : 'upstream_error', status: 502, upstreamStatus: 0, retryable: true, phase, cause },
  )
}

function unreachable(provider: string, why: string, cause: unknown): UpstreamFailure {
  return new UpstreamFailure(`The provider "${provider}" can't be reached (${why}). Check base_url and that the server runs.`, {
    code: 'upstream_unreachable',
    status: 502,
    upstreamStatus: 0,
    retryable: true,
    phase: 'connect',
    cause,
  })
}

const CONNECT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** The provider answered with something that is not what its format says. */
export function malformed(provider: string, what: string, cause?: unknown, retryable = true): UpstreamFailure {
  return new UpstreamFailure(`The provider "${provider}" sent an answer that can't be read: ${what}.`, {
    code: 'upstream_malformed',
    status: 502,
    upstreamStatus: 200,
    retryable,
    phase: 'first_token',
    cause,
  })
}

/** The stream ended without its end mark. */
export function truncated(provider: string, forwarded: boolean): UpstreamFailure {
  return new UpstreamFailure(`The provider "${provider}" ended the stream before the answer was complete.`, {
    code: 'stream_truncated',
    status: 502,
    upstreamStatus: 200,
    retryable: true,
    phase: forwarded ? 'stream' : 'first_token',
  })
}

/** An answer whose status is not 2xx. */
export function statusFailure(
  provider: string,
  exchange: Exchange,
  body: Uint8Array,
  codec: Pick<OutboundCodec, 'decodeError'>,
  format: WireFormat,
): UpstreamFailure {
  const upstreamStatus = exchange.status
  let told: { message: string; code?: string | undefined; param?: string | undefined } = { message: '' }
  let readable = false
  try {
    told = codec.decodeError(JSON.parse(Buffer.from(body).toString()) as unknown)
    readable = true
  } catch {
    // An HTML page of a proxy in between, or nothing: the status speaks for itself.
  }
  const [code, status, retryable] =
    told.code === 'context_length_exceeded' ? (['context_length_exceeded', 400, false] as const) : meaningOfStatus(upstreamStatus)
  const said = told.message === '' ? '' : `: ${told.message}`
  return new UpstreamFailure(
    code === 'upstream_auth_failed'
      ? `The provider "${provider}" refused Bursar's credentials (HTTP ${upstreamStatus}). Check the provider's api_key in the configuration.`
      : `The provider "${provider}" answered HTTP ${upstreamStatus}${said}`,
    {
      code,
      status,
      upstreamStatus,
      retryable,
      phase: 'request',
      retryAfterSeconds: retryAfterOf(exchange.headers, told.message),
      body: readable ? body : undefined,
      bodyFormat: readable ? format : undefined,
      path: told.param,
    },
  )
}

/** `Retry-After` in seconds or as a date, `retry-after-ms`, or the words "try again in 1.2s" in the message. */
export function retryAfterOf(headers: Readonly<Record<string, string | string[] | undefined>>, message: string): number | undefined {
  const milliseconds = Number(first(headers['retry-after-ms']))
  if (Number.isFinite(milliseconds) && milliseconds > 0) return milliseconds / 1000
  const value = first(headers['retry-after'])
  if (value !== undefined && value !== '') {
    const seconds = Number(value)
    if (Number.isFinite(seconds)) return Math.max(0, seconds)
    const date = Date.parse(value)
    if (Number.isFinite(date)) return Math.max(0, (date - Date.now()) / 1000)
  }
  const words = /(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?)\s*(ms|milliseconds|s|sec|seconds|m|minutes)\b/i.exec(message)
  if (!words) return undefined
  const unit = (words[2] as string).toLowerCase()
  return Number(words[1]) * (unit.startsWith('ms') || unit.startsWith('milli') ? 0.001 : unit.startsWith('m') ? 60 : 1)
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

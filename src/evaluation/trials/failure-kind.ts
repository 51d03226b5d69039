import { UpstreamFailure } from '../../environment/index.js'
import { BursarError, type ErrorCode } from '../../errors/index.js'

/**
 * What a failed cell means. `budget`: no money is left for it. `rate`: everyone is to slow down. `passing`: it may work at another
 * time. `final`: it won't, and that is the method's affair. `setup`: nothing of the kind will work before somebody changes something.
 * `bug`: a fault of this program.
 */
export type FailureKind = 'budget' | 'rate' | 'passing' | 'final' | 'setup' | 'bug'

const kinds: Readonly<Partial<Record<ErrorCode, FailureKind>>> = {
  budget_exceeded: 'budget',
  rate_limited: 'rate',
  upstream_rate_limited: 'rate',
  overloaded: 'passing',
  upstream_error: 'passing',
  upstream_unreachable: 'passing',
  upstream_timeout: 'passing',
  upstream_malformed: 'passing',
  stream_truncated: 'passing',
  no_deployment_available: 'passing',
  ledger_unavailable: 'passing',
  model_not_found: 'setup',
  model_not_allowed: 'setup',
  missing_key: 'setup',
  invalid_key: 'setup',
  key_expired: 'setup',
  endpoint_not_allowed: 'setup',
  upstream_auth_failed: 'setup',
  invalid_configuration: 'setup',
  unsupported_parameter: 'setup',
  not_found: 'setup',
}

export function failureKind(thrown: unknown): FailureKind {
  if (!BursarError.is(thrown)) return 'bug'
  if (thrown.code === 'internal_error') return 'bug'
  // A gateway elsewhere says with the same status that its rate or that a budget doesn't allow a call.
  if (thrown instanceof UpstreamFailure && thrown.body !== undefined && Buffer.from(thrown.body).includes('"budget_exceeded"'))
    return 'budget'
  const kind = kinds[thrown.code] ?? 'final'
  return kind === 'passing' && thrown instanceof UpstreamFailure && !thrown.retryable ? 'final' : kind
}

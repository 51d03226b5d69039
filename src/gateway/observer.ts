import type { BursarError } from '../errors/index.js'
import type { CallObserver, Deployment } from '../environment/index.js'
import type { CallRecord } from '../ledger/index.js'
import { formatUsd } from '../quantities/index.js'
import type { CallerExchange } from './endpoints/exchange.js'
import type { RequestObserver } from './request-observer.js'
import type { Logger } from './telemetry/log.js'
import type { Metrics } from './telemetry/metrics.js'
import type { Tracing } from './telemetry/tracing.js'

/** Statuses that are told without an answer: the caller had left. */
const CLIENT_CLOSED = 499

interface ObserverParts {
  readonly metrics: Metrics
  readonly log: Logger
  readonly tracing: Tracing
  /** Whether each request is a line in the log. */
  logsRequests(): boolean
}

/** Passes what happens on to metrics, log and traces. None of them ever sees content. */
export function createObserver({ metrics, log, tracing, logsRequests }: ObserverParts): RequestObserver & CallObserver {
  return {
    requestStarted(exchange) {
      metrics.requestStarted()
      tracing.requestStarted(exchange.requestId, exchange.req.headers)
    },
    requestEnded(exchange) {
      const seconds = (performance.now() - exchange.startedAt) / 1000
      const firstTokenSeconds = exchange.firstByteAt === undefined ? undefined : (exchange.firstByteAt - exchange.startedAt) / 1000
      const status = statusOf(exchange)
      metrics.requestEnded({
        endpoint: exchange.endpoint,
        model: exchange.model,
        status,
        stream: exchange.stream,
        seconds,
        firstTokenSeconds,
      })
      tracing.requestEnded(exchange.requestId, {
        endpoint: exchange.endpoint,
        model: exchange.model,
        status,
        errorCode: exchange.error?.code,
      })
      if (exchange.error?.code === 'internal_error')
        log.error('a request failed by a fault of Bursar', { request_id: exchange.requestId, fault: asError(exchange.error.cause) })
      else if (exchange.error?.code === 'stream_truncated')
        log.warn('a stream was truncated', { request_id: exchange.requestId, failure: exchange.error })
      if (!logsRequests()) return
      log.request({
        requestId: exchange.requestId,
        endpoint: exchange.endpoint,
        caller: exchange.key?.name,
        model: exchange.model,
        stream: exchange.stream,
        status,
        seconds,
        firstTokenSeconds,
        error: exchange.error?.code,
      })
    },
    faulted(exchange, thrown) {
      log.error('a request failed by a fault of Bursar', { request_id: exchange.requestId, fault: asError(thrown) })
    },
    metrics: () => metrics.render(),
    callEnded(record: CallRecord) {
      metrics.callEnded(record)
      tracing.callEnded(record)
      if (log.enabled('debug'))
        log.debug('call', {
          request_id: record.requestId,
          call_id: record.callId,
          deployment: record.deployment,
          attempt: record.attempt,
          end: record.end,
          status: record.status,
          usd: record.cost.usd === null ? null : formatUsd(record.cost.usd),
        })
    },
    retried(deployment: Deployment, failure: BursarError) {
      metrics.retried(deployment.provider.id, failure.code)
      log.info('an attempt failed and is made again', { deployment: deployment.id, code: failure.code, failure })
    },
    unrecorded(record: CallRecord, fault: unknown) {
      metrics.ledgerFault('call')
      log.error('the ledger could not take the record of a call', {
        request_id: record.requestId,
        call_id: record.callId,
        fault: asError(fault),
      })
    },
    rested(deployment: Deployment, failure: BursarError) {
      metrics.cooledDown(deployment.provider.id, deployment.id)
      log.warn('a deployment rests after repeated faults', { deployment: deployment.id, code: failure.code, failure })
    },
  }
}

function statusOf(exchange: CallerExchange): number {
  if (exchange.error?.code === 'client_closed_request') return CLIENT_CLOSED
  return exchange.res.headersSent ? exchange.res.statusCode : (exchange.error?.status ?? CLIENT_CLOSED)
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause))
}

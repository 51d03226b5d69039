import type { CallerExchange } from './endpoints/exchange.js'

/** Told of each request when it begins and when it is over, for metrics, traces and logs. */
export interface RequestObserver {
  requestStarted(exchange: CallerExchange): void
  requestEnded(exchange: CallerExchange): void
  /** Prometheus text. */
  metrics(): Promise<string>
}

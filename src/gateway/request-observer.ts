import type { CallerExchange } from './endpoints/exchange.js'

/** Told of each request when it begins and when it is over, for metrics, traces and logs. */
export interface RequestObserver {
  requestStarted(exchange: CallerExchange): void
  requestEnded(exchange: CallerExchange): void
  /** A fault of Bursar itself, which broke the request off. */
  faulted(exchange: CallerExchange, thrown: unknown): void
  /** Prometheus text. */
  metrics(): Promise<string>
}

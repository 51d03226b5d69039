import type { Tracing, TracingOptions } from './tracing-contract.js'

export type { RequestEnd, Tracing, TracingOptions } from './tracing-contract.js'

const nothing: Readonly<Record<string, string>> = Object.freeze({})

/** Tracing that does nothing and costs nothing. */
export const noTracing: Tracing = Object.freeze({
  enabled: false,
  requestStarted: () => {},
  headersFor: () => nothing,
  callEnded: () => {},
  requestEnded: () => {},
  close: () => Promise.resolve(),
})

/** Starts tracing. The OpenTelemetry SDK is loaded only when an endpoint is given. */
export async function createTracing(options: TracingOptions = {}): Promise<Tracing> {
  if (options.endpoint === undefined || options.endpoint === '') return noTracing
  const { startOpenTelemetry } = await import('./open-telemetry.js')
  return startOpenTelemetry(options, options.endpoint)
}

import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type HrTime,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base'
import type { IncomingHttpHeaders } from 'node:http'
import type { CallRecord } from '../../ledger/index.js'
import { formatUsd, totalInputTokens, totalOutputTokens } from '../../quantities/index.js'
import { operationName } from './metrics.js'
import type { RequestEnd, Tracing, TracingOptions } from './tracing-contract.js'

interface OpenRequest {
  readonly span: Span
  readonly context: Context
  readonly headers: Readonly<Record<string, string>>
  readonly calls: CallRecord[]
}

/** Contexts of requests that are over are kept for so many more, for calls that are settled after the caller has left. */
const REMEMBERED = 2_048
const TIMEOUT_SECONDS = 5

const propagator = new W3CTraceContextPropagator()
const headerGetter = {
  get: (headers: IncomingHttpHeaders, name: string) => headers[name],
  keys: (headers: IncomingHttpHeaders) => Object.keys(headers),
}
const headerSetter = { set: (headers: Record<string, string>, name: string, value: string) => void (headers[name] = value) }

/** Tracing with the OpenTelemetry SDK. Loaded only where a collector is configured. */
export async function startOpenTelemetry(options: TracingOptions, endpoint: string): Promise<Tracing> {
  const timeoutMs = (options.timeoutSeconds ?? TIMEOUT_SECONDS) * 1_000
  const exporter = watched(await createExporter(options, endpoint, timeoutMs), options.onFault)
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName ?? 'bursar',
      ...(options.version !== undefined && { 'service.version': options.version }),
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.sampleRatio ?? 1) }),
    spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 8_192, exportTimeoutMillis: timeoutMs })],
  })
  const tracer = provider.getTracer('bursar', options.version)
  const open = new Map<string, OpenRequest>()
  const over = new Map<string, Context>()

  return {
    enabled: true,
    requestStarted(requestId, headers) {
      const parent = propagator.extract(ROOT_CONTEXT, headers, headerGetter)
      // The name is settled at the end, when the route and the model are known.
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, parent)
      const context = trace.setSpan(ROOT_CONTEXT, span)
      const outgoing: Record<string, string> = {}
      propagator.inject(context, outgoing, headerSetter)
      open.set(requestId, { span, context, headers: outgoing, calls: [] })
    },
    headersFor: (requestId) => open.get(requestId)?.headers ?? {},
    callEnded(record) {
      const request = open.get(record.requestId)
      if (request) request.calls.push(record)
      else recordCall(tracer, over.get(record.requestId) ?? ROOT_CONTEXT, record, undefined, options.serverOf)
    },
    requestEnded(requestId, end) {
      const request = open.get(requestId)
      if (!request) return
      open.delete(requestId)
      over.set(requestId, request.context)
      if (over.size > REMEMBERED) over.delete(over.keys().next().value ?? '')
      const answered = request.calls.findLast((call) => call.end === 'complete')
      for (const call of request.calls) recordCall(tracer, request.context, call, call === answered ? end : undefined, options.serverOf)
      endRequest(request.span, requestId, end)
    },
    async close() {
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
      try {
        await Promise.race([provider.shutdown(), patience])
      } catch (fault) {
        options.onFault?.(fault)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** The SERVER span of a request. Tokens stand on the calls only, so that no sum over a trace counts them twice. */
function endRequest(span: Span, requestId: string, end: RequestEnd): void {
  span.updateName(`POST ${end.endpoint}`)
  if (!span.isRecording()) return span.end()
  span.setAttributes({
    'http.request.method': 'POST',
    'http.route': end.endpoint,
    'http.response.status_code': end.status,
    'bursar.request.id': requestId,
  })
  if (end.model !== '') span.setAttribute('bursar.request.model', end.model.slice(0, 256))
  if (end.errorCode !== undefined || end.status >= 500) {
    span.setAttribute('error.type', end.errorCode ?? String(end.status))
    // By the HTTP conventions a 4xx is the caller's error, not this server's.
    if (end.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

/** The CLIENT span of a call, made from its record when the call is over. */
function recordCall(
  tracer: Tracer,
  parent: Context,
  record: CallRecord,
  end: RequestEnd | undefined,
  serverOf: TracingOptions['serverOf'],
): void {
  const operation = operationName(record.operation)
  const server = serverOf?.(record.provider)
  const span = tracer.startSpan(
    `${operation} ${record.model}`,
    {
      kind: SpanKind.CLIENT,
      startTime: hrTime(record.at),
      // What samplers may want to see has to be there from the start.
      attributes: {
        'gen_ai.operation.name': operation,
        'gen_ai.provider.name': providerName(record.provider),
        'gen_ai.request.model': record.model,
        ...(server && { 'server.address': server.address, 'server.port': server.port }),
      },
    },
    parent,
  )
  if (span.isRecording()) {
    span.setAttributes(callAttributes(record, end))
    if (record.end === 'failed' || record.end === 'truncated') span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end(hrTime(record.at + record.cost.seconds))
}

function callAttributes(record: CallRecord, end: RequestEnd | undefined): Attributes {
  const { usage, cost } = record
  const cacheWrite = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens
  const cacheRead = usage.cacheReadTokens + usage.cacheReadAudioTokens
  const input = totalInputTokens(usage)
  const output = totalOutputTokens(usage)
  return {
    ...(record.stream && { 'gen_ai.request.stream': true }),
    ...(record.firstTokenSeconds !== undefined && { 'gen_ai.response.time_to_first_chunk': record.firstTokenSeconds }),
    // Totals by the conventions: input includes what was cached, output includes reasoning; the parts are told beside them.
    ...(input > 0 && { 'gen_ai.usage.input_tokens': input }),
    ...(output > 0 && { 'gen_ai.usage.output_tokens': output }),
    ...(cacheRead > 0 && { 'gen_ai.usage.cache_read.input_tokens': cacheRead }),
    ...(cacheWrite > 0 && { 'gen_ai.usage.cache_creation.input_tokens': cacheWrite }),
    ...(usage.reasoningTokens > 0 && { 'gen_ai.usage.reasoning.output_tokens': usage.reasoningTokens }),
    ...(end?.responseModel !== undefined && { 'gen_ai.response.model': end.responseModel }),
    ...(end?.responseId !== undefined && { 'gen_ai.response.id': end.responseId }),
    ...(end?.finishReasons !== undefined && { 'gen_ai.response.finish_reasons': [...end.finishReasons] }),
    ...(record.end !== 'complete' && { 'error.type': record.errorCode ?? record.end }),
    ...(record.status > 0 && { 'http.response.status_code': record.status }),
    'bursar.call.id': record.callId,
    'bursar.call.end': record.end,
    'bursar.call.attempt': record.attempt,
    'bursar.deployment': record.deployment,
    ...(record.usageEstimated && { 'bursar.usage.estimated': true }),
    ...(cost.usd !== null && { 'bursar.cost.usd': Number(formatUsd(cost.usd)) }),
  }
}

// Well-known values of `gen_ai.provider.name`, by the ids that our providers usually have.
const providerNames: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'gcp.gemini',
  google: 'gcp.gemini',
  vertex: 'gcp.vertex_ai',
  azure: 'azure.ai.openai',
  'azure-openai': 'azure.ai.openai',
  bedrock: 'aws.bedrock',
  mistral: 'mistral_ai',
  xai: 'x_ai',
  moonshot: 'moonshot_ai',
  groq: 'groq',
  deepseek: 'deepseek',
  cohere: 'cohere',
  perplexity: 'perplexity',
}

/** The conventions' name of a provider; its own id where they have none. */
export function providerName(id: string): string {
  return providerNames[id] ?? id
}

/** Unix seconds to whole seconds and nanoseconds. */
function hrTime(unixSeconds: number): HrTime {
  const seconds = Math.floor(unixSeconds)
  return [seconds, Math.min(999_999_999, Math.round((unixSeconds - seconds) * 1e9))]
}

async function createExporter(options: TracingOptions, endpoint: string, timeoutMillis: number): Promise<SpanExporter> {
  const settings = { url: tracesUrl(endpoint), headers: { ...options.headers }, timeoutMillis }
  if (options.protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
    return new OTLPTraceExporter(settings)
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
  return new OTLPTraceExporter(settings)
}

/** The signal's path is added to a base URL, unless it is there already. */
function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint)
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`
  return url.href
}

/** Tells of failed exports, which the SDK keeps to itself. */
function watched(exporter: SpanExporter, onFault: TracingOptions['onFault']): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error) onFault?.(result.error)
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  }
}

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { CallRecord } from '../../ledger/index.js'
import { totalInputTokens, totalOutputTokens, type Usage } from '../../quantities/index.js'
import { tallyCounter, tallyHistogram, tallyMoney, type CounterSeries, type HistogramSeries, type MoneySeries } from './tally.js'

/** How the gateway's part of a request ended. */
export interface RequestMeasure {
  /** The route's pattern, such as `/v1/chat/completions`; never the raw path. */
  readonly endpoint: string
  /** The model the caller named; `''` when the request named none. */
  readonly model: string
  /** Status that the caller got; 499 when the caller left before any. */
  readonly status: number
  readonly stream: boolean
  /** From the request's head to the last byte of the answer. */
  readonly seconds: number
  /** From the request's head to the first byte of the answer's body, for streams. */
  readonly firstTokenSeconds?: number | undefined
}

/** Everything that is counted. Each method costs about a microsecond and never throws. */
export interface Metrics {
  requestStarted(): void
  requestEnded(measure: RequestMeasure): void
  /** Takes a finished call apart: tokens, dollars, duration, how it ended. */
  callEnded(record: CallRecord): void
  /** An attempt failed and another will be made. */
  retried(provider: string, code: string): void
  /** A request went on to another deployment or model after its first choice failed. */
  fellBack(model: string): void
  /** A deployment was put to rest after repeated faults. */
  cooledDown(provider: string, deployment: string): void
  /** The ledger could not take a record. */
  ledgerFault(operation: string): void
  /** Records that wait for the database. */
  ledgerLag(records: number): void
  configurationReloaded(result: 'ok' | 'rejected'): void
  /** A request that named no model was given to an arm. */
  routed(arm: string): void
  /** Something of routing failed, and the reference arm made it good. */
  routingFault(kind: string): void
  /** A request became part of the live proof. */
  proofTrial(heldOut: boolean): void
  /** Work of the live proof in the background ended, or was left out. */
  proofWork(purpose: string, result: string): void
  /** Routed traffic of a scope went back to the reference. */
  rolledBack(scope: string): void
  /** Models that get a label of their own; any other name is counted as `other`. Names once given stay. */
  knowModels(names: Iterable<string>): void
  readonly contentType: string
  /** The text that Prometheus reads. */
  render(): Promise<string>
}

export interface MetricsOptions {
  readonly version?: string
  /** Whether memory, CPU, garbage collection and event-loop lag of the process are included; true when absent. */
  readonly process?: boolean
  /** The most models that get a label of their own; 500 when absent. */
  readonly maxModels?: number
}

// Bounds that the GenAI semantic conventions advise for `gen_ai.client.operation.duration` and `gen_ai.client.token.usage`.
const operationSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const tokenCounts = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

const usageBuckets = [
  ['inputTokens', 'input'],
  ['inputAudioTokens', 'input_audio'],
  ['inputImageTokens', 'input_image'],
  ['inputVideoTokens', 'input_video'],
  ['cacheReadTokens', 'cache_read'],
  ['cacheReadAudioTokens', 'cache_read_audio'],
  ['cacheWrite5mTokens', 'cache_write_5m'],
  ['cacheWrite1hTokens', 'cache_write_1h'],
  ['outputTokens', 'output'],
  ['reasoningTokens', 'reasoning'],
  ['outputAudioTokens', 'output_audio'],
  ['outputImageTokens', 'output_image'],
] as const satisfies readonly (readonly [keyof Usage, string])[]

/** The series of one provider, model and operation: found with one look-up a call. */
interface CallSeries {
  readonly ends: Map<string, CounterSeries>
  readonly tokens: (CounterSeries | undefined)[]
  readonly usd: MoneySeries
  readonly duration: HistogramSeries
  readonly firstToken: HistogramSeries
  readonly inputTokens: HistogramSeries
  readonly outputTokens: HistogramSeries
  readonly labels: { readonly provider: string; readonly model: string }
  unpriced: CounterSeries | undefined
  estimated: CounterSeries | undefined
}

/** The series of one endpoint, streaming or not. */
interface EndpointSeries {
  readonly duration: HistogramSeries
  readonly firstToken: HistogramSeries | undefined
  readonly byModelAndStatus: Map<string, Map<number, CounterSeries>>
}

/** Creates the metrics with a registry of their own. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry()
  const maxModels = options.maxModels ?? 500
  const known = new Set<string>()

  const requests = tallyCounter(registry, {
    name: 'bursar_requests_total',
    help: 'Requests answered, by what the caller got.',
    labels: ['endpoint', 'model', 'status', 'stream'],
  })
  const requestDuration = tallyHistogram(registry, {
    name: 'bursar_request_duration_seconds',
    help: 'From the head of a request to the last byte of its answer.',
    labels: ['endpoint', 'stream'],
    buckets: requestSeconds,
  })
  const requestFirstToken = tallyHistogram(registry, {
    name: 'bursar_time_to_first_token_seconds',
    help: 'From the head of a streaming request to the first byte of its answer.',
    labels: ['endpoint'],
    buckets: requestSeconds,
  })
  let inFlight = 0
  new Gauge({
    name: 'bursar_requests_in_flight',
    help: 'Requests being answered now.',
    registers: [registry],
    collect() {
      this.set(inFlight)
    },
  })
  const calls = tallyCounter(registry, {
    name: 'bursar_calls_total',
    help: 'Calls of providers, by how they ended: complete, failed, cancelled (the caller left), truncated (the provider broke off).',
    labels: ['provider', 'model', 'operation', 'end'],
  })
  const tokens = tallyCounter(registry, {
    name: 'bursar_tokens_total',
    help: 'Tokens by billing bucket; every token is in one bucket only.',
    labels: ['provider', 'model', 'bucket'],
  })
  const dollars = tallyMoney(registry, {
    name: 'bursar_cost_usd_total',
    help: 'Dollars, of calls whose price is known.',
    labels: ['provider', 'model'],
  })
  const unpriced = tallyCounter(registry, {
    name: 'bursar_unpriced_calls_total',
    help: 'Calls whose price is unknown; their dollars are in no total.',
    labels: ['provider', 'model'],
  })
  const estimated = tallyCounter(registry, {
    name: 'bursar_estimated_usage_calls_total',
    help: 'Calls whose usage the provider did not report.',
    labels: ['provider', 'model'],
  })
  const failures = tallyCounter(registry, {
    name: 'bursar_call_failures_total',
    help: 'Calls that did not complete, by error code.',
    labels: ['provider', 'code'],
  })
  const retries = tallyCounter(registry, {
    name: 'bursar_retries_total',
    help: 'Further attempts after a failed one, by the code of the failure.',
    labels: ['provider', 'code'],
  })
  const fallbacks = tallyCounter(registry, {
    name: 'bursar_fallbacks_total',
    help: 'Requests that went on to another deployment or model.',
    labels: ['model'],
  })
  const cooldowns = tallyCounter(registry, {
    name: 'bursar_cooldowns_total',
    help: 'Times a deployment was put to rest after repeated faults.',
    labels: ['provider', 'deployment'],
  })
  const ledgerLag = new Gauge({
    name: 'bursar_ledger_lag_records',
    help: 'Records in the journal that the database has not taken in yet.',
    registers: [registry],
  })
  const ledgerFaults = tallyCounter(registry, {
    name: 'bursar_ledger_faults_total',
    help: 'Records that the ledger could not take.',
    labels: ['operation'],
  })
  const reloads = tallyCounter(registry, {
    name: 'bursar_configuration_reloads_total',
    help: 'Configuration files read again.',
    labels: ['result'],
  })

  const decisions = tallyCounter(registry, {
    name: 'bursar_routing_decisions_total',
    help: 'Requests that named no model, by the arm that was picked.',
    labels: ['arm'],
  })
  const routingFaults = tallyCounter(registry, {
    name: 'bursar_routing_faults_total',
    help: 'Faults of routing that the reference arm made good, or that cost something learned.',
    labels: ['kind'],
  })

  const proofTrials = tallyCounter(registry, {
    name: 'bursar_proof_trials_total',
    help: 'Requests that were randomised for the proof of savings and quality, by group.',
    labels: ['group'],
  })
  const proofWork = tallyCounter(registry, {
    name: 'bursar_proof_work_total',
    help: 'Answers that were to be judged, or compared with a shadow call, by what came of it.',
    labels: ['purpose', 'result'],
  })
  const rollBacks = tallyCounter(registry, {
    name: 'bursar_proof_rollbacks_total',
    help: 'Times that routed traffic went back to the reference by itself.',
    labels: ['scope'],
  })

  // The conventions' own metrics, in Prometheus spelling.
  const genAiLabels = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const
  const genAiTokens = tallyHistogram(registry, {
    name: 'gen_ai_client_token_usage',
    help: 'Input and output tokens of a call; input includes cached tokens, output includes reasoning.',
    labels: [...genAiLabels, 'gen_ai_token_type'],
    buckets: tokenCounts,
  })
  const genAiDuration = tallyHistogram(registry, {
    name: 'gen_ai_client_operation_duration_seconds',
    help: 'Duration of a call.',
    labels: [...genAiLabels],
    buckets: operationSeconds,
  })
  const genAiFirstChunk = tallyHistogram(registry, {
    name: 'gen_ai_client_operation_time_to_first_chunk_seconds',
    help: 'Time to the first chunk of a streamed call.',
    labels: [...genAiLabels],
    buckets: operationSeconds,
  })

  if (options.version !== undefined)
    new Gauge({ name: 'bursar_build_info', help: 'The version that runs.', labelNames: ['version'], registers: [registry] }).set(
      { version: options.version },
      1,
    )
  if (options.process ?? true) collectDefaultMetrics({ register: registry })

  const endpointSeries = new Map<string, EndpointSeries>()
  const streamSeries = new Map<string, EndpointSeries>()
  const callSeries = new Map<string, Map<string, CallSeries>>()
  const modelLabel = (name: string) => (name === '' ? 'none' : known.has(name) ? name : 'other')

  /** A call's own model name may be the provider's; it is bounded when what the caller named is known. */
  const callLabel = (record: CallRecord) =>
    known.has(record.requestedModel) || known.has(record.model) || known.has(`${record.provider}/${record.model}`) ? record.model : 'other'

  const openEndpoint = (endpoint: string, stream: boolean): EndpointSeries => ({
    duration: requestDuration({ endpoint, stream: String(stream) }),
    firstToken: stream ? requestFirstToken({ endpoint }) : undefined,
    byModelAndStatus: new Map(),
  })
  const openCalls = (provider: string, model: string, operation: CallRecord['operation']): CallSeries => {
    const genAi = { gen_ai_operation_name: operationName(operation), gen_ai_provider_name: provider, gen_ai_request_model: model }
    return {
      ends: new Map(),
      tokens: usageBuckets.map(() => undefined),
      usd: dollars({ provider, model }),
      duration: genAiDuration(genAi),
      firstToken: genAiFirstChunk(genAi),
      inputTokens: genAiTokens({ ...genAi, gen_ai_token_type: 'input' }),
      outputTokens: genAiTokens({ ...genAi, gen_ai_token_type: 'output' }),
      labels: { provider, model },
      unpriced: undefined,
      estimated: undefined,
    }
  }

  const failureSeries = pairs((provider, code) => failures({ provider, code }))
  const retrySeries = pairs((provider, code) => retries({ provider, code }))
  const cooldownSeries = pairs((provider, deployment) => cooldowns({ provider, deployment }))
  const fallbackSeries = pairs((model) => fallbacks({ model }))
  const ledgerSeries = pairs((operation) => ledgerFaults({ operation }))
  const decisionSeries = pairs((arm) => decisions({ arm }))
  const routingFaultSeries = pairs((kind) => routingFaults({ kind }))
  const proofTrialSeries = pairs((group) => proofTrials({ group }))
  const proofWorkSeries = pairs((purpose, result) => proofWork({ purpose, result }))
  const rollBackSeries = pairs((scope) => rollBacks({ scope }))
  const reloadSeries = pairs((result) => reloads({ result }))

  return {
    requestStarted: () => void inFlight++,
    requestEnded(measure) {
      inFlight--
      const byEndpoint = measure.stream ? streamSeries : endpointSeries
      const series = findOr(byEndpoint, measure.endpoint, () => openEndpoint(measure.endpoint, measure.stream))
      series.duration.observe(measure.seconds)
      if (measure.firstTokenSeconds !== undefined) series.firstToken?.observe(measure.firstTokenSeconds)
      const model = modelLabel(measure.model)
      const byStatus = findOr(series.byModelAndStatus, model, () => new Map<number, CounterSeries>())
      findOr(byStatus, measure.status, () =>
        requests({ endpoint: measure.endpoint, model, status: String(measure.status), stream: String(measure.stream) }),
      ).value++
    },
    callEnded(record) {
      const model = callLabel(record)
      const byModel = findOr(
        callSeries,
        record.operation === 'embed' ? `${record.provider}\nembed` : record.provider,
        () => new Map<string, CallSeries>(),
      )
      const series = findOr(byModel, model, () => openCalls(record.provider, model, record.operation))
      findOr(series.ends, record.end, () => calls({ ...series.labels, operation: record.operation, end: record.end })).value++
      if (record.end !== 'complete') failureSeries(record.provider, record.errorCode ?? record.end).value++
      series.duration.observe(record.cost.seconds)
      if (record.firstTokenSeconds !== undefined) series.firstToken.observe(record.firstTokenSeconds)
      for (let index = 0; index < usageBuckets.length; index++) {
        const bucket = usageBuckets[index]
        const count = bucket ? record.usage[bucket[0]] : 0
        if (!bucket || !(count > 0)) continue
        const counter = (series.tokens[index] ??= tokens({ ...series.labels, bucket: bucket[1] }))
        counter.value += count
      }
      const input = totalInputTokens(record.usage)
      const output = totalOutputTokens(record.usage)
      if (input > 0) series.inputTokens.observe(input)
      if (output > 0) series.outputTokens.observe(output)
      if (record.cost.usd === null) (series.unpriced ??= unpriced(series.labels)).value++
      else series.usd.picodollars += record.cost.usd
      if (record.usageEstimated) (series.estimated ??= estimated(series.labels)).value++
    },
    retried: (provider, code) => void retrySeries(provider, code).value++,
    fellBack: (model) => void fallbackSeries(modelLabel(model)).value++,
    cooledDown: (provider, deployment) => void cooldownSeries(provider, deployment).value++,
    ledgerFault: (operation) => void ledgerSeries(operation).value++,
    ledgerLag: (records) => ledgerLag.set(records),
    configurationReloaded: (result) => void reloadSeries(result).value++,
    routed: (arm) => void decisionSeries(modelLabel(arm)).value++,
    routingFault: (kind) => void routingFaultSeries(kind).value++,
    proofTrial: (heldOut) => void proofTrialSeries(heldOut ? 'reference' : 'policy').value++,
    proofWork: (purpose, result) => void proofWorkSeries(purpose, result).value++,
    rolledBack: (scope) => void rollBackSeries(scope).value++,
    knowModels(names) {
      for (const name of names) if (known.size < maxModels) known.add(name)
    },
    contentType: registry.contentType,
    render: () => registry.metrics(),
  }
}

/** The conventions' name of an operation. */
export function operationName(operation: CallRecord['operation']): 'chat' | 'embeddings' {
  return operation === 'embed' ? 'embeddings' : 'chat'
}

/** Opens a series for each pair of label values once. */
function pairs(open: (first: string, second: string) => CounterSeries): (first: string, second?: string) => CounterSeries {
  const byFirst = new Map<string, Map<string, CounterSeries>>()
  return (first, second = '') =>
    findOr(
      findOr(byFirst, first, () => new Map<string, CounterSeries>()),
      second,
      () => open(first, second),
    )
}

function findOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

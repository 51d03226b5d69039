import { answerText, askedRequest } from '../asked-request.js'
import type { LogEntry, LogFormat } from '../format.js'
import { amountIn, countIn, fieldOf, isRecord, jsonIn, momentIn, secondsBetween, textIn, type LogRecord } from '../record-fields.js'

/**
 * Langfuse: observations or traces with their observations, as its API and its exports give them (JSON, JSON Lines, CSV). Made from Langfuse's OpenAPI
 * description (`Observation`: `id`, `traceId`, `type`, `startTime`, `endTime`, `completionStartTime`, `model`, `input`, `output`, `usageDetails`, `costDetails`,
 * `calculatedTotalCost`, `latency`, `timeToFirstToken`, `level`; `TraceWithFullDetails`: `observations`, `scores`) and the field reference of its
 * blob-storage export, which has the same names with underscores. Only generations count. A quality is the mean of an observation's numeric scores in
 * [0, 1], where a trace brings them.
 */
export const langfuse: LogFormat = {
  id: 'langfuse',
  title: 'Langfuse export',
  recognises: ({ records }) =>
    records.some((record) => {
      const ofTrace = ('traceId' in record || 'trace_id' in record) && 'type' in record && ('startTime' in record || 'start_time' in record)
      return ofTrace || (Array.isArray(record['observations']) && 'id' in record) || ('traceId' in record && 'usageDetails' in record)
    }),
  entries: async () => (record) => {
    const observations = jsonIn(record, 'observations')
    if (!Array.isArray(observations)) return observed(record, [])
    const scores = jsonIn(record, 'scores')
    const alone = observations.filter((one) => isRecord(one) && isGeneration(one)).length === 1
    return observations
      .filter(isRecord)
      .flatMap((one) => observed(one, Array.isArray(scores) ? scores.filter((score) => isScoreOf(score, one, alone)) : []))
  },
}

function isGeneration(record: LogRecord): boolean {
  const type = textIn(record, 'type')
  return type === undefined || /^(generation|GENERATION)$/.test(type)
}

/** A score without an observation is the trace's: the only generation's, if there is only one. */
function isScoreOf(score: unknown, { id }: LogRecord, alone: boolean): score is LogRecord {
  if (!isRecord(score)) return false
  const of = score['observationId'] ?? score['observation_id']
  return of === undefined || of === null ? alone : of === id
}

function observed(record: LogRecord, scores: readonly LogRecord[]): readonly LogEntry[] {
  if (!isGeneration(record) || textIn(record, 'level') === 'ERROR') return []
  const model = textIn(record, 'model', 'provided_model_name', 'providedModelName', 'internalModelId')
  if (model === undefined) return []
  const began = momentIn(record, 'startTime', 'start_time')
  const qualities = scores
    .map(({ value }) => value)
    .filter((value): value is number => typeof value === 'number' && value >= 0 && value <= 1)
  const cached = countIn(
    record,
    'usageDetails.input_cached_tokens',
    'usageDetails.cache_read_input_tokens',
    'usage_details.input_cached_tokens',
    'usage_details.cache_read_input_tokens',
  )
  const input = countIn(
    record,
    'usageDetails.input',
    'usage_details.input',
    'usage.input',
    'usage.promptTokens',
    'promptTokens',
    'prompt_tokens',
    'inputUsage',
  )
  const output = countIn(
    record,
    'usageDetails.output',
    'usage_details.output',
    'usage.output',
    'usage.completionTokens',
    'completionTokens',
    'completion_tokens',
    'outputUsage',
  )
  // Details are disjoint there: cached and reasoning tokens aren't among `input` and `output`.
  const detailed = fieldOf(record, 'usageDetails') !== undefined || fieldOf(record, 'usage_details') !== undefined
  return [
    {
      id: textIn(record, 'id'),
      model,
      request: askedRequest(jsonIn(record, 'input')),
      usd: amountIn(record, 'calculatedTotalCost', 'totalCost', 'total_cost', 'costDetails.total', 'cost_details.total'),
      inputTokens: input === undefined ? undefined : input + (detailed ? (cached ?? 0) : 0),
      cacheReadTokens: cached,
      outputTokens: output,
      reasoningTokens: countIn(record, 'usageDetails.output_reasoning_tokens', 'usage_details.output_reasoning_tokens'),
      seconds: secondsBetween(began, momentIn(record, 'endTime', 'end_time')) ?? amountIn(record, 'latency'),
      firstTokenSeconds:
        secondsBetween(began, momentIn(record, 'completionStartTime', 'completion_start_time')) ??
        amountIn(record, 'timeToFirstToken', 'time_to_first_token'),
      answer: answerText(jsonIn(record, 'output')),
      quality: qualities.length === 0 ? undefined : qualities.reduce((sum, value) => sum + value, 0) / qualities.length,
    },
  ]
}

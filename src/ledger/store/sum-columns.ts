import { latencyEdges } from '../report/contract.js'
import type { Usage } from '../../quantities/index.js'

/** Columns of the buckets of a usage. */
export const usageColumns = {
  input_tokens: 'inputTokens',
  input_audio_tokens: 'inputAudioTokens',
  input_image_tokens: 'inputImageTokens',
  input_video_tokens: 'inputVideoTokens',
  cache_read_tokens: 'cacheReadTokens',
  cache_read_audio_tokens: 'cacheReadAudioTokens',
  cache_write_5m_tokens: 'cacheWrite5mTokens',
  cache_write_1h_tokens: 'cacheWrite1hTokens',
  output_tokens: 'outputTokens',
  reasoning_tokens: 'reasoningTokens',
  output_audio_tokens: 'outputAudioTokens',
  output_image_tokens: 'outputImageTokens',
  web_searches: 'webSearches',
} as const satisfies Record<string, keyof Usage>

export type UsageColumn = keyof typeof usageColumns
export const usageColumnNames = Object.keys(usageColumns).filter((name): name is UsageColumn => name in usageColumns)

type LatencyColumn = `latency_${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12}`
/** One column for each bucket of the latency histogram. */
export const latencyColumns: readonly LatencyColumn[] = [
  'latency_0',
  'latency_1',
  'latency_2',
  'latency_3',
  'latency_4',
  'latency_5',
  'latency_6',
  'latency_7',
  'latency_8',
  'latency_9',
  'latency_10',
  'latency_11',
  'latency_12',
]
if (latencyColumns.length !== latencyEdges.length + 1) throw new Error('the latency histogram has other buckets than the schema')

/**
 * Whole numbers of a row of sums. Money is two of them, whole microdollars and the picodollars left, so that no sum of them has to be
 * larger than 64 bits. Energy that isn't known is counted beside the energy that is.
 */
export const wholeColumns = [
  'calls',
  'errors',
  'lost',
  'unpriced',
  ...usageColumnNames,
  'usd_micro',
  'usd_rest',
  'savings_micro',
  'savings_rest',
  'joules_unknown',
  'grams_unknown',
  'first_tokens',
  ...latencyColumns,
] as const
export type WholeColumn = (typeof wholeColumns)[number]

export const realColumns = ['seconds', 'joules', 'grams', 'first_token_seconds'] as const
export type RealColumn = (typeof realColumns)[number]

export type SumColumn = WholeColumn | RealColumn
/** All columns of a row of sums, in the order of the schema. */
export const sumColumns: readonly SumColumn[] = [...wholeColumns, ...realColumns]

import { requestLevelEfficiency } from '../efficiency.js'
import { ratioOf, type Metric } from '../metric.js'

/**
 * Request-level efficiency (120): throughput over mean tokens of a request, here of one request after the other: what a caller without
 * concurrency gets.
 */
export const requestEfficiency: Metric = {
  id: 'rle',
  title: 'Requests a second',
  unit: '1/s',
  formula: 'RLE = throughput (tokens/s) / mean generated tokens a request, one request after the other',
  source: '120, Puzzle on GPT-OSS',
  better: 'higher',
  needs: ['generatedTokens', 'seconds'],
  width: 2,
  terms: ({ generatedTokens = NaN, seconds = NaN }) => [generatedTokens, seconds],
  of([tokens = NaN, seconds]) {
    const throughput = ratioOf(tokens, seconds)
    return throughput === null ? null : requestLevelEfficiency(throughput, tokens)
  },
}

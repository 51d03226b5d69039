import { toolProductivity } from '../efficiency.js'
import type { Metric } from '../metric.js'

/** Tool productivity (185): right answers a tool call over the whole set. */
export const toolProductivityMetric: Metric = {
  id: 'tool-productivity',
  title: 'Tool productivity',
  unit: '1/call',
  formula: 'TP = right answers / tool calls, over the whole table',
  source: '185, OTC',
  better: 'higher',
  needs: ['quality', 'toolCalls'],
  width: 2,
  terms: ({ quality = NaN, toolCalls = NaN }) => [quality, toolCalls],
  of: ([right = NaN, calls = NaN]) => toolProductivity(right, calls),
}

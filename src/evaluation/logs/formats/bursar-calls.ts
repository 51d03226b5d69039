import { inputBuckets } from '../../../quantities/index.js'
import type { LogFormat } from '../format.js'
import { amountIn, countIn, textIn, type LogRecord } from '../record-fields.js'

/**
 * Bursar's own calls, JSON Lines or CSV of `bursar export --what calls`: the columns of `src/ledger/report/export.ts`. The ledger holds no content.
 * (`bursar export --what outcome-table` is an outcome table.)
 */
export const bursarCalls: LogFormat = {
  id: 'bursar-calls',
  title: "Bursar's calls",
  recognises: ({ records }) => records.some((record) => 'callId' in record && 'decisionId' in record && 'operation' in record),
  entries: async () => (record) => {
    if (textIn(record, 'operation') !== 'generate' || textIn(record, 'end') !== 'complete') return []
    const model = plain(textIn(record, 'model'))
    if (model === undefined) return []
    const provider = plain(textIn(record, 'provider'))
    const input = sumOf(record, inputBuckets)
    return [
      {
        id: textIn(record, 'callId'),
        model: provider === undefined || model.startsWith(`${provider}/`) ? model : `${provider}/${model}`,
        usd: amountIn(record, 'usd'),
        inputTokens: input,
        cacheReadTokens: countIn(record, 'usage.cacheReadTokens'),
        outputTokens: countIn(record, 'usage.outputTokens'),
        reasoningTokens: countIn(record, 'usage.reasoningTokens'),
        seconds: amountIn(record, 'seconds'),
        firstTokenSeconds: amountIn(record, 'firstTokenSeconds'),
      },
    ]
  },
}

function sumOf(record: LogRecord, fields: readonly string[]): number | undefined {
  const counts = fields.map((field) => countIn(record, `usage.${field}`))
  return counts.every((count) => count === undefined) ? undefined : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
}

/** Names that a spreadsheet would run have an apostrophe in front in the CSV. */
function plain(name: string | undefined): string | undefined {
  return name !== undefined && /^'[=+\-@]/.test(name) ? name.slice(1) : name
}

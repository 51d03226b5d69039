import { BursarError, InvalidRequest } from '../../../errors/index.js'
import { UnreadableFile } from '../../../environment/index.js'
import { askedRequest } from '../asked-request.js'
import type { LogFormat } from '../format.js'
import { fieldOf, FieldFault, isRecord, textIn, type LogRecord } from '../record-fields.js'
import { isFault, recordBatches, unreadableLog } from '../records.js'
import { answered } from './openai-bodies.js'

/**
 * OpenAI's batches: the output file (`id`, `custom_id`, `response.status_code`, `response.body`, `error`), and the input file beside it (`custom_id`, `url`,
 * `body`), paired by `custom_id`; names from OpenAI's Batch API guide. The input is held in memory: OpenAI allows 50,000 requests and 200 MB of it. Without the
 * input there is no content, and costs and tokens are told all the same. Dollars aren't in either; a batch's discount is a service tier, which replay doesn't guess.
 */
export const openaiBatch: LogFormat = {
  id: 'openai-batch',
  title: 'OpenAI batch output',
  recognises: ({ records }) =>
    records.some((record) => 'custom_id' in record && ('response' in record || 'error' in record || 'body' in record)),
  async entries({ batchInput, signal }) {
    const asked = batchInput === undefined ? new Map<string, LogRecord>() : await inputOf(batchInput, signal)
    return (record) => {
      if ('body' in record && !('response' in record))
        throw new InvalidRequest(
          'This is a batch input file: what was asked, without answers. Give the output file with --log, and this one with --batch-input.',
          { path: 'log' },
        )
      const id = textIn(record, 'custom_id')
      if (id === undefined) throw new FieldFault('custom_id', 'is missing')
      const status = fieldOf(record, 'response.status_code')
      const body = fieldOf(record, 'response.body')
      if ((record['error'] !== undefined && record['error'] !== null) || (typeof status === 'number' && status >= 400) || !isRecord(body))
        return []
      const input = asked.get(id)
      if (batchInput !== undefined && input === undefined) throw new FieldFault('custom_id', `"${id}" is not in ${batchInput}`)
      const { model, ...told } = answered(body)
      const named = model ?? (input && textIn(input, 'model'))
      if (named === undefined) throw new FieldFault('response.body.model', 'is missing')
      return [{ id, model: named, request: askedRequest(input), ...told }]
    }
  },
}

const mostRequests = 200_000

async function inputOf(file: string, signal: AbortSignal): Promise<Map<string, LogRecord>> {
  const asked = new Map<string, LogRecord>()
  try {
    for await (const batch of recordBatches(file, 'jsonl')) {
      signal.throwIfAborted()
      for (const { number, record } of batch) {
        const id = isFault(record) ? undefined : textIn(record, 'custom_id')
        const body = isFault(record) ? undefined : record['body']
        if (id === undefined || !isRecord(body))
          throw new BursarError(
            `Batch input ${file}, row ${number}: ${isFault(record) ? record.fault : id === undefined ? 'custom_id: is missing' : 'body: an object was expected'}.`,
            { code: 'invalid_configuration', status: 500, path: `row ${number}` },
          )
        asked.set(id, body)
      }
      if (asked.size > mostRequests)
        throw new BursarError(`Batch input ${file} holds more than ${mostRequests} requests.`, {
          code: 'invalid_configuration',
          status: 500,
        })
    }
  } catch (thrown) {
    throw thrown instanceof UnreadableFile ? unreadableLog(file, thrown) : thrown
  }
  return asked
}

import type { BursarError } from '../../errors/index.js'
import { encodeError } from '../openai-chat/encode-error.js'

/**
 * A failure after the stream began. OpenAI's event has its fields at the top; its clients throw only on an `error` object,
 * so both are there. An encoder's own count isn't known here, and the event comes after all others: hence the largest number
 * that every client can hold.
 */
export function encodeStreamError(error: BursarError, requestId: string): string {
  const fields = encodeError(error).error
  const event = {
    type: 'error',
    sequence_number: lastSequenceNumber,
    code: fields.code,
    message: fields.message,
    param: fields.param,
    request_id: requestId,
    truncated: true,
    error: { ...fields, truncated: true },
  }
  return `event: error\ndata: ${JSON.stringify(event)}\n\n`
}

const lastSequenceNumber = 2_147_483_647

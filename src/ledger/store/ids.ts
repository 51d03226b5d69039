/**
 * Ids as the database has them. The gateway names a request `req_U`, its decision `dec_U` and its calls `call_U_1`, `call_U_2` …, where U
 * is a UUID that begins with the time. Then only the 16 bytes of U are written, once for a call; other ids are written as they are.
 */

import { textInRange } from './ranges.js'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const UUID_BYTES = 16
/** What an id that isn't of that form begins with: `=`. */
const MARK = 0x3d
/** In characters. */
const longestId = 512

/** The bytes of an id with this prefix (`req_`, `dec_`). */
export function packId(prefix: string, id: string): Uint8Array {
  const rest = id.startsWith(prefix) ? id.slice(prefix.length) : ''
  if (uuid.test(rest)) return Buffer.from(rest.replaceAll('-', ''), 'hex')
  const text = Buffer.from(`=${textInRange(id, longestId)}`, 'utf8')
  // Sixteen bytes are a UUID, so a text that would be as long is made longer.
  return text.length === UUID_BYTES ? Buffer.concat([Buffer.of(0), text]) : text
}

/** The id that `packId` packed. */
export function unpackId(prefix: string, packed: Uint8Array): string {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  if (bytes.length !== UUID_BYTES) return bytes.toString('utf8', bytes[0] === MARK ? 1 : 2)
  return prefix + dashed(bytes.toString('hex'))
}

/** The number N when a call is `call_U_N` and its request `req_U`; `undefined` for other ids. */
export function callNumber(callId: string, requestId: string): number | undefined {
  const parts = partsOfCall(callId)
  return parts !== undefined && requestId === `req_${parts.uuid}` ? parts.number : undefined
}

/** `call_U_N` taken apart; `undefined` for ids of another form. */
export function partsOfCall(callId: string): { readonly uuid: string; readonly number: number } | undefined {
  const match = /^call_(.{36})_([1-9]\d{0,8})$/.exec(callId)
  const [, name = '', number] = match ?? []
  return uuid.test(name) ? { uuid: name, number: Number(number) } : undefined
}

/** The id of a call with this number. */
export function numberedCall(requestId: string, number: number): string {
  return `call_${requestId.slice('req_'.length)}_${number}`
}

/** True when the decision's id follows from the request's. */
export function isDecisionOf(decisionId: string, requestId: string): boolean {
  return (
    decisionId.startsWith('dec_') &&
    requestId.startsWith('req_') &&
    decisionId.slice(4) === requestId.slice(4) &&
    uuid.test(requestId.slice(4))
  )
}

/** The ids that follow from each other. */
export function decisionOf(requestId: string): string {
  return `dec_${requestId.slice(4)}`
}
export function requestOf(decisionId: string): string {
  return `req_${decisionId.slice(4)}`
}

/** Bytes as a text that a `Map` can be keyed by. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function dashed(digits: string): string {
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
}

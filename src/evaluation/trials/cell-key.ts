import { createHash } from 'node:crypto'
import type { Request } from '../../protocol/index.js'
import { canonical } from '../../strategies/index.js'
import type { Check, Method, TestItem } from '../suite/contract.js'

/**
 * Names an answer by everything that it depends on: the method, the request that is sent (and so the item's content), and what the
 * world makes of the method's names. SHA-256 of canonical JSON, hexadecimal. O(size of the request).
 */
export function answerKey(method: Method, request: Request, identity: string): string {
  const { wire: _bytes, paths: _paths, ...said } = request
  return sha256(canonical(['answer', 1, method.fingerprint, identity, withoutPaths(said)]))
}

/** Names a grade beside the answer that it is of: the check, and the item's variables, which checks read. */
export function gradeKey(check: Check, item: TestItem): string {
  return sha256(canonical(['grade', 1, check.kind, check.threshold, check.fingerprint, item.variables]))
}

/** Where a part stood in the caller's file says nothing of what is asked. */
function withoutPaths(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPaths)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (name === 'at' && typeof inner === 'string' ? [] : [[name, withoutPaths(inner)]])),
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

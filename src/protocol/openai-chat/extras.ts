import type { DropPolicy } from '../codec.js'
import type { CacheMark, ExtraField } from '../conversation.js'
import { ExtraCollector, ExtraFields } from '../extra-fields.js'
import { isObject } from '../json-value.js'

/** Collects the fields of a chat completion's body that the canonical form doesn't know. */
export class Extras extends ExtraCollector {
  constructor() {
    super('openai-chat')
  }
}

/** Puts such fields back where they stood. */
export function chatExtras(extra: readonly ExtraField[], drop: DropPolicy): ExtraFields {
  return new ExtraFields(extra, drop, { format: 'openai-chat', foreign: 'chat completions have no such field', makesMissing: false })
}

/** Reads a `cache_control` mark. */
export function cacheMark(control: unknown): CacheMark | undefined {
  if (!isObject(control) || control['type'] !== 'ephemeral') return undefined
  const ttl = control['ttl']
  return ttl === '5m' || ttl === '1h' ? { ttl } : {}
}

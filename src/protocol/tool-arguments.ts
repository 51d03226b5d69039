import { InvalidRequest } from '../errors/index.js'
import { parseExact } from './exact-numbers.js'
import { isObject } from './json-value.js'

/**
 * The arguments of a tool call as an object, for providers that don't take the text. Empty text is no arguments. Throws
 * `InvalidRequest` with the call's path: text that is no JSON object can't be sent to them.
 */
export function parseToolArguments(text: string, at: string): Record<string, unknown> {
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = parseExact(text)
  } catch (cause) {
    throw new InvalidRequest(
      `${at}: the arguments of this tool call are not valid JSON, and the provider takes them only as a JSON object.`,
      { path: at, cause },
    )
  }
  if (!isObject(value))
    throw new InvalidRequest(`${at}: the arguments of this tool call must be a JSON object for this provider.`, { path: at })
  return { ...value }
}

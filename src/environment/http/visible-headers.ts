/** Response headers of a provider that callers may see. */
const VISIBLE_HEADERS = ['openai-processing-ms', 'openai-version', 'anthropic-organization-id']
/** Where providers put their own id of a request. Callers get it under another name, since `x-request-id` is Bursar's. */
const ID_HEADERS = ['x-request-id', 'request-id', 'apim-request-id']

/** What a caller may see of a provider's response headers. */
export function visibleHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const visible: Record<string, string> = {}
  for (const name of VISIBLE_HEADERS) {
    const value = headers[name]
    if (typeof value === 'string') visible[name] = value
  }
  for (const name of ID_HEADERS) {
    const value = headers[name]
    if (typeof value !== 'string') continue
    visible['x-upstream-request-id'] = value
    break
  }
  return visible
}

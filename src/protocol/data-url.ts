import type { MediaSource } from './conversation.js'

/**
 * A URL as a media source: a `data:` URL with base64 data becomes its type and data (a slice, no copy), anything else
 * stays a URL.
 */
export function sourceOfUrl(url: string): MediaSource {
  if (!/^data:/i.test(url)) return { kind: 'url', url }
  const comma = url.indexOf(',')
  const head = comma === -1 ? '' : url.slice(5, comma)
  if (!/;base64$/i.test(head)) return { kind: 'url', url }
  const mediaType = head.slice(0, -7).split(';', 1)[0] ?? ''
  return { kind: 'base64', mediaType: mediaType === '' ? 'text/plain' : mediaType.toLowerCase(), data: url.slice(comma + 1) }
}

/** The other way round; `undefined` for a file id, which no URL can say. */
export function urlOfSource(source: MediaSource): string | undefined {
  if (source.kind === 'url') return source.url
  if (source.kind === 'base64') return `data:${source.mediaType};base64,${source.data}`
  return undefined
}

/** Headers that say nothing secret, by default; any other that the operator configured may. */
const PUBLIC = new Set([
  'content-type',
  'accept',
  'user-agent',
  'anthropic-version',
  'anthropic-beta',
  'openai-beta',
  'http-referer',
  'x-title',
])

const SECRET = '[secret]'

export interface Secrets {
  scrub(text: string): string
  scrubBytes(bytes: Buffer): Buffer
}

/**
 * Takes the credentials that are sent to a provider out of its answers: some echo the key in an error, and errors are
 * passed on to callers.
 */
export function secretsOf(...headers: readonly (Readonly<Record<string, string>> | undefined)[]): Secrets {
  const known = new Set<string>()
  for (const some of headers)
    for (const [name, value] of Object.entries(some ?? {})) {
      if (PUBLIC.has(name)) continue
      const bare = value.replace(/^(?:bearer|basic|token) +/i, '')
      // Shorter ones would black out common words.
      if (bare.length >= 6) known.add(bare).add(JSON.stringify(bare).slice(1, -1))
    }
  const scrub = (text: string) => {
    let clean = text
    for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, SECRET)
    return clean
  }
  return {
    scrub,
    scrubBytes(bytes) {
      for (const secret of known) if (bytes.includes(secret)) return Buffer.from(scrub(bytes.toString()))
      return bytes
    },
  }
}

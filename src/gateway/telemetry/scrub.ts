/** What stands where a secret was. */
export const SECRET = '[secret]'
/** What stands where a caller's or a model's words would have been. */
export const CONTENT = '[content]'

/** Removes secrets from texts: those it was told of, and whatever has the shape of one. */
export interface Scrubber {
  text(text: string): string
  /** Makes a secret known, so that it is removed wherever it appears, whatever its shape. Ignores ones shorter than four characters. */
  learn(secret: string): void
}

// One alternative for each shape, so that a clean text costs one pass. Groups: 1 scheme, 2 query parameter, 3 header or JSON name.
const shapes = new RegExp(
  [
    // Authorization schemes.
    String.raw`\b((?:Bearer|Basic)\s+)[\w.~+/=-]{4,}`,
    // Keys in URLs.
    String.raw`([?&;](?:api[-_]?key|key|access[-_]?token|id[-_]?token|token|sig(?:nature)?|x-amz-signature|client[-_]?secret|secret|password|code)=)[^&\s#"'<>]+`,
    // Headers and fields that hold a key, as they look in dumps.
    String.raw`((?:proxy-)?authorization|(?:x-(?:goog-)?)?api[-_]?key|(?:set-)?cookie|client[-_]?secret|password)(["']?\s*[:=]\s*["']?)(?!\[secret\])[^\s"',;}&]+(?:\s+[\w.~+/=-]{8,})?`,
    // User and password in URLs.
    String.raw`(:\/\/)[^/\s@:"']*:[^/\s@"']+(?=@)`,
    // Keys of the usual providers, cloud tokens, JSON web tokens.
    String.raw`\b(?:sk|pk|rk|gsk|xai|pplx|csk|nvapi|fw|tgp|glpat|ghp|gho|github_pat|hf|r8|key|esecret)[-_][\w-]{8,}`,
    String.raw`\bAIza[\w-]{20,}`,
    String.raw`\b(?:AKIA|ASIA)[A-Z0-9]{12,}`,
    String.raw`\bya29\.[\w.-]+`,
    String.raw`\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*`,
  ].join('|'),
  'gi',
)

export function createScrubber(secrets: Iterable<string> = []): Scrubber {
  const known = new Set<string>()
  let longestFirst: readonly string[] = []
  const learn = (secret: string) => {
    if (secret.length < 4 || known.has(secret)) return
    known.add(secret)
    const encoded = encodeURIComponent(secret)
    if (encoded !== secret) known.add(encoded)
    longestFirst = [...known].sort((a, b) => b.length - a.length)
  }
  for (const secret of secrets) learn(secret)
  return {
    learn,
    text(text) {
      let clean = text
      for (const secret of longestFirst) if (clean.includes(secret)) clean = clean.replaceAll(secret, SECRET)
      return clean.replace(shapes, (_, scheme?: string, parameter?: string, name?: string, joint?: string, slashes?: string) =>
        name === undefined ? `${scheme ?? parameter ?? slashes ?? ''}${SECRET}` : `${name}${joint ?? ''}${SECRET}`,
      )
    },
  }
}

const secretNames = new Set(
  'authorization proxyauthorization apikey xapikey xgoogapikey cookie setcookie password passwd secret clientsecret accesstoken refreshtoken idtoken bearer bearertoken privatekey credential credentials key masterkey'.split(
    ' ',
  ),
)
const contentNames = new Set(
  'message messages content prompt prompts input inputs output outputs text body requestbody responsebody arguments args result completion choices delta system instructions answer question query reasoning thinking toolcalls tools document documents'.split(
    ' ',
  ),
)

/** Whether a field of this name holds a secret or somebody's words, and so is never written. */
export function fieldKind(name: string): 'plain' | 'secret' | 'content' {
  const bare = name.replace(/[-_.\s]/g, '').toLowerCase()
  return secretNames.has(bare) ? 'secret' : contentNames.has(bare) ? 'content' : 'plain'
}

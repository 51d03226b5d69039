/**
 * Counts of one call, in **disjoint** buckets: every token is in exactly one, so that a price is a plain sum and nothing
 * is billed twice or forgotten. Providers overlap their counts in different ways; `protocol/` untangles them.
 */
export interface Usage {
  /** Fresh text (or unspecified) input tokens: neither read from a prompt cache nor written to one. */
  readonly inputTokens: number
  readonly inputAudioTokens: number
  readonly inputImageTokens: number
  readonly inputVideoTokens: number
  /** Input tokens read from the provider's prompt cache. */
  readonly cacheReadTokens: number
  readonly cacheReadAudioTokens: number
  /** Input tokens written to the provider's prompt cache with a lifetime of five minutes (or an unstated one). */
  readonly cacheWrite5mTokens: number
  readonly cacheWrite1hTokens: number
  /** Visible output tokens, without reasoning. */
  readonly outputTokens: number
  /** Hidden or shown reasoning tokens; billed as output by every provider known so far. */
  readonly reasoningTokens: number
  readonly outputAudioTokens: number
  readonly outputImageTokens: number
  /** Searches that the provider ran on the web and bills one by one. */
  readonly webSearches: number
}

export const noUsage: Usage = {
  inputTokens: 0,
  inputAudioTokens: 0,
  inputImageTokens: 0,
  inputVideoTokens: 0,
  cacheReadTokens: 0,
  cacheReadAudioTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  outputAudioTokens: 0,
  outputImageTokens: 0,
  webSearches: 0,
}

/** The buckets that make up the input, by name. */
export const inputBuckets = [
  'inputTokens',
  'inputAudioTokens',
  'inputImageTokens',
  'inputVideoTokens',
  'cacheReadTokens',
  'cacheReadAudioTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
] as const satisfies readonly (keyof Usage)[]

/** All input tokens, whatever their price: what a context window and a tier threshold are compared with. */
export function totalInputTokens(usage: Usage): number {
  return (
    usage.inputTokens +
    usage.inputAudioTokens +
    usage.inputImageTokens +
    usage.inputVideoTokens +
    usage.cacheReadTokens +
    usage.cacheReadAudioTokens +
    usage.cacheWrite5mTokens +
    usage.cacheWrite1hTokens
  )
}

/** All output tokens, reasoning included. */
export function totalOutputTokens(usage: Usage): number {
  return usage.outputTokens + usage.reasoningTokens + usage.outputAudioTokens + usage.outputImageTokens
}

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    inputAudioTokens: a.inputAudioTokens + b.inputAudioTokens,
    inputImageTokens: a.inputImageTokens + b.inputImageTokens,
    inputVideoTokens: a.inputVideoTokens + b.inputVideoTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheReadAudioTokens: a.cacheReadAudioTokens + b.cacheReadAudioTokens,
    cacheWrite5mTokens: a.cacheWrite5mTokens + b.cacheWrite5mTokens,
    cacheWrite1hTokens: a.cacheWrite1hTokens + b.cacheWrite1hTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    outputAudioTokens: a.outputAudioTokens + b.outputAudioTokens,
    outputImageTokens: a.outputImageTokens + b.outputImageTokens,
    webSearches: a.webSearches + b.webSearches,
  }
}

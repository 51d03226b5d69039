import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'

// The library throws at a text that holds the name of a special token unless it is told that such names are text.
const AS_TEXT = { disallowedSpecial: new Set<string>() }

/** Tokens of a text in the o200k vocabulary. */
export function o200kTokens(text: string): number {
  return countTokens(text, AS_TEXT)
}

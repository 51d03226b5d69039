/** The beginning of a text, halves of surrogate pairs replaced by U+FFFD: encoders and endpoints choke on them. */
export function sendable(text: string, longest: number): string {
  return Buffer.from(text.slice(0, longest)).toString()
}

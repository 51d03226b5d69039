/** Kinds of content parts; every other kind of OpenAI's own is an item. */
export function isContentType(type: unknown): boolean {
  return typeof type === 'string' && /^(?:input_|output_|computer_screenshot$|text$)/.test(type)
}

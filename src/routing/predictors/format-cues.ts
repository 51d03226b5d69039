/**
 * How a request is put rather than what it is about, as short names: how it begins and ends, its case, its layout, its length. Requests of one task are put alike (an
 * exam's questions, a search box's, a code model's docstrings), and words alone, folded to lower case, don't show it. Linear in the text, of which the first and last
 * `looked` characters count.
 */
export function formatCues(text: string): readonly string[] {
  const head = text.slice(0, looked).trimStart()
  const tail = text.slice(-looked).trimEnd()
  const words = head.split(/\s+/, mostWords)
  const count = (pattern: RegExp) => Math.min(4, head.match(pattern)?.length ?? 0)
  const last = tail.split(/\s+/).at(-1) ?? ''
  const letters = head.match(/\p{L}/gu)?.length ?? 0
  const capitals = head.match(/\p{Lu}/gu)?.length ?? 0
  return [
    `first ${lowered(words[0])}`,
    `first two ${lowered(words[0])} ${lowered(words[1])}`,
    `last ${lowered(last)}`,
    `ends ${tail.at(-1) ?? ''}`,
    `begins ${shapeOf(head)}`,
    `begins ${shapeOf(head)}, ends ${tail.at(-1) ?? ''}`,
    `length ${Math.round(2 * Math.log2(1 + text.length))}`,
    `lines ${count(/\n/g)}`,
    `empty lines ${count(/\n\s*\n/g)}`,
    `questions ${count(/\?/g)}`,
    `sentences ${count(/[.!?](?=\s|$)/g)}`,
    `choices ${count(/^\s*\(?[A-H1-8][).:]\s/gm)}`,
    `numbers ${count(/\d+/g)}`,
    `commas ${count(/,/g)}`,
    `gaps ${count(/_{2,}|\b_\b/g)}`,
    `formulas ${count(/\$[^$\n]+\$|\\[a-z]+/g)}`,
    `code ${count(/```|\bdef \w+\(|\bassert\b|>>>|\bSELECT\b|[{};]\s*$/gm)}`,
    `quotes ${count(/["“”]/g)}`,
    `capitals ${letters === 0 ? 'none' : Math.min(6, Math.round((40 * capitals) / letters))}`,
  ]
}

const looked = 4096
const mostWords = 400

function lowered(word = ''): string {
  return word.slice(0, 24).toLowerCase()
}

/** Upper or lower case, a digit, or a sign. */
function shapeOf(text: string): string {
  const first = text[0] ?? ''
  if (/\p{Lu}/u.test(first)) return 'upper'
  if (/\p{L}/u.test(first)) return 'lower'
  return /\d/.test(first) ? 'digit' : first
}

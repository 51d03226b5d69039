/** Characters of an answer in which code is looked for. */
const LONGEST_READ = 1_000_000

export interface CodeBlock {
  /** What stands after the opening fence, in lower case. */
  readonly language: string
  readonly text: string
}

/** The fenced blocks of a text, in order; one that isn't closed ends with the text. O(length), of the first 1,000,000 characters. */
export function codeBlocks(text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { readonly fence: string; readonly language: string; readonly lines: string[] } | undefined
  for (const line of text.slice(0, LONGEST_READ).split('\n')) {
    const fence = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/.exec(line)
    if (open === undefined) {
      if (fence?.[1] !== undefined) open = { fence: fence[1], language: (fence[2] ?? '').toLowerCase(), lines: [] }
    } else if (fence?.[1]?.startsWith(open.fence) === true && fence[2] === '') {
      blocks.push({ language: open.language, text: open.lines.join('\n') })
      open = undefined
    } else open.lines.push(line.replace(/\r$/, ''))
  }
  if (open !== undefined) blocks.push({ language: open.language, text: open.lines.join('\n') })
  return blocks
}

/**
 * The code that an answer gives: its longest block of one of the languages (examples of use, which stand beside the solution, are
 * shorter), else its longest block of an unnamed language, else the whole answer without what was thought aloud.
 */
export function codeIn(answer: string, languages: readonly string[]): string {
  const said = answer.slice(answer.lastIndexOf('</think>') + 1 === 0 ? 0 : answer.lastIndexOf('</think>') + 8)
  const blocks = codeBlocks(said)
  const named = blocks.filter(({ language }) => languages.includes(language))
  const candidates = named.length > 0 ? named : blocks.filter(({ language }) => language === '')
  const longest = candidates.reduce<CodeBlock | undefined>(
    (best, block) => (best === undefined || block.text.length > best.text.length ? block : best),
    undefined,
  )
  return longest?.text ?? said.slice(0, LONGEST_READ)
}

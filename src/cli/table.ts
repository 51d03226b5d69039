/** A column of a table. Units belong into the title. */
export interface Column {
  readonly title: string
  /** Numbers stand right, so that their digits line up. */
  readonly align?: 'left' | 'right'
  /** What may be cut when the table is too wide: the end, or the middle (for names whose both ends tell them apart). Absent: never cut. */
  readonly cut?: 'end' | 'middle'
  /** Fewest characters that a cut leaves; 12 when left out. */
  readonly least?: number
}

const GAP = '  '
const LEAST = 12

/**
 * A plain table: aligned columns, no colour, no lines. Where it is wider than `width` characters, the columns that may be
 * cut are, the last first, since the first columns say what a row is about. Control characters of foreign texts become `?`.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width = 80): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))
  const widths = columns.map((column, index) => Math.max(textWidth(column.title), ...cells.map((row) => textWidth(row[index] ?? ''))))
  let over = widths.reduce((sum, one) => sum + one, GAP.length * (columns.length - 1)) - width
  for (let index = columns.length - 1; index >= 0 && over > 0; index--) {
    const column = columns[index]
    if (column?.cut === undefined) continue
    const full = widths[index] ?? 0
    const left = Math.max(Math.min(full, least(column)), full - over)
    widths[index] = left
    over -= full - left
  }
  const line = (row: readonly string[]) =>
    columns
      .map((column, index) => {
        const text = cut(row[index] ?? '', widths[index] ?? 0, column.cut ?? 'end')
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - textWidth(text)))
        return column.align === 'right' ? padding + text : text + padding
      })
      .join(GAP)
      .trimEnd()
  return [line(columns.map((column) => column.title)), ...cells.map(line)].map((text) => `${text}\n`).join('')
}

function least(column: Column): number {
  return Math.max(column.least ?? LEAST, textWidth(column.title))
}

/** A text in at most `width` characters; `…` marks what is gone. */
export function cut(text: string, width: number, where: 'end' | 'middle' = 'end'): string {
  if (textWidth(text) <= width) return text
  const letters = [...text]
  if (where === 'end') return `${take(letters, width - 1)}…`
  const tail = take(letters.reverse(), Math.floor((width - 1) / 2))
  return `${take([...text], width - 1 - textWidth(tail))}…${[...tail].reverse().join('')}`
}

function take(letters: readonly string[], width: number): string {
  let taken = ''
  let used = 0
  for (const letter of letters) {
    used += letterWidth(letter)
    if (used > width) break
    taken += letter
  }
  return taken
}

/** Columns that a text takes in a terminal. */
export function textWidth(text: string): number {
  let width = 0
  for (const letter of text) width += letterWidth(letter)
  return width
}

/** Chinese, Japanese and Korean letters, full-width forms and emoji take two columns; combining marks none. */
function letterWidth(letter: string): number {
  if (/\p{Mn}|\p{Me}|\u200d|\ufe0f/u.test(letter)) return 0
  return /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    letter,
  )
    ? 2
    : 1
}

/** A text from elsewhere without characters that would steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
}

/** A text broken into lines of at most `width` characters at its spaces; longer words stay whole. Line breaks stay. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = []
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    return [...lines, line]
  })
}

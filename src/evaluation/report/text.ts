import type { ReportBlock, ReportDocument, ReportPlot, ReportTable } from './document.js'
import { barName, hasInterval } from './frame.js'
import { paragraphs } from './paragraphs.js'
import { plotTable } from './plot-table.js'
import { numberText, shown, spanOf, valueText } from './shown.js'

/** Rows of a plot's figures that a terminal shows. */
const mostRows = 24

/**
 * A report as plain text for a terminal of `width` columns: no colour, bars drawn with letters, other plots as tables of their figures
 * (of long ones an even selection). The same document gives the same bytes.
 */
export function textOf({ title, subtitle, sections }: ReportDocument, width = 80): string {
  const lines = [
    ...wrapped(title, width),
    '='.repeat(Math.min(width, columnsOf(shown(title)))),
    ...(subtitle === undefined ? [] : wrapped(subtitle, width)),
  ]
  for (const { heading, blocks } of sections) {
    lines.push('', ...wrapped(heading, width), '-'.repeat(Math.min(width, columnsOf(shown(heading)))))
    for (const [index, block] of blocks.entries()) lines.push(...(index > 0 ? [''] : []), ...blockText(block, width))
  }
  return `${lines.join('\n')}\n`
}

function blockText(block: ReportBlock, width: number): string[] {
  switch (block.kind) {
    case 'text':
      return paragraphs(block.text).flatMap((paragraph, index) => [
        ...(index > 0 ? [''] : []),
        ...paragraph.split('\n').flatMap((line) => wrapped(line, width)),
      ])
    case 'figures':
      return block.figures.flatMap(({ label, text, note, tone }) => [
        ...wrapped(`${label}: ${text}${tone === 'bad' ? ' (!)' : ''}`, width),
        ...(note === undefined ? [] : wrapped(note, width - 2).map((line) => `  ${line}`)),
      ])
    case 'table':
      return [...(block.caption === undefined ? [] : wrapped(block.caption, width)), ...tableText(block, width)]
    case 'plot':
      return [
        ...wrapped(block.caption, width),
        ...(block.shape === 'bars' ? barsText(block, width) : pointsText(block, width)),
        ...guideText(block),
      ]
  }
}

function pointsText(plot: ReportPlot, width: number): string[] {
  const { table, left } = plotTable(plot, mostRows)
  return [...tableText(table, width), ...(left > 0 ? [`${left} more points are not shown.`] : [])]
}

/** Bars of letters, as long as what the names and numbers leave free; those below 0 are told by their number alone. */
function barsText(plot: ReportPlot, width: number): string[] {
  const several = plot.series.length > 1
  const all = plot.series.flatMap(({ name, points }) =>
    points.map((point) => ({ name: several ? `${barName(point, plot.x)}, ${shown(name)}` : barName(point, plot.x), y: point.y })),
  )
  const bars = all.slice(0, mostRows)
  const longest = bars.reduce((most, { y }) => (Number.isFinite(spanOf(y).value) ? Math.max(most, spanOf(y).value) : most), 0)
  const told = bars.map(({ y }) => {
    const { value, low, high } = spanOf(y)
    return `${valueText(value, plot.y)}${hasInterval(y) ? ` [${numberText(low)}, ${numberText(high)}]` : ''}`
  })
  const names = Math.min(
    34,
    bars.reduce((most, { name }) => Math.max(most, columnsOf(name)), 0),
  )
  const numbers = told.reduce((most, text) => Math.max(most, columnsOf(text)), 0)
  const room = Math.min(30, width - names - numbers - 4)
  const lines = bars.map(({ name, y }, index) => {
    const { value } = spanOf(y)
    const length = room > 4 && longest > 0 && value > 0 && Number.isFinite(value) ? Math.max(1, Math.round((value / longest) * room)) : 0
    return `${padded(cutTo(name, names), names)}  ${padded(told[index] ?? '', numbers, 'right')}  ${'█'.repeat(length)}`.trimEnd()
  })
  return [...lines, ...(all.length > mostRows ? [`${all.length - mostRows} more bars are not shown.`] : [])]
}

function guideText({ guide, x, y, shape }: ReportPlot): string[] {
  if (!guide) return []
  const at = (end: { readonly x: number; readonly y: number }) =>
    shape === 'bars' ? valueText(end.y, y) : `${valueText(end.x, x)}, ${valueText(end.y, y)}`
  return guide.from.y === guide.to.y
    ? [`${shown(guide.name)}: ${valueText(guide.from.y, y)}`]
    : [`${shown(guide.name)}: from ${at(guide.from)} to ${at(guide.to)}`]
}

/**
 * Columns in line. Where they are wider than the terminal titles are broken at their spaces first, then the widest left-aligned columns
 * are cut in the middle.
 */
function tableText({ columns, rows }: ReportTable, width: number): string[] {
  const cells = rows.map((row) => columns.map((_, index) => shown(row[index] ?? '')))
  const within = columns.map((_, index) => cells.reduce((most, row) => Math.max(most, columnsOf(row[index] ?? '')), 0))
  const widths = columns.map(({ title }, index) => Math.max(within[index] ?? 0, columnsOf(shown(title))))
  const over = () => widths.reduce((sum, one) => sum + one, 2 * (columns.length - 1)) - width
  for (const [index, { title }] of columns.entries()) {
    const words = Math.max(within[index] ?? 0, ...shown(title).split(' ').map(columnsOf))
    if (over() > 0) widths[index] = Math.max(words, (widths[index] ?? 0) - over())
  }
  while (over() > 0) {
    const widest = columns.reduce(
      (at, { align }, index) => (align !== 'right' && (widths[index] ?? 0) > (widths[at] ?? 0) ? index : at),
      columns.findIndex(({ align }) => align !== 'right'),
    )
    if ((widths[widest] ?? 0) <= 8) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  const titles = columns.map(({ title }, index) => wrapped(title, widths[index] ?? 0))
  const height = titles.reduce((most, lines) => Math.max(most, lines.length), 0)
  // Short titles stand on the last line, next to their column.
  const head = Array.from({ length: height }, (_, line) => titles.map((lines) => lines[line - height + lines.length] ?? ''))
  return [...head, ...cells].map((row) =>
    row
      .map((cell, index) => padded(cutTo(cell, widths[index] ?? 0), widths[index] ?? 0, columns[index]?.align))
      .join('  ')
      .trimEnd(),
  )
}

function padded(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const room = ' '.repeat(Math.max(0, width - columnsOf(text)))
  return align === 'right' ? room + text : text + room
}

function cutTo(text: string, width: number): string {
  if (columnsOf(text) <= width) return text
  const letters = [...text]
  for (let kept = letters.length - 1; kept > 0; kept--) {
    const cut = `${letters.slice(0, Math.ceil(kept / 2)).join('')}…${letters.slice(letters.length - Math.floor(kept / 2)).join('')}`
    if (columnsOf(cut) <= width) return cut
  }
  return '…'
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of shown(text).split(' ')) {
    if (line !== '' && columnsOf(line) + 1 + columnsOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** Columns of a terminal that a text takes: two for wide letters, none for marks that combine. */
function columnsOf(text: string): number {
  let columns = 0
  for (const letter of text)
    columns += /\p{Mn}|\p{Me}/u.test(letter)
      ? 0
      : /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
            letter,
          )
        ? 2
        : 1
  return columns
}

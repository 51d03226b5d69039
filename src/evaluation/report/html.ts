import type { ReportBlock, ReportDocument, ReportFigure, ReportPlot, ReportTable } from './document.js'
import { paragraphs } from './paragraphs.js'
import { plotSvg } from './plot.js'
import { plotTable } from './plot-table.js'
import { escaped } from './shown.js'
import { style } from './style.js'

/** Sections from which on a page begins with links to them. */
const linkedFrom = 4

/**
 * A report as one self-contained HTML page: no script, nothing fetched (its own content security policy forbids both), plots as SVG
 * with their figures in a table below, light or dark as the reader's system, fit for print. Every text is escaped: names of models and
 * keys may be anything. The same document gives the same bytes. O(size of the document).
 */
export function htmlOf({ title, subtitle, sections }: ReportDocument): string {
  let plots = 0
  const body = sections.map(({ heading, blocks }, index) => {
    const inside = blocks.map((block) => blockHtml(block, () => `p${(plots += 1)}`))
    return `<section aria-labelledby="s${index + 1}">\n<h2 id="s${index + 1}">${escaped(heading)}</h2>\n${inside.join('\n')}\n</section>`
  })
  const links =
    sections.length < linkedFrom
      ? ''
      : `<nav aria-label="Sections"><ul>${sections.map(({ heading }, index) => `<li><a href="#s${index + 1}">${escaped(heading)}</a></li>`).join('')}</ul></nav>\n`
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; img-src data:">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escaped(title)}</title>`,
    '<link rel="icon" href="data:,">',
    `<style>\n${style}\n</style>`,
    '</head>',
    '<body>',
    '<main>',
    '<header>',
    `<h1>${escaped(title)}</h1>`,
    ...(subtitle === undefined ? [] : [`<p class="sub">${escaped(subtitle)}</p>`]),
    `${links}</header>`,
    ...body,
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function blockHtml(block: ReportBlock, nextPlot: () => string): string {
  switch (block.kind) {
    case 'text':
      return paragraphs(block.text)
        .map((text) => `<p>${text.split('\n').map(escaped).join('<br>')}</p>`)
        .join('\n')
    case 'figures':
      return `<dl class="figures">${block.figures.map(figureHtml).join('')}</dl>`
    case 'table':
      return tableHtml(block)
    case 'plot':
      return plotHtml(block, nextPlot())
  }
}

const marks = { good: '✓', bad: '✗' }

/** A tone is told by a mark too, not by colour alone. */
function figureHtml({ label, text, note, tone = 'neutral' }: ReportFigure): string {
  const told = tone === 'neutral' ? '' : `<span class="mark" aria-hidden="true">${marks[tone]} </span><span class="hidden">${tone}: </span>`
  return `<div class="figure ${tone}"><dt>${escaped(label)}</dt><dd class="said">${told}${escaped(text)}</dd>${note === undefined ? '' : `<dd class="note">${escaped(note)}</dd>`}</div>`
}

function tableHtml({ caption, columns, rows }: ReportTable): string {
  const kind = (align: 'left' | 'right' | undefined) => (align === 'right' ? ' class="right"' : '')
  const head = columns.map(({ title, align }) => `<th scope="col"${kind(align)}>${escaped(title)}</th>`).join('')
  const body = rows.map(
    (row) =>
      `<tr>${columns
        .map(({ align }, index) => {
          const text = escaped(row[index] ?? '')
          return index === 0 && align !== 'right' ? `<th scope="row">${text}</th>` : `<td${kind(align)}>${text}</td>`
        })
        .join('')}</tr>`,
  )
  // What scrolls must be reachable by keyboard.
  const name = caption === undefined ? 'Table' : caption
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(name)}"><table>${caption === undefined ? '' : `<caption>${escaped(caption)}</caption>`}<thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`
}

function plotHtml(plot: ReportPlot, id: string): string {
  const { svg, notes } = plotSvg(plot, id)
  const { table, left } = plotTable(plot)
  const told = notes.map((note) => `<p class="note">${escaped(note)}</p>`).join('')
  const rest = left > 0 ? `<p class="note">${left} more points are left out of this table, evenly; the report's JSON has all.</p>` : ''
  const details = table.rows.length === 0 ? '' : `<details><summary>The figures of this plot</summary>${tableHtml(table)}${rest}</details>`
  return `<figure class="plot"><figcaption>${escaped(plot.caption)}</figcaption>${svg}${told}${details}</figure>`
}

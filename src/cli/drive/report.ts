import { formatUsd, toDollars } from '../../quantities/index.js'
import type { ModelBill, MoneySum } from './bill.js'
import { percentile } from './bill.js'
import type { DriveReport } from './drive.js'

/** The bill as a table, what was wrong, and the verdict. */
export function reportLines(report: DriveReport): string[] {
  const header = ['model', 'calls', 'errors', 'identical', 'input', 'output', 'billed $', 'expected $', 'TTFT p50', 'p99']
  const rows = [...report.models].sort(([a], [b]) => (a < b ? -1 : 1)).map(([model, bill]) => cells(model, bill))
  const table = [header, ...rows, ...(rows.length > 1 ? [cells('total', report.total)] : [])]
  const widths = header.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)))
  const lines = table.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '),
  )
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '))
  if (rows.length > 1) lines.splice(lines.length - 1, 0, widths.map((width) => '-'.repeat(width)).join('  '))

  const { total } = report
  lines.push('')
  for (const { row, model, what } of report.mismatches) lines.push(`wrong: row ${row}, ${model}: ${what}`)
  const more = total.wrong - report.mismatches.length
  if (more > 0) lines.push(`… and ${more} more`)
  lines.push(
    `${total.calls} calls for ${report.rows} rows in ${report.seconds.toFixed(1)} s: ${total.identical} answers byte for byte as recorded, ` +
      `${total.answerMismatches} different, ${total.errors} failed; ${total.tokenMismatches} token counts and ${total.costMismatches} costs off.`,
    billLine(total),
  )
  return lines
}

function billLine({ billed, expected }: ModelBill): string {
  if (expected.unknown > 0)
    return `Billed $${formatUsd(billed.known)}${billed.unknown > 0 ? ` and ${billed.unknown} calls of unknown price` : ''}; for ${expected.unknown} calls no price or token count is recorded to compare with.`
  return billed.unknown === 0 && billed.known === expected.known
    ? `The bill of $${formatUsd(billed.known)} is recorded tokens × price to the picodollar.`
    : `Billed $${formatUsd(billed.known)}, recorded tokens × price make $${formatUsd(expected.known)}.`
}

function cells(model: string, bill: ModelBill): string[] {
  return [
    model,
    String(bill.calls),
    String(bill.errors),
    String(bill.identical),
    String(bill.inputTokens),
    String(bill.outputTokens),
    money(bill.billed),
    money(bill.expected),
    milliseconds(percentile(bill.firstTokenSeconds, 0.5)),
    milliseconds(percentile(bill.firstTokenSeconds, 0.99)),
  ]
}

function money({ known, unknown }: MoneySum): string {
  if (unknown > 0 && known === 0n) return 'unknown'
  return `${toDollars(known).toFixed(6)}${unknown > 0 ? ` + ${unknown} unknown` : ''}`
}

function milliseconds(seconds: number | undefined): string {
  return seconds === undefined ? '' : `${(seconds * 1000).toFixed(1)} ms`
}

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** A file that a figure was computed from. */
export interface DataSource {
  readonly name: string
  readonly rows: number
  readonly sha256: string
}

/** A result that is an estimate, with its interval. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
  /** How the interval was made, such as `paired bootstrap, 95 %`. */
  readonly method: string
}

/** What every command that measures writes with `--json FILE`. */
export interface Report<Settings = unknown, Results = unknown, Baselines = unknown> {
  /** The command line that gives these figures again. */
  readonly command: string
  readonly seed: number | null
  readonly data: readonly DataSource[]
  readonly settings: Settings
  /** What the same run gave without us. */
  readonly baselines: Baselines
  readonly results: Results
  readonly seconds: number
  readonly version: string
}

/** The version in our package.json. */
export function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string') return parsed.version
  throw new Error('package.json has no version')
}

/** The npm command that started this process, with its arguments. */
export function commandLine(script: string, args: readonly string[] = process.argv.slice(2)): string {
  return args.length === 0
    ? `npm run ${script}`
    : `npm run ${script} -- ${args.map((arg) => (/^[\w./:=,@-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ')}`
}

export function writeReport(file: string, report: Report): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(report, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`)
}

/** Describes a data file for a report. */
export function dataSource(name: string, file: string, rows: number): DataSource {
  return { name, rows, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') }
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Writes a Markdown table that also lines up on a terminal. */
export function table(columns: readonly (Column | string)[], rows: readonly (readonly (string | number)[])[]): string {
  const heads = columns.map((column): Column => (typeof column === 'string' ? { title: column } : column))
  const cells = rows.map((row) => row.map(String))
  const widths = heads.map((head, index) => Math.max(3, head.title.length, ...cells.map((row) => width(row[index] ?? ''))))
  const line = (values: readonly string[]) =>
    `| ${values.map((value, index) => pad(value, widths[index] ?? 0, heads[index]?.align ?? 'left')).join(' | ')} |`
  const rule = `|${widths.map((size, index) => (heads[index]?.align === 'right' ? `${'-'.repeat(size + 1)}:` : '-'.repeat(size + 2))).join('|')}|`
  return [line(heads.map((head) => head.title)), rule, ...cells.map(line)].join('\n')
}

/** The middle value; `NaN` of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/** A number for a table; a dash when there is none. */
export function figure(value: number | undefined, digits = 2): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits)
}

function width(text: string): number {
  return [...text].length
}

function pad(text: string, size: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, size - width(text)))
  return align === 'right' ? space + text : text + space
}

import {
  formatUsd,
  inputBuckets,
  totalInputTokens,
  toDollars,
  zeroMoney,
  addMoney,
  type Money,
  type Usage,
} from '../../quantities/index.js'
import type { LedgerReader } from '../ledger.js'
import type { CallRecord, DecisionRecord, OutcomeRecord } from '../record.js'
import { eachPage } from './pages.js'
import { hourSeconds } from './spending.js'

export const exportable = ['calls', 'decisions', 'outcomes', 'outcome-table'] as const
export type Exportable = (typeof exportable)[number]

export interface ExportQuery {
  readonly what: Exportable
  readonly format: 'jsonl' | 'csv'
  /** Unix seconds, inclusive and exclusive. */
  readonly from: number
  readonly to: number
  readonly key?: string | undefined
}

/** One record as it is exported: money as an exact decimal in dollars, times as text (ISO 8601), what isn't known `null`. */
type Row = Readonly<Record<string, unknown>>

/**
 * Records as text, line by line, the newest first; memory stays at a page of records, and for the outcome table at the outcomes of the period.
 * Each chunk says how many records it holds. An outcome table is JSON Lines only (`exportFault`).
 */
export async function* exportRecords(
  reader: LedgerReader,
  query: ExportQuery,
): AsyncGenerator<{ readonly text: string; readonly rows: number }> {
  let header = query.format === 'csv'
  for await (const rows of rowsOf(reader, query)) {
    if (query.format === 'jsonl') yield { text: rows.map((row) => `${JSON.stringify(row)}\n`).join(''), rows: rows.length }
    else {
      const columns = columnsOf[query.what === 'outcome-table' ? 'calls' : query.what]
      yield {
        text: (header ? csvLine(columns) : '') + rows.map((row) => csvLine(columns.map((column) => flat(row, column)))).join(''),
        rows: rows.length,
      }
      header = false
    }
  }
  if (header) yield { text: csvLine(columnsOf[query.what === 'outcome-table' ? 'calls' : query.what]), rows: 0 }
}

/** What is wrong with asking for this, in words; `undefined` for nothing. */
export function exportFault({ what, format }: Pick<ExportQuery, 'what' | 'format'>): string | undefined {
  return what === 'outcome-table' && format === 'csv' ? 'the outcome table is JSON Lines; ask for jsonl' : undefined
}

function rowsOf(reader: LedgerReader, query: ExportQuery): AsyncGenerator<readonly Row[]> {
  const { key, from, to } = query
  switch (query.what) {
    case 'calls':
      return mapped(
        eachPage(
          (before, limit) => reader.calls({ key, from, to: before, limit }),
          ({ callId }) => callId,
          to,
        ),
        callRow,
      )
    case 'decisions':
      return mapped(
        eachPage(
          (before, limit) => reader.decisions({ key, from, to: before, limit }),
          ({ decisionId }) => decisionId,
          to,
        ),
        decisionRow,
      )
    case 'outcomes':
      return mapped(
        eachPage(
          (before, limit) => reader.outcomes({ key, from, to: before, limit }),
          ({ outcomeId }) => outcomeId,
          to,
        ),
        outcomeRow,
      )
    case 'outcome-table':
      return outcomeTable(reader, query)
  }
}

async function* mapped<Item>(pages: AsyncGenerator<readonly Item[]>, toRow: (item: Item) => Row): AsyncGenerator<readonly Row[]> {
  for await (const page of pages) yield page.map(toRow)
}

function callRow(call: CallRecord): Row {
  const { settled: _counters, cost, cacheSavings, at, tags, ...rest } = call
  return {
    at: isoTime(at),
    ...rest,
    usd: money(cost.usd),
    seconds: cost.seconds,
    joules: cost.joules,
    gramsCO2e: cost.gramsCO2e,
    cacheSavingsUsd: money(cacheSavings ?? null),
    tags: tags ?? {},
  }
}

function decisionRow({ at, ...rest }: DecisionRecord): Row {
  return { at: isoTime(at), ...rest }
}

function outcomeRow({ at, ...rest }: OutcomeRecord): Row {
  return { at: isoTime(at), ...rest }
}

const usageColumns: readonly (keyof Usage)[] = [
  ...inputBuckets,
  'outputTokens',
  'reasoningTokens',
  'outputAudioTokens',
  'outputImageTokens',
  'webSearches',
]

const columnsOf: Readonly<Record<Exclude<Exportable, 'outcome-table'>, readonly string[]>> = {
  calls: [
    ...[
      'at',
      'callId',
      'requestId',
      'decisionId',
      'organisation',
      'team',
      'user',
      'key',
      'run',
      'session',
      'requestedModel',
      'provider',
      'deployment',
      'model',
    ],
    ...[
      'operation',
      'stream',
      'attempt',
      'end',
      'status',
      'errorCode',
      'usd',
      'seconds',
      'firstTokenSeconds',
      'joules',
      'gramsCO2e',
      'cacheSavingsUsd',
      'usageEstimated',
    ],
    ...usageColumns.map((column) => `usage.${column}`),
    ...['serviceTier', 'priceSource', 'tags'],
  ],
  decisions: [
    'at',
    'decisionId',
    'requestId',
    'key',
    'requestedModel',
    'arm',
    'policy',
    'propensity',
    'reason',
    'trial.heldOut',
    'trial.holdout',
    'trial.policyArm',
    'trial.stratum',
    'trial.unit',
  ],
  outcomes: ['at', 'outcomeId', 'decisionId', 'run', 'key', 'source', 'score', 'comment', 'sought', 'arm'],
}

/** A value by its dotted path; an object as JSON. */
function flat(row: Row, column: string): string {
  let value: unknown = row
  for (const step of column.split('.')) value = typeof value === 'object' && value !== null ? (value as Row)[step] : undefined
  if (value === undefined || value === null) return ''
  if (typeof value === 'object') return Object.keys(value).length === 0 ? '' : JSON.stringify(value)
  return typeof value === 'string' && !isNumber.test(value) ? harmless(value) : String(value)
}

const isNumber = /^-?\d+(\.\d+)?$/

/** Names come from callers, and spreadsheets run what begins like a formula: an apostrophe in front makes it text. */
function harmless(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
}

/** A line of CSV (RFC 4180, with line feeds). */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`
}

/** Calls of one request lie at most this far apart. */
const longestRequestSeconds = 2 * hourSeconds

interface Gathered {
  /** When the oldest call of the request began, as far as was seen. */
  at: number
  readonly calls: CallRecord[]
}

/**
 * The outcome table (`design/formats.md`, section 1), a row a decision: the model that answered, what its answer was worth by the last
 * outcome told of it, and what the request took with all of its attempts. The ledger holds no content, so the request is one message without text,
 * marked `contentStored: false`.
 */
async function* outcomeTable(reader: LedgerReader, { key, from, to }: ExportQuery): AsyncGenerator<readonly Row[]> {
  const scores = new Map<string, number>()
  for await (const page of eachPage(
    (before, limit) => reader.outcomes({ key, from, to: before, limit }),
    ({ outcomeId }) => outcomeId,
  ))
    for (const { decisionId, arm, score } of page)
      if (decisionId !== undefined && arm === undefined && !scores.has(decisionId)) scores.set(decisionId, score)
  const open = new Map<string, Gathered>()
  for await (const page of eachPage(
    (before, limit) => reader.calls({ key, from, to: before, limit }),
    ({ callId }) => callId,
    to,
  )) {
    for (const call of page) {
      const known = open.get(call.decisionId)
      if (known) {
        known.at = call.at
        known.calls.push(call)
      } else open.set(call.decisionId, { at: call.at, calls: [call] })
    }
    const oldest = page.at(-1)?.at ?? from
    const done = [...open].filter(([, { at }]) => at > oldest + longestRequestSeconds)
    for (const [decisionId] of done) open.delete(decisionId)
    yield done.flatMap(([decisionId, { calls }]) => tableRow(decisionId, calls, scores.get(decisionId)))
  }
  yield [...open].flatMap(([decisionId, { calls }]) => tableRow(decisionId, calls, scores.get(decisionId)))
}

function tableRow(decisionId: string, calls: readonly CallRecord[], quality: number | undefined): Row[] {
  const answered = calls.find(({ end, operation }) => end === 'complete' && operation === 'generate')
  if (answered === undefined) return []
  const { usage, firstTokenSeconds, tags } = answered
  const usd = calls.reduce(
    (total: Money | null, { cost }) => (total === null || cost.usd === null ? null : addMoney(total, cost.usd)),
    zeroMoney,
  )
  return [
    {
      id: decisionId,
      request: { messages: [{ role: 'user', content: '' }], contentStored: false },
      category: tags?.['category'],
      outcomes: {
        [answered.model]: {
          quality,
          // The table's readers take a number; the exact decimal is in the export of calls.
          usd: usd === null ? undefined : toDollars(usd),
          inputTokens: totalInputTokens(usage),
          cacheReadTokens: usage.cacheReadTokens + usage.cacheReadAudioTokens,
          outputTokens: usage.outputTokens,
          reasoningTokens: usage.reasoningTokens,
          seconds: calls.reduce((sum, { cost }) => sum + cost.seconds, 0),
          firstTokenSeconds,
        },
      },
    },
  ]
}

function money(amount: Money | null): string | null {
  return amount === null ? null : formatUsd(amount)
}

function isoTime(at: number): string {
  return new Date(at * 1000).toISOString()
}

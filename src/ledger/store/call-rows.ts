import { noUsage, picoUsd, type Usage } from '../../quantities/index.js'
import type { CallEnd, CallRecord, CorrectionRecord, InputComposition } from '../record.js'
import type { BulkTarget, Value } from './bulk.js'
import type { SeriesValues } from './dictionary.js'
import { callNumber, decisionOf, isDecisionOf, numberedCall, packId, unpackId } from './ids.js'
import { anyText, grainsInRange, momentInRange, moneyInRange, realInRange, smallInRange, textInRange, wholeInRange } from './ranges.js'
import type { CallsTable, SeriesTable } from './schema.js'
import { usageColumnNames, usageColumns } from './sum-columns.js'
import type { Selectable } from 'kysely'

/**
 * What a row of `calls` is: a call that ended somehow, or a correction, whose amounts are added to a call's. When the real end of a lost call
 * comes in, the lost call and its corrections are marked `supplanted`, and a row `takenBack` says so, with the negative of their amounts. So
 * sums are over the rows up to `correction`, and what was said at which time can still be told.
 */
export const rowKinds = {
  complete: 0,
  failed: 1,
  cancelled: 2,
  truncated: 3,
  lost: 4,
  correction: 5,
  takenBack: 6,
  supplanted: 7,
} as const satisfies Record<CallEnd, number> & Record<string, number>
const ends: readonly CallEnd[] = ['complete', 'failed', 'cancelled', 'truncated', 'lost']
/** The last kind that counts; those before it are calls. */
export const lastCounted = rowKinds.correction

const flag = { embed: 1, stream: 2, estimated: 4, savingsUnknown: 8 } as const

export const callsTarget: BulkTarget = {
  table: 'calls',
  columns: [
    ['seq', 'bigint'],
    ['request', 'bytea'],
    ['number', 'integer'],
    ['call_id', 'text'],
    ['decision_id', 'text'],
    ['at', 'double precision'],
    ['series', 'integer'],
    ['key', 'integer'],
    ['run', 'integer'],
    ['session', 'integer'],
    ['tags', 'text'],
    ['ended', 'smallint'],
    ['flags', 'smallint'],
    ['attempt', 'integer'],
    ['status', 'integer'],
    ['error', 'integer'],
    ['tier', 'integer'],
    ['price_source', 'integer'],
    ['usd', 'bigint'],
    ['usd_high', 'bigint'],
    ['savings', 'bigint'],
    ['seconds', 'double precision'],
    ['joules', 'double precision'],
    ['grams', 'double precision'],
    ['first_token_seconds', 'double precision'],
    ['composition', 'text'],
    ['note', 'text'],
    ...usageColumnNames.map((name) => [name, 'bigint'] as const),
  ],
}

/** The numbers of a call's names. */
export interface CallNames {
  readonly series: number
  readonly key: number
  readonly run: number | null
  readonly session: number | null
  word(text: string): number
}

/** What of a call the series is. */
export function seriesOf(
  call: Pick<CallRecord, 'organisation' | 'team' | 'user' | 'key' | 'provider' | 'deployment' | 'model' | 'requestedModel'>,
): string {
  const { organisation, team, user, key, provider, deployment, model, requestedModel } = call
  const optional = (text: string | undefined) => (text === undefined ? null : textInRange(text))
  const values: SeriesValues = [
    optional(organisation),
    optional(team),
    optional(user),
    textInRange(key),
    textInRange(provider),
    textInRange(deployment),
    textInRange(model),
    textInRange(requestedModel),
  ]
  return JSON.stringify(values)
}

/** Words that a call's row has. */
export function wordsOf({ key, errorCode, serviceTier, priceSource }: CallRecord): string[] {
  return [key, errorCode, serviceTier, priceSource].flatMap((text) => (text === undefined ? [] : [textInRange(text)]))
}

/** Where a row belongs: what calls and their corrections have in common. */
export type CallPlace = Pick<
  CallRow,
  'request' | 'number' | 'call_id' | 'decision_id' | 'at' | 'series' | 'key' | 'run' | 'session' | 'tags' | 'flags' | 'attempt' | 'status'
>

export function placeOfCall(call: CallRecord, names: CallNames): CallPlace {
  const { callId, requestId, decisionId, cacheSavings } = call
  const number = callNumber(callId, requestId)
  return {
    request: packId('req_', requestId),
    number: number ?? null,
    call_id: number === undefined ? textInRange(callId, 512) : null,
    decision_id: isDecisionOf(decisionId, requestId) ? null : anyText(decisionId),
    at: momentInRange(call.at),
    series: names.series,
    key: names.key,
    run: names.run,
    session: names.session,
    tags: call.tags === undefined ? null : anyText(JSON.stringify(call.tags)),
    flags:
      (call.operation === 'embed' ? flag.embed : 0) |
      (call.stream ? flag.stream : 0) |
      (call.usageEstimated ? flag.estimated : 0) |
      (cacheSavings === null ? flag.savingsUnknown : 0),
    attempt: smallInRange(call.attempt),
    status: smallInRange(call.status),
  }
}

export function rowOfCall(seq: bigint, call: CallRecord, names: CallNames): Value[] {
  const { cacheSavings, composition } = call
  const word = (text: string | undefined) => (text === undefined ? null : names.word(textInRange(text)))
  return rowOf(seq, placeOfCall(call, names), rowKinds[call.end], call, {
    error: word(call.errorCode),
    tier: word(call.serviceTier),
    price_source: word(call.priceSource),
    savings: typeof cacheSavings === 'bigint' ? grainsInRange(cacheSavings) : null,
    first_token_seconds: call.firstTokenSeconds === undefined ? null : realInRange(call.firstTokenSeconds),
    composition: composition === undefined ? null : JSON.stringify(compositionNames.map((name) => composition[name])),
    note: null,
  })
}

/** A correction is a row in the place of its call, with its own amounts. */
export function rowOfCorrection(
  seq: bigint,
  place: CallPlace,
  kind: 'correction' | 'takenBack' | 'supplanted',
  record: CorrectionRecord,
): Value[] {
  const { correctionId, at, reason } = record
  const note = anyText(JSON.stringify({ id: correctionId, at, reason }))
  return rowOf(seq, place, rowKinds[kind], record, {
    error: null,
    tier: null,
    price_source: null,
    savings: null,
    first_token_seconds: null,
    composition: null,
    note,
  })
}

/** In the order of `callsTarget`. */
function rowOf(
  seq: bigint,
  place: CallPlace,
  ended: number,
  { usage, cost }: Pick<CallRecord, 'usage' | 'cost'>,
  rest: Pick<CallRow, 'error' | 'tier' | 'price_source' | 'savings' | 'first_token_seconds' | 'composition' | 'note'>,
): Value[] {
  return [
    seq,
    place.request,
    place.number,
    place.call_id,
    place.decision_id,
    place.at,
    place.series,
    place.key,
    place.run,
    place.session,
    place.tags,
    ended,
    place.flags,
    place.attempt,
    place.status,
    rest.error,
    rest.tier,
    rest.price_source,
    ...moneyColumns(cost.usd),
    rest.savings,
    realInRange(cost.seconds),
    cost.joules === null ? null : realInRange(cost.joules),
    cost.gramsCO2e === null ? null : realInRange(cost.gramsCO2e),
    rest.first_token_seconds,
    rest.composition,
    rest.note,
    ...usageValues(usage),
  ]
}

export type CallRow = Selectable<CallsTable>

/** A row with the texts that its numbers stand for. */
export interface NamedCallRow
  extends
    CallRow,
    Pick<Selectable<SeriesTable>, 'organisation' | 'team' | 'user_id' | 'provider' | 'deployment' | 'model' | 'requested_model'> {
  readonly key_name: string
  readonly run_name: string | null
  readonly session_name: string | null
  readonly error_word: string | null
  readonly tier_word: string | null
  readonly price_source_word: string | null
}

export function callOfRow(row: NamedCallRow): CallRecord {
  const requestId = unpackId('req_', row.request)
  const flags = Number(row.flags)
  return {
    callId: callIdOfRow(row),
    requestId,
    decisionId: row.decision_id ?? decisionOf(requestId),
    at: row.at,
    organisation: row.organisation ?? undefined,
    team: row.team ?? undefined,
    user: row.user_id ?? undefined,
    key: row.key_name,
    run: row.run_name ?? undefined,
    session: row.session_name ?? undefined,
    tags: row.tags === null ? undefined : tagsOf(row.tags),
    requestedModel: row.requested_model,
    provider: row.provider,
    deployment: row.deployment,
    model: row.model,
    operation: (flags & flag.embed) === 0 ? 'generate' : 'embed',
    stream: (flags & flag.stream) !== 0,
    attempt: Number(row.attempt),
    end: ends[Number(row.ended)] ?? 'lost',
    status: Number(row.status),
    errorCode: row.error_word ?? undefined,
    usage: usageOfRow(row),
    usageEstimated: (flags & flag.estimated) !== 0,
    cost: { usd: usdOfRow(row), seconds: row.seconds, joules: row.joules, gramsCO2e: row.grams },
    serviceTier: row.tier_word ?? undefined,
    priceSource: row.price_source_word ?? undefined,
    firstTokenSeconds: row.first_token_seconds ?? undefined,
    cacheSavings: savingsOfRow(row),
    composition: row.composition === null ? undefined : compositionOf(row.composition),
  }
}

export function callIdOfRow({ call_id, request, number }: Pick<CallRow, 'call_id' | 'request' | 'number'>): string {
  return call_id ?? numberedCall(unpackId('req_', request), Number(number))
}

export function usageOfRow(row: Pick<CallRow, keyof typeof usageColumns>): Usage {
  const usage: { -readonly [bucket in keyof Usage]: number } = { ...noUsage }
  for (const name of usageColumnNames) usage[usageColumns[name]] = Number(row[name] ?? 0)
  return usage
}

export function usdOfRow({ usd, usd_high }: Pick<CallRow, 'usd' | 'usd_high'>) {
  return usd === null ? null : picoUsd(BigInt(usd) + (usd_high === null ? 0n : BigInt(usd_high) << HIGH_SHIFT))
}

export function savingsOfRow({ savings, flags }: Pick<CallRow, 'savings' | 'flags'>) {
  if (savings !== null) return picoUsd(savings)
  return (Number(flags) & flag.savingsUnknown) === 0 ? undefined : null
}

export function tagsOf(text: string): Record<string, string> {
  return JSON.parse(text) as Record<string, string>
}

/** One column holds dollars below 4.6 million; the rest is in a second one. */
const HIGH_SHIFT = 62n

function moneyColumns(usd: bigint | null): [usd: bigint | null, high: bigint | null] {
  if (usd === null) return [null, null]
  const money = moneyInRange(usd)
  const low = BigInt.asIntN(64, money)
  if (low === money) return [money, null]
  const high = money >> HIGH_SHIFT
  return [money - (high << HIGH_SHIFT), high]
}

/** Zeros aren't written. */
function usageValues(usage: Usage): (number | null)[] {
  return usageColumnNames.map((name) => {
    const value = wholeInRange(usage[usageColumns[name]])
    return value === 0 ? null : value
  })
}

const compositionNames = [
  'systemTokens',
  'toolSchemaTokens',
  'observationTokens',
  'assistantTokens',
  'userTokens',
  'repeatedTokens',
] as const satisfies readonly (keyof InputComposition)[]

function compositionOf(text: string): InputComposition {
  const values = JSON.parse(text) as readonly number[]
  const [systemTokens = 0, toolSchemaTokens = 0, observationTokens = 0, assistantTokens = 0, userTokens = 0, repeatedTokens = 0] = values
  return { systemTokens, toolSchemaTokens, observationTokens, assistantTokens, userTokens, repeatedTokens }
}

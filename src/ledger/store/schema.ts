import type { ColumnType } from 'kysely'
import type { AccountTables } from '../accounts/tables.js'
import type { RealColumn, UsageColumn, WholeColumn } from './sum-columns.js'

/** A whole number of up to 64 bits: both engines answer with big integers, `integer` columns of PostgreSQL with numbers. */
export type Whole = ColumnType<bigint | number, bigint | number, bigint | number>
type NullableWhole = ColumnType<bigint | number | null, bigint | number | null, bigint | number | null>

export interface MigrationsTable {
  version: Whole
  name: string
  checksum: string
  applied_at: number
}

/** Numbers that outlive the process, by name: see `state.ts`. The row `applying` is locked by each transaction that applies. */
export interface StoreStateTable {
  name: string
  value: Whole
}

/** How far the segments of journals were applied. */
export interface AppliedTable {
  segment: string
  offset: Whole
}

/** What is used of each counter, in grains. */
export interface BalancesTable {
  counter: string
  used: Whole
}

/** Calls that may be under way, and (expired) those that were turned into lost calls. */
export interface HoldsTable {
  /** Id of the call. */
  id: string
  holder: string
  at: number
  /** JSON: `[{counter, amount: "decimal", transient?}]`. */
  lines: string
  /** JSON of an `IntentRecord` without `held`; big integers are decimal strings. */
  intent: string
  /** 1: a lost call stands in for it. */
  expired: Whole
}

/** Processes that hold something; times by the database's clock, Unix seconds. */
export interface HoldersTable {
  holder: string
  host: string
  pid: Whole
  started_at: number
  heartbeat_at: number
}

/** Texts that come again and again. */
export interface WordsTable {
  id: ColumnType<bigint | number, never, never>
  word: string
}

/** Each combination of whom calls are for and what they ask: what the hours and days are summed by. */
export interface SeriesTable {
  id: ColumnType<bigint | number, never, never>
  /** JSON of the values below: what makes a series unique. */
  name: string
  organisation: string | null
  team: string | null
  user_id: string | null
  key: string
  provider: string
  deployment: string
  model: string
  requested_model: string
}

/** Agent runs, sessions and values of tags. `scope` is the word of the key, or of the tag's name. */
export interface FacetsTable {
  id: ColumnType<bigint | number, never, never>
  /** See `facets.ts`. */
  kind: Whole
  scope: Whole
  value: string
}

/**
 * Calls, and corrections of calls: rows that are added to them, so that sums over rows are right. Ids that follow from the request's are
 * not written (see `ids.ts`), nor are zeros of a usage.
 */
export type CallsTable = {
  seq: Whole
  request: Uint8Array
  /** The number in an id that follows from the request's; `null` for others, which are in `call_id`. */
  number: NullableWhole
  call_id: string | null
  decision_id: string | null
  at: number
  series: Whole
  /** Word of the key, which is in the series too. */
  key: Whole
  run: NullableWhole
  session: NullableWhole
  /** JSON. */
  tags: string | null
  /** How it ended, or what it corrects: see `call-rows.ts`. */
  ended: Whole
  flags: Whole
  attempt: Whole
  status: Whole
  error: NullableWhole
  tier: NullableWhole
  price_source: NullableWhole
  /** Picodollars, the part of 62 bits; `null` when unknown. */
  usd: NullableWhole
  /** What the dollars are beyond that, in 2^62 picodollars; hardly ever there. */
  usd_high: NullableWhole
  savings: NullableWhole
  seconds: number
  joules: number | null
  grams: number | null
  first_token_seconds: number | null
  /** JSON array of an input's composition. */
  composition: string | null
  /** Of a correction: JSON of its id, time and reason. */
  note: string | null
} & { [Column in UsageColumn]: NullableWhole }

export interface DecisionsTable {
  id: Uint8Array
  /** When it doesn't follow from the id. */
  request_id: string | null
  at: number
  key: Whole
  requested_model: Whole
  arm: Whole
  policy: Whole
  propensity: number
  reason: string
  /** JSON: see `decision-rows.ts`. Only where something was weighed. */
  weighed: string | null
  /** JSON: see `decision-rows.ts`. Only of decisions that are part of the live proof. */
  trial: string | null
}

export interface OutcomesTable {
  seq: Whole
  outcome_id: string
  at: number
  decision: Uint8Array | null
  /** The facet of the run. */
  run: NullableWhole
  key: Whole
  source: Whole
  score: number
  comment: string | null
  /** Whether it counts: see `outcome-rows.ts`. */
  state: Whole
  /** Probability with which it was sought; `null` where it came by itself. */
  sought: number | null
  /** Word of the arm that it is about, where that isn't the one that answered. */
  arm: NullableWhole
}

/** Sums; `null` is zero. */
export type Sums = { [Column in WholeColumn]: NullableWhole } & { [Column in RealColumn]: number | null }

/** Sums by series over spans of time: hours (3600), days (86400) and all time (0, which starts at 0). */
export interface SpendTable extends Sums {
  span: Whole
  /** Unix seconds. */
  start: Whole
  series: Whole
}

/** Sums by day for agent runs, sessions and values of tags. */
export interface FacetDaysTable extends Sums {
  kind: Whole
  /** Unix seconds. */
  day: Whole
  facet: Whole
  series: Whole
}

/** How many values of a tag a day has. */
export interface FacetCountsTable {
  day: Whole
  scope: Whole
  facets: Whole
}

/** Sums by day of outcomes about decisions, with what the calls of those decisions took. */
export interface OutcomeDaysTable {
  day: Whole
  key: Whole
  requested_model: Whole
  arm: Whole
  source: Whole
  outcomes: Whole
  successes: Whole
  score: number
  calls: Whole
  unpriced: Whole
  usd_micro: Whole
  usd_rest: Whole
  input_tokens: Whole
  output_tokens: Whole
  seconds: number
}

/** The last outcome of each source about an agent run. */
export interface RunOutcomesTable {
  run: Whole
  source: Whole
  /** Unix seconds. */
  day: Whole
  score: number
}

/** Every table of the database. */
export type StoreDatabase = Pick<AccountTables, keyof AccountTables> & {
  migrations: MigrationsTable
  store_state: StoreStateTable
  applied: AppliedTable
  balances: BalancesTable
  holds: HoldsTable
  holders: HoldersTable
  words: WordsTable
  series: SeriesTable
  facets: FacetsTable
  calls: CallsTable
  decisions: DecisionsTable
  outcomes: OutcomesTable
  spend: SpendTable
  facet_days: FacetDaysTable
  facet_counts: FacetCountsTable
  outcome_days: OutcomeDaysTable
  run_outcomes: RunOutcomesTable
}

import { sql, type RawBuilder } from 'kysely'
import { InvalidRequest } from '../../errors/index.js'
import { dayName, mostGroups } from '../report/aggregate.js'
import type { OutcomeDimension, OutcomeReport, OutcomeReportQuery } from './contract.js'
import { facetKinds } from './dictionary.js'
import { successScore } from './outcome-rows.js'
import { textInRange } from './ranges.js'
import { dayOf } from './rollup.js'
import { daySeconds } from './spans.js'
import { inputColumns, moneyOf, outputColumns } from './sums.js'
import type { Tx } from './transaction.js'

type Numeric = number | bigint | string | null

type Row = Readonly<Record<`g${number}`, string | number | bigint | null>> & {
  readonly outcomes: Numeric
  readonly successes: Numeric
  readonly score: Numeric
  readonly calls: Numeric
  readonly unpriced: Numeric
  readonly usd_micro: Numeric
  readonly usd_rest: Numeric
  readonly input_tokens: Numeric
  readonly output_tokens: Numeric
  readonly seconds: Numeric
}

/** Sums of outcomes by group, at most 10,000 of them. Throws `invalid_request` for runs by model or arm. */
export async function findOutcomeReport(db: Tx, query: OutcomeReportQuery): Promise<OutcomeReport> {
  const { unit, by } = query
  const wrong = by.find((dimension) => !(dimension in columns[unit]))
  if (wrong !== undefined) throw new InvalidRequest(`Outcomes of a ${unit} can't be grouped by "${wrong}".`, { path: 'by' })
  const groups = by.map((dimension, index) => sql`${columns[unit][dimension] ?? sql`''`} as ${sql.ref(`g${index}`)}, `)
  const { rows } =
    await sql<Row>`select ${sql.join(groups, sql``)} ${sums} from ${unit === 'decision' ? decisionSource(query) : runSource(query)}
    ${by.length === 0 ? sql`` : sql`group by ${sql.join(by.map((_, index) => sql.lit(index + 1)))}`} limit ${mostGroups}`.execute(db)
  return rows.flatMap((row) => {
    const outcomes = Number(row.outcomes ?? 0)
    if (outcomes === 0) return []
    const name = (dimension: OutcomeDimension, index: number) =>
      dimension === 'day' ? dayName(Number(row[`g${index}`])) : String(row[`g${index}`] ?? '')
    return [
      {
        group: Object.fromEntries(by.map((dimension, index) => [dimension, name(dimension, index)])),
        outcomes,
        successes: Number(row.successes),
        meanScore: Number(row.score) / outcomes,
        calls: Number(row.calls ?? 0),
        unpriced: Number(row.unpriced ?? 0),
        usd: moneyOf(row.usd_micro, row.usd_rest),
        inputTokens: Number(row.input_tokens ?? 0),
        outputTokens: Number(row.output_tokens ?? 0),
        seconds: Number(row.seconds ?? 0),
      },
    ]
  })
}

const sums = sql.join(
  ['outcomes', 'successes', 'score', 'calls', 'unpriced', 'usd_micro', 'usd_rest', 'input_tokens', 'output_tokens', 'seconds'].map(
    (name) => sql`sum(${sql.ref(`judged.${name}`)}) as ${sql.ref(name)}`,
  ),
)

const columns: Readonly<Record<OutcomeReportQuery['unit'], Readonly<Partial<Record<OutcomeDimension, RawBuilder<unknown>>>>>> = {
  decision: {
    day: sql`judged.day`,
    key: sql`keys.word`,
    requested_model: sql`models.word`,
    arm: sql`arms.word`,
    source: sql`sources.word`,
  },
  run: { day: sql`judged.day`, key: sql`keys.word`, source: sql`sources.word` },
}

function conditions({ key, source }: OutcomeReportQuery) {
  const wanted = [
    ...(key === undefined ? [] : [sql`keys.word = ${textInRange(key)}`]),
    ...(source === undefined ? [] : [sql`sources.word = ${textInRange(source)}`]),
  ]
  return wanted.length === 0 ? sql`` : sql`where ${sql.join(wanted, sql` and `)}`
}

function decisionSource(query: OutcomeReportQuery) {
  const { from, to } = daysOf(query)
  return sql`(select * from outcome_days where day >= ${from} and day < ${to}) as judged
    inner join words as keys on keys.id = judged.key
    inner join words as models on models.id = judged.requested_model
    inner join words as arms on arms.id = judged.arm
    inner join words as sources on sources.id = judged.source ${conditions(query)}`
}

/** Of a run everything counts that it took, on whatever days. */
function runSource(query: OutcomeReportQuery) {
  const { from, to } = daysOf(query)
  const tokens = (names: readonly string[]) =>
    sql.join(
      names.map((name) => sql`coalesce(sum(${sql.ref(name)}), 0)`),
      sql` + `,
    )
  return sql`(select run_outcomes.run, run_outcomes.source, max(run_outcomes.day) as day, 1 as outcomes, max(case when run_outcomes.score >= ${sql.lit(successScore)} then 1 else 0 end) as successes, max(run_outcomes.score) as score,
      coalesce(sum(taken.calls), 0) as calls, coalesce(sum(taken.unpriced), 0) as unpriced, coalesce(sum(taken.usd_micro), 0) as usd_micro, coalesce(sum(taken.usd_rest), 0) as usd_rest,
      ${tokens(inputColumns)} as input_tokens, ${tokens(outputColumns)} as output_tokens, coalesce(sum(taken.seconds), 0) as seconds
    from (select run, source, score, day from run_outcomes where day >= ${from} and day < ${to}) as run_outcomes
    left join facet_days as taken on taken.kind = ${sql.lit(facetKinds.run)} and taken.facet = run_outcomes.run
    group by run_outcomes.run, run_outcomes.source) as judged
    inner join facets on facets.id = judged.run
    inner join words as keys on keys.id = facets.scope
    inner join words as sources on sources.id = judged.source ${conditions(query)}`
}

function daysOf({ from, to }: OutcomeReportQuery) {
  return { from: dayOf(from), to: Math.ceil(dayOf(to) === to ? to : dayOf(to) + daySeconds) }
}

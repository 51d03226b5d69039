import { InvalidRequest } from '../../../errors/index.js'
import {
  isUnknown,
  savedInTheEnd,
  savingsDimensions,
  SavingsEstimator,
  type QualityEstimate,
  type Saving,
  type Savings,
  type SavingsDimension,
  type ScopeSavings,
  type Unknown,
} from '../../../evaluation/index.js'
import { daySeconds, eachTrial, type LedgerReader } from '../../../ledger/index.js'
import { addMoney, formatUsd, picoUsd, zeroMoney, type Money } from '../../../quantities/index.js'
import { iso } from './query.js'

export interface SavingsQuery {
  /** Unix seconds, inclusive and exclusive. */
  readonly from: number
  readonly to: number
  /** Only this key's requests. */
  readonly key: string | undefined
  readonly margin: number
  readonly by: readonly SavingsDimension[]
  /** In whose name judges and shadow calls are recorded; absent where their costs are not the reader's to see. */
  readonly learner: string | undefined
}

/** What judges and shadow calls took, by purpose. */
interface Learning {
  readonly judge: Money
  readonly shadow: Money
  readonly other: Money
  readonly unpriced: number
}

/** After so many trials other work may pass. */
const trialsAtOnce = 200

/** Reads the trials of a period and tells what was saved. O(trials of the period); memory stays at a page of them and the estimates. */
export async function savingsAnswer(ledger: LedgerReader, query: SavingsQuery) {
  const { from, to, key, margin, by, learner } = query
  const estimator = new SavingsEstimator({ margin, by })
  let since = 0
  for await (const trial of eachTrial(ledger, { from, to, key })) {
    estimator.add(trial)
    if (++since % trialsAtOnce === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const learning = learner === undefined ? undefined : await learningOf(ledger, query, learner)
  return savingsJson(estimator.result(), query, learning)
}

/** The values of the parameter `by`, comma-separated. Throws `invalid_request`. */
export function savingsDimensionsOf(text: string | undefined): readonly SavingsDimension[] {
  if (text === undefined) return savingsDimensions
  const names = [
    ...new Set(
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    ),
  ]
  return names.map((name) => {
    const known = savingsDimensions.find((dimension) => dimension === name)
    if (known === undefined)
      throw new InvalidRequest(`by: savings are told by ${savingsDimensions.join(', ')}; got "${name}"`, { path: 'by' })
    return known
  })
}

/** Days are cut outwards, since tags are summed by day. */
async function learningOf(ledger: LedgerReader, { from, to }: SavingsQuery, learner: string): Promise<Learning> {
  const days = { from: Math.floor(from / daySeconds) * daySeconds, to: Math.ceil(to / daySeconds) * daySeconds }
  const { rows, total } = await ledger.report({ ...days, by: ['tag:purpose'], where: { organisation: learner } })
  const of = (purpose: string) => rows.find(({ group }) => group['tag:purpose'] === purpose)?.totals.cost.usd ?? zeroMoney
  const [judge, shadow] = [of('judge'), of('shadow')]
  const rest = picoUsd(-(judge + shadow))
  return { judge, shadow, other: addMoney(total.cost.usd ?? zeroMoney, rest), unpriced: total.unpriced }
}

function savingsJson(savings: Savings, { from, to, by, key }: SavingsQuery, learning: Learning | undefined) {
  const { margin, level, all, timeline, calibration, arms, first, last, unusable } = savings
  const learned = learning === undefined ? undefined : addMoney(addMoney(learning.judge, learning.shadow), learning.other)
  const { usd } = all.savings
  return {
    object: 'usage.savings',
    from: iso(from),
    to: iso(to),
    key: key ?? null,
    margin,
    level,
    by,
    all: scopeJson(all),
    learning:
      learning === undefined || learned === undefined
        ? null
        : {
            usd: formatUsd(learned),
            judge_usd: formatUsd(learning.judge),
            shadow_usd: formatUsd(learning.shadow),
            other_usd: formatUsd(learning.other),
            unpriced: learning.unpriced,
          },
    saved_in_the_end_usd: learned === undefined || isUnknown(usd) ? null : bandJson(savedInTheEnd(usd, learned)),
    scopes: savings.by.map(({ dimension, scopes, left }) => ({
      dimension,
      data: scopes.map((scope) => ({ name: scope.name, ...scopeJson(scope) })),
      left,
    })),
    timeline: timeline.map(({ at, requests, savedUsd, quality }) => ({
      at: iso(at),
      requests,
      saved_usd: bandOrNull(savedUsd),
      quality: bandOrNull(quality),
    })),
    calibration: calibration.map(({ expected, observed, answers }) => ({
      expected: number(expected),
      observed: bandJson(observed),
      answers,
    })),
    arms: arms.map((arm) => ({ arm: arm.arm, requests: arm.requests, held_out: arm.heldOut, usd: formatUsd(arm.usd) })),
    first: first === undefined ? null : iso(first),
    last: last === undefined ? null : iso(last),
    unusable_judgements: unusable,
  }
}

function scopeJson({ requests, heldOut, units, savings, spentUsd, quality, verdict, evidence, more }: ScopeSavings) {
  return {
    requests,
    held_out: heldOut,
    units,
    spent_usd: formatUsd(spentUsd),
    usd: savingJson(savings.usd),
    seconds: savingJson(savings.seconds),
    joules: savingJson(savings.joules),
    quality: quality.map(qualityJson),
    verdict,
    evidence: evidence ?? null,
    more: more === undefined ? null : number(more),
  }
}

function savingJson(saving: Saving | Unknown) {
  if (isUnknown(saving)) return { unknown_requests: saving.unknown, arms: saving.arms }
  const { perRequest, total, spent, share, heldOut } = saving
  return {
    saved: bandJson(total),
    per_request: bandJson(perRequest),
    spent: number(spent),
    share: bandOrNull(share),
    not_saved_held_out: bandJson(heldOut),
  }
}

function qualityJson({ kind, difference, observed, labels, pOfInferior, pOfNotWorse, more }: QualityEstimate) {
  return {
    kind,
    difference: bandJson(difference),
    words: { held_out: observed.heldOut, policy: observed.policy },
    labels,
    p_inferior: number(pOfInferior),
    p_not_worse: number(pOfNotWorse),
    more: number(more),
    method: difference.method,
  }
}

interface Band {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** Bounds that there are none of are `null`. */
function bandJson({ value, low, high }: Band) {
  return { value: number(value), low: number(low), high: number(high) }
}

function bandOrNull(band: Band | undefined) {
  return band === undefined ? null : bandJson(band)
}

/** Twelve digits tell apart what estimates can tell apart; no noise of the last bits. */
function number(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(12)) : null
}

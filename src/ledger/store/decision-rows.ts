import type { Selectable } from 'kysely'
import type { DecisionRecord, TrialRecord, Weighed, WeighedArm } from '../record.js'
import type { BulkTarget, Value } from './bulk.js'
import { isDecisionOf, packId, requestOf, unpackId } from './ids.js'
import { anyText, momentInRange, realInRange, textInRange } from './ranges.js'
import type { DecisionsTable } from './schema.js'

export const decisionsTarget: BulkTarget = {
  table: 'decisions',
  columns: [
    ['id', 'bytea'],
    ['request_id', 'text'],
    ['at', 'double precision'],
    ['key', 'integer'],
    ['requested_model', 'integer'],
    ['arm', 'integer'],
    ['policy', 'integer'],
    ['propensity', 'double precision'],
    ['reason', 'text'],
    ['weighed', 'text'],
    ['trial', 'text'],
  ],
  conflict: 'on conflict (id) do nothing',
}

/** Words that a decision's row has. */
export function wordsOfDecision({ key, requestedModel, arm, policy }: DecisionRecord): string[] {
  return [key, requestedModel, arm, policy].map((text) => textInRange(text))
}

export function rowOfDecision(decision: DecisionRecord, word: (text: string) => number): Value[] {
  const { decisionId, requestId, at, key, requestedModel, arm, policy, propensity, reason, weighed, trial } = decision
  return [
    packId('dec_', decisionId),
    isDecisionOf(decisionId, requestId) ? null : anyText(requestId),
    momentInRange(at),
    word(textInRange(key)),
    word(textInRange(requestedModel)),
    word(textInRange(arm)),
    word(textInRange(policy)),
    realInRange(propensity),
    anyText(reason),
    weighed === undefined ? null : anyText(weighedText(weighed)),
    trial === undefined ? null : anyText(trialText(trial)),
  ]
}

/** A row with the texts that its numbers stand for. */
export interface NamedDecisionRow extends Pick<
  Selectable<DecisionsTable>,
  'id' | 'request_id' | 'at' | 'propensity' | 'reason' | 'weighed' | 'trial'
> {
  readonly key_word: string
  readonly requested_model_word: string
  readonly arm_word: string
  readonly policy_word: string
}

export function decisionOfRow(row: NamedDecisionRow): DecisionRecord {
  const decisionId = unpackId('dec_', row.id)
  return {
    decisionId,
    requestId: row.request_id ?? requestOf(decisionId),
    at: row.at,
    key: row.key_word,
    requestedModel: row.requested_model_word,
    arm: row.arm_word,
    policy: row.policy_word,
    propensity: row.propensity,
    reason: row.reason,
    weighed: row.weighed === null ? undefined : weighedOf(row.weighed),
    trial: row.trial === null ? undefined : trialOf(row.trial),
  }
}

type TrialJson = readonly [heldOut: 0 | 1, holdout: number, policyArm: string, stratum: string | null, unit: string | null]

/** The probability is written with all its digits: estimates divide by it. */
function trialText({ heldOut, holdout, policyArm, stratum, unit }: TrialRecord): string {
  const json: TrialJson = [heldOut ? 1 : 0, holdout, policyArm, stratum ?? null, unit ?? null]
  return JSON.stringify(json)
}

function trialOf(text: string): TrialRecord {
  const [heldOut, holdout, policyArm, stratum, unit] = JSON.parse(text) as TrialJson
  return { heldOut: heldOut === 1, holdout, policyArm, stratum: stratum ?? undefined, unit: unit ?? undefined }
}

/** Four significant digits tell apart what expectations can tell apart. */
const DIGITS = 4

/** A row of what was expected of an arm: the measures in their order. */
type ArmJson = readonly [arm: string, ...(number | null)[]]
type WeighedJson = readonly [
  objective: Weighed['objective'],
  reference: string,
  familiarity: number,
  explored: 0 | 1,
  arms: readonly ArmJson[],
  excluded: readonly (readonly [arm: string, why: string])[],
]

function weighedText({ objective, reference, familiarity, explored, arms, excluded }: Weighed): string {
  const rows = arms.map(({ arm, ...of }): ArmJson => [arm, ...measures.map((name) => (of[name] === null ? null : short(of[name])))])
  const json: WeighedJson = [objective, reference, short(familiarity), explored ? 1 : 0, rows, excluded.map(({ arm, why }) => [arm, why])]
  return JSON.stringify(json)
}

function weighedOf(text: string): Weighed {
  const [objective, reference, familiarity, explored, arms, excluded] = JSON.parse(text) as WeighedJson
  return {
    objective,
    reference,
    familiarity,
    explored: explored === 1,
    arms: arms.map(
      ([arm, quality = null, qualityDeviation = null, usd = null, outputTokens = null, seconds = null, joules = null, support]) => ({
        arm,
        quality,
        qualityDeviation,
        usd,
        outputTokens,
        seconds,
        joules,
        support: support ?? 0,
      }),
    ),
    excluded: excluded.map(([arm, why]) => ({ arm, why })),
  }
}

const measures = [
  'quality',
  'qualityDeviation',
  'usd',
  'outputTokens',
  'seconds',
  'joules',
  'support',
] as const satisfies readonly (keyof WeighedArm)[]

function short(value: number): number {
  return Number(value.toPrecision(DIGITS))
}

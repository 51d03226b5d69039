import type { Money } from '../quantities/index.js'
import type { DecisionRecord, OutcomeRecord, TrialRecord, WeighedArm } from './record.js'

/** A decision of the live proof with everything that is known of it. */
export interface TrialEvidence {
  readonly decision: DecisionRecord
  readonly trial: TrialRecord
  /** What was expected before of the arm that the policy would have had, and of the reference. Absent where nothing was weighed. */
  readonly expected: { readonly policy: WeighedArm | undefined; readonly reference: WeighedArm | undefined }
  /**
   * What all calls that answered this decision took, corrections included; an amount is `null` where it is unknown of any of them. Calls for another
   * key, such as those of a judge, are not among them.
   */
  readonly cost: TrialCost
  /** In the order in which they were told. */
  readonly outcomes: readonly OutcomeRecord[]
}

export interface TrialCost {
  readonly calls: number
  readonly usd: Money | null
  /** Sum of the calls' own seconds, and so the latency of calls that were made one after the other. */
  readonly seconds: number
  readonly joules: number | null
}

export interface TrialFilter {
  readonly key?: string | undefined
  /** Unix seconds, inclusive and exclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Only trials after this one. */
  readonly after?: { readonly at: number; readonly decisionId: string } | undefined
  readonly limit: number
}

/** What trials are read from. */
export interface TrialReader {
  /** Decisions of the live proof with their evidence, the oldest first, at most `limit` (and at most 5,000); all of them: `eachTrial`. */
  trials(filter: TrialFilter): Promise<readonly TrialEvidence[]>
}

const usualPage = 500

/** Every trial, the oldest first, in pages: memory stays at one page. Trials that are added meanwhile may be missed, none comes twice. */
export async function* eachTrial(
  reader: TrialReader,
  filter: Omit<TrialFilter, 'after' | 'limit'>,
  page: number = usualPage,
): AsyncGenerator<TrialEvidence> {
  let after: TrialFilter['after']
  for (;;) {
    const trials = await reader.trials({ ...filter, after, limit: page })
    yield* trials
    const last = trials.at(-1)
    if (last === undefined || trials.length < page) return
    after = { at: last.decision.at, decisionId: last.decision.decisionId }
  }
}

/** A decision as evidence; `undefined` for one that is no part of the live proof. */
export function evidenceOf(decision: DecisionRecord, cost: TrialCost, outcomes: readonly OutcomeRecord[]): TrialEvidence | undefined {
  const { trial, weighed } = decision
  if (trial === undefined) return undefined
  const expectedOf = (name: string | undefined) => weighed?.arms.find(({ arm }) => arm === name)
  return { decision, trial, expected: { policy: expectedOf(trial.policyArm), reference: expectedOf(weighed?.reference) }, cost, outcomes }
}

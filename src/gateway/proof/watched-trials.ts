import { Guardrail, type GuardrailOptions, type RolledBack } from '../../evaluation/index.js'
import { eachTrial, type LedgerReader, type OutcomeRecord, type TrialEvidence, type TrialRecord } from '../../ledger/index.js'

/** The scope that holds all routed traffic. */
export const ALL = 'all'

/** How a pair of grades is called: two outcomes of one decision, one of them with `arm`. */
export const PAIR_SOURCE = 'judge-pair:'
export const JUDGE_SOURCE = 'judge:'

/** Decisions whose outcomes may still come. */
const MOST_TRIALS = 20_000
/** How far back the ledger is read at a start; seconds. */
const LOOK_BACK_SECONDS = 30 * 86_400

/** A randomised decision while its outcomes may still come. */
export interface WatchedTrial {
  readonly trial: TrialRecord
  readonly organisation: string | undefined
  /** Whether the policy's own arm is the reference: nothing can differ then, whatever was drawn. */
  readonly same: boolean
  /** What was expected of the quality of both arms. */
  readonly expectedOfPolicy: number | undefined
  readonly expectedOfReference: number | undefined
  /** Probability with which a person was asked for a word; absent where none was. */
  readonly peopleSought?: number | undefined
}

export function organisationScope(organisation: string): string {
  return `organisation:${organisation}`
}

/** The guardrail with what it is fed by: randomised decisions and, later, the words about their answers. */
export class WatchedTrials {
  private readonly trials = new Map<string, WatchedTrial>()
  readonly guardrail: Guardrail

  /** `since`: Unix seconds from which on trials of a scope count. */
  constructor(
    options: GuardrailOptions,
    readonly since: Map<string, number>,
    private readonly onRollBack: (rolledBack: RolledBack) => void,
  ) {
    this.guardrail = new Guardrail(options)
  }

  began(decisionId: string, watched: WatchedTrial): void {
    this.trials.set(decisionId, watched)
    for (const oldest of this.trials.keys()) {
      if (this.trials.size <= MOST_TRIALS) break
      this.trials.delete(oldest)
    }
  }

  get(decisionId: string): WatchedTrial | undefined {
    return this.trials.get(decisionId)
  }

  /** Counts what was said of an answer; nothing where it isn't that of a trial. Throws `RangeError` for numbers that can't be. */
  told(outcome: OutcomeRecord): void {
    const watched = outcome.decisionId === undefined ? undefined : this.trials.get(outcome.decisionId)
    if (watched) this.count(watched, outcome, outcome.at)
  }

  /** Counts the grades of an answer and of the reference's to the same request. */
  toldPair(watched: WatchedTrial, given: number, reference: number, at: number): void {
    for (const scope of this.scopesOf(watched.organisation, at))
      this.tell(this.guardrail.addPair(scope, given - reference, watched.trial.unit, at))
  }

  /** Reads the evidence of earlier processes out of the ledger. Returns how many trials there were. Throws what the ledger does. */
  async recall(
    ledger: Pick<LedgerReader, 'trials'>,
    before: number,
    organisationOf: (key: string) => Promise<string | undefined>,
    signal: AbortSignal,
  ): Promise<number> {
    let read = 0
    for await (const evidence of eachTrial(ledger, { from: before - LOOK_BACK_SECONDS, to: before })) {
      signal.throwIfAborted()
      read++
      if (evidence.outcomes.length > 0) this.recount(evidence, await organisationOf(evidence.decision.key))
    }
    return read
  }

  private recount({ decision: { at, weighed }, trial, expected, outcomes }: TrialEvidence, organisation: string | undefined): void {
    const same = trial.policyArm === weighed?.reference
    const watched: WatchedTrial = {
      trial,
      organisation,
      same,
      expectedOfPolicy: expected.policy?.quality ?? undefined,
      expectedOfReference: expected.reference?.quality ?? undefined,
    }
    for (const outcome of outcomes) this.count(watched, outcome, at)
    const pair = outcomes.filter(({ source }) => source.startsWith(PAIR_SOURCE))
    const [given, reference] = [pair.find(({ arm }) => arm === undefined), pair.find(({ arm }) => arm !== undefined)]
    if (given && reference) this.toldPair(watched, given.score, reference.score, at)
  }

  private count(
    { trial, organisation, same, expectedOfPolicy, expectedOfReference }: WatchedTrial,
    outcome: OutcomeRecord,
    at: number,
  ): void {
    const kind = kindOf(outcome)
    if (kind === undefined) return
    const { heldOut, holdout, unit, stratum } = trial
    for (const scope of this.scopesOf(organisation, at))
      this.tell(
        this.guardrail.add(
          scope,
          kind,
          { heldOut, holdout, unit, stratum, same, outcome: outcome.score, expectedOfPolicy, expectedOfReference },
          outcome.at,
        ),
      )
  }

  private tell(rolledBack: RolledBack | undefined): void {
    if (rolledBack) this.onRollBack(rolledBack)
  }

  private scopesOf(organisation: string | undefined, at: number): readonly string[] {
    return [ALL, ...(organisation === undefined ? [] : [organisationScope(organisation)])].filter(
      (scope) => at >= (this.since.get(scope) ?? 0),
    )
  }
}

/** The judge's own words are sought; what callers tell comes by itself, whatever they call it. */
function kindOf({ source, sought, arm }: OutcomeRecord): 'judge' | 'check' | 'feedback' | undefined {
  if (arm !== undefined || source.startsWith(PAIR_SOURCE)) return undefined
  if (source.startsWith('verifier:')) return 'check'
  return source.startsWith(JUDGE_SOURCE) && sought !== undefined ? 'judge' : 'feedback'
}

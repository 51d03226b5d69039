import { randomUUID } from 'node:crypto'
import type { Evidence, RolledBack } from '../../evaluation/index.js'
import type { Ledger, OutcomeRecord } from '../../ledger/index.js'
import { edit, type Message, type Request, type WireFormat } from '../../protocol/index.js'
import { usd, zeroMoney, type Clock } from '../../quantities/index.js'
import { sampledJudge } from '../../routing/index.js'
import { childRandom, type Random } from '../../statistics/index.js'
import type { ProofConfig } from '../config/index.js'
import type { Key } from '../keys.js'
import type { CallingState } from '../own-environment.js'
import type { Routed, TrialSource } from '../routing/router.js'
import type { AnswerWatch } from '../verifiers/index.js'
import { Assignments, type Assignment } from './assignments.js'
import { Background, type BackgroundSettings, type WorkResult } from './background.js'
import { DailyAllowance } from './daily-allowance.js'
import { answerText } from './judge-prompt.js'
import { compareWithReference, gradeAnswer, type JudgedAnswer, type JudgingParts, type ShadowArm } from './judging.js'
import type { Purpose } from './own-calls.js'
import { writeProofState, type ProofState } from './proof-state.js'
import { watchReply } from './reply-watch.js'
import { ALL, JUDGE_SOURCE, organisationScope, PAIR_SOURCE, WatchedTrials, type WatchedTrial } from './watched-trials.js'

export interface ProofParts {
  /** The newest state of the gateway, for the calls of judges and shadows. */
  current(): CallingState
  readonly ledger: Pick<Ledger, 'recordOutcome' | 'trials'>
  readonly clock: Clock
  /** Told of each of the judge's words once it is recorded, so that it is learned from; the proof heeds it by itself. */
  learn(outcome: OutcomeRecord): void
  onTrial(heldOut: boolean): void
  onWork(purpose: Purpose, result: WorkResult): void
  onRollBack(rolledBack: RolledBack): void
  onFault(fault: unknown): void
  /** The organisation that a key is of, by the key's name. */
  organisationOf(key: string): Promise<string | undefined>
  readonly background?: BackgroundSettings | undefined
}

/** What is to be done with one answer of a trial. */
export interface TrialPlan {
  /** Whether a person is asked for a word on it. */
  readonly feedbackWanted: boolean
  /** Looks at the answer after it has gone out; `undefined` where nobody will. `request`: what was asked, in the caller's format. */
  watch(request: Request, format: WireFormat): AnswerWatch | undefined
}

/** What an operator is told of the proof. */
export interface ScopeStatus {
  readonly scope: string
  readonly rolledBack: RolledBack | undefined
  readonly evidence: readonly Evidence[]
}

/**
 * The live proof: who is held out, what is judged and compared in the background, and when traffic goes back to the reference. Outlives
 * reloads of the configuration. Nothing of it can fail or delay a request.
 */
export class Proof implements TrialSource {
  private readonly assignments: Assignments
  private readonly trials: WatchedTrials
  private readonly background: Background
  private readonly random: Random
  /** Of who is held out. A stream of its own, so that it neither begins anew with each reload nor changes what is drawn to explore. */
  private readonly draws: Random
  private readonly closing = new AbortController()
  private judge: { readonly parts: JudgingParts; readonly plan: ReturnType<typeof sampledJudge> } | undefined
  private recalling: Promise<void> = Promise.resolve()
  private saving: Promise<void> = Promise.resolve()

  /** `restored`: what was kept by the process before. Throws `RangeError` for settings that can't be. */
  constructor(
    private config: ProofConfig,
    seed: number,
    private readonly parts: ProofParts,
    restored?: ProofState | undefined,
  ) {
    this.assignments = new Assignments(seed, () => parts.clock.monotonic())
    this.random = childRandom(seed, 'proof')
    this.draws = childRandom(seed, 'holdout')
    this.background = new Background(parts.background)
    this.trials = new WatchedTrials({ margin: config.margin }, new Map(Object.entries(restored?.since ?? {})), (rolledBack) =>
      this.onRollBack(rolledBack),
    )
    for (const rolledBack of restored?.rolledBack ?? []) this.trials.guardrail.restore(rolledBack)
    this.configure(config)
  }

  /** Takes a configuration into use; evidence, allowances of unchanged size, and what is rolled back stay. */
  configure(config: ProofConfig): void {
    this.config = config
    this.trials.guardrail.configure({ margin: config.margin })
    const { judge, shadow } = config
    if (judge === undefined) {
      this.judge = undefined
      return
    }
    const before = this.judge?.parts
    const kept = (allowance: DailyAllowance | undefined, dollars: number) =>
      allowance?.perDay === usd(dollars) ? allowance : new DailyAllowance(usd(dollars), this.parts.clock)
    const judgeAllowance = kept(before?.judgeAllowance, judge.usd_per_day)
    this.judge = {
      parts: {
        current: this.parts.current,
        model: judge.model,
        judgeAllowance,
        shadowAllowance: kept(before?.shadowAllowance, shadow?.usd_per_day ?? 0),
      },
      // The same probability for all: a held-out request and another must be as likely to be judged. Dollars are taken when the answer
      // is there.
      plan: sampledJudge({
        share: judge.share,
        least: judge.share,
        most: judge.share,
        random: this.random,
        allowance: { remaining: () => judgeAllowance.remaining(), take: () => judgeAllowance.open },
      }),
    }
  }

  /** Quality that routing may lose, as configured now: 0.02 is two points of a hundred. */
  get margin(): number {
    return this.config.margin
  }

  rolledBack(organisation: string | undefined): string | undefined {
    if (!this.config.guardrail) return undefined
    const { guardrail } = this.trials
    const found =
      guardrail.rolledBack(ALL) ?? (organisation === undefined ? undefined : guardrail.rolledBack(organisationScope(organisation)))
    return found && `routing was rolled back to the reference, because ${whyRolledBack(found)}`
  }

  assign({ key, labels, request, toolLoop }: Parameters<TrialSource['assign']>[0]): Assignment | undefined {
    const { holdout } = this.config
    if (holdout === 0) return undefined
    return this.assignments.assign({
      holdout,
      keyId: key.id,
      session: labels.session,
      user: labels.user,
      request,
      toolLoop,
      random: this.draws,
    })
  }

  /**
   * A decision that is about to be followed: draws what is to be done with its answer. `undefined` for one that is no part of the
   * proof.
   */
  began(decisionId: string, routed: Routed, key: Pick<Key, 'name' | 'organisation'>): TrialPlan | undefined {
    const { trial, decision, reference } = routed
    if (trial === undefined) return undefined
    this.parts.onTrial(trial.heldOut)
    const { judge } = this
    const plan = judge?.plan(decision, zeroMoney)
    const peopleShare = this.config.judge?.people_share ?? 0
    const feedbackWanted = plan?.judge === true && peopleShare > 0 && this.random.next() < peopleShare
    const shadowShare = judge === undefined ? 0 : (this.config.shadow?.share ?? 0)
    const shadowed = shadowShare > 0 && this.random.next() < shadowShare && mayShadow(routed)
    const quality = (name: string) => decision.alternatives.find(({ arm }) => arm === name)?.quality?.mean
    const watched: WatchedTrial = {
      trial,
      organisation: key.organisation,
      same: trial.policyArm === reference.id,
      expectedOfPolicy: quality(trial.policyArm),
      expectedOfReference: quality(reference.id),
      ...(feedbackWanted && plan ? { peopleSought: plan.probability * peopleShare } : {}),
    }
    this.trials.began(decisionId, watched)
    const shadow: ShadowArm | undefined = shadowed
      ? {
          strategy: reference.strategyFor(routed.tenant),
          model: reference.model,
          expectedUsd: decision.reference?.cost.usd ?? null,
          expectedOutputTokens: decision.reference?.outputTokens ?? null,
        }
      : undefined
    const graded = plan?.judge === true ? plan.probability : undefined
    return {
      feedbackWanted,
      watch: (request, format) => {
        if (judge === undefined || (graded === undefined && shadow === undefined)) return undefined
        // The caller's bytes say nothing that the conversation doesn't, and may be many.
        const kept = edit(request, {})
        return watchReply(
          format,
          (reply) => {
            const answer: JudgedAnswer = { request: kept, text: answerText(reply) }
            if (graded !== undefined) this.grade(judge.parts, answer, { decisionId, key: key.name, sought: graded })
            if (shadow)
              this.compare(judge.parts, answer, shadow, { decisionId, key: key.name, sought: shadowShare, arm: reference.id }, watched)
          },
          (fault) => this.parts.onFault(fault),
        )
      },
    }
  }

  /** What was said of an answer. Never throws. */
  told(outcome: OutcomeRecord): void {
    if (!this.config.guardrail) return
    try {
      this.trials.told(outcome)
    } catch (fault) {
      this.parts.onFault(fault)
    }
  }

  /** Probability with which a person was asked for a word on this decision; `undefined` where none was. */
  peopleSought(decisionId: string): number | undefined {
    return this.trials.get(decisionId)?.peopleSought
  }

  /** Reads the evidence of earlier processes out of the ledger, in the background. */
  recall(): void {
    if (!this.config.guardrail || this.config.holdout === 0) return
    const { ledger, clock, organisationOf, onFault } = this.parts
    this.recalling = this.trials.recall(ledger, clock.now(), organisationOf, this.closing.signal).then(
      () => undefined,
      (fault: unknown) => {
        if (!this.closing.signal.aborted) onFault(fault)
      },
    )
  }

  /** All of the proof by scope, `all` first. */
  status(): { readonly holdout: number; readonly margin: number; readonly guardrail: boolean; readonly scopes: readonly ScopeStatus[] } {
    const { guardrail } = this.trials
    const scopes = [...new Set([ALL, ...guardrail.known()])].map((scope) => ({
      scope,
      rolledBack: guardrail.rolledBack(scope),
      evidence: guardrail.evidence(scope),
    }))
    return { holdout: this.config.holdout, margin: this.config.margin, guardrail: this.config.guardrail, scopes }
  }

  /** Lets a scope be routed again, from new evidence on. False where it wasn't rolled back. Resolves when that is kept. */
  async resume(scope: string): Promise<boolean> {
    if (!this.trials.guardrail.resume(scope)) return false
    this.trials.since.set(scope, this.parts.clock.now())
    await this.save()
    return true
  }

  /** Resolves when nothing is under way in the background. */
  async idle(): Promise<void> {
    await this.recalling
    await this.background.idle()
    await this.saving
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('Bursar is shutting down'))
    await this.background.close()
    await this.recalling
    await this.saving
  }

  private grade(judging: JudgingParts, answer: JudgedAnswer, about: Sought): void {
    this.work('judge', answer, async (signal) => {
      const judged = await gradeAnswer(judging, answer, signal)
      if (judged.result === 'done') await this.record({ ...about, source: `${JUDGE_SOURCE}${judging.model}`, score: judged.grade })
      return judged.result
    })
  }

  private compare(
    judging: JudgingParts,
    answer: JudgedAnswer,
    shadow: ShadowArm,
    { arm, ...about }: Sought & { readonly arm: string },
    watched: WatchedTrial,
  ): void {
    this.work('shadow', answer, async (signal) => {
      const judged = await compareWithReference(judging, answer, shadow, signal)
      if (judged.result !== 'done') return judged.result
      const { given, reference } = judged.grade
      const source = `${PAIR_SOURCE}${judging.model}`
      await this.record({ ...about, source, score: given })
      await this.record({ ...about, source, score: reference, arm })
      if (this.config.guardrail) this.trials.toldPair(watched, given, reference, this.parts.clock.now())
      return 'done'
    })
  }

  private work(purpose: Purpose, { request, text }: JudgedAnswer, run: (signal: AbortSignal) => Promise<WorkResult>): void {
    this.background.add(text.length + lengthOf(request.messages), run, (result, fault) => {
      this.parts.onWork(purpose, result)
      if (fault !== undefined && !this.closing.signal.aborted) this.parts.onFault(fault)
    })
  }

  private async record(outcome: Omit<OutcomeRecord, 'outcomeId' | 'at'>): Promise<void> {
    const record: OutcomeRecord = { outcomeId: `out_${randomUUID()}`, at: this.parts.clock.now(), ...outcome }
    await this.parts.ledger.recordOutcome(record)
    this.parts.learn(record)
    this.told(record)
  }

  private onRollBack(rolledBack: RolledBack): void {
    this.parts.onRollBack(rolledBack)
    void this.save()
  }

  /** One write at a time. A file that can't be written is told of: the roll-back holds in this process all the same. */
  private save(): Promise<void> {
    const { state: file } = this.config
    if (file === undefined) return this.saving
    this.saving = this.saving
      .then(() =>
        writeProofState(file, { rolledBack: this.trials.guardrail.allRolledBack(), since: Object.fromEntries(this.trials.since) }),
      )
      .catch((fault: unknown) => this.parts.onFault(fault))
    return this.saving
  }
}

/** A word that is to be sought of a decision. */
interface Sought {
  readonly decisionId: string
  readonly key: string
  readonly sought: number
}

const evidenceWords = {
  judge: 'the judge’s grades',
  pair: 'the judge’s comparisons',
  check: 'checks of answers',
  feedback: 'feedback',
} as const

/** Why a scope was rolled back: a plain clause. */
export function whyRolledBack({ kind, difference: { value, low, high, n }, margin }: RolledBack): string {
  const points = (share: number) => (share * 100).toFixed(1)
  return `its quality is proven worse by more than ${points(margin)} points (${points(value)}, between ${points(low)} and ${points(high)}, by ${evidenceWords[kind]} of ${n} requests)`
}

/** Only what the policy chose is worth comparing, and only a request that leaves nothing behind at the provider is sent a second time. */
function mayShadow({ trial, decision, reference, request }: Routed): boolean {
  if (trial?.heldOut === true || decision.arm.id === reference.id) return false
  return request.store !== true && (request.tools ?? []).every((tool) => tool.type === 'function')
}

/** Characters that a conversation holds in memory, pictures included. */
function lengthOf(messages: readonly Message[]): number {
  let length = 0
  for (const { parts } of messages)
    for (const part of parts) {
      if (part.type === 'text' || part.type === 'refusal' || part.type === 'reasoning') length += part.text.length
      else if (part.type === 'tool_call') length += part.arguments.length
      else if (part.type === 'tool_result')
        length += part.content.reduce((sum, inner) => sum + (inner.type === 'text' ? inner.text.length : lengthOfSource(inner.source)), 0)
      else if (part.type !== 'native') length += lengthOfSource(part.source)
      else length += JSON.stringify(part.value).length
    }
  return length
}

function lengthOfSource(source: { readonly kind: string; readonly data?: string }): number {
  return source.kind === 'base64' ? (source.data?.length ?? 0) : 100
}

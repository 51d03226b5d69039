import { BudgetExceeded, InvalidRequest } from '../../errors/index.js'
import { UpstreamFailure, type Completion, type Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import type { Answer, PlannedUse } from '../strategy.js'
import type { Check, Scorer } from '../verification/index.js'

/** What a test says of a rung's answer. */
export interface Verdict {
  readonly accepted: boolean
  /** That the answer is right; `null` while the test isn't calibrated. */
  readonly probability: number | null
  /** The signal itself, in [0, 1]; `null` where there is none. */
  readonly signal: number | null
  /** A plain clause without content. */
  readonly note: string
  /** Calls that the test took. */
  readonly completions: readonly Completion[]
}

/** Decides whether a rung's answer goes out, before its first byte does. */
export interface AcceptTest {
  readonly id: string
  /** What one test calls. */
  readonly plan: readonly PlannedUse[]
  test(request: Request, answer: Answer, env: Environment): Promise<Verdict>
}

/** λ-optimal threshold between a rung's answer and the next rung: accept from P(right) ≥ q_next − price_next / λ on (0.2). In [0, 1]. */
export function acceptanceThreshold(nextQuality: number, nextPrice: number, lambda: number): number {
  return lambda === Infinity
    ? Math.min(1, Math.max(0, nextQuality))
    : lambda > 0
      ? Math.min(1, Math.max(0, nextQuality - nextPrice / lambda))
      : 0
}

/** What the rung's strategy learned itself: agreement, a verifier's or judge's word; its probability where it is calibrated, else its signal. Without evidence: not accepted. */
export function acceptByEvidence(threshold: number): AcceptTest {
  checkShare(threshold, 'threshold')
  return {
    id: `evidence ≥ ${threshold}`,
    plan: [],
    test: (_request, { evidence }) => {
      if (evidence === undefined)
        return Promise.resolve({
          accepted: false,
          probability: null,
          signal: null,
          note: 'the answer came without evidence',
          completions: [],
        })
      const { probability, signal, source } = evidence
      const value = probability ?? signal
      return Promise.resolve({ accepted: value >= threshold, probability, signal, note: `${source} ${percent(value)}`, completions: [] })
    },
  }
}

/** A check of the answer's form or content: a broken one isn't accepted. `unchecked`: what becomes of an answer that can't be checked; accepted when absent. */
export function acceptByCheck(check: Check, unchecked: 'accept' | 'escalate' = 'accept'): AcceptTest {
  return {
    id: check.id,
    plan: [],
    test: (request, { completion }) => {
      const { result, note } = check.check(request, completion)
      const signal = result === 'held' ? 1 : result === 'broken' ? 0 : null
      return Promise.resolve({
        accepted: result === 'held' || (result === 'not_checked' && unchecked === 'accept'),
        probability: null,
        signal,
        note,
        completions: [],
      })
    },
  }
}

export interface ScorerTestSettings {
  readonly scorer: Scorer
  readonly threshold: number
  /** From a score to the probability of being right (`curveAt`, `plattAt`); then `threshold` is a probability. */
  readonly calibrated?: ((score: number) => number) | undefined
  /** What becomes of an answer that the scorer can't tell of; escalated when absent. */
  readonly unknown?: 'accept' | 'escalate' | undefined
}

/** A scorer: a judge, mean log-probabilities, a reward model. One that fails knows nothing. */
export function acceptByScore({ scorer, threshold, calibrated, unknown = 'escalate' }: ScorerTestSettings): AcceptTest {
  checkShare(threshold, 'threshold')
  return {
    id: `${scorer.id} ≥ ${threshold}`,
    plan: scorer.plan,
    async test(request, { completion }, env) {
      try {
        const { value, note, completion: made } = await scorer.score(request, completion, env)
        const completions = made === undefined ? [] : [made]
        if (value === null || !(value >= 0 && value <= 1))
          return { accepted: unknown === 'accept', probability: null, signal: null, note, completions }
        const probability = calibrated?.(value) ?? null
        return { accepted: (probability ?? value) >= threshold, probability, signal: value, note, completions }
      } catch (thrown) {
        if (env.signal.aborted || !(thrown instanceof UpstreamFailure || thrown instanceof BudgetExceeded)) throw thrown
        return { accepted: unknown === 'accept', probability: null, signal: null, note: `${scorer.id} failed`, completions: [] }
      }
    },
  }
}

/** Quality that is predicted from the request alone (069): the rung's answer is taken where it is expected to be right. `null` predicts nothing: not accepted. */
export function acceptByPrediction(predict: (request: Request) => number | null, threshold: number): AcceptTest {
  checkShare(threshold, 'threshold')
  return {
    id: `predicted ≥ ${threshold}`,
    plan: [],
    test: (request) => {
      const predicted = predict(request)
      const known = predicted !== null && predicted >= 0 && predicted <= 1 ? predicted : null
      return Promise.resolve({
        accepted: known !== null && known >= threshold,
        probability: known,
        signal: known,
        note: known === null ? 'nothing is predicted' : `predicted ${percent(known)}`,
        completions: [],
      })
    },
  }
}

/** Accepted where every test accepts; asked in order, so cheap ones first. */
export function acceptByAll(tests: readonly AcceptTest[]): AcceptTest {
  if (tests.length === 0) throw new InvalidRequest('accept: at least one test is needed.', { path: 'accept' })
  return {
    id: tests.map(({ id }) => id).join(' and '),
    plan: tests.flatMap(({ plan }) => plan),
    async test(request, answer, env) {
      const completions: Completion[] = []
      let [probability, signal]: [number | null, number | null] = [null, null]
      const notes: string[] = []
      for (const one of tests) {
        const verdict = await one.test(request, answer, env)
        completions.push(...verdict.completions)
        notes.push(verdict.note)
        if (verdict.probability !== null) probability = Math.min(probability ?? 1, verdict.probability)
        if (verdict.signal !== null) signal = Math.min(signal ?? 1, verdict.signal)
        if (!verdict.accepted) return { accepted: false, probability, signal, note: notes.join('; '), completions }
      }
      return { accepted: true, probability, signal, note: notes.join('; '), completions }
    },
  }
}

function checkShare(value: number, path: string): void {
  if (!(value >= 0 && value <= 1)) throw new InvalidRequest(`${path}: a number from 0 to 1, not ${value}.`, { path })
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

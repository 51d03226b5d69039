import { BudgetExceeded } from '../../errors/index.js'
import type { CallOptions, Environment } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { totalOutputTokens } from '../../quantities/index.js'
import type { Features } from '../../understanding/index.js'
import { completionKey } from '../agreement/index.js'
import { finish, handOut, Tally, textOf } from '../calls.js'
import { lessonsOf } from '../lessons.js'
import type { Answer, Strategy } from '../strategy.js'
import type { InstantSignals } from './gate-inputs.js'
import type { ThinkDecision, ThinkGate } from './think-gate.js'

export interface ThinkIfNeededSettings {
  /** Answers at once: a model with thinking off, or `styled('direct', …)`. */
  readonly instant: Strategy
  /** Thinks first. */
  readonly reasoned: Strategy
  readonly gate: ThinkGate
  readonly featuresOf: (request: Request, signal: AbortSignal) => Features | Promise<Features>
  /** κ: quality that an output token is worth (`ThinkChoice`). */
  readonly qualityPerToken: number
  /**
   * An instant answer is looked at before it goes out, and may be replaced by a reasoned one, where the expected net gain of thinking lies within
   * this of 0. 0: never (it always streams); `Infinity`: always. 0.15 when absent.
   */
  readonly look?: number | undefined
  /** Whether a second instant answer is asked for where a looked-at one leaves the decision within half of `look`. False when absent. */
  readonly repeat?: boolean | undefined
  /** False: never explores. True when absent. */
  readonly explore?: boolean | undefined
  /** Told of each decision once it is carried out, so that its outcome can be learned (`ThinkGate.observe`). */
  readonly decided?: ((event: ThinkEvent) => void) | undefined
}

export interface ThinkEvent {
  readonly features: Features
  readonly decision: ThinkDecision
  /** Of the instant answer, where one was looked at. */
  readonly signals?: InstantSignals | undefined
  readonly answer: Answer
}

/**
 * Answers at once where that is expected to be as good, and thinks where it pays (papers 169 and 116). What is clear goes out as a stream; where it
 * is not, the instant answer is held back, looked at (its form, its log-probability, whether a second one agrees), and thinking may still
 * follow: then both are paid, and the steps say so. With the budget at its last call nothing follows an answer that is there. Throws `RangeError`
 * for settings that can't be used.
 */
export function thinkIfNeeded(settings: ThinkIfNeededSettings): Strategy {
  const { instant, reasoned, gate, featuresOf, qualityPerToken, look = 0.15, repeat = false, explore = true, decided } = settings
  if (!(qualityPerToken >= 0 && Number.isFinite(qualityPerToken))) throw new RangeError('qualityPerToken is a number of at least 0')
  if (!(look >= 0)) throw new RangeError('look is at least 0')
  return {
    id: `think_if_needed(${instant.id}, ${reasoned.id})`,
    plan: [
      ...instant.plan.map((use) => ({ ...use, most: use.most * (repeat ? 2 : 1) })),
      ...reasoned.plan.map((use) => ({ ...use, expected: use.expected / 2 })),
    ],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const features = await featuresOf(request, env.signal)
      const first = gate.decide(features, { qualityPerToken, random: explore ? env.random : undefined })
      const tell = (decision: ThinkDecision, answer: Answer, signals?: InstantSignals, mode = decision.mode): Answer => {
        decided?.({ features, decision, signals, answer })
        const { propensity } = decision
        const outputTokens = totalOutputTokens(answer.completion.usage)
        return {
          ...answer,
          lessons: lessonsOf(answer.lessons ?? [], [{ kind: 'thought', features, mode, propensity, signals, outputTokens }]),
        }
      }
      const tried = first.propensity < 0.5
      if (tried || Math.abs(first.netGain) >= look)
        return tell(first, yield* (first.mode === 'reasoned' ? reasoned : instant).run(request, env, options))

      const tally = new Tally()
      const quick = await finish(instant.run(request, env, options))
      let signals = signalsOf(quick)
      let second = gate.decide(features, { qualityPerToken, answered: signals })
      if (repeat && Math.abs(second.netGain) < look / 2 && env.budget.regime() !== 'last_call') {
        const other = await finish(instant.run(request, env, options))
        const key = completionKey(quick.completion)
        signals = { ...signals, repeated: key !== null && key === completionKey(other.completion) }
        second = gate.decide(features, { qualityPerToken, answered: signals })
        tally.addAnswer('instant again', other, signals.repeated === true ? 'the same answer' : 'another answer')
      }
      const give = function* (note: string): Generator<Delta, Answer> {
        tally.addAnswer('instant', quick, note)
        yield* handOut(quick.completion, request)
        const probability = second.estimate.instant.quality
        return tally.answer(quick.completion, {
          evidence: { source: 'think_gate', probability, signal: probability },
          fellBackFrom: quick.fellBackFrom,
        })
      }
      if (second.mode === 'instant') return tell(second, yield* give('good enough as it is'), signals)
      if (env.budget.regime() === 'last_call') return tell(second, yield* give('the budget has no room for more'), signals, 'instant')
      const running = reasoned.run(request, env, options)
      let yielded = false
      try {
        for (;;) {
          const step = await running.next()
          if (step.done) {
            tally.addAnswer('instant', quick, 'not sure enough')
            tally.addAnswer('reasoned', step.value, second.reason)
            return tell(
              second,
              tally.answer(step.value.completion, { evidence: step.value.evidence, fellBackFrom: step.value.fellBackFrom }),
              signals,
            )
          }
          yielded = true
          yield step.value
        }
      } catch (thrown) {
        if (yielded || !(thrown instanceof BudgetExceeded)) throw thrown
        return tell(second, yield* give('the budget has no room for more'), signals, 'instant')
      } finally {
        await running.return(undefined as never)
      }
    },
  }
}

/** What a whole answer shows of itself. */
export function signalsOf({ completion }: Pick<Answer, 'completion'>): InstantSignals {
  const logprobs = completion.answer.kind === 'reply' ? (completion.answer.reply.choices[0]?.logprobs ?? []) : []
  const meanLogprob = logprobs.length === 0 ? undefined : logprobs.reduce((sum, { logprob }) => sum + logprob, 0) / logprobs.length
  return { text: textOf(completion), meanLogprob }
}

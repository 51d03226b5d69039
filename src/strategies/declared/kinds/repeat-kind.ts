import { z } from 'zod'
import { edit } from '../../../protocol/index.js'
import { asSample, finish, handOut, Tally } from '../../calls.js'
import type { Answer, Strategy } from '../../strategy.js'
import { answerCondition, answers, sayAnswer } from '../conditions.js'
import { strategyKind } from '../kind.js'

/** Repeats must be able to come out differently. */
const LEAST_TEMPERATURE = 0.6

/** `repeat`: again until the answer is as wanted, at most so many times. Tries are held back until they pass; the last one streams, since it goes out as it is. */
export const repeatKind = strategyKind({
  kind: 'repeat',
  about: 'Runs a strategy again until its answer is as wanted, at most so many times.',
  fields: (nested) => z.strictObject({ strategy: nested, until: answerCondition, most: z.int().min(2).max(10).default(2) }),
  build: ({ strategy: spec, until, most }, scope) => {
    const inner = scope.strategy(spec)
    const strategy: Strategy = {
      id: `repeat(${inner.id}, ${most})`,
      plan: inner.plan.map((use) => ({ ...use, most: use.most * most })),
      async *run(request, env, options) {
        const tally = new Tally()
        for (let round = 1; ; round++) {
          // Changed in any case: an answer that is looked at must come in canonical form, not as the provider's bytes.
          const asked = edit(
            request,
            round === 1 ? {} : { temperature: Math.max(LEAST_TEMPERATURE, request.temperature ?? 1), seed: undefined },
          )
          // At its end the budget has no room for another try, so this one goes out as it is.
          const last = round === most || env.budget.regime() === 'last_call'
          const answer: Answer = last
            ? yield* inner.run(asked, env, asSample(options, round - 1))
            : await finish(inner.run(asked, env, asSample(options, round - 1)))
          const passed = answers(until, answer)
          tally.addAnswer(`try ${round}`, answer, passed ? 'passed' : last ? 'did not pass, and was the last try' : 'did not pass')
          if (!passed && !last) continue
          if (!last) yield* handOut(answer.completion, request)
          const evidence = answer.evidence ?? { source: 'check', probability: null, signal: passed ? 1 : 0 }
          return tally.answer(answer.completion, { evidence, fellBackFrom: answer.fellBackFrom })
        }
      },
    }
    return strategy
  },
  describe: ({ strategy: spec, until, most }, say) => `${say(spec)}, until the answer ${sayAnswer(until)}, at most ${most} times`,
})

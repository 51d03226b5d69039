import { BudgetExceeded } from '../../errors/index.js'
import { UpstreamFailure, type CallOptions, type Completion, type Environment, type ModelId } from '../../environment/index.js'
import { edit, type Delta, type Message, type Request } from '../../protocol/index.js'
import { completionKey, type AnswerHint } from '../agreement/index.js'
import { finish, handOut, Tally, textOf, whyPlain } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import type { Check } from '../verification/index.js'
import { wholeNumber } from './sampler.js'

export interface ReviseSettings {
  readonly model: ModelId
  /** Revisions at most, after the first answer. */
  readonly rounds: number
  /** Ends the revisions as soon as it holds. */
  readonly until?: Check | undefined
  readonly hint?: AnswerHint | undefined
}

const REVISE =
  'Look at your answer again. Work the question out once more in another way and compare. If something was wrong, give the whole corrected answer; if all was right, give the same answer again. Give only the answer, in the form that was asked for.'

/**
 * Sequential revisions (097: what easy questions gain most from): the model sees its answer and is asked to check it. Ends when a revision gives the same answer
 * as before, a check holds, the rounds are used up or the budget is. Requests that a conversation more would spoil (tools, prescribed forms) get a plain call.
 * Throws `InvalidRequest` for rounds out of range.
 */
export function revise(settings: ReviseSettings): Strategy {
  const { model, until, hint } = settings
  const rounds = wholeNumber(settings.rounds, 1, 8, 'rounds')
  return {
    id: `revise(${model} × ${rounds})`,
    plan: [{ model, expected: Math.min(rounds, 2), most: rounds + 1 }],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const plain = whyPlain(request)
      if (plain !== undefined) {
        const completion = yield* env.call(model, request, options)
        const tally = new Tally()
        tally.add('answer', completion, plain)
        return tally.answer(completion)
      }
      const tally = new Tally()
      const once = edit(request, { stream: false, streamUsage: undefined })
      let current: Completion = await finish(env.call(model, once))
      tally.add('answer', current)
      let stable = false
      for (let round = 1; round <= rounds && !stable; round++) {
        if (until?.check(request, current).result === 'held') {
          tally.note('stop', model, `the check ${until.id} holds`)
          break
        }
        if (env.budget.regime() === 'last_call') {
          tally.note('stop', model, 'the budget holds about one more call')
          break
        }
        const messages: readonly Message[] = [
          ...request.messages,
          { role: 'assistant', parts: [{ type: 'text', text: textOf(current) }] },
          { role: 'user', parts: [{ type: 'text', text: REVISE }] },
        ]
        let next: Completion
        try {
          next = await finish(env.call(model, edit(once, { messages }), { sample: round }))
        } catch (thrown) {
          if (env.signal.aborted || !(thrown instanceof UpstreamFailure || thrown instanceof BudgetExceeded)) throw thrown
          tally.note('stop', model, 'a revision failed: the answer before it stands')
          break
        }
        const [before, after] = [completionKey(current, hint), completionKey(next, hint)]
        stable = before !== null && before === after
        tally.add(`revision ${round}`, next, stable ? 'gives the same answer' : 'gives another answer')
        // An empty revision takes nothing back; one that says the same need not be said anew.
        if (!stable && textOf(next).trim() !== '') current = next
      }
      yield* handOut(current, request)
      return tally.answer(current, { evidence: { source: 'revision', probability: null, signal: stable ? 1 : 0 } })
    },
  }
}

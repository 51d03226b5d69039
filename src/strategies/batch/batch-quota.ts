import { InvalidRequest } from '../../errors/index.js'
import type { CallOptions, Environment } from '../../environment/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { saidAfter, Tally, whyPlain, withThinking, type ModelUse } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'

export interface BatchQuotaOptions {
  readonly use: ModelUse
  /** How many questions the model is told to have before it, this one included: 4 when absent. 2 to 20. */
  readonly questions?: number | undefined
  /** Words that they are told to share; 100 a question when absent. */
  readonly words?: number | undefined
}

/**
 * The concision of a batch for a single question (DRQA, 107): the model is told that the question is one of several that share an allowance, which
 * makes it reason briefly. One call, streamed; soft, without a hard limit. Requests whose form is prescribed go as they are. For many questions
 * at once see `answerBatch`. Throws `InvalidRequest` for numbers out of range.
 */
export function batchQuota({ use, questions = 4, words = 100 * questions }: BatchQuotaOptions): Strategy {
  if (!Number.isSafeInteger(questions) || questions < 2 || questions > 20)
    throw new InvalidRequest(`Questions are a number from 2 to 20, not ${questions}.`, { path: 'questions' })
  if (!(words >= questions && words <= 1e5))
    throw new InvalidRequest(`Words are a number from ${questions} to 100000, not ${words}.`, { path: 'words' })
  const prompt = `This is the first of ${questions} questions of about the same weight, which you will be asked one by one. All your answers together may have about ${Math.floor(words)} words, reasoning included, so spend on this one no more than it needs. Don't mention this.`
  return {
    id: `batch_quota(${use.model}, ${questions})`,
    plan: [{ model: use.model, expected: 1, most: 1, outputRatio: 0.7 }],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const why = whyPlain(request)
      const asked = why === undefined ? edit(request, { messages: saidAfter(request.messages, prompt) }) : request
      const completion = yield* env.call(use.model, withThinking(asked, use), options)
      tally.add('answer', completion, why === undefined ? undefined : `answered plainly: ${why}`)
      return tally.answer(completion)
    },
  }
}

import { BudgetExceeded, BursarError, toBursarError } from '../../errors/index.js'
import type { OwnRequests } from '../../gateway/index.js'
import type { Reply } from '../../protocol/index.js'
import { addCost, noCost, type Cost } from '../../quantities/index.js'
import { answerBatch, createBatchSizes, finish, type BatchSizes } from '../../strategies/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import type { BatchQuestion } from './batch-file.js'
import type { QuestionResult } from './answer-file.js'

/** Questions that are in memory, and between which calls are shared. */
const CHUNK = 256

export interface AnsweringOptions {
  /** Calls at once. */
  readonly parallel: number
  /** Whether short questions of one model with the same instructions may share calls (107). */
  readonly together: boolean
  readonly signal: AbortSignal
  onResult(question: BatchQuestion, result: QuestionResult): void
  /** After each chunk: a good moment to flush. */
  onChunk(): void
}

/** What all of it took. `stopped`: money was used up before the end. */
export interface Answered {
  readonly answered: number
  readonly failed: number
  readonly shared: number
  readonly cost: Cost
  readonly stopped: BudgetExceeded | undefined
}

/**
 * Answers questions as they are read. Those of a model share calls where they may (`answerBatch`, DRQA as a batching policy, 107);
 * `auto` and arms are decided for each by itself. Stops reading when a hard limit refuses a call. Throws the signal's reason when it is
 * aborted; what was answered has been told by then.
 */
export async function answerQuestions(
  questions: AsyncIterable<BatchQuestion>,
  own: OwnRequests,
  options: AnsweringOptions,
): Promise<Answered> {
  const sizes = new Map<string, BatchSizes>()
  const understanding = createUnderstanding({ cacheEntries: 0 })
  const sum = { answered: 0, failed: 0, shared: 0 }
  let cost = noCost
  let stopped: BudgetExceeded | undefined
  const tell = (question: BatchQuestion, result: QuestionResult): void => {
    if ('fault' in result) {
      sum.failed += 1
      if (result.fault instanceof BudgetExceeded) stopped ??= result.fault
    } else {
      sum.answered += 1
      if (result.together > 1) sum.shared += 1
      cost = addCost(cost, result.cost)
    }
    options.onResult(question, result)
  }

  async function chunk(waiting: readonly BatchQuestion[]): Promise<void> {
    const groups = new Map<string, BatchQuestion[]>()
    for (const question of waiting) {
      const { model } = question.request
      const name = options.together && !own.decides(model) ? model : ''
      const group = groups.get(name)
      if (group) group.push(question)
      else groups.set(name, [question])
    }
    for (const [model, group] of groups) {
      if (model === '')
        await inTurn(group, options.parallel, async (question) => tell(question, await alone(question, own, options.signal)))
      else await shared(model, group)
    }
    options.onChunk()
  }

  async function shared(model: string, group: readonly BatchQuestion[]): Promise<void> {
    let known = sizes.get(model)
    if (!known) sizes.set(model, (known = createBatchSizes()))
    const levelOf = async (request: BatchQuestion['request']) => (await understanding.of(request, options.signal)).difficulty.level
    const items = await Promise.all(group.map(async ({ request }) => ({ request, tenant: '', level: await levelOf(request) })))
    await answerBatch(items, own.environment(model, options.signal), {
      use: { model },
      sizes: known,
      parallel: options.parallel,
      // Told as they come: whoever stops in the middle has paid for them.
      onAnswer(at, { text, completion, together, usage, cost: taken, fault }) {
        const question = group[at]
        if (!question) return
        if (fault || text === null || !completion)
          return tell(question, { fault: fault ?? new BursarError('No answer came.', { code: 'upstream_malformed', status: 502 }) })
        tell(question, {
          reply: together === 1 && completion.answer.kind === 'reply' ? completion.answer.reply : replyOf(text, model),
          usage,
          cost: taken,
          together,
        })
      },
    })
  }

  let waiting: BatchQuestion[] = []
  for await (const question of questions) {
    waiting.push(question)
    if (waiting.length < CHUNK) continue
    await chunk(waiting)
    waiting = []
    if (stopped) break
  }
  if (waiting.length > 0) await chunk(waiting)
  return { ...sum, cost, stopped }
}

/**
 * One question by itself: a model, or what routing picks. Its signal is its own, so that nothing of it hangs on the signal of the whole
 * when it is done.
 */
async function alone({ request }: BatchQuestion, own: OwnRequests, signal: AbortSignal): Promise<QuestionResult> {
  const stopped = new AbortController()
  const stop = () => stopped.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    const { environment, strategy, request: asked } = await own.open(request, stopped.signal)
    const { completion, usage, cost } = await finish(strategy.run(asked, environment))
    if (completion.answer.kind !== 'reply')
      throw new BursarError('The answer came in a form that no file can hold.', { code: 'internal_error', status: 500 })
    return { reply: completion.answer.reply, usage, cost, together: 1, ...(own.decides(request.model) ? { arm: completion.model } : {}) }
  } catch (thrown) {
    signal.throwIfAborted()
    return { fault: toBursarError(thrown) }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function inTurn<T>(list: readonly T[], parallel: number, work: (one: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let one = list[next++]; one !== undefined; one = list[next++]) await work(one)
  }
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, worker))
}

/** An answer that came with others in one call, as one of its own. */
function replyOf(text: string, model: string): Reply {
  return {
    id: '',
    model,
    created: Math.floor(Date.now() / 1000),
    choices: [{ parts: [{ type: 'text', text }], finish: 'stop' }],
    reported: undefined,
  }
}

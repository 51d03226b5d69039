import type { CallOptions, Completion, Environment } from '../../environment/index.js'
import { edit, ReplyCollector, type Delta, type Request } from '../../protocol/index.js'
import { totalOutputTokens } from '../../quantities/index.js'
import { isCut, type ModelUse, type Tally } from '../calls.js'

/** A request that is answered under a soft budget of its own. */
export interface Budgeted {
  /** As the caller sent it: without the budget. */
  readonly plain: Request
  /** With the soft budget in words. */
  readonly soft: Request
  /** Output tokens at the most; `null`: no limit beyond the caller's. */
  readonly cap: number | null
}

/**
 * Answers under a soft budget with a hard cap. An answer that the cap cuts is never passed off as whole (spec. 0.4): one that has not gone out
 * is asked for again, once, without the budget; one that is going out as a stream is gone on with, since what is out can't be taken
 * back. A cut by the caller's own limit is the caller's wish. Where the second call fails, the cut answer stands, with the finish `length` that says so.
 * At most two calls.
 */
export async function* answerWithin(
  env: Environment,
  use: ModelUse,
  { plain, soft, cap }: Budgeted,
  name: string,
  tally: Tally,
  options?: CallOptions,
): AsyncGenerator<Delta, Completion> {
  const own = plain.maxOutputTokens ?? Infinity
  const ours = cap !== null && cap < own
  const thinking = use.reasoning === undefined ? {} : { reasoning: use.reasoning }
  const capped = edit(soft, { ...thinking, ...(ours ? { maxOutputTokens: cap } : {}) })
  if (!ours) {
    const completion = yield* env.call(use.model, capped, options)
    tally.add(name, completion)
    return completion
  }
  if (plain.stream) return yield* streamed(env, use, edit(plain, thinking), capped, name, tally, options)
  const first = yield* env.call(use.model, capped, options)
  if (!isCut(first)) {
    tally.add(name, first)
    return first
  }
  tally.add(name, first, 'its length reached the hard limit; asked again without a budget')
  try {
    const second = yield* env.call(use.model, edit(plain, thinking), options)
    tally.add(`${name} again`, second)
    return second
  } catch (thrown) {
    if (env.signal.aborted) throw thrown
    tally.note(`${name} again`, use.model, 'failed; the cut answer stands')
    return first
  }
}

async function* streamed(
  env: Environment,
  use: ModelUse,
  plain: Request,
  capped: Request,
  name: string,
  tally: Tally,
  options?: CallOptions,
): AsyncGenerator<Delta, Completion> {
  const whole = new ReplyCollector()
  const first = env.call(use.model, capped, options)
  /** `finish` and `usage`: they wait until it is known whether this was the end. */
  let held: Delta[] = []
  let parts = 0
  let completion: Completion
  try {
    for (;;) {
      const step = await first.next()
      if (step.done) {
        completion = step.value
        break
      }
      const delta = step.value
      if (delta.type === 'finish' || delta.type === 'usage') held.push(delta)
      else {
        if ('part' in delta) parts = Math.max(parts, delta.part + 1)
        whole.push(delta)
        yield delta
      }
    }
  } finally {
    await first.return(undefined as never)
  }
  const left = (plain.maxOutputTokens ?? Infinity) - totalOutputTokens(completion.usage)
  if (!isCut(completion) || left <= 0) {
    tally.add(name, completion)
    yield* held
    return completion
  }
  tally.add(name, completion, 'its length reached the hard limit; gone on without a budget')
  const rest = env.call(
    use.model,
    goOn(
      plain,
      whole
        .reply()
        .choices[0]?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
        .join('') ?? '',
      left,
    ),
    options,
  )
  let begun = false
  try {
    for (;;) {
      const step = await rest.next()
      if (step.done) {
        tally.add(`${name} gone on`, step.value)
        return { ...step.value, answer: { kind: 'reply', reply: whole.reply() } }
      }
      const delta = step.value
      if (delta.type === 'start') continue
      begun = true
      // What is added stands in parts of its own, after those there are.
      const moved = 'part' in delta ? { ...delta, part: delta.part + parts } : delta
      whole.push(moved)
      yield moved
    }
  } catch (thrown) {
    if (begun || env.signal.aborted) throw thrown
    tally.note(`${name} gone on`, use.model, 'failed; the cut answer stands')
    yield* held
    held = []
    return completion
  } finally {
    await rest.return(undefined as never)
  }
}

/** The request that goes on with a cut answer; where nothing has been said yet, the plain one. */
function goOn(plain: Request, said: string, left: number): Request {
  const limit = Number.isFinite(left) ? { maxOutputTokens: left } : {}
  if (said.trim() === '') return edit(plain, limit)
  return edit(plain, {
    ...limit,
    messages: [
      ...plain.messages,
      { role: 'assistant', parts: [{ type: 'text', text: said.trimEnd() }] },
      {
        role: 'user',
        parts: [
          {
            type: 'text',
            text: 'Your answer was cut off there. Go on exactly where it stops: repeat nothing, say nothing about the cut, and come to the end soon.',
          },
        ],
      },
    ],
  })
}

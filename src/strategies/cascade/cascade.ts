import { BudgetExceeded, InvalidRequest } from '../../errors/index.js'
import type { CallOptions, Environment, ModelId } from '../../environment/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { finish, handOut, Tally } from '../calls.js'
import { mayGoOn } from '../sampling/pool.js'
import type { Answer, Evidence, PlannedUse, Strategy } from '../strategy.js'
import type { AcceptTest, Verdict } from './accept.js'

export interface CascadeRung {
  readonly strategy: Strategy
  /** Decides whether this rung's answer goes out; the last rung needs none. Absent: any answer that isn't a failure is taken. */
  readonly accept?: AcceptTest | undefined
  /** Predicts from the request whether the rung is worth asking at all (069): one but the last is skipped where it says no. */
  readonly worthAsking?: ((request: Request) => boolean) | undefined
}

export interface CascadeSettings {
  readonly rungs: readonly CascadeRung[]
}

interface Held {
  readonly answer: Answer
  readonly verdict: Verdict | undefined
  readonly rung: number
}

/**
 * Asks rungs in order, from the cheapest; the first answer that its test accepts goes out. A rung's answer is held back until then, so that no byte of an
 * answer that is not accepted reaches the caller; the last rung streams. A rung that fails is passed over. No rung is asked twice. When the budget holds
 * about one more call, or has no room for the next rung, or the next rungs fail, the best answer so far goes out. Usage and cost are sums, those of
 * the tests included. Throws `InvalidRequest` for no rungs, or the same strategy twice; else what the last rung throws where there is no answer.
 */
export function cascade({ rungs }: CascadeSettings): Strategy {
  if (rungs.length === 0 || rungs.length > 16) throw new InvalidRequest(`rungs: from 1 to 16, not ${rungs.length}.`, { path: 'rungs' })
  const ids = rungs.map(({ strategy }) => strategy.id)
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index)
  if (twice >= 0)
    throw new InvalidRequest(`rungs[${twice}]: ${ids[twice]} stands on an earlier rung already; a rung is never asked twice.`, {
      path: `rungs[${twice}]`,
    })
  return {
    id: `cascade(${ids.join(' → ')})`,
    plan: planOf(rungs),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const held: Held[] = []
      const fellBackFrom: ModelId[] = []
      let failure: unknown
      for (const [index, rung] of rungs.entries()) {
        const last = index === rungs.length - 1
        const name = `rung ${index + 1}`
        const model = rung.strategy.plan[0]?.model ?? rung.strategy.id
        if (held.length > 0 && env.budget.regime() === 'last_call') {
          tally.note('stop', model, 'the budget holds about one more call: the best so far answers')
          break
        }
        if (!last && rung.worthAsking?.(request) === false) {
          tally.note('skip', model, 'predicted not to be right often enough')
          continue
        }
        try {
          if (last) {
            const answer = yield* unlessItFails(rung.strategy, request, env, options)
            tally.addAnswer(name, answer, index === 0 ? undefined : 'the last rung answers')
            return tally.answer(answer.completion, { evidence: answer.evidence, fellBackFrom: [...fellBackFrom, ...answer.fellBackFrom] })
          }
          const answer = await finish(
            rung.strategy.run(
              edit(request, { stream: false, streamUsage: undefined }),
              env,
              options?.sample === undefined ? undefined : { sample: options.sample },
            ),
          )
          const verdict = await rung.accept?.test(request, answer, env)
          const accepted = verdict?.accepted ?? true
          tally.addAnswer(name, answer, accepted ? 'accepted' : 'not accepted')
          for (const completion of verdict?.completions ?? []) tally.add(`${name} test`, completion, verdict?.note)
          if (verdict !== undefined) tally.note(accepted ? 'accept' : 'escalate', model, verdict.note)
          held.push({ answer, verdict, rung: index })
          if (accepted) {
            yield* handOut(answer.completion, request)
            return tally.answer(answer.completion, { evidence: evidenceOf({ answer, verdict, rung: index }, rung.accept), fellBackFrom })
          }
        } catch (thrown) {
          if (thrown instanceof AfterFirstByte) throw thrown.failure
          if (env.signal.aborted || !mayGoOn(thrown)) throw thrown
          failure ??= thrown
          if (last) failure = thrown
          fellBackFrom.push(model)
          tally.note('failed', model, 'the rung failed')
          if (thrown instanceof BudgetExceeded && held.length > 0) break
        }
      }
      const best = bestOf(held)
      if (best === undefined) throw failure
      yield* handOut(best.answer.completion, request)
      return tally.answer(best.answer.completion, { evidence: evidenceOf(best, rungs[best.rung]?.accept), fellBackFrom })
    },
  }
}

/** A failure after something went out: nothing else can answer any more. */
class AfterFirstByte extends Error {
  constructor(readonly failure: unknown) {
    super('failed after the first byte')
  }
}

async function* unlessItFails(
  strategy: Strategy,
  request: Request,
  env: Environment,
  options: CallOptions | undefined,
): AsyncGenerator<Delta, Answer> {
  const running = strategy.run(request, env, options)
  let yielded = false
  try {
    for (;;) {
      const step = await running.next()
      if (step.done) return step.value
      yielded = true
      yield step.value
    }
  } catch (thrown) {
    throw yielded ? new AfterFirstByte(thrown) : thrown
  } finally {
    await running.return(undefined as never)
  }
}

/** The one that is most likely right; of those of which nothing is known the latest, since rungs rise. */
function bestOf(held: readonly Held[]): Held | undefined {
  const worth = ({ verdict }: Held) => verdict?.probability ?? verdict?.signal ?? 0
  return held.reduce<Held | undefined>((best, one) => (best === undefined || worth(one) >= worth(best) ? one : best), undefined)
}

function evidenceOf({ answer, verdict }: Held, test: AcceptTest | undefined): Evidence | undefined {
  if (verdict === undefined || verdict.signal === null) return answer.evidence
  if (answer.evidence !== undefined && answer.evidence.signal === verdict.signal) return answer.evidence
  return { source: test?.id ?? 'accept', probability: verdict.probability, signal: verdict.signal }
}

/** The first rung is always asked; how often the next are is not known before anything was learned: half as often each. */
function planOf(rungs: readonly CascadeRung[]): readonly PlannedUse[] {
  return rungs.flatMap(({ strategy, accept }, index) => {
    const share = 0.5 ** index
    return [...strategy.plan, ...(index === rungs.length - 1 ? [] : (accept?.plan ?? []))].map((use) => ({
      ...use,
      expected: use.expected * share,
    }))
  })
}

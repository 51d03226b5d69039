import { BursarError } from '../../errors/index.js'
import type { CallOptions, Environment } from '../../environment/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { totalOutputTokens } from '../../quantities/index.js'
import type { Features } from '../../understanding/index.js'
import { finish, isCut, saidAfter, Tally, whyPlain } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import { styleLibrary } from '../styles/style-library.js'
import { styledArm } from '../styles/style-policy.js'
import type { EffortController, EffortTarget, ResolvedEffort } from './effort-controller.js'

export interface EffortSettings {
  readonly controller: EffortController
  readonly target: EffortTarget
  readonly featuresOf: (request: Request, signal: AbortSignal) => Features | Promise<Features>
}

/** Words a token, for models that are told a budget in words: they count those better. */
const wordsPerToken = 1 / 1.35

/**
 * The strategy at relative effort r ∈ (0, 1] (paper 077). The controller turns r into the provider's own parameter, or into a soft budget that
 * the prompt tells; it learns from the answer what became of it.
 *
 * A whole answer that is cut off at the hard cap is asked for once more without any budget (section 0.4); both calls count. A stream has no
 * hard cap: what has gone out can't be taken back, and a cut answer would cost more than a long one. A caller's own `max_tokens` always holds.
 * Throws `InvalidRequest` (path `effort`) for an effort outside (0, 1].
 */
export function withEffort(strategy: Strategy, effort: number, settings: EffortSettings): Strategy {
  const { controller, target, featuresOf } = settings
  controller.resolve(effort, { difficulty: { value: 0, level: 1, source: 'lexical' } }, target)
  return {
    id: `effort(${effort}, ${strategy.id})`,
    plan: strategy.plan.map((use) => ({ ...use, most: 2 * use.most, outputRatio: (use.outputRatio ?? 1) * effort })),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const features = await featuresOf(request, env.signal)
      const resolved = controller.resolve(effort, features, target)
      const limited = underEffort(request, resolved, target)
      if (request.stream) {
        const answer = yield* strategy.run(limited.request, env, options)
        learn(controller, features, target, limited.resolved, answer)
        return answer
      }
      const asked = limited.hardTokens === undefined ? limited.request : edit(limited.request, { maxOutputTokens: limited.hardTokens })
      const first = await finish(strategy.run(asked, env, options))
      if (limited.hardTokens === undefined || !isCut(first.completion)) {
        learn(controller, features, target, limited.resolved, first)
        return first
      }
      const tally = new Tally()
      try {
        const again = await finish(strategy.run(request, env, options))
        // The second ran without any budget, so it tells what the arm writes of itself.
        learn(controller, features, target, { ...resolved, softTokens: null, hardTokens: null, style: undefined }, again)
        tally.addAnswer('under the budget', first, 'cut off at the hard cap')
        tally.addAnswer('without a budget', again)
        return tally.answer(again.completion, { evidence: again.evidence, fellBackFrom: [...first.fellBackFrom, ...again.fellBackFrom] })
      } catch (thrown) {
        // The first answer is paid for and says itself that it was cut ("length"): better than none.
        if (env.signal.aborted || !BursarError.is(thrown)) throw thrown
        tally.addAnswer('under the budget', first, `cut off at the hard cap; could not be repeated (${thrown.code})`)
        return tally.answer(first.completion, { evidence: first.evidence, fellBackFrom: first.fellBackFrom })
      }
    },
  }
}

interface Limited {
  readonly request: Request
  /** What of the effort the request really says. */
  readonly resolved: ResolvedEffort
  readonly hardTokens: number | undefined
}

/** The request with what the effort means for it. The provider's parameter goes into `reasoning`, a budget or style behind the question. */
export function underEffort(request: Request, resolved: ResolvedEffort, target: EffortTarget): Limited {
  const { softTokens, hardTokens, providerEffort, style } = resolved
  // A ceiling of the caller's own that is lower cuts by the caller's wish.
  const hard =
    hardTokens !== null && (request.maxOutputTokens === undefined || hardTokens < request.maxOutputTokens) ? hardTokens : undefined
  if (target.takes === 'effort')
    return {
      request:
        providerEffort === undefined
          ? request
          : edit(request, { reasoning: { ...request.reasoning, effort: providerEffort, maxTokens: undefined } }),
      resolved,
      hardTokens: undefined,
    }
  if (target.takes === 'budget')
    return {
      request:
        softTokens === null ? request : edit(request, { reasoning: { ...request.reasoning, effort: undefined, maxTokens: softTokens } }),
      resolved,
      hardTokens: undefined,
    }
  const said = [
    ...(style === undefined ? [] : [styleLibrary[style].text]),
    ...(softTokens === null ? [] : [`Use about ${Math.max(10, Math.round(softTokens * wordsPerToken))} words in all, working included.`]),
  ]
  if (said.length === 0 || whyPlain(request) !== undefined)
    return { request, resolved: { ...resolved, softTokens: null, hardTokens: null, style: undefined }, hardTokens: undefined }
  return { request: edit(request, { messages: saidAfter(request.messages, said.join(' ')) }), resolved, hardTokens: hard }
}

function learn(controller: EffortController, features: Features, target: EffortTarget, resolved: ResolvedEffort, answer: Answer): void {
  // What was cut off would have been longer: nobody knows by how much.
  if (isCut(answer.completion)) return
  const outputTokens = totalOutputTokens(answer.usage)
  // A style without a budget (T̂ isn't known yet) is learned under its own name.
  const named =
    resolved.style !== undefined && resolved.softTokens === null ? { ...target, arm: styledArm(target.arm, resolved.style) } : target
  controller.observe(features, named, { resolved: named === target ? resolved : { ...resolved, style: undefined }, outputTokens })
}

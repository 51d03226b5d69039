import type { CallOptions, Completion, Environment } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import { answerKey } from '../agreement/index.js'
import { askMaybe, asSample, isCut, saidAfter, SAMPLE_TEMPERATURE, Tally, textOf, whyPlain, withThinking, type ModelUse } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import {
  difficultiesOf,
  lastPrompt,
  MAX_STEPS,
  OUTLINE_TOKENS,
  outlinePrompt,
  readOutline,
  readVote,
  resultOf,
  stepPrompt,
  votePrompt,
  type DoneStep,
  type Outline,
} from './outline.js'

export interface SelectiveOptions {
  /** Outlines the work: a cheap model. */
  readonly outliner: ModelUse
  /** Does the easy steps (System 1). */
  readonly cheap: ModelUse
  /** Does the hard steps (System 2): a stronger model, or the same one thinking. */
  readonly strong: ModelUse
  /** Steps harder than this get `strong`: 0.5 when absent; lower for more of it, higher for less. In [0, 1]. */
  readonly threshold?: number | undefined
  /** Outlines of which the most coherent is followed: 3 when absent, and 1 while the budget is tight. 1 to 8. */
  readonly outlines?: number | undefined
  /** Whether results of easy steps that are nearly hard (0.4 to 0.6) are checked by a second sample; where they differ, `strong` does the step. False when absent. */
  readonly verify?: boolean | undefined
  /** Tokens of a step at the most, thinking included; 4,096 when absent. */
  readonly stepTokens?: number | undefined
}

/** Steps of these difficulties may be on the wrong side of the threshold (046). */
const UNSURE = { from: 0.4, to: 0.6 } as const

const VOTE_TOKENS = 60

/**
 * Selective allocation (SCALE, 046): the question is outlined in steps with difficulties (one JSON call an outline; the most coherent of several is
 * voted for), easy steps go to a cheap model and hard ones to a strong one. Each step is told what is given and the earlier results, never
 * how they were found. The last step counts as hard, gives the answer and streams. Without a usable outline, and for requests that steps would
 * change (tools, prescribed formats …), `strong` answers plainly; when the budget nears its end, the steps that are left are answered in one.
 * Calls at most: outlines, a vote, and two a step (three where checked). Throws `InvalidRequest` for a threshold or a number of outlines out of range.
 */
export function selective(options: SelectiveOptions): Strategy {
  const { outliner, cheap, strong, threshold = 0.5, outlines = 3, verify = false, stepTokens = 4096 } = options
  if (!(threshold >= 0 && threshold <= 1))
    throw new InvalidRequest(`A threshold of difficulty is a number from 0 to 1, not ${threshold}.`, { path: 'threshold' })
  if (!Number.isSafeInteger(outlines) || outlines < 1 || outlines > 8)
    throw new InvalidRequest(`Outlines are a number from 1 to 8, not ${outlines}.`, { path: 'outlines' })
  const checks = verify ? 2 : 1
  return {
    id: `selective(${outliner.model}, ${cheap.model}, ${strong.model}, ${threshold})`,
    plan: [
      { model: outliner.model, expected: outlines + (outlines > 1 ? 1 : 0), most: outlines + (outlines > 1 ? 1 : 0), outputRatio: 0.4 },
      { model: cheap.model, expected: 2, most: checks * (MAX_STEPS - 1) + 1, outputRatio: 0.4 },
      { model: strong.model, expected: 2, most: MAX_STEPS, outputRatio: 0.6 },
    ],
    async *run(request: Request, env: Environment, callOptions?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const why = whyPlain(request) ?? (env.budget.regime() === 'last_call' ? 'the budget has room for one call' : undefined)
      const outline =
        why === undefined
          ? await bestOutline(outliner, request, env.budget.regime() === 'ample' ? outlines : 1, env, tally, callOptions)
          : null
      if (outline === null) {
        const completion = yield* env.call(
          strong.model,
          why === undefined ? edit(withThinking(request, strong), {}) : withThinking(request, strong),
          callOptions,
        )
        tally.add('answer', completion, `answered plainly: ${why ?? 'there is no outline to follow'}`)
        return tally.answer(completion)
      }
      const done: DoneStep[] = []
      const difficulties = difficultiesOf(outline)
      const last = outline.steps.length - 1
      for (const [index, { task }] of outline.steps.slice(0, last).entries()) {
        if (env.budget.regime() === 'last_call') break
        const difficulty = difficulties[index] ?? 1
        const slow = difficulty > threshold
        const checked = verify && !slow && difficulty >= UNSURE.from && difficulty <= UNSURE.to
        const asked = { messages: saidAfter(request.messages, stepPrompt(outline, done, task)), maxOutputTokens: stepTokens }
        const name = `step ${index + 1}`
        const answer =
          (slow ? null : await easyStep(cheap, request, asked, checked, name, env, tally, callOptions)) ??
          (await hardStep(strong, request, asked, name, env, tally, callOptions))
        if (answer === null) break
        done.push({ task, answer })
      }
      const left = outline.steps.slice(done.length).map(({ task }) => task)
      // With the budget at its end the cheap model must do.
      const use = env.budget.regime() === 'last_call' || 0.9 <= threshold ? cheap : strong
      const completion = yield* env.call(
        use.model,
        edit(withThinking(request, use), { messages: saidAfter(request.messages, lastPrompt(outline, done, left.join(' Then: '))) }),
        asSample(callOptions),
      )
      tally.add('last step', completion, `${use === strong ? 'hard' : 'easy'}; ${done.length} of ${last} steps done before`)
      return tally.answer(completion)
    },
  }
}

type StepCall = Parameters<typeof askMaybe>[3]

/** A result of the cheap model; `null` where there is none to go on with: the strong one must do the step. */
async function easyStep(
  use: ModelUse,
  request: Request,
  asked: StepCall,
  checked: boolean,
  name: string,
  env: Environment,
  tally: Tally,
  options: CallOptions | undefined,
): Promise<string | null> {
  const call = checked ? { ...asked, temperature: Math.max(SAMPLE_TEMPERATURE, request.temperature ?? 1) } : asked
  const said = await Promise.all(
    Array.from({ length: checked ? 2 : 1 }, (_, index) =>
      askMaybe(env, use, request, call, name, tally, asSample(options, checked ? index : undefined)),
    ),
  )
  const results = said.map((completion) => (completion === null || isCut(completion) ? null : resultOf(textOf(completion))))
  const [first = null, second = null] = results
  const alike = !checked || sameResult(first, second)
  for (const [index, completion] of said.entries())
    if (completion !== null)
      tally.add(
        name,
        completion,
        index === said.length - 1 && checked
          ? `easy; two samples ${alike ? 'agree' : 'differ'}`
          : (results[index] ?? null) === null
            ? 'easy; found nothing'
            : 'easy',
      )
  return alike ? first : null
}

async function hardStep(
  use: ModelUse,
  request: Request,
  asked: StepCall,
  name: string,
  env: Environment,
  tally: Tally,
  options: CallOptions | undefined,
): Promise<string | null> {
  const completion = await askMaybe(env, use, request, asked, name, tally, asSample(options))
  if (completion === null) return null
  const result = isCut(completion) ? null : resultOf(textOf(completion))
  tally.add(name, completion, result === null ? 'hard; found nothing' : 'hard')
  return result
}

function sameResult(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false
  const [left, right] = [answerKey(a), answerKey(b)]
  return left === null || right === null ? a.toLowerCase() === b.toLowerCase() : left === right
}

/** Outlines at once, and a vote where there are several; `null` where none can be used. */
async function bestOutline(
  outliner: ModelUse,
  request: Request,
  count: number,
  env: Environment,
  tally: Tally,
  options: CallOptions | undefined,
): Promise<Outline | null> {
  const call: StepCall = {
    messages: saidAfter(request.messages, outlinePrompt),
    maxOutputTokens: OUTLINE_TOKENS,
    temperature: count > 1 ? Math.max(SAMPLE_TEMPERATURE, request.temperature ?? 1) : undefined,
  }
  const said: readonly (Completion | null)[] = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      askMaybe(env, outliner, request, call, `outline ${index + 1}`, tally, asSample(options, count > 1 ? index : undefined)),
    ),
  )
  const found = said.flatMap((completion, index) => {
    if (completion === null) return []
    const outline = readOutline(textOf(completion))
    tally.add(`outline ${index + 1}`, completion, outline === null ? 'was no outline' : `${outline.steps.length} steps`)
    return outline === null ? [] : [outline]
  })
  const [first, ...others] = found
  if (first === undefined) return null
  if (others.length === 0) return first
  const vote = await askMaybe(
    env,
    outliner,
    request,
    { messages: saidAfter(request.messages, votePrompt(found)), maxOutputTokens: VOTE_TOKENS },
    'vote',
    tally,
    asSample(options),
  )
  const best = vote === null ? null : readVote(textOf(vote), found.length)
  if (vote !== null)
    tally.add('vote', vote, best === null ? 'was no vote; the first outline is followed' : `outline ${best + 1} of ${found.length}`)
  return found[best ?? 0] ?? first
}

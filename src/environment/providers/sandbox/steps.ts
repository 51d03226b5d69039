import type { Delta } from '../../../protocol/index.js'
import type { Random } from '../../../statistics/index.js'
import { spread } from './draws.js'
import type { PlannedChoice, PlannedPart } from './plan.js'

/** One piece of a stream: what is sent, how many tokens it holds, and how long it took to make. */
export interface Step {
  /** Absent for reasoning that is not shown: then only time passes. */
  readonly delta: Delta | undefined
  readonly tokens: number
  readonly seconds: number
}

/** All answers as one stream, side by side as a server makes them. `pieces: 'single'` sends one token at a time. */
export function* streamSteps(
  plans: readonly PlannedChoice[],
  tokensPerSecond: number,
  jitter: number,
  pieces: 'mixed' | 'single',
  random: Random,
): Generator<Step> {
  const streams = plans.map((plan, choice) => choiceSteps(plan, choice, tokensPerSecond * plans.length, jitter, pieces, random))
  let open = streams.length
  const done = new Set<number>()
  while (open > 0)
    for (const [index, stream] of streams.entries()) {
      if (done.has(index)) continue
      const step = stream.next()
      if (step.done) {
        done.add(index)
        open -= 1
      } else yield step.value
    }
}

function* choiceSteps(
  plan: PlannedChoice,
  choice: number,
  tokensPerSecond: number,
  jitter: number,
  pieces: 'mixed' | 'single',
  random: Random,
): Generator<Step> {
  const secondsFor = (tokens: number) => (tokens / tokensPerSecond) * spread(random, jitter)
  if (plan.hiddenTokens > 0) yield { delta: undefined, tokens: plan.hiddenTokens, seconds: secondsFor(plan.hiddenTokens) }
  for (const [part, planned] of plan.parts.entries()) {
    if (planned.type === 'tool_call')
      yield {
        delta: { type: 'tool_call', choice, part, id: planned.id, name: planned.name },
        tokens: planned.nameTokens,
        seconds: secondsFor(planned.nameTokens),
      }
    const { tokens } = planned
    for (let at = 0; at < tokens.length;) {
      // Real servers mostly send a token at a time, and a few together when the network lags.
      const size = pieces === 'single' || random.next() < 0.7 ? 1 : 2 + Math.floor(random.next() * 3)
      const taken = tokens.slice(at, at + size)
      yield { delta: pieceOf(planned, choice, part, at, taken), tokens: taken.length, seconds: secondsFor(taken.length) }
      at += taken.length
    }
  }
  yield {
    delta: { type: 'finish', choice, reason: plan.finish, ...(plan.stopSequence === undefined ? {} : { stopSequence: plan.stopSequence }) },
    tokens: 0,
    seconds: 0,
  }
}

function pieceOf(planned: PlannedPart, choice: number, part: number, at: number, tokens: readonly string[]): Delta {
  const text = tokens.join('')
  switch (planned.type) {
    case 'tool_call':
      return { type: 'tool_arguments', choice, part, json: text }
    case 'text':
      return { type: 'text', choice, part, text, ...(planned.logprobs ? { logprobs: planned.logprobs.slice(at, at + tokens.length) } : {}) }
    case 'reasoning':
    case 'refusal':
      return { type: planned.type, choice, part, text }
  }
}

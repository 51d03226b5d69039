import type { CallOptions, Completion, CutCall, Environment, ModelId } from '../../environment/index.js'
import { edit, ReplyCollector, type Delta, type Message, type ReasoningSettings, type Request } from '../../protocol/index.js'
import { noCost, noUsage } from '../../quantities/index.js'
import { likelyTokens } from '../../understanding/index.js'
import { answerKey } from '../agreement/index.js'
import { isCut, Tally, textOf, whyPlain } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import { ThinkingWatch, type EnoughReason, type WatchSettings } from './thinking-watch.js'

/** What a cut did, or would have done. */
export interface CutEvent {
  readonly model: ModelId
  readonly reason: EnoughReason
  /** `cut`: the stream was ended. `audit`: it ran to its end all the same, to see what a cut would have changed. */
  readonly what: 'cut' | 'audit'
  /** Of an audit: whether the answer at the cut is the one at the end. */
  readonly sameAnswer?: boolean | undefined
  /** Characters that came after the point of an audit's cut. */
  readonly charactersAfter?: number | undefined
}

export interface CutThinkingSettings extends WatchSettings {
  readonly model: ModelId
  /** Says the answer from thoughts that were cut before it was given; the model itself when absent. */
  readonly finisher?: ModelId | undefined
  /** Most output tokens of that. 256 when absent. */
  readonly answerTokens?: number | undefined
  /** How much the finisher may think. `{effort: 'none'}` when absent: it has been thought. */
  readonly finisherReasoning?: ReasoningSettings | undefined
  /** Share of would-be cuts that run to the end, to measure harm (083: 1 %). 0.01 when absent. */
  readonly audits?: number | undefined
  readonly onCut?: ((event: CutEvent) => void) | undefined
}

/** Characters of thoughts that the finisher sees, the last ones. */
const mostThoughts = 12_000

/**
 * One model whose visible thoughts are cut where only an answer is checked again, or where they go round in a loop (papers 083, 030). The call is ended
 * upstream, which bills what was written. Where the answer has gone out already, that is the answer; where thoughts were cut before, it is asked
 * for in few tokens, with the thoughts so far. Streams throughout. Requests for JSON, tools, several choices and the like run as they are, and code is never cut. Throws `RangeError`
 * for settings that can't be used.
 */
export function cutThinking(settings: CutThinkingSettings): Strategy {
  const { model, finisher = model, answerTokens = 256, finisherReasoning = { effort: 'none' }, audits = 0.01, onCut } = settings
  if (!(audits >= 0 && audits <= 1)) throw new RangeError('audits lies in [0, 1]')
  if (!(Number.isInteger(answerTokens) && answerTokens >= 1)) throw new RangeError('answerTokens is a whole number of at least 1')
  new ThinkingWatch('text', settings)
  return {
    id: `cut_thinking(${model})`,
    plan: [
      { model, expected: 1, most: 1 },
      { model: finisher, expected: 0.1, most: 1, outputRatio: 0.2 },
    ],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const plain = whyPlain(request)
      if (plain !== undefined) {
        const completion = yield* env.call(model, request, options)
        tally.add('thinks', completion, plain)
        return tally.answer(completion)
      }
      let taken: CutCall | undefined
      // Only a stream can be cut, and only one in canonical form can be read.
      const streamed = edit(request, { stream: true })
      const running = env.call(model, streamed, { ...options, wire: undefined, onCut: (call) => (taken = call) })
      const watches = { reasoning: new ThinkingWatch('reasoning', settings), text: new ThinkingWatch('text', settings) }
      const collector = new ReplyCollector()
      let audit: { readonly reason: EnoughReason; readonly answer: string | null; characters: number } | undefined
      let cut: { readonly reason: EnoughReason; readonly channel: 'reasoning' | 'text' } | undefined
      let part = 0
      try {
        while (cut === undefined) {
          const step = await running.next()
          if (step.done) {
            if (audit)
              onCut?.({
                model,
                what: 'audit',
                reason: audit.reason,
                sameAnswer: audit.answer === answerKey(textOf(step.value)),
                charactersAfter: audit.characters,
              })
            tally.add('thinks', step.value)
            return tally.answer(step.value)
          }
          const delta = step.value
          collector.push(delta)
          if (request.stream) yield delta
          if (delta.type !== 'reasoning' && delta.type !== 'text') continue
          part = Math.max(part, delta.part)
          if (audit) {
            audit.characters += delta.text.length
            continue
          }
          const watch = watches[delta.type]
          const reason = watch.push(delta.text)
          if (reason === undefined) continue
          if (env.random.next() < audits) audit = { reason, answer: watch.answer, characters: 0 }
          else cut = { reason, channel: delta.type }
        }
      } finally {
        await running.return(undefined as never)
      }
      const { reply } = cutReply(collector)
      const first = cutCompletion(model, streamed, reply, taken)
      tally.add('thinks', first, `cut: ${notes[cut.reason]}`)
      onCut?.({ model, what: 'cut', reason: cut.reason })
      if (cut.channel === 'text' && watches.text.answer !== null) {
        if (request.stream) yield { type: 'finish', choice: 0, reason: 'stop' }
        if (request.stream) yield { type: 'usage', reported: { usage: first.usage } }
        return tally.answer(first)
      }
      return yield* finished(part + 1)

      /** The answer from the thoughts so far, streamed behind them. */
      async function* finished(offset: number): AsyncGenerator<Delta, Answer> {
        const asked = edit(request, {
          messages: askedToFinish(request, reply),
          maxOutputTokens: Math.min(answerTokens, request.maxOutputTokens ?? Infinity),
          reasoning: finisherReasoning,
        })
        const answering = env.call(finisher, asked, { ...options, wire: undefined })
        try {
          for (;;) {
            const step = await answering.next()
            if (step.done) {
              tally.add('answers', step.value, isCut(step.value) ? 'cut off at its limit' : undefined)
              return tally.answer(withThoughts(step.value, reply))
            }
            const delta = step.value
            // The caller's stream has begun already.
            if (request.stream && delta.type !== 'start') yield 'part' in delta ? { ...delta, part: delta.part + offset } : delta
          }
        } finally {
          await answering.return(undefined as never)
        }
      }
    },
  }
}

const notes: Readonly<Record<EnoughReason, string>> = {
  checked: 'its answer was only checked again',
  restated: 'its answer was only stated again',
  idle: 'nothing followed from what came after its answer',
  loop: 'it repeated itself',
}

type CutReply = Extract<Completion['answer'], { kind: 'reply' }>

/** What had come, as a whole answer: it ended because we wanted no more, not at a limit. */
function cutReply(collector: ReplyCollector): CutReply {
  const reply = collector.reply()
  return { kind: 'reply', reply: { ...reply, choices: reply.choices.map((choice) => ({ ...choice, finish: 'stop' })) } }
}

/** The completion of a call that was cut. Where the environment doesn't say what it took, tokens are estimated upwards and dollars are unknown. */
function cutCompletion(model: ModelId, request: Request, reply: CutReply['reply'], taken: CutCall | undefined): Completion {
  const written = reply.choices.flatMap(({ parts }) =>
    parts.map((one) => (one.type === 'text' || one.type === 'reasoning' ? Buffer.byteLength(one.text) : 0)),
  )
  const usage = taken?.usage ?? {
    ...noUsage,
    inputTokens: likelyTokens(request),
    outputTokens: Math.ceil(written.reduce((sum, bytes) => sum + bytes, 0) / 3),
  }
  const cost = taken?.cost ?? { ...noCost, usd: null, joules: null, gramsCO2e: null }
  return {
    callId: taken?.callId ?? reply.id,
    model,
    provider: taken?.provider ?? 'unknown',
    deployment: taken?.deployment ?? 'unknown',
    answer: { kind: 'reply', reply: { ...reply, reported: { usage } } },
    usage,
    usageEstimated: true,
    cost,
    costReport: { usd: cost.usd, details: {} },
    attempts: 1,
    headers: {},
    warnings: ['the answer was cut where it only repeated itself; its usage is estimated'],
  }
}

function askedToFinish(request: Request, reply: CutReply['reply']): readonly Message[] {
  const thoughts =
    reply.choices[0]?.parts.flatMap((one) => (one.type === 'text' || one.type === 'reasoning' ? [one.text] : [])).join('\n') ?? ''
  return [
    ...request.messages,
    { role: 'assistant', parts: [{ type: 'text', text: thoughts.slice(-mostThoughts) }] },
    {
      role: 'user',
      parts: [
        {
          type: 'text',
          text: 'That is enough thinking. Give the answer that follows from it now, in the form I asked for, without checking again.',
        },
      ],
    },
  ]
}

/** The finisher's completion, with the thoughts that went out before its words. */
function withThoughts(completion: Completion, before: CutReply['reply']): Completion {
  const { answer } = completion
  if (answer.kind !== 'reply') return completion
  const thoughts = before.choices[0]?.parts ?? []
  const [first, ...others] = answer.reply.choices
  if (first === undefined) return completion
  return {
    ...completion,
    answer: { kind: 'reply', reply: { ...answer.reply, choices: [{ ...first, parts: [...thoughts, ...first.parts] }, ...others] } },
  }
}

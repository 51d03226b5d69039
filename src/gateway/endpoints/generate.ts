import type { Completion, LiveEnvironment } from '../../environment/index.js'
import { formatUsd } from '../../quantities/index.js'
import { stringifyExact, type CostReport, type Delta, type InboundCodec, type Request, type StreamEncoder } from '../../protocol/index.js'
import type { Answer, Strategy } from '../../strategies/index.js'
import type { Decision } from '../../routing/index.js'
import { toBursarError } from '../../errors/index.js'
import { StreamResponse } from '../http/stream-response.js'
import type { Key } from '../keys.js'
import { watchedByBoth, type TrialPlan } from '../proof/index.js'
import { answerHeaders, bodyNote, decisionHeaders, withField, type Routed } from '../routing/index.js'
import type { GatewayState } from '../state.js'
import type { AnswerWatch } from '../verifiers/index.js'
import type { CallerExchange } from './exchange.js'
import { decideFor, openRequest, routeFor } from './opening.js'

/** Answers a request for text, in any of the caller's formats. */
export async function handleGenerate(exchange: CallerExchange, codec: InboundCodec, state: GatewayState): Promise<void> {
  const { key, request } = await openRequest(exchange, codec.format, state, codec.decodeRequest)
  exchange.stream = request.stream
  const streamUsage = request.streamUsage ? 'asked' : state.streamUsage === 'always' ? 'always' : 'never'
  const { decisionId } = exchange
  if (state.router.decidesFor(request.model)) {
    const { routed, plan, env } = await routeFor(exchange, key, request, streamUsage, state)
    return answer(
      { exchange, codec, request: routed.request, decision: routed.decision, decisionId, routed, plan, env, state },
      key,
      routed.strategy,
    )
  }
  const { decision, env } = await decideFor(exchange, key, request, streamUsage, state)
  await answer(
    { exchange, codec, request, decision, decisionId, routed: undefined, plan: undefined, env, state },
    key,
    decision.arm.strategy,
  )
}

/** All that is known of an answer when its strategy begins. */
interface Answering {
  readonly exchange: CallerExchange
  readonly codec: InboundCodec
  readonly request: Request
  readonly decision: Decision
  readonly decisionId: string
  /** Absent where the caller named the model. */
  readonly routed: Routed | undefined
  /** Absent where the answer is no part of the live proof. */
  readonly plan: TrialPlan | undefined
  readonly env: LiveEnvironment
  readonly state: GatewayState
}

async function answer(answering: Answering, key: Key, strategy: Strategy): Promise<void> {
  const { request, env, codec, decisionId, plan, state } = answering
  const running = strategy.run(request, env, { wire: codec.format })
  const watch = watchedByBoth(
    state.verifiers.watch({ request, format: codec.format, key: key.name, decisionId }),
    plan?.watch(request, codec.format),
  )
  if (request.stream) await answerStream(answering, running, watch)
  else await answerWhole(answering, running, watch)
}

async function answerWhole(
  { exchange, codec, request, decision, decisionId, routed, plan, state }: Answering,
  running: AsyncGenerator<Delta, Answer>,
  watch: AnswerWatch | undefined,
): Promise<void> {
  let step = await running.next()
  while (!step.done) step = await running.next()
  const { completion, usage, fellBackFrom } = step.value
  const cost = wholeCost(step.value)
  const arm = routed && state.routing.answered(decisionId, routed, step.value)
  const headers = {
    ...completion.headers,
    ...bursarHeaders(completion, decision, decisionId, fellBackFrom, exchange.budget?.warnings(), cost),
    ...(routed && arm !== undefined ? answerHeaders(routed, step.value, arm) : undefined),
    ...feedbackHeader(plan),
  }
  const note = routed && arm !== undefined ? bodyNote(routed, step.value, arm) : undefined
  if (completion.answer.kind === 'wire') {
    exchange.sendJson(200, note === undefined ? completion.answer.bytes : withField(completion.answer.bytes, 'bursar', note), headers)
    return watch?.completed(completion.answer)
  }
  if (completion.answer.kind === 'streamed') throw new Error('a call that was not to stream did')
  const encoded = codec.encodeReply(completion.answer.reply, { request, usage, cost, id: exchange.requestId })
  exchange.sendJson(200, stringifyExact(note === undefined ? encoded : { ...encoded, bursar: note }), headers)
  watch?.completed(completion.answer)
}

/** Of an answer that took several calls the sum, which has no parts to tell apart. */
function wholeCost({ completion, cost }: Answer): CostReport {
  return cost.usd === completion.costReport.usd ? completion.costReport : { usd: cost.usd, details: {} }
}

async function answerStream(
  { exchange, codec, request, decisionId, routed, plan, env, state }: Answering,
  running: AsyncGenerator<Delta, Answer>,
  watch: AnswerWatch | undefined,
): Promise<void> {
  const out = new StreamResponse(
    exchange.res,
    state.streamWatch,
    codec.keepAlive,
    () => {
      const serving = env.serving
      const warnings = [...(serving?.warnings ?? []), ...env.budget.warnings()]
      return {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
        // HTTP/1.0 (nginx, unless told otherwise) has no chunks and so no trailers.
        ...(exchange.req.httpVersion === '1.0' ? {} : { trailer: 'x-bursar-cost' }),
        ...exchange.idHeaders(),
        'x-bursar-decision': decisionId,
        ...(serving ? { 'x-bursar-model': headerName(serving.deployment), 'x-bursar-attempts': String(serving.attempts) } : {}),
        ...(warnings.length > 0 ? { 'x-bursar-warning': headerText(warnings.join('; ')) } : {}),
        ...(routed && decisionHeaders(routed)),
        ...feedbackHeader(plan),
        ...env.budget.headers(),
      }
    },
    (stalled) => {
      exchange.abort(stalled)
      exchange.res.destroy()
    },
  )
  let encoder: StreamEncoder | undefined
  try {
    for (;;) {
      const step = await running.next()
      if (step.done) {
        const { completion, usage } = step.value
        const cost = wholeCost(step.value)
        if (routed) state.routing.answered(decisionId, routed, step.value)
        if (encoder) await out.write(encoder.end({ usage, cost }))
        out.end({ 'x-bursar-cost': costText(cost) })
        watch?.completed(completion.answer)
        return
      }
      const delta = step.value
      exchange.firstByteAt ??= performance.now()
      let pending: Promise<void> | undefined
      if (delta.type === 'wire') {
        pending = out.write(delta.bytes)
        watch?.streamed(delta.bytes)
      } else {
        encoder ??= codec.createStreamEncoder(request, exchange.requestId)
        const text = encoder.push(delta)
        if (text !== '') pending = out.write(text)
      }
      if (pending) await pending
    }
  } catch (thrown) {
    if (!out.started) throw thrown
    const error = toBursarError(thrown)
    exchange.error = error
    out.cut(codec.encodeStreamError(error, exchange.requestId))
  } finally {
    state.streamWatch.delete(out)
    // Does nothing to a run that is over; one that is not (an encoder failed) must cancel its upstream call.
    await running.return(undefined as never)
  }
}

/** Asks for a person's word, of the answers that were drawn for that. */
function feedbackHeader(plan: TrialPlan | undefined): Record<string, string> {
  return plan?.feedbackWanted === true ? { 'x-bursar-feedback': 'wanted' } : {}
}

/** What Bursar says about an answer in its headers. */
export function bursarHeaders(
  completion: Completion,
  decision: Pick<Decision, 'arm'> | undefined,
  decisionId: string,
  fellBackFrom: readonly string[],
  warnings: readonly string[] = [],
  cost: CostReport = completion.costReport,
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-bursar-cost': costText(cost),
    'x-bursar-model': headerName(completion.deployment),
    'x-bursar-decision': decisionId,
    'x-bursar-attempts': String(completion.attempts),
  }
  if (fellBackFrom.length > 0) headers['x-bursar-fell-back-from'] = headerText(fellBackFrom.join(', '))
  const said = [...completion.warnings, ...warnings]
  if (said.length > 0) headers['x-bursar-warning'] = headerText(said.join('; '))
  return headers
}

/** Exact dollars, or `null` when the price is unknown: the same as `usage.cost` in the body. */
function costText(cost: CostReport): string {
  return cost.usd === null ? 'null' : formatUsd(cost.usd)
}

/** A caller may name a model that no header can hold; it is percent-encoded then. */
function headerName(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURI(name)
}

/** A header can't hold line breaks or anything beyond Latin-1. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000)
}

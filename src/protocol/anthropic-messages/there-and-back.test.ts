import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noUsage, zeroMoney, type Usage } from '../../quantities/index.js'
import type { CacheMark, Message, Part, ReasoningPart, Request, TextPart, Tool, ToolCallPart, WireFormat } from '../conversation.js'
import { refusing } from '../fixtures/drop-policies.js'
import { ReplyCollector } from '../reply-collector.js'
import type { Choice, Delta, FinishReason, Reply } from '../reply.js'
import { SseParser } from '../sse.js'
import { createAnthropicMessages } from './index.js'

const codec = createAnthropicMessages({ now: () => 5 })

/** Absent and undefined are the same, and where a part stood is no part of what it says. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'at' ? undefined : inner)))
}

// Text that Anthropic takes: not blank.
const words = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => text.trim() !== '')
const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/)
const cache: fc.Arbitrary<CacheMark> = fc.constantFrom<CacheMark>({}, { ttl: '5m' }, { ttl: '1h' })
const jsonObject = fc
  .dictionary(words, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
  .map((object): unknown => JSON.parse(JSON.stringify(object)))
const textPart: fc.Arbitrary<TextPart> = words.map((text) => ({ type: 'text', text }))
const seal = fc.base64String({ minLength: 4, maxLength: 24 })
const reasoningPart: fc.Arbitrary<ReasoningPart> = fc.oneof(
  fc.record({
    type: fc.constant('reasoning' as const),
    text: words,
    signature: seal,
    signatureFormat: fc.constant('anthropic-messages' as const),
  }),
  fc.record({
    type: fc.constant('reasoning' as const),
    text: fc.constant(''),
    signature: seal,
    signatureFormat: fc.constant('anthropic-messages' as const),
    redacted: fc.constant(true),
  }),
)
const callPart: fc.Arbitrary<ToolCallPart> = fc.record({
  type: fc.constant('tool_call' as const),
  id: name,
  name,
  arguments: jsonObject.map((value) => JSON.stringify(value)),
})

describe('a canonical request to Anthropic and back', () => {
  const media = fc.constantFrom<Part>(
    { type: 'image', source: { kind: 'url', url: 'https://example.org/a.png' } },
    { type: 'image', source: { kind: 'base64', mediaType: 'image/webp', data: 'AAAA' } },
    { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data: 'AAAA' }, name: 'a.pdf' },
    { type: 'file', source: { kind: 'base64', mediaType: 'text/plain', data: Buffer.from('ä').toString('base64') } },
    { type: 'image', source: { kind: 'file-id', id: 'file_1' } },
    { type: 'native', format: 'anthropic-messages', value: { type: 'search_result', source: 's', title: 't', content: [] } },
  )
  const result: fc.Arbitrary<Part> = fc.record({
    type: fc.constant('tool_result' as const),
    callId: name,
    content: fc.array(textPart, { maxLength: 2 }),
    isError: fc.constantFrom(undefined, true),
  })
  const user: fc.Arbitrary<Message> = fc
    .tuple(fc.array(result, { maxLength: 2 }), fc.array(fc.oneof(textPart, media), { minLength: 1, maxLength: 3 }))
    .map(([results, said]) => ({ role: 'user', parts: [...results, ...said] }))
  const assistant: fc.Arbitrary<Message> = fc
    .tuple(fc.array(reasoningPart, { maxLength: 2 }), fc.array(textPart, { maxLength: 1 }), fc.array(callPart, { maxLength: 2 }), textPart)
    .map(([reasoning, said, calls, last]) => ({ role: 'assistant', parts: [...reasoning, ...said, ...calls, last] }))
  const tool: fc.Arbitrary<Tool> = fc.oneof(
    fc.record({
      type: fc.constant('function' as const),
      name,
      description: fc.option(words, { nil: undefined }),
      parameters: fc.constant({ type: 'object', properties: {} }),
      strict: fc.constantFrom(undefined, true),
    }),
    fc.constant<Tool>({ type: 'native', format: 'anthropic-messages', value: { type: 'bash_20250124', name: 'bash' } }),
  )
  const request: fc.Arbitrary<Request> = fc
    .record({
      system: fc.option(fc.array(textPart, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      turns: fc.array(fc.tuple(user, fc.option(textPart, { nil: undefined }), assistant), { maxLength: 3 }),
      last: user,
      marks: fc.array(cache, { maxLength: 2 }),
      tools: fc.option(fc.array(tool, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      toolChoice: fc.constantFrom<Request['toolChoice']>(undefined, 'auto', 'none', 'required', { name: 'f' }),
      parallelToolCalls: fc.constantFrom(undefined, false, true),
      maxOutputTokens: fc.integer({ min: 1, max: 64_000 }),
      stop: fc.option(fc.array(words, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      responseFormat: fc.constantFrom<Request['responseFormat']>(undefined, {
        type: 'json_schema',
        schema: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
        strict: true,
      }),
      reasoning: fc.constantFrom<Request['reasoning']>(
        undefined,
        { effort: 'none' },
        { effort: 'low' },
        { effort: 'max', visible: false },
        { visible: true },
      ),
      serviceTier: fc.constantFrom(undefined, 'auto', 'default'),
      user: fc.option(words, { nil: undefined }),
      stream: fc.boolean(),
    })
    .map(({ system, turns, last, marks, ...rest }) => {
      const messages: Message[] = system === undefined ? [] : [{ role: 'system', parts: system }]
      for (const [asks, instruction, answers] of turns) {
        messages.push(asks)
        if (instruction !== undefined) messages.push({ role: 'system', parts: [instruction] })
        messages.push(answers)
      }
      messages.push({
        ...last,
        parts: last.parts.map((part, index) =>
          part.type !== 'native' && marks[index] !== undefined ? { ...part, cache: marks[index] } : part,
        ),
      })
      // Documented differences: a choice among no tools is dropped, and `auto` is what `parallelToolCalls: false` needs to stand in.
      const chosen =
        rest.tools === undefined ? undefined : rest.parallelToolCalls === false && rest.toolChoice === undefined ? 'auto' : rest.toolChoice
      // No model thinks when a tool call is forced.
      const reasoning = chosen === 'required' || typeof chosen === 'object' ? undefined : rest.reasoning
      const parallel = chosen === undefined || chosen === 'none' ? undefined : rest.parallelToolCalls
      return {
        ...rest,
        reasoning,
        toolChoice: chosen,
        parallelToolCalls: parallel,
        model: 'claude-opus-4-8',
        messages,
        paths: {},
        extra: [],
      }
    })

  it('says the same', () => {
    fc.assert(
      fc.property(request, (canonical) => {
        const body = codec.encodeRequest(canonical, canonical.model, refusing)
        const wire = JSON.parse(JSON.stringify(body)) as Record<string, unknown>
        const { paths: _paths, ...back } = codec.decodeRequest(wire)
        const { paths: _none, ...sent } = canonical
        expect(plain(back)).toEqual(plain(sent))
        // And a second time byte for byte: nothing drifts.
        expect(JSON.stringify(codec.encodeRequest(codec.decodeRequest(wire), canonical.model, refusing))).toBe(JSON.stringify(body))
      }),
      { numRuns: 150 },
    )
  })
})

const usage: fc.Arbitrary<Usage> = fc
  .record({
    inputTokens: fc.nat(9999),
    cacheReadTokens: fc.nat(9999),
    cacheWrite5mTokens: fc.nat(9999),
    cacheWrite1hTokens: fc.nat(9999),
    outputTokens: fc.nat(9999),
    reasoningTokens: fc.nat(9999),
    webSearches: fc.nat(9),
  })
  .map((counts) => ({ ...noUsage, ...counts }))

const foreign: fc.Arbitrary<ReasoningPart> = fc.record({
  type: fc.constant('reasoning' as const),
  text: words,
  signature: words,
  signatureFormat: fc.constantFrom<WireFormat>('gemini', 'openai-responses', 'openai-chat'),
  id: fc.option(words, { nil: undefined }),
})
const sealedCall: fc.Arbitrary<ToolCallPart> = fc.record({
  type: fc.constant('tool_call' as const),
  id: name,
  name,
  arguments: fc.constant('{"a":1}'),
  signature: fc.option(seal, { nil: undefined }),
})
const native: fc.Arbitrary<Part> = fc.constant({
  type: 'native',
  format: 'anthropic-messages',
  value: { type: 'web_search_tool_result', tool_use_id: 's', content: [] },
})
const replyPart: fc.Arbitrary<Part> = fc.oneof(textPart, reasoningPart, foreign, callPart, native)
const choice: fc.Arbitrary<Choice> = fc
  .record({
    parts: fc.array(replyPart, { maxLength: 6 }),
    finish: fc.constantFrom<FinishReason>('stop', 'stop_sequence', 'length', 'tool_calls', 'refusal', 'pause'),
  })
  .map((value) => (value.finish === 'stop_sequence' ? { ...value, stopSequence: 'END' } : value))
const reply: fc.Arbitrary<Reply> = fc.record({
  id: name,
  model: name,
  created: fc.constant(5),
  choices: choice.map((one) => [one]),
  reported: usage.map((counts) => ({ usage: counts })),
})
const asked: Request = { model: 'm', messages: [], stream: false, paths: {}, extra: [] }
const cost = { usd: zeroMoney, details: {} }

/** The deltas of an answer, its texts in pieces and its calls interleaved, as the seeds say. */
function deltasFor({ id, model, created, choices: [only] }: Reply, seeds: readonly number[]): Delta[] {
  const deltas: Delta[] = [{ type: 'start', id, model, created }]
  let turn = 0
  const seed = (): number => seeds[turn++ % seeds.length] ?? 0
  let calls: Delta[][] = []
  const drain = (): void => {
    // Starts come in order; the rest of the calls is mixed.
    for (const queue of calls) deltas.push(...queue.splice(0, 1))
    while (calls.length > 0) {
      calls = calls.filter((queue) => queue.length > 0)
      const queue = calls[seed() % Math.max(1, calls.length)]
      if (queue !== undefined) deltas.push(...queue.splice(0, 1))
    }
  }
  for (const [part, value] of (only?.parts ?? []).entries()) {
    if (value.type === 'tool_call') {
      calls.push([
        { type: 'tool_call', choice: 0, part, id: value.id, name: value.name, signature: value.signature },
        ...pieces(value.arguments, seed()).map((json): Delta => ({ type: 'tool_arguments', choice: 0, part, json })),
      ])
      continue
    }
    drain()
    if (value.type === 'text') deltas.push(...pieces(value.text, seed()).map((text): Delta => ({ type: 'text', choice: 0, part, text })))
    else if (value.type === 'native') deltas.push({ type: 'native', choice: 0, part, format: value.format, value: value.value })
    else if (value.type === 'reasoning') {
      deltas.push(...pieces(value.text, seed()).map((text): Delta => ({ type: 'reasoning', choice: 0, part, text })))
      if (value.signature !== undefined && value.signatureFormat !== undefined)
        deltas.push({
          type: 'reasoning_signature',
          choice: 0,
          part,
          signature: value.signature,
          signatureFormat: value.signatureFormat,
          redacted: value.redacted,
          id: value.id,
        })
    }
  }
  drain()
  if (only !== undefined) deltas.push({ type: 'finish', choice: 0, reason: only.finish, stopSequence: only.stopSequence })
  return deltas
}

function pieces(text: string, seed: number): string[] {
  const characters = Array.from(text)
  const cut = characters.length === 0 ? 0 : seed % (characters.length + 1)
  return [characters.slice(0, cut).join(''), characters.slice(cut).join('')].filter((piece) => piece !== '')
}

describe('an answer in the format of Anthropic and back', () => {
  it('says the same', () => {
    fc.assert(
      fc.property(reply, (canonical) => {
        const body = codec.encodeReply(canonical, { request: asked, usage: canonical.reported?.usage ?? noUsage, cost, id: 'x' })
        expect(plain(codec.decodeReply(JSON.parse(JSON.stringify(body))))).toEqual(plain(canonical))
      }),
      { numRuns: 150 },
    )
  })

  it('says the same streamed, whatever the pieces and however calls interleave', () => {
    fc.assert(
      fc.property(reply, fc.array(fc.nat(50), { minLength: 1, maxLength: 20 }), (canonical, seeds) => {
        const encoder = codec.createStreamEncoder(asked, 'x')
        let text = ''
        for (const delta of deltasFor(canonical, seeds)) text += encoder.push(delta)
        text += encoder.end({ usage: canonical.reported?.usage ?? noUsage, cost })

        const decoder = codec.createStreamDecoder()
        const collector = new ReplyCollector()
        let open = -1
        for (const event of new SseParser().push(Buffer.from(text))) {
          const json = JSON.parse(event.data) as { index?: number }
          if (event.event === 'content_block_start') expect(json.index).toBe(++open)
          if (event.event === 'content_block_delta' || event.event === 'content_block_stop') expect(json.index).toBe(open)
          for (const delta of decoder.push(event)) collector.push(delta)
        }
        expect(decoder.complete()).toBe(true)
        expect(plain(collector.reply())).toEqual(plain(canonical))
      }),
      { numRuns: 200 },
    )
  })

  it('brings the seal of a call home through a client that sends its blocks back', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(sealedCall, foreign), { minLength: 1, maxLength: 4 }), (parts) => {
        const answer: Reply = { id: 'a', model: 'm', created: 5, choices: [{ parts, finish: 'tool_calls' }], reported: undefined }
        const body = codec.encodeReply(answer, { request: asked, usage: noUsage, cost, id: 'x' })
        const back = codec.decodeRequest({
          model: 'm',
          max_tokens: 5,
          messages: [{ role: 'assistant', content: JSON.parse(JSON.stringify(body['content'])) as unknown }],
        })
        expect(plain(back.messages[0]?.parts)).toEqual(plain(parts))
      }),
      { numRuns: 100 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnsupportedParameter } from '../src/errors/index.js'
import {
  edit,
  inboundCodec,
  outboundCodec,
  type DropPolicy,
  type InboundCodec,
  type Message,
  type OutboundCodec,
  type Part,
  type Request,
  type WireFormat,
} from '../src/protocol/index.js'
import { refusing } from '../src/protocol/fixtures/drop-policies.js'
import { conversations, type Caller, type Target } from './translation/conversations.js'
import { meaningOf, meaningOfGemini, plain, type Meaning } from './translation/meaning.js'

/**
 * "Any endpoint in, any provider out", without a network: what a caller writes in one format says the same in every
 * provider's, or is refused with the caller's own path. Answers are in `translation/answers.test.ts`.
 */

const callers: readonly Caller[] = ['openai-chat', 'openai-responses', 'anthropic-messages']
const models: Readonly<Record<Target, string>> = {
  'openai-chat': 'gpt-5',
  'openai-responses': 'gpt-5',
  'anthropic-messages': 'claude-opus-4-6',
  gemini: 'gemini-3.1-flash',
}
const targets = Object.keys(models) as readonly Target[]

function inbound(format: WireFormat): InboundCodec {
  const codec = inboundCodec(format)
  if (!codec) throw new Error(`no inbound ${format}`)
  return codec
}
function outbound(format: WireFormat): OutboundCodec {
  const codec = outboundCodec(format)
  if (!codec) throw new Error(`no outbound ${format}`)
  return codec
}

interface Sent {
  readonly body: Record<string, unknown>
  readonly refused: readonly string[]
  readonly noted: readonly string[]
}
function send(request: Request, target: Target): Sent {
  const refused: string[] = []
  const noted: string[] = []
  const drop: DropPolicy = { unsupported: (path) => void refused.push(path), adjusted: (path) => void noted.push(path) }
  const body = outbound(target).encodeRequest(edit(request, {}), models[target], drop)
  return { body: plain(body), refused, noted }
}
function meaningAt(target: Target, body: Record<string, unknown>): Meaning {
  return target === 'gemini' ? meaningOfGemini(body) : meaningOf(inbound(target).decodeRequest(body))
}
function leavesOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [value]
}
/** Gemini's format has no place for the id of an end user, and needs none. */
function sayable(meaning: Meaning, target: Target): Meaning {
  if (target !== 'gemini') return meaning
  const { user: _user, parallelToolCalls: _parallel, ...settings } = meaning.settings
  return { ...meaning, settings }
}

const cases = conversations.flatMap((conversation) =>
  callers.flatMap((caller) => {
    const body = conversation.bodies[caller]
    return body === undefined
      ? []
      : targets.map((target) => ({
          name: conversation.name,
          caller,
          target,
          body,
          refused: conversation.refused?.[caller]?.[target] ?? [],
          moved: conversation.moved?.[caller]?.[target] ?? [],
        }))
  }),
)

describe('a request', () => {
  it.each(cases)('$name: from $caller to $target', ({ caller, target, body, refused, moved }) => {
    const request = inbound(caller).decodeRequest(body)
    const sent = send(request, target)
    expect([...sent.refused].sort()).toEqual([...refused].sort())
    if (moved.length > 0) {
      expect(sent.noted).toEqual(expect.arrayContaining([...moved]))
      // All of it is there, in another order and with a word that tells where it belongs.
      const there = JSON.stringify(meaningAt(target, sent.body).turns)
      for (const leaf of leavesOf(meaningOf(request).turns)) expect(there).toContain(JSON.stringify(leaf))
      return
    }
    if (refused.length === 0) {
      expect(meaningAt(target, sent.body)).toEqual(sayable(meaningOf(request), target))
      return
    }
    // A strict policy throws with the path; what remains of a dropped request still makes sense to the provider.
    expect(() => outbound(target).encodeRequest(edit(request, {}), models[target], refusing)).toThrow(UnsupportedParameter)
    expect(meaningAt(target, sent.body).turns.length).toBeGreaterThan(0)
  })

  it('says the same in every format in which the matrix writes it', () => {
    for (const { name, bodies } of conversations) {
      const said = callers.flatMap((caller) => {
        const body = bodies[caller]
        return body === undefined || JSON.stringify(body).includes('web_search') ? [] : [meaningOf(inbound(caller).decodeRequest(body))]
      })
      for (const meaning of said) expect(meaning, name).toEqual(said[0])
    }
  })

  it('streams where the caller streams', () => {
    for (const { caller, target, body } of cases) {
      if (target === 'gemini') continue
      const request = inbound(caller).decodeRequest({ ...body, stream: true })
      expect(request.stream).toBe(true)
      expect(send(request, target).body['stream']).toBe(true)
    }
  })

  it('keeps cache marks for the provider that takes them', () => {
    const marked = conversations.find(({ name }) => name === 'cache marks')?.bodies
    const marks = (body: unknown): unknown[] =>
      [...JSON.stringify(body).matchAll(/"cache_control":(\{[^}]*\})/g)].map((match): unknown => JSON.parse(match[1] ?? ''))
    for (const caller of ['openai-chat', 'anthropic-messages'] as const) {
      const request = inbound(caller).decodeRequest(marked?.[caller] ?? {})
      expect(marks(send(request, 'anthropic-messages').body)).toEqual([{ type: 'ephemeral', ttl: '1h' }, { type: 'ephemeral' }])
      for (const target of ['openai-chat', 'openai-responses', 'gemini'] as const)
        expect(JSON.stringify(send(request, target).body)).not.toMatch(/cache_control|breakpoint/)
    }
    const request = inbound('openai-responses').decodeRequest(marked?.['openai-responses'] ?? {})
    expect(marks(send(request, 'anthropic-messages').body)).toEqual([{ type: 'ephemeral' }])
    expect(JSON.stringify(send(request, 'openai-responses').body)).toContain('"prompt_cache_breakpoint":{"mode":"explicit"}')
  })

  it('sends sealed reasoning back to its own family only', () => {
    const seals: readonly (readonly [WireFormat, Part])[] = [
      ['anthropic-messages', { type: 'reasoning', text: 'Hm.', signature: 'sealA', signatureFormat: 'anthropic-messages' }],
      ['openai-responses', { type: 'reasoning', text: 'Hm.', signature: 'sealO', signatureFormat: 'openai-responses', id: 'rs_1' }],
      ['gemini', { type: 'reasoning', text: 'Hm.', signature: 'sealG', signatureFormat: 'gemini' }],
    ]
    for (const [family, part] of seals)
      for (const target of targets) {
        const request: Request = {
          model: 'm',
          stream: false,
          paths: {},
          extra: [],
          messages: [user('a'), { role: 'assistant', parts: [part, { type: 'text', text: 'b' }] }, user('c')],
        }
        const sent = send(request, target)
        expect(sent.refused).toEqual([])
        expect(/seal[AOG]/.test(JSON.stringify(sent.body)), `${family} to ${target}`).toBe(family === target)
      }
  })
})

function user(text: string): Message {
  return { role: 'user', parts: [{ type: 'text', text }] }
}

describe('any conversation', () => {
  // Not blank: Anthropic takes no blank text. No `Error` in front, which marks a failed call in some formats.
  const words = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => text.trim() !== '' && !/^\W*error/i.test(text))
  const text: fc.Arbitrary<Part> = words.map((value) => ({ type: 'text', text: value }))
  const image = fc.constantFrom<Part>(
    { type: 'image', source: { kind: 'url', url: 'https://example.org/a.png' } },
    { type: 'image', source: { kind: 'base64', mediaType: 'image/webp', data: 'AAAA' } },
    { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data: 'AAAA' }, name: 'a.pdf' },
  )
  const call = fc.record({
    name: fc.constantFrom('weather', 'now'),
    arguments: fc.dictionary(words, fc.oneof(words, fc.integer(), fc.constant(null)), { maxKeys: 2 }).map((value) => JSON.stringify(value)),
    result: words,
    failed: fc.boolean(),
  })
  const exchange = fc.record({
    asked: fc.array(fc.oneof(text, image), { minLength: 1, maxLength: 3 }),
    answered: fc.option(text, { nil: undefined }),
    calls: fc.array(call, { maxLength: 3 }),
  })
  const request = fc
    .record({
      system: fc.option(words, { nil: undefined }),
      exchanges: fc.array(exchange, { maxLength: 3 }),
      last: words,
      settings: fc.record(
        {
          temperature: fc.constantFrom(0, 0.5, 1),
          maxOutputTokens: fc.integer({ min: 2000, max: 9000 }),
          toolChoice: fc.constantFrom<Request['toolChoice']>('auto', 'none', 'required', { name: 'weather' }),
          responseFormat: fc.constant<Request['responseFormat']>({
            type: 'json_schema',
            name: 'answer',
            schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false },
          }),
        },
        { requiredKeys: ['maxOutputTokens'] },
      ),
    })
    .map(({ system, exchanges, last, settings }): Request => {
      const messages: Message[] = system === undefined ? [] : [{ role: 'system', parts: [{ type: 'text', text: system }] }]
      let calls = 0
      for (const one of exchanges) {
        const answer: Part[] = one.answered ? [one.answered] : []
        const results: Message[] = []
        for (const { name, arguments: json, result, failed } of one.calls) {
          const id = `call_${calls++}`
          answer.push({ type: 'tool_call', id, name, arguments: json })
          results.push({
            role: 'tool',
            parts: [{ type: 'tool_result', callId: id, content: [{ type: 'text', text: result }], isError: failed || undefined }],
          })
        }
        messages.push({ role: 'user', parts: one.asked })
        if (answer.length > 0) messages.push({ role: 'assistant', parts: answer }, ...results)
      }
      messages.push(user(last))
      const tools = [
        {
          type: 'function' as const,
          name: 'weather',
          description: 'Weather',
          parameters: { type: 'object', properties: { city: { type: 'string' } } },
        },
        { type: 'function' as const, name: 'now' },
      ]
      return { model: 'm', messages, tools, stream: false, paths: {}, extra: [], ...settings }
    })

  it.each(targets)('says the same to %s', (target) => {
    fc.assert(
      fc.property(request, (asked) => {
        const sent = send(asked, target)
        expect(sent.refused).toEqual([])
        expect(meaningAt(target, sent.body)).toEqual(sayable(meaningOf(asked), target))
      }),
      { numRuns: 150 },
    )
  })

  it('says the same after any chain of formats', () => {
    fc.assert(
      fc.property(request, fc.array(fc.constantFrom(...callers), { minLength: 2, maxLength: 4 }), (asked, chain) => {
        let current = asked
        for (const format of chain) {
          const sent = send(current, format)
          expect(sent.refused).toEqual([])
          current = inbound(format).decodeRequest(sent.body)
          expect(current.extra).toEqual([])
        }
        expect(meaningOf(current)).toEqual(meaningOf(asked))
      }),
      { numRuns: 150 },
    )
  })
})

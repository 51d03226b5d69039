import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplyCollector } from '../reply-collector.js'
import type { Reply } from '../reply.js'
import { SseParser } from '../sse.js'
import { createGemini } from './index.js'

const codec = createGemini({ now: () => 5, newId: () => 'made' })

function sse(...chunks: unknown[]): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join('')
}

function decode(pieces: readonly Uint8Array[]): { readonly reply: Reply; readonly complete: boolean } {
  const parser = new SseParser()
  const decoder = codec.createStreamDecoder()
  const collector = new ReplyCollector()
  for (const piece of pieces) for (const event of parser.push(piece)) for (const delta of decoder.push(event)) collector.push(delta)
  return { reply: collector.reply(), complete: decoder.complete() }
}

function stream(...chunks: unknown[]): { readonly reply: Reply; readonly complete: boolean } {
  return decode([Buffer.from(sse(...chunks))])
}

function chunk(
  parts: readonly unknown[],
  more: Record<string, unknown> = {},
  usage: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 8, totalTokenCount: 8, ...usage },
    modelVersion: 'gemini-3-flash',
    responseId: 'r1',
  }
}

const chunks = [
  chunk([{ text: 'Let me ', thought: true }]),
  chunk([{ text: 'think. 🦊', thought: true }, { text: 'The ' }]),
  chunk([{ text: 'answer' }, { text: ' is:' }]),
  chunk([{ text: '', thoughtSignature: 'dGV4dA==' }]),
  chunk([{ functionCall: { name: 'f', args: { a: [1, 'ü'] } }, thoughtSignature: 'c2ln' }, { functionCall: { name: 'g', id: 'own' } }]),
  chunk(
    [{ executableCode: { language: 'PYTHON', code: '1' } }],
    { finishReason: 'STOP' },
    { candidatesTokenCount: 12, thoughtsTokenCount: 30, cachedContentTokenCount: 3, totalTokenCount: 50 },
  ),
]

const expected: Reply = {
  id: 'r1',
  model: 'gemini-3-flash',
  created: 5,
  choices: [
    {
      finish: 'tool_calls',
      parts: [
        { type: 'reasoning', text: 'Let me think. 🦊' },
        { type: 'text', text: 'The answer is:' },
        { type: 'reasoning', text: '', signature: 'dGV4dA==', signatureFormat: 'gemini', redacted: true },
        { type: 'tool_call', id: 'bursar_g_r1_0', name: 'f', arguments: '{"a":[1,"ü"]}', signature: 'c2ln' },
        { type: 'tool_call', id: 'own', name: 'g', arguments: '{}' },
        { type: 'native', format: 'gemini', value: { executableCode: { language: 'PYTHON', code: '1' } } },
      ],
    },
  ],
  reported: codec.usageOf(chunks.at(-1)),
}

describe('a stream of Gemini', () => {
  it('becomes the same answer however its bytes are split', () => {
    const bytes = Buffer.from(sse(...chunks))
    expect(decode([bytes])).toEqual({ reply: expected, complete: true })
    expect(expected.reported?.usage).toMatchObject({ inputTokens: 5, cacheReadTokens: 3, outputTokens: 12, reasoningTokens: 30 })
    expect(decode(Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1)))).toEqual({ reply: expected, complete: true })
    for (let cut = 1; cut < bytes.length; cut += 7) expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)]).reply).toEqual(expected)
  })

  it('is complete only with a finish reason, wherever it is cut', () => {
    const bytes = Buffer.from(sse(...chunks))
    for (let cut = 0; cut < bytes.length - 2; cut += 3) expect(decode([bytes.subarray(0, cut)]).complete).toBe(false)
  })

  it('reads as the whole answer does', () => {
    const last = chunks.at(-1)
    const parts = chunks.flatMap((one) => (one['candidates'] as { content: { parts: unknown[] } }[])[0]?.content.parts ?? [])
    expect(codec.decodeReply({ ...last, candidates: [{ content: { parts }, finishReason: 'STOP', index: 0 }] })).toEqual(expected)
  })

  it('keeps candidates apart and waits for all of them', () => {
    const candidate = (index: number, text: string, finishReason?: string): unknown => ({
      index,
      content: { parts: [{ text }] },
      finishReason,
    })
    const half = stream(
      { candidates: [candidate(0, 'a'), candidate(1, 'x')] },
      { candidates: [candidate(1, 'y', 'STOP')], usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1 } },
    )
    expect(half.complete).toBe(false)
    const { reply, complete } = stream(
      { candidates: [candidate(0, 'a'), candidate(1, 'x')] },
      { candidates: [candidate(1, 'y', 'STOP')] },
      { candidates: [candidate(0, 'b', 'MAX_TOKENS')] },
      { usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 4 } },
    )
    expect(complete).toBe(true)
    expect(reply).toMatchObject({
      id: 'made',
      choices: [
        { finish: 'length', parts: [{ text: 'ab' }] },
        { finish: 'stop', parts: [{ text: 'xy' }] },
      ],
      reported: { usage: { inputTokens: 1, outputTokens: 4 } },
    })
  })

  it.each(['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'LANGUAGE', 'OTHER', 'IMAGE_SAFETY'])(
    'is withheld by %s',
    (finishReason) => {
      expect(stream(chunk([{ text: 'x' }], { finishReason })).reply.choices[0]?.finish).toBe('content_filter')
    },
  )

  it('is withheld when the prompt is blocked', () => {
    const { reply, complete } = stream({
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 4, totalTokenCount: 4 },
    })
    expect({ complete, choices: reply.choices }).toEqual({ complete: true, choices: [{ parts: [], finish: 'content_filter' }] })
    expect(reply.reported?.usage.inputTokens).toBe(4)
    expect(codec.decodeReply({ promptFeedback: { blockReason: 'OTHER' } }).choices).toEqual([{ parts: [], finish: 'content_filter' }])
  })

  it('gives log-probabilities with its text', () => {
    const logprobsResult = {
      chosenCandidates: [{ token: 'Hi', tokenId: 1, logProbability: -0.1 }],
      topCandidates: [
        {
          candidates: [
            { token: 'Hi', logProbability: -0.1 },
            { token: 'Yo', logProbability: -2 },
          ],
        },
      ],
    }
    expect(stream(chunk([{ text: 'Hi' }], { finishReason: 'STOP', logprobsResult })).reply.choices[0]?.logprobs).toEqual([
      {
        token: 'Hi',
        logprob: -0.1,
        bytes: null,
        top: [
          { token: 'Hi', logprob: -0.1, bytes: null },
          { token: 'Yo', logprob: -2, bytes: null },
        ],
      },
    ])
  })

  it.each([
    ['no JSON', 'data: {"a\n\n'],
    ['no object', 'data: 5\n\n'],
    ['a candidate that is none', 'data: {"candidates":[5]}\n\n'],
    ['a part that is none', 'data: {"candidates":[{"content":{"parts":["x"]}}]}\n\n'],
    ['a call without name', 'data: {"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}\n\n'],
    ['a call that failed', 'data: {"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL"}]}\n\n'],
  ])('is refused when malformed: %s', (_name, text) => {
    expect(() => decode([Buffer.from(text)])).toThrow(expect.objectContaining({ code: 'upstream_malformed', status: 502 }))
  })

  it.each([null, 'x', [], {}, { candidates: [] }, { candidates: [{ content: { parts: [{ text: 'x' }] } }] }])(
    'a whole answer is refused when malformed: %j',
    (json) => {
      expect(() => codec.decodeReply(json)).toThrow(expect.objectContaining({ code: 'upstream_malformed' }))
    },
  )

  it('is an error from where the provider breaks off', () => {
    expect(() => stream(chunks[0], { error: { code: 429, message: 'Quota', status: 'RESOURCE_EXHAUSTED' } })).toThrow(
      expect.objectContaining({ code: 'upstream_rate_limited', status: 429 }),
    )
    expect(() => stream(chunks[0], [{ error: { code: 503, message: 'Busy', status: 'UNAVAILABLE' } }])).toThrow(
      expect.objectContaining({ code: 'upstream_error', status: 503 }),
    )
    expect(() => codec.decodeReply({ error: { code: 500, message: 'Oops' } })).toThrow(
      expect.objectContaining({ code: 'upstream_error', status: 502 }),
    )
  })

  it('gives the same answer whatever the chunks', () => {
    const part = fc.oneof(
      fc.record({ text: fc.string({ minLength: 1, maxLength: 8 }) }),
      fc.record({ text: fc.string({ minLength: 1, maxLength: 8 }), thought: fc.constant(true) }),
      fc.record({ text: fc.constantFrom('', 'end'), thoughtSignature: fc.base64String({ minLength: 4, maxLength: 8 }) }),
      fc.record({
        functionCall: fc.record({
          name: fc.constantFrom('f', 'g'),
          args: fc.dictionary(fc.string({ maxLength: 4 }), fc.integer(), { maxKeys: 3 }),
        }),
      }),
      fc.record({ inlineData: fc.record({ mimeType: fc.constant('image/png'), data: fc.base64String() }) }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }), (parts, sizes) => {
        const groups: unknown[][] = []
        for (let at = 0, turn = 0; at < parts.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 0
          groups.push(parts.slice(at, at + size + 1))
          at += size + 1
        }
        const end = chunk([], { finishReason: 'STOP' }, { candidatesTokenCount: 3 })
        const streamed = stream(...groups.map((group) => chunk(group)), end)
        expect(streamed.reply).toEqual(codec.decodeReply({ ...end, candidates: [{ content: { parts }, index: 0, finishReason: 'STOP' }] }))
      }),
      { numRuns: 150 },
    )
  })

  it('goes back to Gemini as it came', () => {
    const parts = [
      { text: 'Thought', thought: true, thoughtSignature: 'dGhvdWdodA==' },
      { text: 'Said' },
      { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'c2ln' },
      { functionCall: { name: 'g', args: {}, id: 'own' } },
      { executableCode: { code: 'x' } },
    ]
    const { choices } = codec.decodeReply({ responseId: 'r', candidates: [{ content: { parts }, finishReason: 'STOP' }] })
    const body = codec.encodeRequest(
      { model: 'm', messages: [{ role: 'assistant', parts: choices[0]?.parts ?? [] }], stream: false, paths: {}, extra: [] },
      'gemini-3-pro',
      {
        unsupported(path, why) {
          throw new Error(`${path}: ${why}`)
        },
      },
    )
    expect(body['contents']).toEqual([{ role: 'model', parts }])
  })
})

describe('errors of Gemini', () => {
  it('are read alone or in a list, with the field that is blamed', () => {
    const error = {
      code: 400,
      message: 'Invalid JSON payload',
      status: 'INVALID_ARGUMENT',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'contents[0].parts', description: 'x' }] },
      ],
    }
    for (const body of [{ error }, [{ error }]])
      expect(codec.decodeError(body)).toEqual({ message: 'Invalid JSON payload', code: 'INVALID_ARGUMENT', param: 'contents[0].parts' })
    for (const body of [null, 'x', [], {}, { error: 5 }]) expect(codec.decodeError(body).message).not.toBe('')
  })
})

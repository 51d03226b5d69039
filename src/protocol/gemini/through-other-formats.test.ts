import { describe, expect, it } from 'vitest'
import { noUsage, zeroMoney } from '../../quantities/index.js'
import { anthropicMessages } from '../anthropic-messages/index.js'
import type { InboundCodec } from '../codec.js'
import type { Request } from '../conversation.js'
import { deltasOf } from '../deltas-of.js'
import { refusing } from '../fixtures/drop-policies.js'
import { openaiChat } from '../openai-chat/index.js'
import { SseParser } from '../sse.js'
import { createGemini } from './index.js'

/** A tool loop with Gemini behind a client of another format: the thought signatures must come home, or Gemini refuses the second call. */

const gemini = createGemini({ now: () => 5 })
const parts = [
  { text: 'Two calls.', thought: true, thoughtSignature: 'dGhvdWdodA==' },
  { text: 'Let me look.' },
  { functionCall: { name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'c2ln' },
  { functionCall: { name: 'now', args: {} } },
]
const answer = gemini.decodeReply({ responseId: 'kPZ7aMzIKr2LmtkP5qvEkAs', candidates: [{ content: { parts }, finishReason: 'STOP' }] })
const asked: Request = { model: 'm', messages: [], stream: false, paths: {}, extra: [] }
const money = { usage: noUsage, cost: { usd: zeroMoney, details: {} } }

function contentsOfNextTurn(codec: InboundCodec, messages: unknown[]): unknown {
  const request = codec.decodeRequest({ model: 'm', max_tokens: 100, messages })
  return gemini.encodeRequest(request, 'gemini-3-flash', refusing)['contents']
}

const expected = [
  { role: 'user', parts: [{ text: 'Hi' }] },
  { role: 'model', parts },
  {
    role: 'user',
    parts: [
      { functionResponse: { name: 'weather', response: { output: 'warm' } } },
      { functionResponse: { name: 'now', response: { output: 'noon' } } },
    ],
  },
]

describe('a tool loop with Gemini', () => {
  it('goes on behind a client of Anthropic', () => {
    const { content } = anthropicMessages.encodeReply(answer, { ...money, request: asked, id: 'x' })
    const calls = (content as { type: string; id: string }[]).filter((block) => block.type === 'tool_use')
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content },
      {
        role: 'user',
        content: ['warm', 'noon'].map((result, index) => ({ type: 'tool_result', tool_use_id: calls[index]?.id, content: result })),
      },
    ]
    expect(contentsOfNextTurn(anthropicMessages, messages)).toEqual(expected)
    for (const { id } of calls) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,40}$/)
    // Elsewhere nothing of it stands in the way.
    const elsewhere = anthropicMessages.encodeRequest(
      anthropicMessages.decodeRequest({ model: 'm', max_tokens: 100, messages }),
      'claude-opus-4-8',
      refusing,
    )
    expect(JSON.stringify(elsewhere)).not.toContain('c2ln')
  })

  it('goes on behind a client of Anthropic that streams', () => {
    const encoder = anthropicMessages.createStreamEncoder(asked, 'x')
    const text = [...deltasOf(answer)].map((delta) => encoder.push(delta)).join('') + encoder.end(money)
    // What such a client keeps of the stream.
    const content: Record<string, unknown>[] = []
    let json = ''
    for (const { data } of new SseParser().push(Buffer.from(text))) {
      const event = JSON.parse(data) as { type: string; content_block?: Record<string, unknown>; delta?: Record<string, string> }
      if (event.type === 'content_block_start' && event.content_block !== undefined) {
        content.push(event.content_block)
        json = ''
      }
      const block = content.at(-1)
      if (event.type !== 'content_block_delta' || block === undefined || event.delta === undefined) continue
      const { type: _type, partial_json: arguments_, ...texts } = event.delta
      for (const [field, more] of Object.entries(texts)) block[field] = String(block[field]) + more
      if (arguments_ !== undefined) {
        json += arguments_
        if (json.endsWith('}')) block['input'] = JSON.parse(json)
      }
    }
    const calls = content.filter((block) => block['type'] === 'tool_use')
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content },
      {
        role: 'user',
        content: ['warm', 'noon'].map((result, index) => ({ type: 'tool_result', tool_use_id: calls[index]?.['id'], content: result })),
      },
    ]
    expect(contentsOfNextTurn(anthropicMessages, messages)).toEqual(expected)
  })

  it('goes on behind a client of chat completions', () => {
    const body = openaiChat.encodeReply(answer, { ...money, request: asked, id: 'x' })
    const message = (body['choices'] as { message: Record<string, unknown> }[])[0]?.message
    const calls = message?.['tool_calls'] as { id: string }[]
    const messages = [
      { role: 'user', content: 'Hi' },
      message,
      ...['warm', 'noon'].map((result, index) => ({ role: 'tool', tool_call_id: calls[index]?.id, content: result })),
    ]
    expect(contentsOfNextTurn(openaiChat, messages)).toEqual(expected)
  })
})

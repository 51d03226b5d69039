import { describe, expect, it } from 'vitest'
import { createTap, type WireFormat } from '../../protocol/index.js'
import { estimateTokens } from './estimate-tokens.js'

/** Six tokens in 31 bytes, as any vocabulary in use has it. */
const sentence = 'the quick brown fox jumps over '

function estimated(format: WireFormat, events: readonly Record<string, unknown>[]): number {
  const tap = createTap(format, { price: () => ({ usd: null, details: {} }), usage: 'asked' })
  for (const event of events) tap.push(Buffer.from(`event: x\ndata: ${JSON.stringify(event)}\n\n`))
  return estimateTokens(tap)
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const anthropic = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
const chat = (content: string) => ({
  id: 'chatcmpl-9J7yq3',
  object: 'chat.completion.chunk',
  created: 1700000000,
  model: 'gpt-4.1',
  choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }],
  usage: null,
})

describe('output of a stream without usage', () => {
  it('is never guessed low when several tokens come in one event', () => {
    const events = [{ type: 'message_start', message: { id: 'm' } }, ...times(100, anthropic(sentence))]
    const tokens = estimated('anthropic-messages', events)
    expect(tokens).toBeGreaterThanOrEqual(600)
    expect(tokens).toBeLessThan(2500)
    expect(estimated('openai-chat', times(100, chat(sentence)))).toBeGreaterThanOrEqual(600)
    const responses = { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: sentence }
    expect(estimated('openai-responses', times(100, responses))).toBeGreaterThanOrEqual(600)
    const tool = { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"path":"src/a.ts","line":' } }
    expect(estimated('anthropic-messages', times(100, tool))).toBeGreaterThanOrEqual(900)
  })

  it('is a token an event where the events are short, and little more', () => {
    const tokens = estimated('openai-chat', times(300, chat(' fox')))
    expect(tokens).toBeGreaterThanOrEqual(300)
    expect(tokens).toBeLessThanOrEqual(600)
  })

  it('counts a character of other scripts as a token at least', () => {
    expect(estimated('anthropic-messages', times(50, anthropic('我们今天去看电影')))).toBeGreaterThanOrEqual(50 * 8)
  })
})

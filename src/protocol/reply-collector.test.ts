import { describe, expect, it } from 'vitest'
import { noUsage } from '../quantities/index.js'
import type { Delta } from './reply.js'
import { ReplyCollector } from './reply-collector.js'

function collect(...deltas: Delta[]): ReplyCollector {
  const collector = new ReplyCollector()
  for (const delta of deltas) collector.push(delta)
  return collector
}

describe('ReplyCollector', () => {
  it('joins pieces by choice and part, in the order of the parts, however they interleave', () => {
    const collector = collect(
      { type: 'start', id: 'i', model: 'm', created: 2 },
      { type: 'tool_call', choice: 0, part: 1, id: 'a', name: 'f' },
      { type: 'text', choice: 1, part: 0, text: 'other' },
      { type: 'tool_call', choice: 0, part: 2, id: 'b', name: 'g', signature: 'T' },
      { type: 'tool_arguments', choice: 0, part: 2, json: '{"y":' },
      { type: 'tool_arguments', choice: 0, part: 1, json: '{}' },
      { type: 'reasoning', choice: 0, part: 0, text: 'h' },
      { type: 'reasoning', choice: 0, part: 0, text: 'm' },
      { type: 'reasoning_signature', choice: 0, part: 0, signature: 'S', signatureFormat: 'gemini', id: 'r' },
      { type: 'tool_arguments', choice: 0, part: 2, json: '2}' },
      { type: 'finish', choice: 1, reason: 'stop_sequence', stopSequence: 'END' },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
    )
    expect(collector.reply()).toEqual({
      id: 'i',
      model: 'm',
      created: 2,
      reported: undefined,
      choices: [
        {
          finish: 'tool_calls',
          parts: [
            { type: 'reasoning', text: 'hm', signature: 'S', signatureFormat: 'gemini', id: 'r' },
            { type: 'tool_call', id: 'a', name: 'f', arguments: '{}' },
            { type: 'tool_call', id: 'b', name: 'g', arguments: '{"y":2}', signature: 'T' },
          ],
        },
        { finish: 'stop_sequence', stopSequence: 'END', parts: [{ type: 'text', text: 'other' }] },
      ],
    })
  })

  it('counts the usage that came last', () => {
    const usage = (outputTokens: number): Delta => ({ type: 'usage', reported: { usage: { ...noUsage, outputTokens } } })
    expect(collect(usage(1), usage(5)).reply().reported?.usage.outputTokens).toBe(5)
  })

  it('keeps log-probabilities that came without text, and makes no part of empty text', () => {
    const odd = { token: '\u00e9', logprob: -1, bytes: [195], top: [] }
    const reply = collect(
      { type: 'text', choice: 0, part: 0, text: '', logprobs: [odd] },
      { type: 'finish', choice: 0, reason: 'stop' },
    ).reply()
    expect(reply.choices).toEqual([{ parts: [], finish: 'stop', logprobs: [odd] }])
  })

  it('can be asked in the middle, and says that an unfinished choice was cut', () => {
    const collector = collect({ type: 'text', choice: 0, part: 0, text: 'a' })
    const early = collector.reply()
    collector.push({ type: 'text', choice: 0, part: 0, text: 'b' })
    expect(early.choices).toEqual([{ parts: [{ type: 'text', text: 'a' }], finish: 'length' }])
    expect(collector.reply().choices[0]?.parts).toEqual([{ type: 'text', text: 'ab' }])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anthropicMessages, gemini, openaiChat, openaiResponses, parseBody, stringifyExact, type DropPolicy } from './index.js'
import { noUsage } from '../quantities/index.js'
import { parseExact } from './exact-numbers.js'

const ids =
  '{"id":1234567890123456789,"near":-9007199254740993,"price":0.12345678901234567890,"text":"1234567890123456789","list":[1e400,12,"a\\"9999999999999999999\\\\"],"small":0.1}'

describe('numbers that a double cannot hold', () => {
  it('are written as they were read', () => {
    expect(stringifyExact(parseExact(ids))).toBe(ids.replace('1e400', 'null'))
    expect(stringifyExact(parseExact('1234567890123456789'))).toBe('1234567890123456789')
  })

  it('leave everything else alone', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseExact(text)).toEqual(JSON.parse(text))
      }),
    )
    for (const text of ['{', '[1234567890123456789', '"', '']) expect(() => parseExact(text)).toThrow(SyntaxError)
  })

  it('come through any digits', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })), fc.string(), (numbers, text) => {
        const json = `{${JSON.stringify(text)}:[${numbers.join(',')}]}`
        expect(stringifyExact(parseExact(json))).toBe(json)
      }),
    )
  })
})

describe('ids in the arguments of tool calls', () => {
  const drop: DropPolicy = { unsupported: (path, why) => expect.fail(`${path}: ${why}`) }
  const given = '{"id":1234567890123456789}'
  const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: given } }
  const fromChat = openaiChat.decodeRequest({
    model: 'm',
    messages: [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'ok' },
    ],
  })
  const claude = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":${given}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"ok"}]}]}`

  it('go whole from text to formats that hold them as JSON', () => {
    expect(stringifyExact(anthropicMessages.encodeRequest(fromChat, 'claude-sonnet-4-5', drop))).toContain(`"input":${given}`)
    expect(stringifyExact(gemini.encodeRequest(fromChat, 'gemini-2.5-flash', drop))).toContain(`"args":${given}`)
  })

  it('go whole from a caller that writes them as JSON', () => {
    const { json, fields } = parseBody(Buffer.from(claude), { maxDepth: 50 })
    const request = anthropicMessages.decodeRequest(json, { format: 'anthropic-messages', bytes: Buffer.from(claude), fields, json })
    expect(stringifyExact(openaiChat.encodeRequest(request, 'gpt-5', drop))).toContain(JSON.stringify(given))
    expect(stringifyExact(openaiResponses.encodeRequest(request, 'gpt-5', drop))).toContain(JSON.stringify(given))
  })

  it('come whole out of answers that hold them as JSON, and go whole into them', () => {
    const anthropic = `{"id":"a","model":"m","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"c1","name":"f","input":${given}}],"stop_reason":"tool_use"}`
    const google = `{"responseId":"a","candidates":[{"content":{"parts":[{"text":"x"},{"functionCall":{"id":"c1","name":"f","args":${given}}}]},"finishReason":"STOP"}]}`
    for (const reply of [anthropicMessages.decodeReply(JSON.parse(anthropic), anthropic), gemini.decodeReply(JSON.parse(google), google)]) {
      expect(reply.choices[0]?.parts[1]).toMatchObject({ type: 'tool_call', arguments: given })
      const context = { request: fromChat, usage: noUsage, cost: { usd: null, details: {} }, id: 'x' }
      expect(stringifyExact(anthropicMessages.encodeReply(reply, context))).toContain(`"input":${given}`)
    }
    const [, , args] = gemini.createStreamDecoder().push({ event: undefined, data: google.replace('{"text":"x"},', '') })
    expect(args).toMatchObject({ type: 'tool_arguments', json: given })
  })
})

import { describe, expect, it } from 'vitest'
import { usd } from '../quantities/index.js'
import type { CostReport } from './codec.js'
import { spliceReplyCost } from './tap-cost.js'

const price = (): CostReport => ({ usd: usd('0.25'), details: { inputTokens: usd('0.25') } })
const cost = '"cost":0.25,"cost_details":{"upstream_inference_cost":0.25,"inputTokens":0.25}'
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

describe('spliceReplyCost', () => {
  it.each([
    ['openai-chat', '{"choices": [{"usage":{}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}, "service_tier":"flex"}'],
    ['openai-responses', '{"output":[], "usage": {"input_tokens": 3, "output_tokens": 4}, "service_tier":"flex"}'],
    ['anthropic-messages', '{"content":[{"text":"\\"usage\\":{"}], "usage": {"input_tokens": 3, "output_tokens": 4}}'],
    ['openai-embeddings', '{"data":[], "usage": {"prompt_tokens": 3, "total_tokens": 4}}'],
  ] as const)('writes the cost into a %s body and leaves every other byte', (format, body) => {
    const { bytes, reported } = spliceReplyCost(format, Buffer.from(body), price)
    expect(text(bytes)).toBe(body.replace(/(_tokens": 4)\}/, `$1,${cost}}`))
    expect(reported?.usage.inputTokens).toBe(3)
    if (body.includes('flex')) expect(reported?.serviceTier).toBe('flex')
  })

  it('replaces the money that the provider wrote', () => {
    const body = '{"choices":[],"usage":{"cost_details":{"a":{"b":1}},"prompt_tokens":3,"cost":0.1,"completion_tokens":4}}'
    expect(text(spliceReplyCost('openai-chat', Buffer.from(body), price).bytes)).toBe(
      '{"choices":[],"usage":{"cost_details":{"upstream_inference_cost":0.25,"inputTokens":0.25},"prompt_tokens":3,"cost":0.25,"completion_tokens":4}}',
    )
  })

  it('leaves a body without usage as it is', () => {
    for (const body of ['{"choices":[]}', '{"choices":[],"usage":null}', '{"choices":[],"usage":{}}']) {
      const bytes = Buffer.from(body)
      expect(spliceReplyCost('openai-chat', bytes, price)).toEqual({ bytes, reported: undefined })
    }
  })

  it('writes an unknown price as null', () => {
    const body = Buffer.from('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}')
    expect(text(spliceReplyCost('openai-chat', body, () => ({ usd: null, details: {} })).bytes)).toContain(
      '"cost":null,"cost_details":{"upstream_inference_cost":null}',
    )
  })

  it('meters a body with a field twice, and refuses what is no JSON object or only an error', () => {
    const twice = Buffer.from('{"id":1,"id":2,"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}')
    expect(spliceReplyCost('openai-chat', twice, price)).toMatchObject({ bytes: twice, reported: { usage: { inputTokens: 3 } } })
    for (const body of ['', '<html>', '[]', '{"choices":[}', '{"choices":[],"usage":{"a":}}'])
      expect(() => spliceReplyCost('openai-chat', Buffer.from(body), price), body).toThrow(
        expect.objectContaining({ code: 'upstream_malformed' }) as Error,
      )
    expect(() => spliceReplyCost('openai-chat', Buffer.from('{"error":{"message":"no luck","code":502}}'), price)).toThrow('no luck')
  })
})

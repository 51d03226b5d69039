import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noUsage, usd } from '../../quantities/index.js'
import { openaiEmbeddings } from './index.js'

describe('a request for embeddings', () => {
  it.each([
    ['one text', ['one text']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [[1, 2, 3], [[1, 2, 3]]],
    [
      [[1], [2, 3]],
      [[1], [2, 3]],
    ],
  ])('reads %j', (input, inputs) => {
    const request = openaiEmbeddings.decodeRequest({
      model: 'm',
      input,
      dimensions: 8,
      encoding_format: null,
      user: 'u',
      input_type: 'query',
    })
    expect(request).toEqual({
      model: 'm',
      inputs,
      encoding: 'float',
      dimensions: 8,
      user: 'u',
      extra: [{ format: 'openai-embeddings', name: 'input_type', path: 'input_type', value: 'query' }],
    })
    expect(openaiEmbeddings.encodeRequest(request, 'real')).toEqual({
      model: 'real',
      input: inputs.length === 1 ? inputs[0] : inputs,
      encoding_format: 'float',
      dimensions: 8,
      user: 'u',
      input_type: 'query',
    })
  })

  it.each([
    [{ input: 'a' }, 'model', 'required'],
    [{ model: 'm' }, 'input', 'required'],
    [{ model: 'm', input: 7 }, 'input', 'array of texts'],
    [{ model: 'm', input: '' }, 'input', 'empty'],
    [{ model: 'm', input: [] }, 'input', 'empty'],
    [{ model: 'm', input: ['a', ''] }, 'input[1]', 'empty'],
    [{ model: 'm', input: ['a', 5] }, 'input[1]', 'mixed'],
    [{ model: 'm', input: [1, -5] }, 'input[1]', 'can not be embedded'],
    [{ model: 'm', input: [[1], [1.5]] }, 'input[1]', 'can not be embedded'],
    [{ model: 'm', input: [{}] }, 'input[0]', 'can not be embedded'],
    [{ model: 'm', input: 'a', encoding_format: 'int8' }, 'encoding_format', '"base64"'],
    [{ model: 'm', input: 'a', dimensions: 0 }, 'dimensions', 'at least 1'],
  ])('refuses %j', (body, path, words) => {
    expect(() => openaiEmbeddings.decodeRequest(body)).toThrow(
      expect.objectContaining({ path, status: 400, message: expect.stringContaining(words) as string }) as Error,
    )
  })
})

describe('an answer with embeddings', () => {
  const usage = { ...noUsage, inputTokens: 5 }
  const cost = { usd: usd('0.000001'), details: {} }

  it('goes there and back, as numbers and as base64', () => {
    const vectors = fc.array(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), { minLength: 1 })
    fc.assert(
      fc.property(vectors, fc.constantFrom('float' as const, 'base64' as const), (given, encoding) => {
        const wire = openaiEmbeddings.encodeReply(
          { model: 'm', vectors: given, reported: undefined },
          { request: { model: 'm', inputs: [], encoding, extra: [] }, usage, cost },
        )
        expect(wire['usage']).toEqual({
          prompt_tokens: 5,
          total_tokens: 5,
          cost: 0.000001,
          cost_details: { upstream_inference_cost: 0.000001 },
        })
        const back = openaiEmbeddings.decodeReply(JSON.parse(JSON.stringify(wire)))
        // JSON has no negative zero.
        if (encoding === 'float') expect(back.vectors).toEqual(given.map((vector) => vector.map((value) => value + 0)))
        else expect(back.vectors).toEqual(given)
        expect(back.reported?.usage.inputTokens).toBe(5)
      }),
    )
  })

  it('is put in the order of the inputs, and refused when it is not one vector each', () => {
    const entry = (index: number): unknown => ({ index, embedding: [index] })
    expect(openaiEmbeddings.decodeReply({ data: [entry(1), entry(0)] }).vectors).toEqual([[0], [1]])
    for (const body of [{}, { data: [entry(1)] }, { data: [entry(0), entry(0)] }, { data: [{ embedding: 'AAA' }] }, { data: [{}] }, null])
      expect(() => openaiEmbeddings.decodeReply(body)).toThrow(expect.objectContaining({ code: 'upstream_malformed' }) as Error)
    expect(() => openaiEmbeddings.decodeReply({ error: { message: 'no' } })).toThrow(
      expect.objectContaining({ code: 'upstream_error' }) as Error,
    )
  })
})

import fc from 'fast-check'
import { countTokens as o200k } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import type { ImagePart, Part, Request } from '../protocol/index.js'
import { imageSize, imageTokens } from './image-tokens.js'
import { countRequestTokens, encodingOf, likelyTokens, modelFamily, sureTokenBound } from './index.js'

function ask(parts: readonly Part[], more: Partial<Request> = {}): Request {
  return { model: 'gpt-5', messages: [{ role: 'user', parts }], stream: false, paths: {}, extra: [], ...more }
}
const text = (words: string): Part => ({ type: 'text', text: words })

/** The first bytes of a PNG of this size. */
function png(width: number, height: number): string {
  const bytes = Buffer.alloc(64)
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(bytes)
  bytes.writeUInt32BE(width, 16)
  bytes.writeUInt32BE(height, 20)
  return bytes.toString('base64')
}
function jpeg(width: number, height: number): string {
  const thumbnail = Buffer.alloc(4 + 2000)
  thumbnail.writeUInt32BE(0xffe10000 + 2002)
  const frame = Buffer.alloc(40)
  frame.writeUInt32BE(0xffc00011)
  frame[4] = 8
  frame.writeUInt16BE(height, 5)
  frame.writeUInt16BE(width, 7)
  return Buffer.concat([Buffer.from([0xff, 0xd8]), thumbnail, frame]).toString('base64')
}
function image(data: string | undefined, detail?: ImagePart['detail']): ImagePart {
  return {
    type: 'image',
    source: data === undefined ? { kind: 'url', url: 'https://example.com/a.png' } : { kind: 'base64', mediaType: 'image/png', data },
    detail,
  }
}

describe('counting a request', () => {
  it('is exact for text to an OpenAI model: three tokens and a role a message, three for the answer', async () => {
    const request: Request = {
      ...ask([]),
      messages: [
        { role: 'system', parts: [text('You are terse.')] },
        { role: 'user', parts: [text('How many legs has a spider?')], name: 'ann' },
      ],
    }
    const words = o200k('You are terse.') + o200k('How many legs has a spider?') + o200k('ann')
    expect(await countRequestTokens(request, 'gpt-4o')).toEqual({ tokens: words + 2 * 4 + 1 + 3, exact: true })
  })

  it('is an estimate on the high side for other families', async () => {
    const request = ask([text('How many legs has a spider? '.repeat(50))])
    const own = await countRequestTokens(request, 'openai/gpt-5')
    for (const model of ['claude-sonnet-4-5', 'gemini-2.5-pro', 'llama-3.3-70b', 'some-model']) {
      const other = await countRequestTokens(request, model)
      expect(other.exact).toBe(false)
      expect(other.tokens).toBeGreaterThan(own.tokens)
    }
  })

  it('counts tools, schemas, calls and results, and is no longer exact', async () => {
    const plain = await countRequestTokens(ask([text('hi')]), 'gpt-4o')
    const tool = {
      type: 'function' as const,
      name: 'weather',
      description: 'Weather of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    }
    const additions: Request[] = [
      ask([text('hi')], { tools: [tool] }),
      ask([text('hi')], { responseFormat: { type: 'json_schema', schema: tool.parameters } }),
      ask([text('hi'), { type: 'tool_call', id: 'a', name: 'weather', arguments: '{"city":"Rome"}' }]),
      ask([text('hi'), { type: 'tool_result', callId: 'a', content: [{ type: 'text', text: 'sunny' }] }]),
    ]
    for (const request of additions) {
      const counted = await countRequestTokens(request, 'gpt-4o')
      expect(counted.exact).toBe(false)
      expect(counted.tokens).toBeGreaterThan(plain.tokens + 2)
    }
  })
})

describe('models', () => {
  it.each([
    ['gpt-5-mini', 'openai', 'o200k_base'],
    ['openai/gpt-4o-2024-11-20', 'openai', 'o200k_base'],
    ['gpt-4.1', 'openai', 'o200k_base'],
    ['o3', 'openai', 'o200k_base'],
    ['gpt-4-turbo', 'openai', 'cl100k_base'],
    ['gpt-3.5-turbo', 'openai', 'cl100k_base'],
    ['gpt-35-turbo', 'openai', 'cl100k_base'],
    ['ft:gpt-3.5-turbo:acme', 'openai', 'cl100k_base'],
    ['text-embedding-3-small', 'openai', 'cl100k_base'],
    ['anthropic/claude-opus-4-7', 'claude', 'o200k_base'],
    ['gemini-2.5-flash', 'gemini', 'o200k_base'],
    ['deepseek-r1-distill-llama-70b', 'llama', 'o200k_base'],
    ['olmo-2', 'other', 'o200k_base'],
  ])('%s is of the family %s and is counted with %s', (model, family, encoding) => {
    expect(modelFamily(model)).toBe(family)
    expect(encodingOf(model)).toBe(encoding)
  })
})

describe('images', () => {
  it('reads the size from the first bytes', () => {
    expect(imageSize(png(1024, 768))).toEqual({ width: 1024, height: 768 })
    expect(imageSize(jpeg(4000, 3000))).toEqual({ width: 4000, height: 3000 })
    expect(imageSize(Buffer.from('47494638396140011e00'.padEnd(80, '0'), 'hex').toString('base64'))).toEqual({ width: 320, height: 30 })
    expect(imageSize(Buffer.from('bm, not an image at all, just words').toString('base64'))).toBeUndefined()
  })

  it('never throws, whatever the data', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('', '89504e47', 'ffd8', '474946383961', '52494646000000005745425056503858'),
        (tail, head) => {
          const size = imageSize(Buffer.concat([Buffer.from(head, 'hex'), tail]).toString('base64'))
          expect(size === undefined || (size.width > 0 && size.height > 0)).toBe(true)
        },
      ),
    )
  })

  it.each([
    ["OpenAI's own examples: 1024 × 1024", 'gpt-4o', png(1024, 1024), undefined, 765],
    ["OpenAI's own examples: 2048 × 4096", 'gpt-4o', png(2048, 4096), undefined, 1105],
    ['low detail', 'gpt-4o', png(2048, 4096), 'low', 85],
    ['the small model that counts more', 'gpt-4o-mini', png(1024, 1024), undefined, 2833 + 4 * 5667],
    ["Anthropic's own example: 1000 × 1000", 'claude-3-7-sonnet', png(1000, 1000), undefined, 1338],
    ['a small picture to Gemini', 'gemini-2.5-flash', png(300, 300), undefined, 258],
    ["Google's own example: 960 × 540 makes six tiles", 'gemini-2.5-flash', png(960, 540), undefined, 6 * 258],
    ['a URL', 'gpt-4o', undefined, undefined, 85 + 8 * 170],
  ] as const)('%s', (_name, model, data, detail, tokens) => {
    expect(imageTokens(image(data, detail), model)).toBe(tokens)
  })
})

describe('bounds without a tokenizer', () => {
  it('never below the tokens of a text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (words) => {
        expect(sureTokenBound(ask([text(words)]))).toBeGreaterThanOrEqual(o200k(words, { disallowedSpecial: new Set() }) + 7)
      }),
    )
  })

  it('never below the count of the same request, tools and results included', async () => {
    const words = fc.string({ unit: 'grapheme', maxLength: 60 })
    const part = fc.oneof(
      words.map(text),
      fc.record({ type: fc.constant('tool_call' as const), id: fc.constant('call_1'), name: fc.constant('f'), arguments: words }),
      fc.record({
        type: fc.constant('tool_result' as const),
        callId: fc.constant('call_1'),
        content: fc.array(fc.record({ type: fc.constant('text' as const), text: words }), { maxLength: 3 }),
      }),
    )
    const tools = fc.array(fc.record({ type: fc.constant('function' as const), name: fc.constant('f'), description: words }), {
      maxLength: 3,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), tools, async (parts, list) => {
        const request = ask(parts, { tools: list })
        expect(sureTokenBound(request)).toBeGreaterThanOrEqual((await countRequestTokens(request, 'gpt-4o')).tokens)
      }),
      { numRuns: 60 },
    )
  })

  it('is likely near the count, and rather above it, for what people write', async () => {
    for (const words of [
      'The quick brown fox jumps over the lazy dog. ',
      'const total = items.reduce((sum, item) => sum + item.price, 0)\n',
      '今天天气很好，我们去公园散步吧。',
    ]) {
      const request = ask([text(words.repeat(40))])
      const { tokens } = await countRequestTokens(request, 'gpt-4o')
      expect(likelyTokens(request)).toBeGreaterThanOrEqual(tokens)
      expect(likelyTokens(request)).toBeLessThan(tokens * 2)
    }
  })

  it('holds images, sound and files without reading their data', () => {
    const data = 'A'.repeat(4_000_000)
    expect(sureTokenBound(ask([image(data)]))).toBeLessThan(6000)
    expect(sureTokenBound({ ...ask([image(png(10_000, 10_000))]), model: 'gpt-4o-mini' })).toBeGreaterThan(48_000)
    expect(sureTokenBound(ask([{ type: 'file', source: { kind: 'url', url: 'https://example.com/a.pdf' } }]))).toBeGreaterThan(200_000)
    const audio = ask([{ type: 'audio', source: { kind: 'base64', mediaType: 'audio/wav', data } }])
    // Three megabytes of 16-bit sound at 16 kHz are 94 seconds: 3,000 tokens at Gemini's rate.
    expect(sureTokenBound(audio)).toBeGreaterThan(3000)
    expect(likelyTokens(audio)).toBeGreaterThan(3000)
  })

  it('counts what the provider adds from its own store', () => {
    const extra = [{ format: 'openai-responses' as const, name: 'previous_response_id', path: 'previous_response_id', value: 'resp_1' }]
    expect(sureTokenBound(ask([text('hi')], { extra }))).toBeGreaterThan(200_000)
  })
})

import { describe, expect, it } from 'vitest'
import { inboundCodec, outboundCodec } from './registry.js'

describe('the codecs by format', () => {
  it('answer to their own names', () => {
    for (const format of ['openai-chat', 'openai-responses', 'anthropic-messages'] as const) {
      expect(inboundCodec(format)?.format).toBe(format)
      expect(outboundCodec(format)?.format).toBe(format)
    }
    expect(outboundCodec('gemini')?.format).toBe('gemini')
  })
  it('are absent where a format has no such side', () => {
    expect(inboundCodec('gemini')).toBeUndefined()
    expect(inboundCodec('openai-embeddings')).toBeUndefined()
  })
})

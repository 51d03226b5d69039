import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUsd, noUsage, totalInputTokens, totalOutputTokens, type Usage } from '../quantities/index.js'
import {
  anthropicUsage,
  bedrockUsage,
  chatUsage,
  cohereUsage,
  embeddingsUsage,
  geminiUsage,
  responsesUsage,
  withSearches,
} from './usage.js'

/** The buckets that hold something. */
function held(usage: Usage | undefined): Partial<Usage> {
  return Object.fromEntries(Object.entries(usage ?? {}).filter(([, tokens]) => tokens !== 0))
}

describe('chatUsage', () => {
  it('takes cached, spoken and reasoning tokens out of their wholes', () => {
    const reported = chatUsage({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, audio_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5, accepted_prediction_tokens: 2, rejected_prediction_tokens: 3 },
    })
    expect(held(reported?.usage)).toEqual({
      inputTokens: 30,
      inputAudioTokens: 10,
      cacheReadTokens: 60,
      outputTokens: 15,
      reasoningTokens: 30,
      outputAudioTokens: 5,
    })
  })

  it.each([
    ['DeepSeek', { prompt_tokens: 100, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }],
    ['Mistral', { prompt_tokens: 100, num_cached_tokens: 64 }],
    ['Moonshot', { prompt_tokens: 100, cached_tokens: 64 }],
    ['a filled-in zero', { prompt_tokens: 100, num_cached_tokens: 64, prompt_tokens_details: { cached_tokens: 0 } }],
  ])('finds the cached tokens of %s', (_name, usage) => {
    expect(held(chatUsage({ ...usage, completion_tokens: 7 })?.usage)).toEqual({ inputTokens: 36, cacheReadTokens: 64, outputTokens: 7 })
  })

  it('tells cache writes by their lifetime', () => {
    const details = { cached_tokens: 20, cache_creation_input_tokens: 50, cache_creation: { ephemeral_1h_input_tokens: 15 } }
    expect(held(chatUsage({ prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: details })?.usage)).toEqual({
      inputTokens: 30,
      cacheReadTokens: 20,
      cacheWrite5mTokens: 35,
      cacheWrite1hTokens: 15,
      outputTokens: 1,
    })
  })

  it('knows from the total whether reasoning is inside the completion', () => {
    const usage = { prompt_tokens: 10, completion_tokens: 20, completion_tokens_details: { reasoning_tokens: 15 } }
    expect(held(chatUsage({ ...usage, total_tokens: 30 })?.usage)).toEqual({ inputTokens: 10, outputTokens: 5, reasoningTokens: 15 })
    expect(held(chatUsage({ ...usage, total_tokens: 45 })?.usage)).toEqual({ inputTokens: 10, outputTokens: 20, reasoningTokens: 15 })
  })

  it('counts what only the total holds as reasoning (Gemini behind its chat endpoint)', () => {
    expect(held(chatUsage({ prompt_tokens: 66, completion_tokens: 6, total_tokens: 100 })?.usage)).toEqual({
      inputTokens: 66,
      outputTokens: 6,
      reasoningTokens: 28,
    })
  })

  it('counts the pages and searches of deep research, whose reasoning is beside the completion', () => {
    const reported = chatUsage({
      prompt_tokens: 33,
      completion_tokens: 700,
      total_tokens: 733,
      citation_tokens: 2000,
      num_search_queries: 18,
      reasoning_tokens: 7000,
      cost: { input_tokens_cost: 0.1, total_cost: 0.82 },
    })
    expect(held(reported?.usage)).toEqual({ inputTokens: 2033, outputTokens: 700, reasoningTokens: 7000, webSearches: 18 })
    expect(formatUsd(reported!.billedUsd!)).toBe('0.82')
  })

  it('counts cached tokens beside the prompt when they can not be inside it', () => {
    const usage = { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 90 } }
    expect(held(chatUsage(usage)?.usage)).toEqual({ inputTokens: 5, cacheReadTokens: 90, outputTokens: 1 })
    expect(held(chatUsage({ ...usage, total_tokens: 96 })?.usage)).toEqual({ inputTokens: 5, cacheReadTokens: 90, outputTokens: 1 })
    // The total says that five tokens were all there was.
    expect(held(chatUsage({ ...usage, total_tokens: 6 })?.usage)).toEqual({ cacheReadTokens: 5, outputTokens: 1 })
  })

  it('reads what OpenRouter bills, and adds the upstream bill of an own key', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    expect(formatUsd(chatUsage({ ...usage, cost: 0.1 + 0.2 })!.billedUsd!)).toBe('0.3')
    expect(formatUsd(chatUsage({ ...usage, cost: '4.14e-05' })!.billedUsd!)).toBe('0.0000414')
    expect(formatUsd(chatUsage({ ...usage, cost: 0 })!.billedUsd!)).toBe('0')
    const own = { ...usage, cost: 0.00002, is_byok: true, cost_details: { upstream_inference_cost: 0.0003253 } }
    expect(formatUsd(chatUsage(own)!.billedUsd!)).toBe('0.0003453')
    expect(chatUsage({ ...usage, cost: 0, is_byok: true })!.billedUsd).toBeUndefined()
    for (const cost of [-1, NaN, Infinity, 'free', null, [], true]) expect(chatUsage({ ...usage, cost })!.billedUsd).toBeUndefined()
  })

  it('fills a missing count from the total', () => {
    expect(held(chatUsage({ prompt_tokens: 10, total_tokens: 15 })?.usage)).toMatchObject({ inputTokens: 10, outputTokens: 5 })
    expect(held(chatUsage({ completion_tokens: 10, total_tokens: 15 })?.usage)).toEqual({ inputTokens: 5, outputTokens: 10 })
  })

  it.each([
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { prompt_tokens: null },
    { prompt_tokens: -1, completion_tokens: 'many' },
    { prompt_tokens: 1e300 },
  ])('says that there is none in %j', (usage) => {
    for (const read of [chatUsage, responsesUsage, anthropicUsage, geminiUsage, embeddingsUsage, bedrockUsage, cohereUsage])
      expect(read(usage)).toBeUndefined()
  })

  it('reads numbers in strings and rounds fractions up', () => {
    expect(held(chatUsage({ prompt_tokens: '12', completion_tokens: 3.2, prompt_tokens_details: null })?.usage)).toEqual({
      inputTokens: 12,
      outputTokens: 4,
    })
  })
})

describe('responsesUsage', () => {
  it('takes cached, written and reasoning tokens out', () => {
    const reported = responsesUsage({
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 40, cache_write_tokens: 27 },
      output_tokens: 50,
      output_tokens_details: { reasoning_tokens: 44 },
      total_tokens: 150,
    })
    expect(held(reported?.usage)).toEqual({
      inputTokens: 33,
      cacheReadTokens: 40,
      cacheWrite5mTokens: 27,
      outputTokens: 6,
      reasoningTokens: 44,
    })
  })
})

describe('anthropicUsage', () => {
  it('keeps the buckets that are disjoint already, and splits writes by lifetime', () => {
    const reported = anthropicUsage({
      input_tokens: 6,
      cache_read_input_tokens: 2000,
      cache_creation_input_tokens: 700,
      cache_creation: { ephemeral_5m_input_tokens: 500, ephemeral_1h_input_tokens: 200 },
      output_tokens: 90,
      output_tokens_details: { thinking_tokens: 70 },
      server_tool_use: { web_search_requests: 3, web_fetch_requests: 2 },
      service_tier: 'priority',
    })
    expect(held(reported?.usage)).toEqual({
      inputTokens: 6,
      cacheReadTokens: 2000,
      cacheWrite5mTokens: 500,
      cacheWrite1hTokens: 200,
      outputTokens: 20,
      reasoningTokens: 70,
      webSearches: 3,
    })
    expect(reported?.serviceTier).toBe('priority')
  })

  it('takes writes of no stated lifetime for five minutes', () => {
    expect(held(anthropicUsage({ input_tokens: 1, cache_creation_input_tokens: 9, output_tokens: 1 })?.usage).cacheWrite5mTokens).toBe(9)
    const part = { input_tokens: 1, cache_creation_input_tokens: 9, cache_creation: { ephemeral_1h_input_tokens: 4 }, output_tokens: 1 }
    expect(held(anthropicUsage(part)?.usage)).toMatchObject({ cacheWrite5mTokens: 5, cacheWrite1hTokens: 4 })
  })

  it.each([
    [{ service_tier: 'standard', inference_geo: 'global' }, 'standard'],
    [{ service_tier: 'standard', inference_geo: 'us' }, 'us'],
    [{ inference_geo: 'us' }, 'us'],
    [{ service_tier: 'standard', speed: 'fast' }, 'fast'],
    [{ service_tier: 'batch', inference_geo: 'us' }, 'batch+us'],
    [{}, undefined],
  ])('tells what changes the price besides the tier: %j', (usage, tier) => {
    expect(anthropicUsage({ input_tokens: 1, output_tokens: 1, ...usage })?.serviceTier).toBe(tier)
  })

  it('adds a compaction, which the totals leave out, and lists an advisor under its own model', () => {
    const reported = anthropicUsage({
      input_tokens: 180,
      output_tokens: 8,
      iterations: [
        { type: 'compaction', input_tokens: 100, cache_creation_input_tokens: 5000, output_tokens: 82 },
        { type: 'message', input_tokens: 180, output_tokens: 8 },
        { type: 'advisor_message', model: 'claude-opus', input_tokens: 50, output_tokens: 22 },
      ],
    })
    expect(held(reported?.usage)).toEqual({ inputTokens: 280, cacheWrite5mTokens: 5000, outputTokens: 90 })
    expect(reported?.also).toEqual([{ model: 'claude-opus', usage: { ...noUsage, inputTokens: 50, outputTokens: 22 } }])
  })
})

describe('geminiUsage', () => {
  it('counts modalities, tool results, cached tokens and thoughts', () => {
    const reported = geminiUsage({
      promptTokenCount: 1000,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 300 },
        { modality: 'AUDIO', tokenCount: 200 },
        { modality: 'IMAGE', tokenCount: 258 },
        { modality: 'VIDEO', tokenCount: 242 },
      ],
      cachedContentTokenCount: 350,
      cacheTokensDetails: [
        { modality: 'TEXT', tokenCount: 200 },
        { modality: 'AUDIO', tokenCount: 150 },
      ],
      toolUsePromptTokenCount: 20,
      toolUsePromptTokensDetails: [{ modality: 'TEXT', tokenCount: 20 }],
      candidatesTokenCount: 60,
      candidatesTokensDetails: [
        { modality: 'TEXT', tokenCount: 20 },
        { modality: 'IMAGE', tokenCount: 40 },
      ],
      thoughtsTokenCount: 11,
      totalTokenCount: 1091,
      trafficType: 'ON_DEMAND_FLEX',
    })
    expect(held(reported?.usage)).toEqual({
      inputTokens: 120,
      inputAudioTokens: 50,
      inputImageTokens: 258,
      inputVideoTokens: 242,
      cacheReadTokens: 200,
      cacheReadAudioTokens: 150,
      outputTokens: 20,
      outputImageTokens: 40,
      reasoningTokens: 11,
    })
    expect(reported?.serviceTier).toBe('flex')
  })

  it('takes what the details leave out for text', () => {
    const usage = {
      promptTokenCount: 417,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 351 }],
      thoughtsTokenCount: 71,
      totalTokenCount: 488,
    }
    expect(held(geminiUsage(usage)?.usage)).toEqual({ inputTokens: 417, reasoningTokens: 71 })
  })
})

describe('the others', () => {
  it('reads Bedrock', () => {
    const usage = {
      inputTokens: 3,
      outputTokens: 61,
      cacheReadInputTokens: 2074,
      cacheWriteInputTokens: 297,
      cacheDetails: [{ inputTokens: 97, ttl: '1h' }],
    }
    expect(held(bedrockUsage(usage)?.usage)).toEqual({
      inputTokens: 3,
      cacheReadTokens: 2074,
      cacheWrite5mTokens: 200,
      cacheWrite1hTokens: 97,
      outputTokens: 61,
    })
  })

  it('reads what Cohere bills', () => {
    const usage = {
      billed_units: { input_tokens: 51, output_tokens: 13 },
      cached_tokens: 1440,
      tokens: { input_tokens: 1533, output_tokens: 36 },
    }
    expect(held(cohereUsage(usage)?.usage)).toEqual({ inputTokens: 51, outputTokens: 13 })
    expect(held(cohereUsage({ tokens: { input_tokens: 1533, output_tokens: 36 } })?.usage)).toEqual({ inputTokens: 1533, outputTokens: 36 })
  })

  it('reads embeddings', () => {
    expect(held(embeddingsUsage({ prompt_tokens: 8, total_tokens: 8 })?.usage)).toEqual({ inputTokens: 8 })
    expect(held(embeddingsUsage({ total_tokens: 8 })?.usage)).toEqual({ inputTokens: 8 })
  })
})

describe('every reader', () => {
  const tokens = fc.nat(100_000)
  // What hosts have been seen to send where a count should be.
  const odd = fc.oneof(tokens, tokens.map(String), fc.constantFrom(null, undefined, -5, 1.5, NaN, 'x', [], {}, true))
  const whole = (usage: Usage) => Object.values(usage).every((value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0)

  it('keeps the totals that a consistent chat or responses object reports', () => {
    const consistent = fc.record({
      text: tokens,
      audio: tokens,
      image: tokens,
      cached: tokens,
      written: tokens,
      visible: tokens,
      reasoning: tokens,
      spoken: tokens,
    })
    fc.assert(
      fc.property(consistent, fc.boolean(), (n, withTotal) => {
        const prompt = n.text + n.audio + n.image + n.cached + n.written
        const completion = n.visible + n.reasoning + n.spoken
        const given = { cached_tokens: n.cached, cache_write_tokens: n.written, audio_tokens: n.audio, image_tokens: n.image }
        const made = { reasoning_tokens: n.reasoning, audio_tokens: n.spoken }
        const total = withTotal ? { total_tokens: prompt + completion } : {}
        const want = {
          ...noUsage,
          inputTokens: n.text,
          inputAudioTokens: n.audio,
          inputImageTokens: n.image,
          cacheReadTokens: n.cached,
          cacheWrite5mTokens: n.written,
          outputTokens: n.visible,
          reasoningTokens: n.reasoning,
          outputAudioTokens: n.spoken,
        }
        const chat = chatUsage({
          prompt_tokens: prompt,
          completion_tokens: completion,
          ...total,
          prompt_tokens_details: given,
          completion_tokens_details: made,
        })
        const responses = responsesUsage({
          input_tokens: prompt,
          output_tokens: completion,
          ...total,
          input_tokens_details: given,
          output_tokens_details: made,
        })
        expect(totalInputTokens(chat!.usage)).toBe(prompt)
        expect(totalOutputTokens(chat!.usage)).toBe(completion)
        expect(responses).toEqual(chat)
        expect(chat!.usage).toEqual(want)
      }),
    )
  })

  it('keeps the total of a Gemini object', () => {
    const modality = fc.constantFrom('TEXT', 'AUDIO', 'IMAGE', 'VIDEO', 'DOCUMENT')
    const details = fc.array(fc.record({ modality, tokenCount: tokens }), { maxLength: 5 })
    const sum = (list: readonly { tokenCount: number }[]) => list.reduce((all, { tokenCount }) => all + tokenCount, 0)
    fc.assert(
      fc.property(details, details, tokens, tokens, tokens, fc.nat(120), (prompt, candidates, unstated, tools, thoughts, cachedPercent) => {
        const promptTokenCount = sum(prompt) + unstated
        const cached = Math.floor((promptTokenCount * cachedPercent) / 100)
        const read = geminiUsage({
          promptTokenCount,
          promptTokensDetails: prompt,
          cachedContentTokenCount: cached,
          candidatesTokenCount: sum(candidates),
          candidatesTokensDetails: candidates,
          toolUsePromptTokenCount: tools,
          thoughtsTokenCount: thoughts,
          totalTokenCount: promptTokenCount + tools + thoughts + sum(candidates),
        })!.usage
        expect(totalInputTokens(read)).toBe(promptTokenCount + tools)
        expect(totalOutputTokens(read)).toBe(sum(candidates) + thoughts)
        expect(whole(read)).toBe(true)
      }),
    )
  })

  it('never counts less than was reported, nor anything negative or fractional', () => {
    const details = fc.oneof(
      odd,
      fc.record(
        { cached_tokens: odd, cache_write_tokens: odd, audio_tokens: odd, image_tokens: odd, reasoning_tokens: odd },
        { requiredKeys: [] },
      ),
    )
    const modal = fc.oneof(
      odd,
      fc.array(fc.oneof(odd, fc.record({ modality: fc.constantFrom('TEXT', 'AUDIO', 'IMAGE', 7), tokenCount: odd }))),
    )
    const chat = fc.record(
      {
        prompt_tokens: tokens,
        completion_tokens: tokens,
        total_tokens: odd,
        prompt_tokens_details: details,
        completion_tokens_details: details,
        num_cached_tokens: odd,
      },
      { requiredKeys: ['prompt_tokens', 'completion_tokens'] },
    )
    fc.assert(
      fc.property(chat, (usage) => {
        const read = chatUsage(usage)!.usage
        expect(whole(read)).toBe(true)
        expect(totalInputTokens(read)).toBeGreaterThanOrEqual(usage.prompt_tokens)
        expect(totalOutputTokens(read)).toBeGreaterThanOrEqual(usage.completion_tokens)
      }),
    )
    const gemini = fc.record({
      promptTokenCount: tokens,
      candidatesTokenCount: tokens,
      totalTokenCount: odd,
      cachedContentTokenCount: odd,
      thoughtsTokenCount: odd,
      toolUsePromptTokenCount: odd,
      promptTokensDetails: modal,
      cacheTokensDetails: modal,
      candidatesTokensDetails: modal,
    })
    fc.assert(
      fc.property(gemini, (usage) => {
        const read = geminiUsage(usage)!.usage
        expect(whole(read)).toBe(true)
        expect(totalInputTokens(read)).toBeGreaterThanOrEqual(usage.promptTokenCount)
        expect(totalOutputTokens(read)).toBeGreaterThanOrEqual(usage.candidatesTokenCount)
      }),
    )
  })

  it('survives anything', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const read of [chatUsage, responsesUsage, anthropicUsage, geminiUsage, embeddingsUsage, bedrockUsage, cohereUsage]) read(value)
      }),
    )
  })
})

describe('withSearches', () => {
  const reported = { usage: { ...noUsage, inputTokens: 10 } }
  const search = { type: 'web_search_call', id: 'w', status: 'completed', action: { type: 'search', query: 'x' } }

  it('counts the searches of a response, which its usage leaves out', () => {
    expect(withSearches(reported, [search, { type: 'message', content: [] }, search, null, 'x']).usage).toEqual({
      ...noUsage,
      inputTokens: 10,
      webSearches: 2,
    })
  })

  it('takes none away that the usage tells of', () => {
    const more = { usage: { ...noUsage, webSearches: 3 } }
    expect(withSearches(more, [search])).toBe(more)
    for (const output of [undefined, null, {}, [], 'web_search_call']) expect(withSearches(reported, output)).toBe(reported)
  })
})

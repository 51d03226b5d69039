import { describe, expect, it } from 'vitest'
import { noUsage } from '../quantities/index.js'
import { createCatalog } from './catalog.js'
import { compileMatch, withDashedDate } from './match.js'
import { readPriceData, type PriceData } from './price-data.js'
import { priceSheetFromConfig } from './price-sheet.js'
import { priceUsage } from './price-usage.js'

const data = readPriceData(
  [
    {
      id: 'maker',
      models: [
        { id: 'big-2025-08-07', match: { equals: 'big-2025-08-07' }, context_window: 1000, prices: { input_mtok: 5, output_mtok: 9 } },
        { id: 'big', match: { or: [{ equals: 'big' }, { starts_with: 'big-' }] }, name: 'Big', prices: { input_mtok: 4, output_mtok: 8 } },
        { id: 'old', match: { equals: 'old' }, deprecated: true, prices: { input_mtok: 1 } },
        { id: 'unpriced', match: { equals: 'unpriced' }, prices: {} },
      ],
    },
    {
      id: 'host',
      fallback_model_providers: ['maker', 'nobody'],
      models: [{ id: 'own', match: { contains: 'own' }, prices: { input_mtok: 1, output_mtok: 1 } }],
    },
    { id: 'broker', fallback_model_providers: ['host'], models: [] },
  ],
  'test data',
)

describe('catalog', () => {
  it('finds a model by the rules of the data, the first that matches', () => {
    const catalog = createCatalog({ data })
    expect(catalog.facts('maker', 'big')).toMatchObject({
      id: 'big',
      provider: 'maker',
      name: 'Big',
      prices: { input: { base: 4_000_000n }, source: 'test data' },
    })
    expect(catalog.facts('maker', 'BIG-latest')?.prices?.input?.base).toBe(4_000_000n)
    expect(catalog.facts('maker', 'big-2025-08-07')).toMatchObject({ contextTokens: 1000, prices: { input: { base: 5_000_000n } } })
    expect(catalog.facts('maker', 'small')).toBeUndefined()
    expect(catalog.facts('nobody', 'big')).toBeUndefined()
    expect(catalog.facts('maker', `big-${'x'.repeat(1000)}`)).toBeUndefined()
  })

  it('asks the providers whose models a host serves, and not theirs in turn', () => {
    const catalog = createCatalog({ data })
    expect(catalog.facts('host', 'big')).toMatchObject({ id: 'big', provider: 'host', prices: { input: { base: 4_000_000n } } })
    expect(catalog.facts('host', 'my-own')?.prices?.input?.base).toBe(1_000_000n)
    expect(catalog.facts('broker', 'own')?.provider).toBe('broker')
    expect(catalog.facts('broker', 'big')).toBeUndefined()
  })

  it('knows a model without knowing its price', () => {
    const facts = createCatalog({ data }).facts('maker', 'unpriced')
    expect(facts).toBeDefined()
    expect(facts?.prices).toBeUndefined()
  })

  it('gives the same sheet every time, so that it is compiled once', () => {
    const catalog = createCatalog({ data })
    expect(catalog.facts('maker', 'big-a')?.prices).toBe(catalog.facts('maker', 'big-b')?.prices)
    expect(catalog.facts('maker', 'big-a')).toBe(catalog.facts('maker', 'big-a'))
  })

  it('finds by provider/model, where the model may hold slashes', () => {
    const catalog = createCatalog({ data })
    expect(catalog.find('maker/big')?.id).toBe('big')
    expect(catalog.find('host/vendor/own')?.id).toBe('vendor/own')
    for (const name of ['big', '/big', '', 'maker/']) expect(catalog.find(name)).toBeUndefined()
  })

  it('lets the operator know better, field by field', () => {
    const prices = priceSheetFromConfig({ input: 2 })
    const catalog = createCatalog({
      data,
      overrides: {
        'maker/big': { contextTokens: 77, prices, name: undefined },
        'local/llama': { capabilities: { tools: true } },
        'Maker/New': { maxOutputTokens: 5 },
      },
    })
    expect(catalog.facts('maker', 'big')).toMatchObject({ name: 'Big', contextTokens: 77, prices })
    expect(catalog.facts('local', 'llama')).toMatchObject({ id: 'llama', provider: 'local', capabilities: { tools: true } })
    expect(catalog.facts('local', 'llama')?.prices).toBeUndefined()
    expect(catalog.facts('local', 'other')).toBeUndefined()
    expect(catalog.facts('maker', 'new')?.maxOutputTokens).toBe(5)
  })

  it('lists what is on offer', () => {
    const catalog = createCatalog({ data, overrides: { 'maker/extra': { contextTokens: 1 }, 'maker/big': { contextTokens: 2 } } })
    expect(catalog.models('maker').map((facts) => facts.id)).toEqual(['big-2025-08-07', 'big', 'unpriced', 'extra'])
    expect(catalog.models('maker')[1]?.contextTokens).toBe(2)
    expect(catalog.models('nobody')).toEqual([])
  })

  it('looks a name up once, and forgets names when there are too many', () => {
    let asked = 0
    const counting: PriceData = { source: 'counting', provider: (id) => (asked++, data.provider(id)) }
    const catalog = createCatalog({ data: counting })
    for (let index = 0; index < 10_000; index++) catalog.facts('maker', `big-${index}`)
    expect(asked).toBe(1)
    expect(catalog.facts('maker', 'big-0')?.id).toBe('big-0')
  })

  it('says where price data is malformed', () => {
    expect(() => readPriceData([{ id: 'x', models: [{ id: 'm', match: { like: 'm' }, prices: {} }] }], 'bad')).toThrow(/match/)
    expect(() => readPriceData([{ id: 'x', models: [{ id: 'm', match: { equals: 'm' }, prices: { input_mtok: -1 } }] }], 'bad')).toThrow(
      /input_mtok/,
    )
  })
})

describe('installed data', () => {
  const catalog = createCatalog()

  it('names its version', () => {
    expect(catalog.source).toMatch(/^genai-prices \d+\.\d+\.\d+$/)
  })

  it.each([
    ['openai', 'gpt-4o-mini'],
    ['openai', 'gpt-4o-mini-2024-07-18'],
    ['anthropic', 'claude-sonnet-4-5-20250929'],
    ['google', 'gemini-2.5-flash'],
    ['azure', 'gpt-4o'],
    ['openrouter', 'anthropic/claude-sonnet-4.5'],
    ['aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['groq', 'llama-3.3-70b-versatile'],
    ['mistral', 'mistral-large-latest'],
    ['deepseek', 'deepseek-chat'],
    ['x-ai', 'grok-4'],
  ])('knows prices of %s/%s', (provider, model) => {
    const facts = catalog.facts(provider, model)
    const { report } = priceUsage(
      facts?.prices,
      { ...noUsage, inputTokens: 1000, cacheReadTokens: 10, outputTokens: 100, reasoningTokens: 5 },
      { at: 1_790_000_000 },
    )
    expect(report.usd).toBeGreaterThan(0n)
  })

  it('finds a provider by another name of it', () => {
    expect(catalog.facts('vertex', 'gemini-2.5-pro')?.provider).toBe('vertex')
  })

  it('knows what well-known families can do, and leaves the rest open', () => {
    expect(catalog.facts('openai', 'gpt-4o-mini')).toMatchObject({
      maxOutputTokens: 16_384,
      capabilities: { tools: true, images: true, reasoning: false },
    })
    expect(catalog.facts('anthropic', 'claude-3-haiku-20240307')).toMatchObject({
      maxOutputTokens: 4_096,
      capabilities: { tools: true, images: true, reasoning: false },
    })
    expect(catalog.facts('anthropic', 'claude-opus-4-1-20250805')?.maxOutputTokens).toBe(32_000)
    expect(catalog.facts('openrouter', 'anthropic/claude-sonnet-4.5')?.maxOutputTokens).toBe(64_000)
    expect(catalog.facts('google', 'gemini-2.5-flash')).toMatchObject({
      contextTokens: 1_048_576,
      capabilities: { audio: true, reasoning: true },
    })
    expect(catalog.facts('openai', 'text-embedding-3-small')?.capabilities).toMatchObject({ embeddings: true, tools: false })
    expect(catalog.facts('groq', 'llama-3.3-70b-versatile')?.capabilities).toEqual({})
  })

  it('has every price of every model that it lists in a form that can be multiplied', () => {
    const one = { ...noUsage, inputTokens: 1, outputTokens: 1 }
    for (const provider of ['openai', 'anthropic', 'google', 'aws', 'azure', 'mistral', 'groq', 'deepseek', 'openrouter', 'x-ai']) {
      const models = catalog.models(provider)
      expect(models.length, provider).toBeGreaterThan(3)
      for (const { id, prices } of models) {
        if (!prices?.input || !prices.output) continue
        expect(priceUsage(prices, one, { at: 1_790_000_000 }).report.usd, `${provider}/${id}`).not.toBeNull()
      }
    }
  })
})

describe('compileMatch', () => {
  it.each([
    [{ equals: 'GPT-4' }, 'gpt-4', true],
    [{ starts_with: 'gpt' }, 'gpt-4', true],
    [{ ends_with: '-4' }, 'gpt-4', true],
    [{ contains: 'PT' }, 'gpt-4', true],
    [{ regex: '^gpt-\\d$' }, 'gpt-4', true],
    [{ and: [{ starts_with: 'gpt' }, { ends_with: 'x' }] }, 'gpt-4', false],
    [{ or: [{ equals: 'x' }, { and: [{ contains: '-' }, { contains: '4' }] }] }, 'gpt-4', true],
    [{ or: [] }, 'gpt-4', false],
  ])('%j of %s is %s', (logic, name, want) => {
    expect(compileMatch(logic)(name)).toBe(want)
  })
})

it.each([
  ['gpt-5-20250807', 'gpt-5-2025-08-07'],
  ['claude-20250230', 'claude-20250230'],
  ['model-20251301', 'model-20251301'],
  ['a-20250101:b', 'a-2025-01-01:b'],
  ['plain', 'plain'],
])('withDashedDate(%s)', (name, want) => {
  expect(withDashedDate(name)).toBe(want)
})

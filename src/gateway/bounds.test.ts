import { describe, expect, it } from 'vitest'
import { priceUsage, type PriceSheet } from '../catalog/index.js'
import { Deployment, type Provider } from '../environment/index.js'
import type { CallBound } from '../ledger/index.js'
import type { Request } from '../protocol/index.js'
import { noUsage, picoUsd, type Usage } from '../quantities/index.js'
import { createOutputQuantile } from '../understanding/index.js'
import { billedApart, createBounds } from './bounds.js'

const rate = (base: bigint) => ({ base: picoUsd(base), tiers: [] })
const sheet: PriceSheet = { input: rate(3n), output: rate(15n), cacheWrite5m: rate(4n), source: 'test' }
let now = 0
const clock = { now: () => now, monotonic: () => 0, sleep: () => Promise.resolve() }
const limits = { connectSeconds: 1, firstTokenSeconds: 10, idleSeconds: 10, totalSeconds: 600 }
const unused = () => Promise.reject(new Error('unused'))
const provider: Provider = {
  id: 'p',
  kind: 'test',
  speaks: () => false,
  generate: () => {
    throw new Error('unused')
  },
  embed: unused,
  facts: () => undefined,
  check: () => Promise.resolve({ ok: true, message: '' }),
  close: () => Promise.resolve(),
}
const { bound } = createBounds(clock, createOutputQuantile())

function boundOf(prices: PriceSheet, request: Partial<Request>): CallBound {
  const facts = { id: 'm', provider: 'p', capabilities: {}, contextTokens: 200_000, prices }
  const deployment = new Deployment('p/m', provider, 'm', 1, facts, limits, { afterFaults: 2, seconds: 1 }, clock)
  return bound(deployment, {
    model: 'm',
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(100) }] }],
    stream: false,
    maxOutputTokens: 10,
    paths: {},
    extra: [],
    ...request,
  })
}
const costs = (prices: PriceSheet, usage: Partial<Usage>, at: number) =>
  priceUsage(prices, { ...noUsage, ...usage }, { at }).report.usd ?? 0n
const search = (more: Record<string, unknown> = {}) => ({
  tools: [
    { type: 'native' as const, format: 'anthropic-messages' as const, value: { type: 'web_search_20250305', name: 'web_search', ...more } },
  ],
})

describe('the bound of a call', () => {
  it('holds the searches that the provider may run, and what their results add to the input', () => {
    const prices = { ...sheet, webSearch: picoUsd(10_000n) }
    const { usage, cost } = boundOf(prices, search({ max_uses: 3 }))
    expect(usage.webSearches).toBe(3)
    expect(usage.inputTokens).toBeGreaterThan(60_000)
    expect(cost.usd).toBeGreaterThanOrEqual(costs(prices, { inputTokens: 60_000, outputTokens: 10, webSearches: 3 }, 0))
    expect(boundOf(prices, search()).usage.webSearches).toBeGreaterThan(0)
    expect(
      boundOf(prices, { extra: [{ name: 'web_search_options', path: 'web_search_options', value: {} }] }).usage.webSearches,
    ).toBeGreaterThan(0)
    expect(boundOf(prices, {}).usage.webSearches).toBe(0)
  })

  it('is unknown where a search has no price', () => {
    expect(boundOf(sheet, search()).cost.usd).toBeNull()
  })

  it.each([
    ['code_interpreter', { type: 'code_interpreter', container: { type: 'auto' } }],
    ['code_execution', { type: 'code_execution_20250825', name: 'code_execution' }],
    ['file_search', { type: 'file_search', vector_store_ids: ['v'] }],
    ['shell', { type: 'shell', environment: { type: 'container_auto' } }],
  ])('is unknown with %s, which is billed beside the tokens', (name, value) => {
    const tools = [{ type: 'native' as const, format: 'openai-responses' as const, value }]
    expect(boundOf(sheet, { tools }).cost.usd).toBeNull()
    expect(billedApart({ model: 'm', messages: [], stream: false, paths: {}, extra: [], tools })).toEqual([name])
  })

  it.each([
    { type: 'local_shell' },
    { type: 'shell', environment: { type: 'local' } },
    { type: 'mcp' },
    { type: 'bash_20250124' },
    { type: 'web_fetch_20250910' },
  ])('is known with %j', (value) => {
    expect(boundOf(sheet, { tools: [{ type: 'native', format: 'openai-responses', value }] }).cost.usd).not.toBeNull()
  })

  it('is of the dearest prices that hold before the call must be over', () => {
    const dearer: PriceSheet = { ...sheet, output: rate(30n) }
    const daily: PriceSheet = { ...sheet, changes: [{ when: { daily: { start: 3600, end: 3700 } }, sheet: dearer }] }
    now = 86_400 * 3 + 3599
    expect(boundOf(daily, {}).cost.usd).toBe(boundOf(dearer, {}).cost.usd)
    now = 86_400 * 3 + 3700
    expect(boundOf(daily, {}).cost.usd).toBe(boundOf(sheet, {}).cost.usd)
    now = 1000
    const from: PriceSheet = { ...sheet, changes: [{ when: { from: 1300 }, sheet: dearer }] }
    expect(boundOf(from, {}).cost.usd).toBe(boundOf(dearer, {}).cost.usd)
    now = 0
    expect(boundOf(from, {}).cost.usd).toBe(boundOf(sheet, {}).cost.usd)
  })

  it('has room for writing to a cache for an hour, wherever the mark stands', () => {
    const mark = { ttl: '1h' as const }
    const plain = boundOf(sheet, {})
    const most = costs(sheet, { cacheWrite1hTokens: plain.usage.inputTokens, outputTokens: 10 }, 0)
    const marked: Partial<Request>[] = [
      { messages: [{ role: 'user', parts: [{ type: 'text', text: 'x'.repeat(100), cache: mark }] }] },
      { extra: [{ name: 'cache_control', path: 'cache_control', value: { type: 'ephemeral', ttl: '1h' } }] },
      {
        messages: [
          {
            role: 'user',
            parts: [
              {
                type: 'native',
                format: 'anthropic-messages',
                value: { type: 'search_result', text: 'x'.repeat(100), cache_control: { ttl: '1h' } },
              },
            ],
          },
        ],
      },
      {
        messages: [
          { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', content: [{ type: 'text', text: 'x'.repeat(100), cache: mark }] }] },
        ],
      },
      {
        tools: [
          { type: 'native', format: 'anthropic-messages', value: { type: 'bash_20250124', name: 'bash', cache_control: { ttl: '1h' } } },
        ],
      },
    ]
    for (const request of marked) expect(boundOf(sheet, request).cost.usd).toBeGreaterThanOrEqual(most)
  })
})

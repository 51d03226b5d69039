import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnsupportedParameter } from '../errors/index.js'
import type { DropPolicy, OutboundCodec } from './codec.js'
import type { ReasoningSettings, Request } from './conversation.js'
import {
  anthropicMessages,
  budgetThresholds,
  createOpenAiChat,
  effortOfBudget,
  efforts,
  gemini,
  nearestEffort,
  openaiChat,
  openaiResponses,
  thinkingBudgets,
} from './index.js'

const refuse = (noted: string[]): DropPolicy => ({
  unsupported(path, why) {
    throw new UnsupportedParameter(`${path}: ${why}`, path)
  },
  adjusted: (path) => void noted.push(path),
})
function ask(reasoning: ReasoningSettings, more: Partial<Request> = {}): Request {
  return {
    model: 'm',
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    stream: false,
    paths: {},
    extra: [],
    maxOutputTokens: 40_000,
    reasoning,
    ...more,
  }
}
function send(codec: OutboundCodec, model: string, request: Request): { readonly body: Record<string, unknown>; readonly noted: string[] } {
  const noted: string[] = []
  return { body: codec.encodeRequest(request, model, refuse(noted)), noted }
}

describe('efforts and budgets', () => {
  it.each([
    [0, 'none'],
    [1, 'low'],
    [1024, 'low'],
    [4000, 'low'],
    [budgetThresholds.low, 'low'],
    [budgetThresholds.low + 1, 'medium'],
    [10_000, 'medium'],
    [budgetThresholds.medium, 'medium'],
    [budgetThresholds.medium + 1, 'high'],
    [31_999, 'high'],
    [1e6, 'high'],
  ] as const)('%d tokens are %s', (tokens, effort) => expect(effortOfBudget(tokens)).toBe(effort))

  it('thresholds lie half-way between the budgets of the table', () => {
    expect(budgetThresholds.low).toBe((thinkingBudgets.low + thinkingBudgets.medium) / 2)
    expect(budgetThresholds.medium).toBe((thinkingBudgets.medium + thinkingBudgets.high) / 2)
  })

  it('low, medium and high survive the way to a budget and back', () => {
    for (const effort of ['low', 'medium', 'high'] as const) expect(effortOfBudget(thinkingBudgets[effort])).toBe(effort)
  })

  it('more tokens are never less effort, and more effort never fewer tokens', () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.nat(100_000),
        (a, b) => efforts.indexOf(effortOfBudget(Math.min(a, b))) <= efforts.indexOf(effortOfBudget(Math.max(a, b))),
      ),
    )
    const budgets = Object.values(thinkingBudgets)
    expect(budgets).toEqual([...budgets].sort((a, b) => a - b))
  })

  it('the nearest level is not above the wanted one where that is possible', () => {
    fc.assert(
      fc.property(fc.constantFrom(...efforts), fc.subarray([...efforts], { minLength: 1 }), (wanted, levels) => {
        const nearest = nearestEffort(wanted, levels)
        const below = levels.filter((level) => efforts.indexOf(level) <= efforts.indexOf(wanted))
        expect(nearest).toBe(below.at(-1) ?? levels[0])
      }),
    )
    expect(nearestEffort('low', [])).toBeUndefined()
  })
})

describe('a budget of thinking tokens', () => {
  const budget = ask({ maxTokens: 31_999 }, { paths: { 'reasoning.maxTokens': 'thinking.budget_tokens' } })

  it.each<[string, OutboundCodec, string, Record<string, unknown>]>([
    ['chat', openaiChat, 'gpt-5', { reasoning_effort: 'high' }],
    ['chat', openaiChat, 'openai/o4-mini', { reasoning_effort: 'high' }],
    ['Responses', openaiResponses, 'gpt-5', { reasoning: { effort: 'high' } }],
    [
      'a Claude model without budgets',
      anthropicMessages,
      'claude-opus-4-8',
      { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
    ],
  ])('becomes the nearest effort: %s', (_name, codec, model, expected) => {
    const { body, noted } = send(codec, model, budget)
    expect(body).toMatchObject(expected)
    expect(noted).toEqual(['thinking.budget_tokens'])
  })

  it('goes to those that know it', () => {
    expect(send(anthropicMessages, 'claude-sonnet-4-5', budget)).toMatchObject({
      body: { thinking: { type: 'enabled', budget_tokens: 31_999 } },
      noted: [],
    })
    expect(send(gemini, 'gemini-2.5-pro', budget)).toMatchObject({
      body: { generationConfig: { thinkingConfig: { thinkingBudget: 31_999 } } },
      noted: [],
    })
    expect(send(createOpenAiChat({ dialect: 'openrouter' }), 'x/y', budget)).toMatchObject({
      body: { reasoning: { max_tokens: 31_999 } },
      noted: [],
    })
  })

  it.each<[OutboundCodec, string, string]>([
    [openaiChat, 'gpt-4o', 'reasoning_effort'],
    [openaiChat, 'llama3.1', 'reasoning_effort'],
    [openaiResponses, 'gpt-4.1', 'reasoning'],
    [openaiResponses, 'gpt-5-chat-latest', 'reasoning'],
    [gemini, 'gemini-2.0-flash', 'thinkingConfig'],
    [anthropicMessages, 'claude-3-5-haiku-20241022', 'thinking'],
  ])('is a ceiling, which %o keeps without thinking (%s)', (codec, model, field) => {
    const { body, noted } = send(codec, model, budget)
    expect(JSON.stringify(body)).not.toContain(`"${field}"`)
    expect(noted).toEqual(['thinking.budget_tokens'])
  })
})

describe('an effort', () => {
  it.each<[OutboundCodec, string]>([
    [openaiChat, 'gpt-4o'],
    [openaiResponses, 'gpt-4o'],
    [gemini, 'gemini-2.0-flash'],
    [anthropicMessages, 'claude-3-5-haiku-20241022'],
  ])('is refused for a model that does not think: %o %s', (codec, model) => {
    const asked = ask({ effort: 'high' }, { paths: { 'reasoning.effort': 'reasoning_effort' } })
    expect(() => send(codec, model, asked)).toThrow(expect.objectContaining({ code: 'unsupported_parameter', path: 'reasoning_effort' }))
    expect(send(codec, model, ask({ effort: 'none' })).noted).toEqual([])
  })

  it('is a budget by the one table', () => {
    for (const effort of ['low', 'medium', 'high'] as const) {
      expect(send(anthropicMessages, 'claude-sonnet-4-5', ask({ effort })).body['thinking']).toMatchObject({
        budget_tokens: Math.max(1024, thinkingBudgets[effort]),
      })
      expect(send(gemini, 'gemini-2.5-flash', ask({ effort })).body['generationConfig']).toMatchObject({
        thinkingConfig: { thinkingBudget: thinkingBudgets[effort] },
      })
    }
  })

  it('goes as it is to servers whose models nobody knows', () => {
    expect(send(openaiChat, 'llama3.1', ask({ effort: 'low' })).body['reasoning_effort']).toBe('low')
    expect(send(openaiResponses, 'llama3.1', ask({ effort: 'low' })).body['reasoning']).toEqual({ effort: 'low' })
  })
})

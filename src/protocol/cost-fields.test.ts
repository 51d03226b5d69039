import { describe, expect, it } from 'vitest'
import { usd } from '../quantities/index.js'
import { costFields } from './cost-fields.js'

describe('costFields', () => {
  it('prints the exact decimals of the money', () => {
    const fields = costFields({ usd: usd('0.0000021375'), details: { inputTokens: usd('0.0000000375'), outputTokens: usd('0.0000021') } })
    expect(JSON.stringify(fields)).toBe(
      '{"cost":0.0000021375,"cost_details":{"upstream_inference_cost":0.0000021375,"inputTokens":3.75e-8,"outputTokens":0.0000021}}',
    )
  })
  it('keeps an unknown price unknown', () => {
    expect(costFields({ usd: null, details: {} })).toEqual({ cost: null, cost_details: { upstream_inference_cost: null } })
  })
})

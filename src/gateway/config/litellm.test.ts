import { describe, expect, it } from 'vitest'
import { importLiteLlm, importedYaml } from './litellm.js'
import { parseConfig } from './load.js'
import { InvalidConfiguration } from './problem.js'

const full = `
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-gpt-4o
      api_base: https://east.openai.azure.com/
      api_key: os.environ/AZURE_KEY_EAST
      api_version: "2024-10-21"
      rpm: 300
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 100
      timeout: 30
      stream_timeout: 10
  - model_name: claude
    litellm_params: { model: claude-sonnet-4-5, api_key: sk-ant-written-out }
    model_info:
      input_cost_per_token: 0.000003
      output_cost_per_token: "1.5e-05"
      cache_read_input_token_cost: 3e-7
      input_cost_per_token_above_200k_tokens: 6e-6
  - model_name: local
    litellm_params: { model: ollama_chat/llama3, api_base: "http://localhost:11434" }
  - model_name: vllm-model
    litellm_params: { model: openai/mistral-7b, api_base: "http://gpu-1:8000/v1", api_key: none, temperature: 0.2 }
  - model_name: bedrock-claude
    litellm_params: { model: bedrock/anthropic.claude-3 }
  - model_name: "groq/*"
    litellm_params: { model: "groq/*", api_key: os.environ/GROQ_API_KEY }
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 3
  timeout: 45
  allowed_fails: 2
  cooldown_time: 60
  fallbacks: [{ gpt-4o: [claude, gone] }]
  model_group_alias: { gpt-4: gpt-4o }
  redis_host: localhost
litellm_settings:
  drop_params: true
  callbacks: [prometheus, langfuse]
  cache: true
general_settings:
  master_key: sk-1234567890
  database_url: postgresql://x
environment_variables: { FOO: bar }
`

const env = { AZURE_KEY_EAST: 'a', OPENAI_API_KEY: 'b', ANTHROPIC_API_KEY: 'c', GROQ_API_KEY: 'd', LITELLM_MASTER_KEY: 'a-long-enough-key' }

describe('importLiteLlm', () => {
  const imported = importLiteLlm(full)

  it('makes a configuration that Bursar takes', () => {
    const { config } = parseConfig(importedYaml(imported), env)
    expect(Object.keys(config.models)).toEqual(['gpt-4o', 'claude', 'local', 'vllm-model', 'gpt-4'])
    expect(config.models['gpt-4o']).toMatchObject({
      balance: 'latency',
      fallbacks: ['claude'],
      deployments: [
        { provider: 'azure', model: 'my-gpt-4o', weight: 300 },
        { provider: 'openai', model: 'gpt-4o', weight: 100, timeouts: { total_seconds: 30, first_token_seconds: 10 } },
      ],
    })
    expect(config.models['gpt-4']).toEqual(config.models['gpt-4o'])
    expect(config.retries.attempts).toBe(3)
    expect(config.timeouts.total_seconds).toBe(45)
    expect(config.cooldown).toEqual({ after_faults: 3, seconds: 60 })
    expect(config.drop_unsupported).toBe(true)
    expect(config.keys).toEqual([])
    expect(config.admin?.key?.reveal()).toBe('a-long-enough-key')
  })

  it('tells providers apart by type, address and key', () => {
    expect(imported.config.providers).toEqual({
      azure: { type: 'azure-openai', base_url: 'https://east.openai.azure.com', api_key: '${AZURE_KEY_EAST}', api_version: '2024-10-21' },
      openai: { type: 'openai', api_key: '${OPENAI_API_KEY}' },
      anthropic: { type: 'anthropic', api_key: '${ANTHROPIC_API_KEY}' },
      ollama: { type: 'ollama', base_url: 'http://localhost:11434/v1' },
      'gpu-1': { type: 'openai-compatible', base_url: 'http://gpu-1:8000/v1' },
      groq: { type: 'groq', api_key: '${GROQ_API_KEY}' },
    })
  })

  it('turns prices a token into prices a million tokens, without dust', () => {
    expect(imported.config.models?.claude).toEqual([
      {
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        prices: { input: 3, output: 15, cache_read: 0.3, tiers: [{ above_input_tokens: 200_000, input: 6 }] },
      },
    ])
  })

  it('never takes a secret over, and says what it left out', () => {
    const yaml = importedYaml(imported)
    expect(yaml).not.toContain('written-out')
    expect(yaml).not.toContain('sk-1234567890')
    const notes = imported.notes.join('\n')
    expect(notes).not.toContain('written-out')
    for (const word of [
      'ANTHROPIC_API_KEY',
      'LITELLM_MASTER_KEY',
      'bedrock',
      'groq/*',
      '"gone"',
      'langfuse',
      'redis_host',
      'database_url',
      'cache',
      'FOO',
      'temperature',
    ])
      expect(notes).toContain(word)
  })

  it('gives a second account of a host a name of its own', () => {
    const twice = importLiteLlm(`
model_list:
  - { model_name: a, litellm_params: { model: openai/gpt-5, api_key: os.environ/ONE } }
  - { model_name: a, litellm_params: { model: openai/gpt-5, api_key: os.environ/TWO } }
  - { model_name: b, litellm_params: { model: openai/gpt-5-mini, api_key: os.environ/ONE } }
`)
    expect(Object.keys(twice.config.providers ?? {})).toEqual(['openai', 'openai-2'])
    expect(twice.config.models).toEqual({ a: ['openai/gpt-5', 'openai-2/gpt-5'], b: 'openai/gpt-5-mini' })
    expect(twice.notes).toEqual([])
  })

  it.each([
    ['no YAML', 'a: ['],
    ['a list', '- a'],
    ['nothing', ''],
    ['no models', 'model_list: []'],
    ['only models without a provider', 'model_list: [{ model_name: a, litellm_params: { model: bedrock/x } }]'],
  ])('refuses %s', (_what, text) => {
    expect(() => importLiteLlm(text)).toThrow(InvalidConfiguration)
  })

  it.each([
    'model_list: [1, null, { model_name: 3 }, { litellm_params: {} }, { litellm_params: { model: gpt-5 } }]\nrouter_settings: 3\nlitellm_settings: [x]',
    'model_list: [{ model_name: "a b", litellm_params: { model: gpt-5, timeout: -1, rpm: x } }]\nrouter_settings: { fallbacks: { a: b }, num_retries: x, model_group_alias: { q: nope } }',
    'model_list: [{ model_name: a, litellm_params: { model: gpt-5, api_base: os.environ/BASE } }]',
  ])('bears odd input: %s', (text) => {
    const made = importLiteLlm(text)
    expect(() => parseConfig(importedYaml(made), { OPENAI_API_KEY: 'k', BASE: 'https://x.example/v1' })).not.toThrow()
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ModelFacts } from '../../catalog/index.js'
import { picoUsd } from '../../quantities/index.js'
import { askable, run } from '../fixtures/inspection.js'
import { modelsCommand } from './models.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-models-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'bursar.yaml')
writeFileSync(file, 'providers: { openai: { api_key: k }, ollama: }')

const rate = (pico: bigint, tiers: { aboveInputTokens: number; rate: ReturnType<typeof picoUsd> }[] = []) => ({
  base: picoUsd(pico),
  tiers,
})
const known: ModelFacts = {
  id: 'gpt-5-mini',
  provider: 'openai',
  contextTokens: 400_000,
  maxOutputTokens: 128_000,
  capabilities: { tools: true, jsonSchema: true, images: true, audio: false, reasoning: true },
  prices: {
    input: rate(250_000n, [{ aboveInputTokens: 200_000, rate: picoUsd(500_000n) }]),
    cacheRead: rate(25_000n),
    output: rate(2_000_000n),
    source: 'test',
  },
}
const models = [{ id: 'openai/gpt-5-mini', facts: known, deployments: ['openai/gpt-5-mini'] }]
const ollama = askable('ollama', () => Promise.resolve({ ok: true, message: '', models: ['llama3.2:latest'] }))
const openai = askable('openai', () => Promise.reject(new Error('must not be asked')))

describe('bursar models', () => {
  it('prints prices, context and capabilities, and ? for what is unknown', async () => {
    const { out, code, closed } = await run(modelsCommand, ['models', '-c', file], { models, providers: [openai, ollama] })
    const lines = out.split('\n')
    expect(lines[0]).toMatch(/^MODEL +INPUT +CACHED +OUTPUT +CONTEXT +CAN$/)
    expect(lines[1]).toMatch(/^openai\/gpt-5-mini +0\.25\+ +0\.025 +2 +400 +TJI-R\?$/)
    expect(lines[2]).toMatch(/^ollama\/llama3\.2:latest +\? +\? +\? +\? +\?{6}$/)
    expect(out).toContain('dollars a million tokens')
    expect(code).toBe(0)
    expect(closed).toBe(true)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('tells what stands behind an alias', async () => {
    const { out } = await run(modelsCommand, ['models', '-c', file], {
      models: [{ id: 'fast', facts: known, deployments: ['openai/gpt-5-mini', 'azure/a-deployment-with-a-rather-long-name'] }, ...models],
      providers: [],
    })
    expect(out).toContain('SERVED BY')
    expect(out).toMatch(/^fast +openai\/gpt-5-mini.*…/m)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('finds models by a part of their name', async () => {
    const world = { models, providers: [openai, ollama] }
    expect((await run(modelsCommand, ['models', 'LLAMA', '-c', file], world)).out).not.toContain('gpt')
    const none = await run(modelsCommand, ['models', 'nope', '-c', file], world)
    expect(none.out).toBe('No models.\n')
    expect(none.err).toContain('"nope"')
  })

  it('prints exact decimals as JSON', async () => {
    const { out } = await run(modelsCommand, ['models', '--json', '-c', file], { models, providers: [openai] })
    expect(JSON.parse(out)).toEqual([
      {
        id: 'openai/gpt-5-mini',
        deployments: ['openai/gpt-5-mini'],
        contextTokens: 400_000,
        maxOutputTokens: 128_000,
        capabilities: { tools: true, jsonSchema: true, images: true, audio: false, reasoning: true, embeddings: null },
        prices: {
          input: { usd: '0.25', tiers: [{ aboveInputTokens: 200_000, usd: '0.5' }] },
          cacheRead: { usd: '0.025', tiers: [] },
          cacheWrite5m: null,
          cacheWrite1h: null,
          output: { usd: '2', tiers: [] },
          reasoning: null,
        },
      },
    ])
  })

  it('goes on without a provider that does not answer, and says so', async () => {
    const { out, err } = await run(modelsCommand, ['models', '-c', file], {
      models,
      providers: [openai, askable('ollama', () => Promise.reject(new Error('connection refused')))],
    })
    expect(out).toContain('openai/gpt-5-mini')
    expect(err).toContain('ollama: connection refused')
  })
})

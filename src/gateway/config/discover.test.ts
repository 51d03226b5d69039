import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { presets, providerTypes } from '../../environment/index.js'
import { defaultConfig, discoverProviders, loopbackProbe, type Probe } from './discover.js'

const nothing: Probe = () => Promise.reject(new Error('refused'))
const list = (...ids: string[]) => ({ object: 'list', data: ids.map((id) => ({ id, object: 'model' })) })

const servers: Server[] = []
afterEach(() => servers.splice(0).forEach((server) => (server.closeAllConnections(), server.close())))

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/models`
}

describe('discoverProviders', () => {
  it('offers the sandbox when there is nothing at all', async () => {
    const { providers, notes } = await discoverProviders({}, nothing)
    expect(providers).toEqual({ sandbox: { type: 'sandbox', seed: 1, speed: 1 } })
    expect(notes).toHaveLength(1)
    expect((await defaultConfig({}, nothing)).providers).toEqual(providers)
  })

  it('finds every preset by each of its variables', async () => {
    for (const preset of presets.values())
      for (const variable of preset.keyVariables) {
        const { providers } = await discoverProviders({ [variable]: 'a-key' }, nothing)
        expect(Object.keys(providers), variable).toEqual([preset.name])
        expect(providers[preset.name]?.type).toBe(preset.name)
      }
  })

  it('ignores empty variables and the sandbox once there is a key', async () => {
    const { providers } = await discoverProviders(
      { OPENAI_API_KEY: ' ', ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: 'https://a.example/' },
      nothing,
    )
    expect(providers).toEqual({ anthropic: { type: 'anthropic', api_key: expect.anything() as unknown, base_url: 'https://a.example' } })
  })

  it('takes Azure with both sets of variables, and says what is missing', async () => {
    const classic = await discoverProviders(
      { AZURE_API_KEY: 'k', AZURE_API_BASE: 'https://r.openai.azure.com/', AZURE_API_VERSION: '2024-10-21' },
      nothing,
    )
    expect(classic.providers.azure).toMatchObject({
      type: 'azure-openai',
      base_url: 'https://r.openai.azure.com',
      api_version: '2024-10-21',
    })
    const newer = await discoverProviders({ AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com' }, nothing)
    expect(newer.providers.azure).toMatchObject({ type: 'azure-openai' })
    const half = await discoverProviders({ AZURE_API_KEY: 'k' }, nothing)
    expect(half.providers).toHaveProperty('sandbox')
    expect(half.notes.join()).toContain('AZURE_API_KEY')
  })

  it('says when an address is no address, and never shows a value', async () => {
    const { notes, providers } = await discoverProviders(
      { OPENAI_API_KEY: 'sk-hush', OPENAI_BASE_URL: 'hush', AZURE_API_KEY: 'k', AZURE_API_BASE: 'hush', AZURE_API_VERSION: '; rm' },
      nothing,
    )
    expect(providers.openai).not.toHaveProperty('base_url')
    expect(notes.join()).toContain('OPENAI_BASE_URL')
    expect(notes.join()).not.toContain('hush')
  })

  it('finds local servers by their model list, and by nothing else', async () => {
    const answers: Record<string, unknown> = {
      'http://127.0.0.1:11434/v1/models': list('llama3', 'qwen'),
      'http://127.0.0.1:8000/v1/models': { status: 'ok' },
      'http://127.0.0.1:8080/v1/models': { object: 'list', data: [{ name: 'no id' }] },
      'http://127.0.0.1:1234/v1/models': { object: 'list', data: null },
    }
    const asked: string[] = []
    const { providers, notes } = await discoverProviders({}, (url) => (asked.push(url), Promise.resolve(answers[url])))
    expect(asked.sort()).toEqual(Object.keys(answers).sort())
    expect(Object.keys(providers)).toEqual(['ollama', 'lm-studio'])
    expect(notes).toContain('found Ollama on port 11434 with 2 models')
  })
})

describe('loopbackProbe', () => {
  it('reads a model list over HTTP', async () => {
    const url = await serve((_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(list('a'))))
    expect(await loopbackProbe(url)).toEqual(list('a'))
  })

  it.each<[string, RequestListener]>([
    ['a web page', (_request, response) => response.setHeader('content-type', 'text/html').end('<html>')],
    ['a redirect', (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
    ['a refusal', (_request, response) => response.writeHead(401, { 'content-type': 'application/json' }).end('{}')],
    ['broken JSON', (_request, response) => response.setHeader('content-type', 'application/json').end('{')],
    [
      'an endless answer',
      (_request, response) => {
        response.setHeader('content-type', 'application/json')
        const more = () => void (response.destroyed || response.write('x'.repeat(65_536), more))
        more()
      },
    ],
    ['silence', () => undefined],
  ])('rejects on %s', async (_what, listener) => {
    await expect(loopbackProbe(await serve(listener))).rejects.toThrow()
  })
})

describe('presets', () => {
  it('are types that a provider can have, with good addresses', () => {
    for (const [name, preset] of presets) {
      expect(name).toBe(preset.name)
      expect(providerTypes).toContain(name)
      expect(preset.baseUrl).toMatch(/^https:\/\/[^/]+[^ ]*[^/]$|^http:\/\/127\.0\.0\.1:\d+\/v1$/)
      expect(preset.formats.length).toBeGreaterThan(0)
      // A variable that two presets read would give a key to the wrong host.
      for (const other of presets.values())
        if (other !== preset) for (const variable of preset.keyVariables) expect(other.keyVariables).not.toContain(variable)
    }
  })
})

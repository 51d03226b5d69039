import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../gateway/config/index.js'
import { run } from '../fixtures/inspection.js'
import { configCommand } from './config.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

describe('bursar config', () => {
  it('prints the JSON Schema', async () => {
    const { out } = await run(configCommand, ['config', 'schema'])
    expect(JSON.parse(out)).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      properties: { server: { type: 'object' } },
    })
  })

  it('shows the configuration in effect without secrets, as YAML that is a configuration again', async () => {
    const file = write('a.yaml', 'providers: { openai: { api_key: "${K}" } }\nkeys: [{ name: a, key: "${K}" }]\nmodels: { f: openai/x }')
    const { out } = await run(configCommand, ['config', 'show', '-c', file], { env: { K: 'hush-hush-hush' } })
    expect(out).not.toContain('hush')
    expect(out).toContain('api_key: "[secret]"')
    expect(parse(out)).toMatchObject({
      server: { port: 8787 },
      models: { f: { deployments: [{ provider: 'openai', model: 'x', weight: 1 }] } },
    })
    const again = parseConfig(out.replaceAll('"[secret]"', 'another-secret'), {}).config
    expect(again.models).toEqual(parseConfig(readFileSync(file, 'utf8'), { K: 'hush-hush-hush' }).config.models)
    const json = await run(configCommand, ['config', 'show', '--json', '-c', file], { env: { K: 'hush-hush-hush' } })
    expect(JSON.parse(json.out)).toEqual(parse(out))
  })

  it('shows what is found when there is no file', async () => {
    const before = process.cwd()
    process.chdir(folder)
    try {
      const { out, err } = await run(configCommand, ['config', 'show'], { env: { OPENAI_API_KEY: 'sk-hush' } })
      expect(Object.keys((parse(out) as { providers: object }).providers)).toEqual(['openai'])
      expect(out + err).not.toContain('sk-hush')
    } finally {
      process.chdir(before)
    }
  })

  it('imports a LiteLLM file to a new file, and leaves an old one alone', async () => {
    const source = write(
      'litellm.yaml',
      'model_list: [{ model_name: a, litellm_params: { model: gpt-5, api_key: sk-hush } }]\nlitellm_settings: { cache: true }',
    )
    const target = join(folder, 'imported.yaml')
    const { out, err } = await run(configCommand, ['config', 'import', 'litellm', source, '-o', target])
    expect(out).toBe('')
    expect(err).toContain('cache')
    expect(err).not.toContain('to mend')
    const text = readFileSync(target, 'utf8')
    expect(text).toMatch(/^# yaml-language-server/)
    expect(text).not.toContain('sk-hush')
    expect(Object.keys(parseConfig(text, { OPENAI_API_KEY: 'k' }).config.models)).toEqual(['a'])
    await expect(run(configCommand, ['config', 'import', 'litellm', source, '-o', target])).rejects.toThrow(/exists already/)
    expect(readFileSync(target, 'utf8')).toBe(text)
    const printed = await run(configCommand, ['config', 'import', 'litellm', source])
    expect(printed.out).toBe(text)
  })

  it('says when a file is not there', async () => {
    await expect(run(configCommand, ['config', 'import', 'litellm', join(folder, 'none.yaml')])).rejects.toThrow(/none\.yaml can't be read/)
    await expect(run(configCommand, ['config', 'show', '-c', join(folder, 'none.yaml')])).rejects.toThrow(/no such file/)
    expect(existsSync(join(folder, 'none.yaml'))).toBe(false)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { askable, run } from '../fixtures/inspection.js'
import { checkCommand } from './check.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-check-'))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
function configFile(text: string): string {
  const file = join(folder, `${count++}.yaml`)
  writeFileSync(file, text)
  return file
}

const fine = (id: string, models?: string[]) =>
  askable(id, () => Promise.resolve({ ok: true, message: `${models?.length ?? 0} models`, models }))

describe('bursar check', () => {
  it('has a line for each provider and ends well when all answer', async () => {
    const file = configFile('providers: { openai: { api_key: k }, ollama: }')
    const { out, code, closed } = await run(checkCommand, ['check', '-c', file], {
      providers: [fine('openai', ['a', 'b']), fine('ollama')],
    })
    expect(out).toContain(`${file}: valid`)
    expect(out).toMatch(/^openai {2}ok {6}2 models$/m)
    expect(out).toMatch(/^ollama {2}ok/m)
    expect(out).toContain('All 2 providers can be reached.')
    expect(code).toBe(0)
    expect(closed).toBe(true)
  })

  it('says what is wrong with a provider and how to mend it, and exits with 1', async () => {
    const file = configFile('providers: { openai: , groq: { api_key: k }, xai: { api_key: k } }')
    const { out, code } = await run(checkCommand, ['check', '-c', file], {
      providers: [
        askable('openai', () => Promise.resolve({ ok: false, message: 'It answered 401.' })),
        askable('groq', () => Promise.reject(new Error('a bug in the provider'))),
        fine('xai'),
      ],
    })
    expect(out.replace(/\s+/g, ' ')).toContain(
      'openai FAILED It answered 401. It has no key: set OPENAI_API_KEY, or `providers.openai.api_key`.',
    )
    expect(out).toMatch(/^groq .*FAILED.*a bug in the provider/m)
    expect(out).toMatch(/^xai .*ok/m)
    expect(out).toContain('2 of 3 providers fail')
    expect(code).toBe(1)
    for (const line of out.split('\n')) if (!line.includes(folder)) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('prints every problem of a bad file with its line, reaches nobody, and exits with 1', async () => {
    const { out, code } = await run(checkCommand, ['check', '-c', configFile('server:\n  prot: 1\nlog: { level: x }\n')], {
      providers: [askable('x', () => Promise.reject(new Error('must not be asked')))],
    })
    expect(out).toContain('2 problems')
    expect(out).toContain('line 2: server.prot: unknown key; did you mean "port"?')
    expect(out).toContain('line 3: log.level')
    expect(out).not.toContain('must not be asked')
    expect(code).toBe(1)
  })

  it('warns of what works but may cost dearly', async () => {
    const file = configFile(`
server: { host: 0.0.0.0 }
providers: { openai: { api_key: k }, azure: { type: azure-openai, base_url: "https://x.example", api_key: k } }
models: { fast: openai/gpt-5-minii, own: azure/my-deployment }
keys:
  - { name: free, key: 0123456789abc }
  - { name: old, key: 0123456789abd, budget_usd: 1, expires: 2026-11-20 }
  - { name: soon, key: 0123456789abe, budget_usd: 1, expires: 2026-11-25 }
  - { name: fine, key: 0123456789abf, budget_usd: 1, expires: 2027-11-25 }
`)
    const facts = (id: string, provider: string) => ({ id, provider, capabilities: {} })
    const { out, code } = await run(checkCommand, ['check', '-c', file], {
      providers: [fine('openai', ['gpt-5-mini', 'gpt-5']), fine('azure', ['gpt-5'])],
      models: [
        { id: 'fast', facts: facts('gpt-5-minii', 'openai'), deployments: ['openai/gpt-5-minii'] },
        { id: 'openai/unnamed', facts: facts('unnamed', 'openai'), deployments: ['openai/unnamed'] },
      ],
    })
    const text = out.replace(/\s+/g, ' ')
    expect(text).toContain('warning: the gateway listens on 0.0.0.0')
    expect(text).toContain('warning: the key "free" may spend without limit')
    expect(text).toContain('warning: the key "old" has expired')
    expect(text).toContain('warning: the key "soon" expires at 2026-11-25')
    expect(text).not.toContain('"fine"')
    expect(text).toContain('models.fast: openai doesn\'t list "gpt-5-minii"; did you mean "gpt-5-mini"?')
    expect(text).not.toContain('my-deployment')
    expect(text).toContain('the price of fast is unknown')
    expect(text).toContain('prices: { openai/gpt-5-minii:')
    expect(text).not.toContain('openai/unnamed')
    expect(code).toBe(0)
  })

  it('prints one JSON object with --json, and no secret in it', async () => {
    const file = configFile('providers: { openai: { api_key: hush-hush } }')
    const good = await run(checkCommand, ['check', '-c', file, '--json'], { providers: [fine('openai', ['a'])] })
    expect(JSON.parse(good.out)).toEqual({
      ok: true,
      configuration: { file, ok: true, problems: [], warnings: [] },
      ledger: [{ name: 'ledger', ok: true, message: '/x/bursar.db, to be made at the first start' }],
      providers: [{ name: 'openai', type: 'openai', ok: true, message: '1 models', models: 1 }],
    })
    const bad = await run(checkCommand, ['check', '-c', configFile('prot: 1'), '--json'])
    expect(JSON.parse(bad.out)).toMatchObject({ ok: false, configuration: { problems: [{ path: 'prot', line: 1 }] } })
    expect(bad.code).toBe(1)
  })

  it('asks at most eight providers at once, and lets none hold up the others', async () => {
    let now = 0
    let most = 0
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`)
    const providers = names.map((name) =>
      askable(name, async () => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setImmediate(resolve))
        now--
        return { ok: true, message: 'here' }
      }),
    )
    const file = configFile(`providers: { ${names.map((name) => `${name}: { type: ollama }`).join(', ')} }`)
    const { out } = await run(checkCommand, ['check', '-c', file], { providers })
    expect(out).toContain('All 20 providers')
    expect(most).toBe(8)
  })

  it('fails when the ledger could not be opened: no call would be answered', async () => {
    const file = configFile('providers: { openai: { api_key: hush-hush-hush } }')
    const found = await run(checkCommand, ['check', '-c', file], {
      providers: [askable('openai', () => Promise.resolve({ ok: true, message: 'fine' }))],
      ledger: [{ name: 'ledger', ok: false, message: 'the server refuses the user or the password' }],
    })
    expect(found.out).toContain('FAILED  the server refuses')
    expect(found.out).toContain('No call is answered')
    expect(found.code).toBe(1)
  })

  it('hides what would steer the terminal', async () => {
    const { out } = await run(checkCommand, ['check', '-c', configFile('providers: { ollama: }')], {
      providers: [askable('ollama', () => Promise.resolve({ ok: false, message: 'bad \u001b[2J news' }))],
    })
    expect(out).not.toContain('\u001b')
  })
})

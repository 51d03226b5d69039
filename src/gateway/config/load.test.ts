import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { inspect } from 'node:util'
import { BursarError } from '../../errors/index.js'
import { printableYaml } from './effective.js'
import { isLoopback, loadConfig, parseConfig } from './load.js'
import { InvalidConfiguration, problemText } from './problem.js'
import type { Environment } from './interpolate.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-load-'))
afterAll(() => rmSync(folder, { recursive: true }))

function problems(text: string, env: Environment = {}): string[] {
  try {
    parseConfig(text, env)
  } catch (thrown) {
    if (thrown instanceof InvalidConfiguration) return thrown.problems.map(problemText)
    throw thrown
  }
  return []
}

/** One problem that names all of these. */
function expectProblem(text: string, words: readonly string[], env: Environment = {}): void {
  const found = problems(text, env)
  expect(
    found.find((line) => words.every((word) => line.includes(word))),
    `${words.join(' / ')} in\n${found.join('\n')}`,
  ).toBeDefined()
}

describe('a good configuration', () => {
  it('is all defaults when the file is empty, and offers the sandbox when there is no key', () => {
    for (const text of ['', '# nothing\n', '---\n', '\uFEFF', 'server:\nmodels:\n']) {
      const { config } = parseConfig(text, {})
      expect(config.server).toMatchObject({ host: '127.0.0.1', port: 8787 })
      expect(config.limits).toMatchObject({ body_bytes: 32 * 1024 * 1024, header_bytes: 16 * 1024 })
      expect(config.providers).toEqual({ sandbox: { type: 'sandbox', seed: 1, speed: 1 } })
      expect(config.keys).toEqual([])
      expect(config.telemetry.service_name).toBe('bursar')
    }
  })

  it('takes the providers of the environment when the section is left out', () => {
    const { config } = parseConfig('models: { fast: openai/gpt-5-mini }', {
      OPENAI_API_KEY: 'sk-a',
      OPENAI_BASE_URL: 'https://proxy.example/v1/',
    })
    expect(Object.keys(config.providers)).toEqual(['openai'])
    expect(config.providers.openai).toMatchObject({ type: 'openai', base_url: 'https://proxy.example/v1' })
    expect(parseConfig('providers: {}', { OPENAI_API_KEY: 'sk-a' }).config.providers).toEqual({})
  })

  it('writes short forms out', () => {
    const text = `
providers: { openai: { api_key: k1 }, groq: , mine: { type: openai-compatible, base_url: http://127.0.0.1:9/v1 } }
models:
  fast: openai/gpt-5-mini
  shared: [openai/gpt-5, { provider: groq, model: meta/llama, weight: 3 }]
  full: { deployments: [mine/a/b], balance: latency, fallbacks: [fast, groq/x], context_tokens: 1000 }
`
    const { config } = parseConfig(text, { GROQ_API_KEY: 'gsk' })
    expect(config.models.fast).toEqual({ balance: 'weighted', deployments: [{ provider: 'openai', model: 'gpt-5-mini', weight: 1 }] })
    expect(config.models.shared?.deployments).toEqual([
      { provider: 'openai', model: 'gpt-5', weight: 1 },
      { provider: 'groq', model: 'meta/llama', weight: 3 },
    ])
    expect(config.models.full).toMatchObject({
      balance: 'latency',
      fallbacks: ['fast', 'groq/x'],
      deployments: [{ provider: 'mine', model: 'a/b' }],
    })
    const { groq } = config.providers
    expect(groq?.type === 'groq' && groq.api_key?.reveal()).toBe('gsk')
  })

  it('reads anchors, aliases and merge keys, and has a place for them', () => {
    const text = `
x-common: &common
  timeouts: { total_seconds: 33 }
providers:
  openai: { <<: *common, api_key: k }
  groq:
    <<: [*common]
    api_key: k
models:
  a: &list [openai/x]
  b: *list
`
    const { config } = parseConfig(text, {})
    expect(config.providers.openai).toMatchObject({ timeouts: { total_seconds: 33 } })
    expect(config.providers.groq).toMatchObject({ timeouts: { total_seconds: 33 } })
    expect(config.models.b).toEqual(config.models.a)
  })

  it('turns references into numbers, booleans and sizes where these are wanted', () => {
    const text = `
server: { port: "\${PORT}", shutdown_seconds: "\${WAIT:-2.5}" }
log: { requests: "\${LOG}" }
limits: { body_bytes: "\${BODY}" }
drop_unsupported: \${DROP}
keys:
  - { name: "\${NAME}", key: "\${KEY}" }
`
    const { config } = parseConfig(text, { PORT: '99', LOG: 'FALSE', BODY: '1048576', DROP: 'true', NAME: '007', KEY: '123456789012' })
    expect(config.server).toMatchObject({ port: 99, shutdown_seconds: 2.5 })
    expect(config.log.requests).toBe(false)
    expect(config.limits.body_bytes).toBe(1_048_576)
    expect(config.drop_unsupported).toBe(true)
    expect(config.keys[0]?.name).toBe('007')
    expect(config.keys[0]?.key?.reveal()).toBe('123456789012')
  })

  it('does not take a quoted number of the file itself for a number', () => {
    expectProblem('server: { port: "99" }', ['server.port', 'expected a number', '"99"'])
  })

  it.each([
    ['4096', 4096],
    ['64 KiB', 65_536],
    ['1.5MB', 1_572_864],
    ['2gib', 2 * 1024 ** 3],
    ['10 B', 10],
  ])('reads the size %s', (text, bytes) => {
    expect(parseConfig(`limits: { body_bytes: ${text} }`, {}).config.limits.body_bytes).toBe(bytes)
  })

  it('lets the command line have the last word', () => {
    const overrides = { host: '0.0.0.0', port: 1, key: 'key-from-the-command-line' }
    const { config } = parseConfig('server: { host: 127.0.0.1, port: 2 }', {}, { overrides })
    expect(config.server).toMatchObject({ host: '0.0.0.0', port: 1 })
    expect(config.keys[0]?.key?.reveal()).toBe('key-from-the-command-line')
    expect(() => parseConfig('', {}, { overrides: { host: '0.0.0.0' } })).toThrow(/without `keys`/)
  })

  it('takes an IPv6 address with and without brackets', () => {
    for (const host of ['"::1"', '"[::1]"']) expect(parseConfig(`server: { host: ${host} }`, {}).config.server.host).toBe('::1')
  })

  it('starts relative paths at the folder of the file', () => {
    const file = join(folder, 'recorded.yaml')
    writeFileSync(file, 'providers: { replay: { type: recorded, file: [a.jsonl, /abs/b.jsonl], speed: instant } }')
    expect(loadConfig(file, {}).config.providers.replay).toMatchObject({
      file: [join(folder, 'a.jsonl'), '/abs/b.jsonl'],
      speed: 'instant',
    })
  })

  it('takes a date as its first moment in UTC', () => {
    const expires = (text: string) => parseConfig(`keys: [{ name: a, key: 0123456789ab, expires: ${text} }]`, {}).config.keys[0]?.expires
    expect(expires('2027-01-31')).toBe('2027-01-31T00:00:00.000Z')
    expect(expires('2027-01-31T02:00+02:00')).toBe('2027-01-31T00:00:00.000Z')
    expectProblem('keys: [{ name: a, key: 0123456789ab, expires: 2027-02-30 }]', ['keys[0].expires', 'no such date'])
    expectProblem('keys: [{ name: a, key: 0123456789ab, expires: soon }]', ['keys[0].expires', 'expected a date'])
  })

  it('never sends a key of the file to an address of the environment', () => {
    const env = { OPENAI_BASE_URL: 'https://elsewhere.example/v1', OPENAI_API_KEY: 'sk-env' }
    expect(parseConfig('providers: { openai: { api_key: sk-file } }', env).config.providers.openai).not.toHaveProperty('base_url')
    expect(parseConfig('providers: { openai: }', env).config.providers.openai).toHaveProperty('base_url', 'https://elsewhere.example/v1')
  })
})

describe('problems', () => {
  it('are all told at once, with path, line and a guess', () => {
    const text = `serverr: 1
server:
  prot: 1
providers:
  openai: { bse_url: x }
models:
  fast:
    deployments:
      - { provider: opnai, model: gpt-5 }
    fallbacks: [fsat, smart, fast]
keys:
  - name: a
`
    expect(problems(text)).toEqual([
      'line 1: serverr: unknown key; did you mean "server"?',
      'line 3: server.prot: unknown key; did you mean "port"?',
      'line 5: providers.openai.bse_url: unknown key; did you mean "base_url"?',
      'line 9: models.fast.deployments[0].provider: "opnai" is not a provider; did you mean "openai"?',
      'line 10: models.fast.fallbacks[0]: "fsat" is neither in `models` nor a `provider/model` of this file; did you mean "fast"?',
      'line 10: models.fast.fallbacks[1]: "smart" is neither in `models` nor a `provider/model` of this file',
      'line 10: models.fast.fallbacks[2]: a model cannot be its own fallback',
      'line 12: keys[0]: expected either `key` or `key_hash`',
    ])
  })

  it('are errors of the family, with the first path and every line in the message', () => {
    try {
      parseConfig('server: { port: x }\nlog: { level: y }', {}, { source: 'my.yaml' })
      expect.unreachable()
    } catch (thrown) {
      expect(BursarError.is(thrown)).toBe(true)
      if (!(thrown instanceof InvalidConfiguration)) throw thrown
      expect(thrown.code).toBe('invalid_configuration')
      expect(thrown.path).toBe('server.port')
      expect(thrown.message).toContain('my.yaml')
      expect(thrown.message).toContain('line 2: log.level')
    }
  })

  it.each<[string, string, readonly string[]]>([
    ['a duplicate key', 'server:\n  port: 1\n  port: 2\n', ['line 3', '"port" appears twice']],
    ['a tab', 'server:\n\tport: 1\n', ['line 2', 'tab']],
    ['broken YAML', 'models: [a, b\nkeys: {', ['not valid YAML']],
    ['an undefined alias', 'log: {}\nmodels: *nope', ['line 2', 'no anchor &nope']],
    ['a name that objects keep for themselves', 'models: { __proto__: sandbox/x }', ['line 1', '__proto__']],
    ['a host with a scheme', 'server: { host: "http://localhost" }', ['server.host', 'without a scheme']],
    ['an empty list', 'drop_unsupported: []', ['drop_unsupported', 'at least one entry']],
    ['a key with spaces', 'keys: [{ name: a, key: 0123 4567 89ab }]', ['keys[0].key', 'spaces']],
    ['a mapping as a key', 'models: { {a: b}: c }', ['models', 'plain name']],
    ['a reference as a key', 'models: { ${X}: c }', ['line 1']],
    ['a second document', 'log: {}\n---\nlog: {}\n', ['one YAML document']],
    ['a list', '- a\n- b\n', ['expected a mapping of sections', 'a list']],
    ['a scalar', 'hello', ['expected a mapping of sections', 'a single value']],
    ['a tag', 'log: !!js/function "x"', ['tag']],
    ['a key of a section at the top', 'port: 1', ['port', 'belongs under `server`']],
    [
      'an unknown key in a list, deep down',
      'keys:\n  - name: a\n    key: 0123456789ab\n    modles: [x]',
      ['line 4', 'keys[0].modles', 'did you mean "models"'],
    ],
    [
      'an unknown key of a price tier',
      'prices:\n  sandbox/a:\n    tiers: [{ above_input_tokens: 1, inptu: 2 }]',
      ['line 3', 'tiers[0].inptu', 'did you mean "input"'],
    ],
    [
      'an unknown key of a deployment',
      'models:\n  a:\n    deployments:\n      - { provider: sandbox, modell: x }',
      ['line 4', 'models.a.deployments[0].modell', 'did you mean "model"'],
    ],
    [
      'an unknown key that was merged in',
      'x-a: &a { sped: 1 }\nproviders:\n  s: { <<: *a, type: sandbox }',
      ['line 1', 'providers.s.sped', 'did you mean "speed"'],
    ],
    ['an unknown type', 'providers: { a: { type: opnai } }', ['providers.a.type', 'did you mean "openai"']],
    ['no type', 'providers: { mine: { api_key: x } }', ['providers.mine.type', 'is missing']],
    ['no address', 'providers: { mine: { type: openai-compatible } }', ['providers.mine.base_url', 'is missing']],
    ['a field of another type', 'providers: { s: { type: sandbox, base_url: http://x } }', ['providers.s.base_url', 'unknown key']],
    [
      'an address that is none',
      'providers: { openai: { base_url: api.openai.com } }',
      ['providers.openai.base_url', 'expected an address'],
    ],
    ['an address with a password', 'providers: { openai: { base_url: "https://u:p@x.example" } }', ['providers.openai.base_url', 'logs']],
    [
      'a preset that is not set up',
      'providers: { sandbox: }\nmodels: { a: groq/x }',
      ['models.a', '"groq" is not a provider', 'providers.groq'],
    ],
    ['a reference without a provider', 'models: { a: gpt-5 }', ['models.a', 'provider/model']],
    [
      'a model that the provider must not serve',
      'providers: { sandbox: { models: [small*] } }\nmodels: { a: sandbox/large }',
      ['models.a', "doesn't allow"],
    ],
    ['weights that are all 0', 'models: { a: [{ provider: sandbox, model: x, weight: 0 }] }', ['models.a', 'weight 0']],
    ['an empty list of deployments', 'models: { a: [] }', ['models.a', 'at least one deployment']],
    ['two keys of one name', 'keys: [{ name: a, key: 0123456789ab }, { name: a, key: 0123456789cd }]', ['keys[1].name', 'keys[0]']],
    ['one key twice', 'keys: [{ name: a, key: 0123456789ab }, { name: b, key: 0123456789ab }]', ['keys[1].key', 'same key as keys[0]']],
    ['a short key', 'keys: [{ name: a, key: abc }]', ['keys[0].key', 'too easy to guess']],
    ['a key and its hash', `keys: [{ name: a, key: 0123456789ab, key_hash: "sha256:${'0'.repeat(64)}" }]`, ['keys[0]', 'only one']],
    [
      'a model that a key may use but nobody has',
      'keys: [{ name: a, key: 0123456789ab, models: [fats] }]\nmodels: { fast: sandbox/x }',
      ['keys[0].models[0]', 'did you mean "fast"'],
    ],
    ['a price of no model', 'prices: { gpt-5: { input: 1 } }', ['prices.gpt-5', 'provider/model']],
    ['a negative price', 'prices: { sandbox/x: { input: -1 } }', ['prices["sandbox/x"].input', 'at least 0']],
    ['infinity', 'retries: { base_seconds: .inf }', ['retries.base_seconds']],
    ['not a number', 'retries: { base_seconds: .nan }', ['retries.base_seconds']],
    ['an open door', 'server: { host: 0.0.0.0 }', ['server.host', 'without `keys`']],
    ['an open door by name', 'server: { host: example.com }', ['server.host', 'without `keys`']],
    ['a reference in brackets without quotes', 'server: { host: ${HOST} }', ['line 1', 'quotes']],
    ['aliases that hold themselves', 'models: &a { x: *a }', ['models']],
    ['a header with a line break', 'providers: { openai: { headers: { x-a: "b\\r\\nc: d" } } }', ['headers', 'printable']],
    ['the path of a variable', 'keys:\n  - name: a\n    key: ${NOT_THERE}\n', ['line 3', 'keys[0].key', 'NOT_THERE is not set']],
  ])('%s', (_what, text, words) => {
    expectProblem(text, words)
  })

  it('of an alias bomb are told quickly', () => {
    const lines = ['x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level++)
      lines.push(`x-a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`)
    expectProblem(lines.join('\n'), ['aliases'])
  })

  it('of files say what is wrong with the file', () => {
    expect(() => loadConfig(join(folder, 'none.yaml'), {})).toThrow(/no such file/)
    expect(() => loadConfig(folder, {})).toThrow(/folder/)
    const file = join(folder, 'latin1.yaml')
    writeFileSync(file, Buffer.from([0x61, 0x3a, 0x20, 0xe9]))
    expect(() => loadConfig(file, {})).toThrow(/UTF-8/)
  })

  it('are the only thing that any text can lead to', () => {
    const piece = fc.constantFrom(
      'server',
      'models',
      'keys',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '<<',
      '"',
      '${X}',
      '${',
      '1',
      'null',
      'openai/x',
      '!!t ',
      '|\n',
      '#',
      '? ',
      'providers',
      '__proto__',
      'constructor',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        try {
          parseConfig(pieces.join(''), { X: 'y' })
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(InvalidConfiguration)
        }
      }),
      { numRuns: 400 },
    )
  })
})

describe('secrets', () => {
  const hush = 'hush-Value-4711'
  const env = { HUSH: hush, OPENAI_API_KEY: hush }

  it.each([
    'server: { port: "${HUSH}" }',
    'server: { host: "x ${HUSH}" }',
    'log: { level: "${HUSH}" }',
    'log: { requests: "${HUSH}" }',
    'limits: { body_bytes: "${HUSH}" }',
    'drop_unsupported: ["", "${HUSH}"]',
    'drop_unsupported: ${HUSH}',
    'models: { a: "${HUSH}" }',
    'models: { a: ["${HUSH}/x"] }',
    'models: { a: [{ provider: "${HUSH}", model: x }] }',
    'models: { a: { deployments: [sandbox/x], fallbacks: ["${HUSH}"] } }',
    'providers: { a: { type: "${HUSH}" } }',
    'providers: { openai: { base_url: "${HUSH}" } }',
    'providers: { openai: { api_key: ["${HUSH}"] } }',
    'providers: { openai: { formats: ["${HUSH}"] } }',
    'keys: [{ name: "${HUSH}!", key: "${HUSH}" }]',
    'keys: [{ name: a, key_hash: "${HUSH}" }]',
    'keys: [{ name: a, key: "${HUSH}", models: ["${HUSH}"] }]',
    'keys: [{ name: a, key: "${HUSH}", expires: "${HUSH}" }]',
    'telemetry: { otlp_endpoint: "${HUSH}" }',
    'prices: { sandbox/x: { input: "${HUSH}" } }',
    `providers: { openai: { api_key: { a: ${hush} } } }`,
    `keys: [{ name: a, key: [${hush}] }]`,
    `keys: [{ name: a, key_hash: ${hush} }]`,
    `providers: { openai: { headers: { x-key: [${hush}] } } }`,
  ])('are not in the problems of %s', (text) => {
    const found = problems(text, env)
    // Some of these texts are good; what counts is that nothing is shown of those that are not.
    expect(found.join('\n')).not.toContain('ush-Value')
    expect(found.join('\n')).not.toContain('4711')
  })

  it('are not in anything that prints a configuration', () => {
    const text = `
providers: { openai: { api_key: "\${HUSH}", headers: { x-org: "\${HUSH}" } }, groq: { api_key: ${hush} } }
keys: [{ name: a, key: "\${HUSH}" }]
telemetry: { otlp_headers: { authorization: "Bearer \${HUSH}" } }
`
    const loaded = parseConfig(text, env)
    const shown = [inspect(loaded, { depth: 20, showHidden: true }), JSON.stringify(loaded), printableYaml(loaded.config)].join('\n')
    expect(shown).not.toContain('hush')
    expect(shown).toContain('[secret]')
    expect(loaded.config.keys[0]?.key?.reveal()).toBe(hush)
  })
})

describe('warnings', () => {
  it('tell of a preset without a key, of keys sent in clear, and of a gateway that serves nothing', () => {
    const { warnings } = parseConfig(
      'providers: { openai: , mine: { type: openai-compatible, base_url: http://10.0.0.1/v1, api_key: k } }\nallow_unlisted_models: false\ntimeouts: { total_seconds: 1 }',
      {},
    )
    expect(warnings.some((line) => line.includes('providers.openai') && line.includes('OPENAI_API_KEY'))).toBe(true)
    expect(warnings.some((line) => line.includes('providers.mine') && line.includes('unencrypted'))).toBe(true)
    expect(warnings.some((line) => line.includes('allow_unlisted_models'))).toBe(true)
    expect(warnings.some((line) => line.includes('total_seconds'))).toBe(true)
  })

  it('are none for a plain configuration', () => {
    expect(parseConfig('providers: { openai: { api_key: k }, ollama: }\nmodels: { a: openai/x }', {}).warnings).toEqual([])
  })
})

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.8.9.1', 'localhost', 'LOCALHOST', '::1', '[::1]', '::ffff:127.0.0.1'])('%s is this machine', (host) => {
    expect(isLoopback(host)).toBe(true)
  })
  it.each(['0.0.0.0', '::', '', '127.0.0.1.example.com', 'localhost.example.com', '::ffff:127.example.com', '10.0.0.1', '1127.0.0.1'])(
    '%s is not',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})

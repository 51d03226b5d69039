import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { simulatedEnvironment } from '../../environment/index.js'
import { noCost } from '../../quantities/index.js'
import { questionOf } from '../../strategies/index.js'
import { gradeItem } from '../grading/index.js'
import { shortAssertion } from './assertions.js'
import { listIn, parseCsv } from './csv.js'
import { modelName, readSuite, type ReadSuiteOptions, type Suite } from './index.js'

let folder = ''
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'bursar-suite-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

let made = 0
/** Writes files into a folder of their own and reads the first as a suite. */
async function read(files: Readonly<Record<string, string>>, options: ReadSuiteOptions = {}): Promise<Suite> {
  const own = join(folder, String(++made))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(own, name)), { recursive: true })
    await writeFile(join(own, name), text)
  }
  return readSuite(join(own, Object.keys(files)[0] ?? ''), options)
}
const yaml = (text: string, options?: ReadSuiteOptions, more: Readonly<Record<string, string>> = {}) =>
  read({ 'suite.yaml': text, ...more }, options)
const asked = (suite: Suite, method = 0) =>
  suite.items.map((item) =>
    questionOf(suite.methods[method]?.requestOf(item) ?? { model: '', messages: [], stream: false, paths: {}, extra: [] }),
  )
const kinds = (suite: Suite) => suite.items.map(({ checks }) => checks.map(({ kind }) => kind))

const translations = `
description: Translations
prompts:
  - 'Say in {{language}}: {{text | trim}}'
  - label: polite
    raw: [{role: system, content: 'You speak {{language}}.'}, {role: user, content: '{{text}}'}]
providers:
  - openai:chat:gpt-5-mini
  - id: anthropic:messages:claude-sonnet-4-5
    label: sonnet
    config: {temperature: 0, max_tokens: 64, effort: low, apiKey: secret}
defaultTest:
  vars: {language: Norwegian}
  assert: [{type: latency, threshold: 5000}]
  metadata: {category: plain}
tests:
  - description: greetings
    vars: {text: [' Hello ', Goodbye], language: [Norwegian, Danish]}
    assert: [{type: contains-any, value: [Hei, Hej, Farvel, '{{language}}']}]
  - id: thanks
    vars: {text: Thanks}
    threshold: 0.5
    assert:
      - {type: icontains, value: takk, weight: 2}
      - {type: assert-set, threshold: 0.5, assert: [{type: equals, value: Takk}, {type: starts-with, value: Takk}]}
    metadata: {category: short}
sharing: true
`

describe('a suite in promptfoo’s form', () => {
  it('has each model with each prompt, and each combination of variables', async () => {
    const suite = await yaml(translations)
    expect(suite.name).toBe('Translations')
    expect(suite.methods.map(({ id }) => id)).toEqual([
      'openai:chat:gpt-5-mini, Say in {{language}}: {{text | trim}}',
      'openai:chat:gpt-5-mini, polite',
      'sonnet, Say in {{language}}: {{text | trim}}',
      'sonnet, polite',
    ])
    expect(asked(suite)).toEqual([
      'Say in Norwegian: Hello',
      'Say in Norwegian: Goodbye',
      'Say in Danish: Hello',
      'Say in Danish: Goodbye',
      'Say in Norwegian: Thanks',
    ])
    expect(kinds(suite)[4]).toEqual(['latency', 'icontains', 'assert-set'])
    expect(suite.items.map(({ category, threshold }) => [category, threshold])).toEqual([
      ...Array<unknown>(4).fill(['plain', undefined]),
      ['short', 0.5],
    ])
    const polite = suite.items[2] && suite.methods[3]?.requestOf(suite.items[2])
    expect(polite).toMatchObject({
      model: 'anthropic/claude-sonnet-4-5',
      temperature: 0,
      maxOutputTokens: 64,
      reasoning: { effort: 'low' },
      messages: [
        { role: 'system', parts: [{ text: 'You speak Danish.' }] },
        { role: 'user', parts: [{ text: ' Hello ' }] },
      ],
    })
    expect(suite.notes.join(' ')).toMatch(/sharing.*config\.apiKey/)
    expect(JSON.stringify(polite)).not.toContain('secret')
  })

  it('is read the same each time, with ids that stay when the file is sorted otherwise', async () => {
    const [first, again] = [await yaml(translations), await yaml(translations)]
    const shape = (suite: Suite) => [
      suite.methods.map(({ fingerprint }) => fingerprint),
      suite.items.map(({ id, checks }) => [id, ...checks.map(({ fingerprint }) => fingerprint)]),
    ]
    expect(shape(again)).toEqual(shape(first))
    expect(new Set(first.methods.map(({ fingerprint }) => fingerprint)).size).toBe(4)
    expect(first.items.map(({ id }) => id)[4]).toBe('thanks')
    const other = await yaml('providers: a/b\nprompts: ["{{x}}"]\ntests: [{vars: {x: 2}}, {vars: {x: 1}}, {vars: {x: 1}}]')
    const one = await yaml('providers: a/b\nprompts: ["{{x}}"]\ntests: [{vars: {x: 1}}, {vars: {x: 2}}]')
    expect(other.items.map(({ id }) => id)).toEqual([one.items[1]?.id, one.items[0]?.id, `${one.items[0]?.id ?? ''}-2`])
  })

  it('grades answers', async () => {
    const suite = await yaml(translations)
    const [item, method] = [suite.items[4], suite.methods[0]]
    if (!item || !method) throw new Error('nothing read')
    const context = {
      item,
      request: method.requestOf(item),
      environment: simulatedEnvironment({ models: {}, question: { id: 'q' }, seed: 1 }),
      taken: { cost: noCost, seconds: 1, outputTokens: 1 },
    }
    // (1 + 2 · 1 + 1 · ½) / 4
    expect(await gradeItem(item, 'Takk skal du ha', context)).toMatchObject({ score: 3.5 / 4, passed: true })
  })

  it('takes scenarios: each set of variables with each test', async () => {
    const suite = await yaml(`
prompts: ['{{language}} {{input}}']
providers: [auto:cheap]
scenarios:
  - config: [{vars: {language: Spanish, hello: Hola}}, {vars: {language: French, hello: Bonjour}}]
    tests:
      - {vars: {input: Hello}, assert: [{type: contains, value: '{{hello}}'}]}
      - {vars: {input: Bye}}
`)
    expect(asked(suite)).toEqual(['Spanish Hello', 'Spanish Bye', 'French Hello', 'French Bye'])
    expect(suite.methods[0]).toMatchObject({ id: 'auto:cheap' })
    expect(suite.items[0] && suite.methods[0]?.requestOf(suite.items[0]).model).toBe('auto:cheap')
  })

  it('takes parts from files, and methods that are strategies', async () => {
    const suite = await yaml(
      `
prompts: [file://prompts/both.txt, file://prompts/chat.json]
methods:
  - {label: vote, prompts: ['prompts/chat.json'], strategy: openai/gpt-5-mini}
  - file://models.yaml
tests: [file://tests/a.csv, file://tests/b.jsonl, {vars: file://tests/vars.yaml, assert: [{type: is-json, value: file://tests/schema.json}]}]
settings: {temperature: {from: 0, to: 1}}
`,
      {},
      {
        'prompts/both.txt': 'One: {{q}}\n---\nTwo: {{q}}\n',
        'prompts/chat.json': '[{"role": "user", "content": "Chat: {{q}}"}]',
        'models.yaml': '- openai:gpt-5\n- {id: mistral:mistral-large, config: {thinking: {type: enabled, budget_tokens: 2000}}}\n',
        'tests/a.csv': 'q,__expected,__category\n"a ""b"", c",contains: b,csv\n',
        'tests/b.jsonl': '{"vars": {"q": "from rows"}, "assert": [{"type": "equals", "value": "x"}]}\n\n',
        'tests/vars.yaml': 'q: from a file\n',
        'tests/schema.json': '{"type": "object"}',
      },
    )
    expect(suite.methods.map(({ id, strategy }) => [id, strategy?.kind])).toEqual([
      ['vote', 'single'],
      ['openai:gpt-5, prompts/both.txt #1', undefined],
      ['openai:gpt-5, prompts/both.txt #2', undefined],
      ['openai:gpt-5, prompts/chat.json', undefined],
      ['mistral:mistral-large, prompts/both.txt #1', undefined],
      ['mistral:mistral-large, prompts/both.txt #2', undefined],
      ['mistral:mistral-large, prompts/chat.json', undefined],
    ])
    expect(asked(suite)).toEqual(['Chat: a "b", c', 'Chat: from rows', 'Chat: from a file'])
    expect(suite.items[0] && suite.methods[4]?.requestOf(suite.items[0])).toMatchObject({
      model: 'mistral/mistral-large',
      reasoning: { maxTokens: 2000 },
    })
    expect(kinds(suite)).toEqual([['contains'], ['equals'], ['is-json']])
    expect(suite.settings).toEqual({ temperature: { from: 0, to: 1 } })
  })

  it('names the judge where it is said: in the check, the test, the defaults, or to the reader', async () => {
    const judged = async (text: string, options?: ReadSuiteOptions) =>
      (await yaml(`providers: a/b\nprompts: [x]\n${text}`, options)).items[0]?.checks[0]?.fingerprint
    const [own, test, defaults, reader, other] = await Promise.all([
      judged('tests: [{assert: [{type: llm-rubric, value: ok, provider: openai:gpt-5}]}]', { judge: 'x/y' }),
      judged('tests: [{assert: [{type: llm-rubric, value: ok}], options: {provider: openai/gpt-5}}]', { judge: 'x/y' }),
      judged('defaultTest: {options: {provider: {text: {id: openai:chat:gpt-5}}}}\ntests: [{assert: [{type: llm-rubric, value: ok}]}]'),
      judged('tests: [{assert: [{type: judge, value: ok}]}]', { judge: 'openai/gpt-5' }),
      judged('tests: [{assert: [{type: judge, value: ok}]}]', { judge: 'x/y' }),
    ])
    expect(new Set([own, test, defaults, reader]).size).toBe(1)
    expect(other).not.toBe(own)
  })
})

describe('short forms', () => {
  const rows = '{"id": "q1", "question": "2 + 2?", "answer": "4", "category": "sums"}\n{"question": "3 + 3?", "answer": 6}\n'

  it('are questions with their answers', async () => {
    const suite = await read({ 'q.jsonl': rows }, { methods: ['openai/gpt-5-mini', 'auto'], check: 'numeric' })
    expect(suite.methods.map(({ id }) => id)).toEqual(['openai/gpt-5-mini', 'auto'])
    expect(suite.items.map(({ id, category, checks }) => [id.length > 0, category, checks[0]?.kind])).toEqual([
      [true, 'sums', 'numeric'],
      [true, undefined, 'numeric'],
    ])
    expect(asked(suite)).toEqual(['2 + 2?', '3 + 3?'])
    expect(kinds(await read({ 'q.jsonl': rows }, { methods: ['m'] }))).toEqual([['answer'], ['answer']])
    expect(kinds(await read({ 'q.jsonl': rows }, { methods: ['m'], check: 'llm-rubric: equals {{answer}}', judge: 'j' }))).toEqual([
      ['llm-rubric'],
      ['llm-rubric'],
    ])
    expect(asked(await read({ 'q.jsonl': rows }, { methods: ['m'], prompts: ['Think. {{question}}'] }))).toEqual([
      'Think. 2 + 2?',
      'Think. 3 + 3?',
    ])
  })

  it('may have choices', async () => {
    const suite = await read(
      { 'q.jsonl': '{"question": "Capital of Norway?", "choices": ["Bergen", "Oslo"], "answer": "Oslo"}' },
      { methods: ['m'] },
    )
    expect(asked(suite)[0]).toBe('Capital of Norway?\n\nA) Bergen\nB) Oslo\n\nAnswer with the letter of the right choice.')
    expect(kinds(suite)).toEqual([['choice']])
  })

  it('may be an outcome table, whose arms are the methods', async () => {
    const table =
      '{"id":"r1","request":{"messages":[{"role":"user","content":"Hi"}]},"category":"talk","outcomes":{"b":{"quality":1},"a":{"quality":0}}}\n'
    const suite = await read({ 't.jsonl': table })
    expect(suite.methods.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(suite.items).toMatchObject([{ id: 'r1', category: 'talk', checks: [] }])
    expect(asked(suite)).toEqual(['Hi'])
    expect(suite.notes.join()).toContain('no check')
    expect(kinds(await read({ 't.jsonl': table }, { check: 'llm-rubric: is friendly', judge: 'j' }))).toEqual([['llm-rubric']])
  })

  it('are read in time that grows with their length', async () => {
    const many = Array.from({ length: 4_000 }, (_, index) => `{"question": "${index} + 1?", "answer": ${index + 1}}`).join('\n')
    expect((await read({ 'q.jsonl': many }, { methods: ['m'] })).items.length).toBe(4_000)
  })
})

describe('what a file gets wrong is told with its place', () => {
  const base = 'providers: a/b\nprompts: ["{{x}}"]\n'
  it.each([
    [
      'an unknown check',
      `${base}tests:\n  - vars: {x: 1}\n    assert:\n      - type: contians\n        value: y\n`,
      ['suite.yaml, line 6: tests[0].assert[0].type: There is no check "contians". There are equals'],
    ],
    [
      'a check without what it needs',
      `${base}tests:\n  - vars: {x: 1}\n    assert:\n      - type: contains\n`,
      ['line 6: tests[0].assert[0].value: contains needs `value`'],
    ],
    ['a variable that isn’t there', `${base}tests: [{vars: {y: 1}}]`, ['"x" is used and isn\'t there. There are y']],
    [
      'a variable of a check that isn’t there',
      `${base}tests: [{vars: {x: 1}, assert: [{type: equals, value: '{{z}}'}]}]`,
      ['line 3: tests[0].assert[0].value', '"z" is used'],
    ],
    ['an unknown field', `${base}test: []`, ['line 3: test: A suite has no field `test`. It may have prompts']],
    ['an unknown field of a test', `${base}tests: [{var: {x: 1}}]`, ['tests[0].var: A test has no field `var`']],
    [
      'an unknown field of an assertion',
      `${base}tests: [{vars: {x: 1}, assert: [{type: equals, vaule: 1}]}]`,
      ['assert[0].vaule: An assertion has no field'],
    ],
    [
      'what can’t be done as said',
      `${base}tests: [{vars: {x: 1}, assert: [{type: equals, value: 1, transform: output.trim()}]}]`,
      ["`transform` isn't supported"],
    ],
    ['a test for one provider', `${base}tests: [{vars: {x: 1}, providers: [a]}]`, ['Every method answers every test']],
    ['broken YAML', `${base}tests: [`, ['suite.yaml, line']],
    ['a key twice', `${base}prompts: [y]\ntests: []`, ['suite.yaml, line 3', 'unique']],
    ['no tests', base, ['needs `tests`']],
    ['no models', 'prompts: [x]\ntests: [{}]', ['Nothing says what is compared']],
    ['two words for methods', 'providers: a\nmethods: b\nprompts: [x]\ntests: [{}]', ['say the same']],
    ['a script for a provider', 'providers: [python:x.py]\nprompts: [x]\ntests: [{}]', ['line 1: providers[0]: "python:x.py" is no model']],
    [
      'a setting of a model',
      'providers: [{id: a/b, config: {temprature: 1}}]\nprompts: [x]\ntests: [{}]',
      ['providers[0].config.temprature: A method has no setting'],
    ],
    [
      'a value of a setting',
      'providers:\n  - id: a/b\n    config: {temperature: hot}\nprompts: [x]\ntests: [{}]',
      ['line 3: providers[0].config.temperature'],
    ],
    ['a strategy', 'methods: [{label: s, strategy: {kind: nope}}]\nprompts: [x]\ntests: [{}]', ['methods[0].strategy.kind', 'nope']],
    ['two methods of one name', 'providers: [a/b, a/b]\nprompts: [x]\ntests: [{}]', ['Two methods are called "a/b"']],
    ['a template', 'providers: a/b\nprompts: ["{% include \'x\' %}"]\ntests: [{}]', ['line 2: prompts[0]: ', 'include']],
    ['a program for prompts', 'providers: a/b\nprompts: [file://make.py]\ntests: [{}]', ['a program that makes prompts']],
    ['a file that isn’t there', `${base}tests: file://none.csv`, ["line 3: tests: The file file://none.csv doesn't exist"]],
    ['a pattern of files', `${base}tests: ['file://*.csv']`, ['Patterns of files']],
    ['too many combinations', `${base}tests: [{vars: {x: [${'1,'.repeat(200)}], y: [${'1,'.repeat(200)}]}}]`, ['40000 combinations']],
  ])('%s', async (_name, text, words) => {
    const fault: unknown = await yaml(text).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    for (const said of words) expect(String(fault)).toContain(said)
    expect(fault).toMatchObject({ code: 'invalid_configuration' })
  })

  it.each([
    ['a row that is no JSON', { 'q.jsonl': '{"question": "a"}\n{"question": ' }, 'q.jsonl, row 2: is no JSON'],
    [
      'an answer that can’t be held against',
      { 'q.jsonl': '{"question": "a", "answer": 1}\n\n{"question": "b", "answer": "x"}' },
      'q.jsonl, row 3: value: `value` of numeric holds no number',
    ],
    [
      'a row of CSV that is too long',
      { 'q.csv': 'question,__expected\n"a\nb",1\nc,2,3\n' },
      'q.csv, row 4: There are 3 fields for 2 columns',
    ],
    ['an unknown column', { 'q.csv': 'question,__expectd\na,1\n' }, 'There is no column "__expectd"'],
    ['no form', { 'suite.txt': 'x' }, 'tells no form'],
    ['not UTF-8', { 'suite.yaml': 'tests: \uD800' }, 'suite.yaml'],
  ])('%s', async (_name, files, words) => {
    await expect(read(files, { methods: ['m'], check: 'numeric' })).rejects.toThrow(words)
  })

  it('files outside the suite’s folder are read only where that is allowed, also behind links', async () => {
    const outside = join(folder, 'outside.txt')
    await writeFile(outside, 'Outside: {{x}}')
    const text = 'providers: a/b\nprompts: [file://../outside.txt]\ntests: [{vars: {x: 1}}]'
    await expect(yaml(text)).rejects.toThrow("lies outside the suite's folder")
    expect(asked(await yaml(text, { allowOutside: true }))).toEqual(['Outside: 1'])
    await mkdir(join(folder, String(made + 1)))
    await symlink(outside, join(folder, String(made + 1), 'link.txt'))
    await expect(yaml(text.replace('../outside', 'link'))).rejects.toThrow('lies outside')
  })
})

describe('parts', () => {
  it.each([
    ['openai:gpt-5', 'openai/gpt-5'],
    ['openai:responses:gpt-5', 'openai/gpt-5'],
    ['openai:embedding:text-embedding-3-small', 'openai/text-embedding-3-small'],
    ['google:gemini-2.5-pro', 'gemini/gemini-2.5-pro'],
    ['openrouter:meta-llama/llama-4', 'openrouter/meta-llama/llama-4'],
    ['ollama:chat:llama3:8b', 'ollama/llama3:8b'],
    ['openai/gpt-5', 'openai/gpt-5'],
    ['auto:cheap', 'auto:cheap'],
    ['my-arm', 'my-arm'],
    ['bursar:a:b', 'a:b'],
  ])('the model %s is %s', (said, name) => {
    expect(modelName(said)).toBe(name)
  })

  it.each([
    ['Paris', { type: 'equals', value: 'Paris' }],
    ['contains: Paris', { type: 'contains', value: 'Paris' }],
    ['similar(0.8): Hi there', { type: 'similar', value: 'Hi there', threshold: 0.8 }],
    ['contains-any: a, "b, c"', { type: 'contains-any', value: ['a', 'b, c'] }],
    ['fn: output > 1', { type: 'javascript', value: 'output > 1' }],
    ['grade: is kind', { type: 'llm-rubric', value: 'is kind' }],
    ['is-json', { type: 'is-json' }],
    ['latency(200)', { type: 'latency', threshold: 200 }],
    ['Note: this', { type: 'equals', value: 'Note: this' }],
    ['not-regex: \\d', { type: 'not-regex', value: '\\d' }],
  ])('an expectation %j is a check', (cell, entry) => {
    expect(shortAssertion(cell)).toEqual(entry)
  })

  it('CSV is read as RFC 4180 has it', () => {
    const rows = [...parseCsv('\uFEFFa,b\r\n"x\ny","say ""hi"""\r\n\r\nplain,\n', 'f')]
    expect(rows.map(({ value, at }) => [value, at])).toEqual([
      [{ a: 'x\ny', b: 'say "hi"' }, [2]],
      [{ a: 'plain', b: '' }, [5]],
    ])
    expect(() => [...parseCsv('a\n"never closed', 'f.csv')]).toThrow('f.csv, row 2: A quotation mark opens')
    expect(listIn('a\\, b, "c"')).toEqual(['a, b', 'c'])
  })
})

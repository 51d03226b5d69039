import { describe, expect, it } from 'vitest'
import { simulatedEnvironment } from '../../environment/index.js'
import { noCost } from '../../quantities/index.js'
import type { GradingContext } from '../suite/contract.js'
import { codeBlocks, codeIn } from './code-blocks.js'
import { contained, createCheck, type DeclaredCheck } from './index.js'
import { runProgram, usualLimits } from './sandbox/run-program.js'

const environment = simulatedEnvironment({ models: { m: { success: 1 } }, question: { id: 'q' }, seed: 1 })
const context: GradingContext = {
  item: { id: 'i', variables: { limit: 3 } },
  request: { model: 'm', messages: [{ role: 'user', parts: [{ type: 'text', text: 'Add.' }] }], stream: false, paths: {}, extra: [] },
  environment,
  taken: { cost: noCost, seconds: 1, outputTokens: 7 },
}
const grade = async (declared: DeclaredCheck, answer: string) => (await createCheck(declared, '')).grade(answer, context)
const signal = new AbortController().signal
const [node, python] = [await contained('node'), await contained('python3')]

describe('code in an answer', () => {
  it('is its longest block of the language, however fenced', () => {
    expect(
      codeIn(
        'First:\n```python\nlong = 1\nlonger = 2\n```\nUse:\n```python\nlong\n```\n```js\nnot this, though it is the longest of all\n```',
        ['python'],
      ),
    ).toBe('long = 1\nlonger = 2')
    expect(codeIn('~~~\na\n```\nb\n~~~', ['python'])).toBe('a\n```\nb')
    expect(codeIn('<think>```python\nwrong_and_very_long\n```</think>x = 1', ['python'])).toBe('x = 1')
    expect(codeBlocks('```py\nnever closed')).toEqual([{ language: 'py', text: 'never closed' }])
  })
})

describe.skipIf(node?.containment.networkCut !== true)('programs of answers, where the machine can hold them in', () => {
  const adds: DeclaredCheck = {
    type: 'code',
    value: 'if (add(2, 3) !== 5) throw new Error("wrong sum")',
    config: { language: 'javascript', seconds: 8 },
  }

  it('pass assertions, or say why not', async () => {
    expect(await grade(adds, 'Here:\n```js\nfunction add(a, b) { return a + b }\n```')).toMatchObject({ score: 1, passed: true })
    expect(await grade(adds, 'function add(a, b) { return a - b }')).toMatchObject({
      score: 0,
      reason: 'The program failed: Error: wrong sum',
    })
    // Ending before the assertions, with all well, is no way round them.
    expect(await grade(adds, 'process.exit(0)')).toMatchObject({ score: 0, reason: 'The program ended before the tests did.' })
    expect(await grade(adds, '')).toMatchObject({ score: 0, passed: false })
  })

  it('print what is expected, in a share of the cases', async () => {
    const value = [
      { input: '2 3\n', output: '5' },
      { input: '1 1', output: '3\n' },
    ]
    const program = 'const [a, b] = require("fs").readFileSync(0, "utf8").trim().split(" ").map(Number); console.log(a + b)'
    expect(await grade({ type: 'code', value, config: { language: 'javascript' } }, program)).toMatchObject({ score: 0.5, passed: false })
  })

  it('reach neither the network, nor our environment, nor files of others', async () => {
    process.env['BURSAR_TEST_SECRET'] = 'told'
    const text = `const fs = require('fs'), net = require('net')
      const out = { secret: process.env.BURSAR_TEST_SECRET ?? null, written: true, interfaces: Object.keys(require('os').networkInterfaces()).length }
      try { fs.writeFileSync(${JSON.stringify(`${process.cwd()}/written-by-a-program`)}, '') } catch { out.written = false }
      net.connect(6379, '127.0.0.1').on('error', (fault) => { out.network = fault.code; console.log(JSON.stringify(out)) }).on('connect', () => { console.log('"connected"'); process.exit() })`
    const { stdout } = await runProgram({ interpreter: 'node', text, input: '' }, usualLimits, signal)
    delete process.env['BURSAR_TEST_SECRET']
    expect(JSON.parse(stdout)).toMatchObject({ secret: null, interfaces: 0, ...(node?.containment.ownUser === true && { written: false }) })
    expect(stdout).toMatch(/ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL/)
  })

  it('are ended at limits of time and output, with all that they started', async () => {
    const limits = { ...usualLimits, seconds: 1.5, outputBytes: 10_000 }
    const forks =
      "const { spawn } = require('child_process'); spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'inherit' }); setInterval(() => {}, 1000)"
    expect(await runProgram({ interpreter: 'node', text: forks, input: '' }, limits, signal)).toMatchObject({ end: 'time' })
    expect(
      await runProgram({ interpreter: 'node', text: "for (;;) console.log('x'.repeat(1000))", input: '' }, limits, signal),
    ).toMatchObject({ end: 'output' })
    const stop = new AbortController()
    const running = runProgram({ interpreter: 'node', text: 'setInterval(() => {}, 1000)', input: '' }, usualLimits, stop.signal)
    setTimeout(() => stop.abort(new Error('stopped')), 100)
    await expect(running).rejects.toThrow('stopped')
  })

  it.skipIf(python?.containment.networkCut !== true)('may be Python', async () => {
    const check: DeclaredCheck = { type: 'code', value: 'assert add(2, 3) == 5', config: { before: 'import math' } }
    expect(await grade(check, '```python\ndef add(a, b):\n    return math.floor(a + b)\n```')).toMatchObject({
      score: 1,
      reason: 'The program passes the assertions.',
    })
    expect(await grade(check, 'def add(a, b): return a')).toMatchObject({ score: 0, reason: 'The program failed: AssertionError' })
    expect(await grade(check, 'import sys; sys.exit(0)')).toMatchObject({ score: 0 })
  })
})

describe('javascript checks', () => {
  it.each<[string, string, Partial<DeclaredCheck>, object]>([
    ['output.length > context.vars.limit', 'long', {}, { score: 1, passed: true }],
    ['output.length / 10', 'four', { threshold: 0.5 }, { score: 0.4, passed: false }],
    [
      'if (context.prompt !== "Add.") throw new Error("no prompt")\nreturn { pass: output === "x", score: 0.5, reason: "because" }',
      'x',
      {},
      { score: 0.5, passed: true, reason: 'because' },
    ],
    [
      'module.exports = async (output, context) => output.length <= context.config.most',
      'abc',
      { config: { most: 2 } },
      { score: 0, passed: false },
    ],
    ['(output) => output.includes("b")', 'abc', {}, { passed: true }],
    ['output.missing.field', 'x', {}, { passed: false }],
    ['process.exit(0)', 'x', {}, { passed: false, reason: 'The script ended without a result.' }],
  ])('%s', async (value, answer, more, wanted) => {
    expect(await grade({ type: 'javascript', value, ...more }, answer)).toMatchObject(wanted)
  })
})

describe('sql', () => {
  const schema =
    "CREATE TABLE town (name TEXT, people INTEGER, area REAL); INSERT INTO town VALUES ('Oslo', 700, 454.0), ('Bergen', 290, 465.3), ('Hamar', 32, NULL);"
  const check = (value: string): DeclaredCheck => ({ type: 'sql', value, config: { schema, seconds: 5 } })
  const all = check('SELECT name, people FROM town')

  it.each<[string, DeclaredCheck, string, object]>([
    [
      'the same rows in any order, under any names',
      all,
      '```sql\nSELECT t.name AS n, people * 1.0 FROM town t ORDER BY 2;\n```',
      { score: 1 },
    ],
    [
      'texts in double quotation marks',
      check("SELECT people FROM town WHERE name = 'Oslo'"),
      'SELECT people FROM town WHERE "name" = "Oslo"',
      { score: 1 },
    ],
    ['fewer rows', all, 'SELECT name, people FROM town WHERE people > 100', { score: 0, reason: 'The statement gives 2 rows, not 3.' }],
    [
      'another order where it counts',
      check('SELECT name FROM town ORDER BY people'),
      'SELECT name FROM town ORDER BY people DESC',
      { score: 0, reason: 'The statement gives the expected rows in another order.' },
    ],
    [
      'sums with NULL',
      check('SELECT count(area), avg(area) FROM town'),
      'You want:\nSELECT count(area), sum(area) / 2 FROM town',
      { score: 1 },
    ],
    ['nonsense', all, 'SELECT nothing FROM nowhere', { score: 0 }],
    ['no statement at all', all, '', { score: 0 }],
    ['writing', all, 'WITH x AS (SELECT 1) DELETE FROM town RETURNING name, people', { score: 0 }],
    ['a million empty lines', all, '\n'.repeat(1_000_000), { score: 0 }],
    ['files', all, "ATTACH DATABASE '/tmp/other.db' AS other", { score: 0 }],
    ['settings', all, 'PRAGMA query_only = 0', { score: 0 }],
  ])('%s', async (_name, declared, answer, wanted) => {
    expect(await grade(declared, answer)).toMatchObject(wanted)
  })

  it('ends statements that run for ever', async () => {
    const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*), 1 FROM n'
    expect(await grade({ ...all, config: { schema, seconds: 1 } }, endless)).toMatchObject({ score: 0 })
  })

  it('tells of a schema or an expected statement that fails, which is no fault of answers', async () => {
    await expect(grade({ type: 'sql', value: 'SELECT x FROM town', config: { schema } }, 'SELECT 1')).rejects.toThrow(
      'expected statement fails',
    )
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { evaluateCommand } from './evaluate.js'

let folder = ''
let recorded = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evaluate-'))
  recorded = join(folder, 'table.jsonl')
  const random = childRandom(1, 'table')
  const arms = { 'big\u001b[31m': 0.9, mid: 0.6, small: 0.3 }
  const rows = Array.from({ length: 60 }, (_, index) => ({
    id: `q${index}`,
    request: { messages: [{ role: 'user', content: `Question ${index}?` }] },
    outcomes: Object.fromEntries(
      Object.entries(arms).map(([arm, share]) => [
        arm,
        {
          quality: Number(random.next() < share),
          usd: 0.001 * share,
          inputTokens: 10,
          outputTokens: 20,
          seconds: 1 + random.next(),
          answer: 'x',
        },
      ]),
    ),
  }))
  writeFileSync(recorded, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function evaluate(...options: readonly string[]) {
  let [printed, code] = ['', -1]
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  evaluateCommand(program, {
    env: {},
    print: (text) => void (printed += text),
    report: () => undefined,
    terminal: false,
    width: 80,
    now: () => 0,
    setExitCode: (value) => void (code = value),
    onInterrupt: () => () => undefined,
  })
  await program.parseAsync(['node', 'bursar', 'evaluate', ...options])
  return { printed, code }
}

describe('bursar evaluate', () => {
  it('compares on recorded outcomes, in 80 columns and without control characters', async () => {
    const { printed, code } = await evaluate('--recorded', recorded, '--guarantee')
    expect(code).toBe(0)
    expect(printed.replace(/\s+/g, ' ')).toContain('"big?[31m" is the best (proven at 95 %)')
    expect(printed.split('\n').every((line) => line.length <= 80)).toBe(true)
    expect(printed).not.toContain('\u001b')
  })

  it('writes figures, a page and an outcome table', async () => {
    const [json, html, table] = ['r.json', 'r.html', 'o.jsonl'].map((name) => join(folder, name))
    await evaluate('--recorded', recorded, '--exhaustive', '--json', json ?? '', '--html', html ?? '', '--export', table ?? '')
    expect(JSON.parse(readFileSync(json ?? '', 'utf8'))).toMatchObject({
      command: 'evaluate',
      results: [{ stop: 'exhausted', cells: { scored: 180, of: 180 } }],
    })
    expect(readFileSync(html ?? '', 'utf8')).toContain('<svg')
    // What was exported can be evaluated again, and says the same.
    const again = await evaluate('--recorded', table ?? '', '--exhaustive')
    expect(again.printed).toContain('180 of 180 cells scored')
  })

  it('exports what tuning tried', async () => {
    const [suite, config, table] = ['tuned.yaml', 'bursar.yaml', 'tuned.jsonl'].map((name) => join(folder, name))
    writeFileSync(config ?? '', 'providers:\n  sandbox: { type: sandbox, speed: instant }\nledger: { store: memory }\n')
    const tests = Array.from(
      { length: 6 },
      (_, index) => `  - vars: { n: ${index} }\n    assert: [{ type: contains, value: '${2 * index}' }]\n`,
    )
    writeFileSync(
      suite ?? '',
      `prompts: ['What is {{n}} + {{n}}?']\nproviders: [sandbox/small]\nsettings:\n  temperature: [0.1, 0.2]\ntests:\n${tests.join('')}`,
    )
    await evaluate(suite ?? '', '-c', config ?? '', '--tune', '--trials', '4', '--no-keep', '--export', table ?? '')
    const rows = readFileSync(table ?? '', 'utf8')
      .trimEnd()
      .split('\n')
    expect(rows).toHaveLength(6)
    expect(rows.filter((row) => row.includes('"sandbox/small":'))).toHaveLength(2)
    expect(rows.every((row) => /"sandbox\/small temperature=0\.[12]":\{"quality":[01]/.test(row))).toBe(true)
  })

  it('names the option whose file can not be written', async () => {
    const table = join(folder, 'nowhere', 'o.jsonl')
    await expect(evaluate('--recorded', recorded, '--exhaustive', '--export', table)).rejects.toThrow(`--export: ${table}`)
  })

  it('stops when the budget is spent, and says so', async () => {
    const { printed, code } = await evaluate('--recorded', recorded, '--max-calls', '10')
    expect([
      code,
      printed.includes('Not decided: the budget has no room for another call.'),
      printed.includes('10 of 180 cells scored'),
    ]).toEqual([0, true, true])
  })

  it.each([
    [['--exhaustive', '--guarantee'], 'leave out --guarantee'],
    [['--exhaustive', '--search', 'racing'], 'leave out --search racing'],
    [['--guarantee', '--search', 'racing'], 'nothing can be proven'],
    [['--url', 'http://127.0.0.1:1'], 'one of --url, --recorded'],
  ])('refuses %j', async (options, said) => {
    await expect(evaluate('--recorded', recorded, ...options)).rejects.toThrow(said)
  })

  it('asks for a test set', async () => {
    await expect(evaluate()).rejects.toThrow('Name a test set')
  })
})

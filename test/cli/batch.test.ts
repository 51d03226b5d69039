import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Command } from 'commander'
import { afterAll, describe, expect, it } from 'vitest'
import { batchCommand } from '../../src/cli/commands/batch.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-batch-'))
afterAll(() => rmSync(folder, { recursive: true }))
const config = join(folder, 'bursar.yaml')
writeFileSync(config, 'providers: {sandbox: {type: sandbox, speed: 1000}}\nledger: {store: memory}\n')

const question = (id: string, content: string, model = 'sandbox/small') =>
  JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body: { model, messages: [{ role: 'user', content }] } })
const file = (name: string, lines: readonly string[]) => {
  writeFileSync(join(folder, name), `${lines.join('\n')}\n`)
  return join(folder, name)
}

async function run(
  signal: AbortSignal,
  ...line: string[]
): Promise<{ readonly out: string; readonly err: string; readonly code: number; readonly fault: unknown }> {
  let [out, err, code] = ['', '', 0]
  const program = new Command('bursar').exitOverride().configureOutput({ writeErr: (text) => void (err += text) })
  batchCommand(program, {
    env: {},
    probe: () => Promise.reject(new Error('nothing there')),
    print: (text) => void (out += text),
    report: (text) => void (err += text),
    setExitCode: (given) => void (code = given),
    width: 80,
    signal,
  })
  try {
    await program.parseAsync(['batch', ...line, '--config', config], { from: 'user' })
    return { out, err, code, fault: undefined }
  } catch (fault) {
    return { out, err, code, fault }
  }
}

const answers = (name: string) =>
  readFileSync(join(folder, name), 'utf8')
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as {
          custom_id: string
          error: { code: string } | null
          response: {
            status_code: number
            body: { choices: { message: { content: string } }[]; usage: { cost: number }; bursar: { together: number; arm?: string } }
          }
        },
    )
const going = () => new AbortController().signal

describe('bursar batch', () => {
  it('answers every question in the form of OpenAI batches, and names what is wrong', async () => {
    const questions = file('q.jsonl', [
      ...Array.from({ length: 12 }, (_, at) => question(`q${at}`, `What is ${at} * 7?`)),
      '{"custom_id":"bad","body":{"model":"sandbox/small"}}',
      '{"no json',
      question('q1', 'again?'),
      question('any', 'Hello', 'auto:cheap'),
      question('lost', 'Hello', 'nobody'),
    ])
    const { out, err, code } = await run(going(), questions, '--out', join(folder, 'a.jsonl'))
    const all = answers('a.jsonl')
    expect(all).toHaveLength(14)
    for (let at = 0; at < 12; at++)
      expect(all.find(({ custom_id: id }) => id === `q${at}`)?.response.body.choices[0]?.message.content).toContain(`${at} * 7`)
    expect(all.find(({ custom_id: id }) => id === 'any')?.response.body.bursar.arm).toBeDefined()
    expect(all.find(({ custom_id: id }) => id === 'lost')).toMatchObject({
      error: { code: 'model_not_found' },
      response: { status_code: 404 },
    })
    expect(err).toContain('line 13: body.messages')
    expect(err).toContain('line 14: no JSON')
    expect(err).toContain('"q1" stands in an earlier line')
    expect(out.replace(/\s+/g, ' ')).toMatch(/13 questions answered, 1 failed, 3 lines were wrong and left out\. Cost: \$0\.000/)
    expect(out.replace(/\s+/g, ' ')).toMatch(/The first that failed is "lost": .*nobody/)
    expect(code).toBe(1)
  })

  it('goes on where it was stopped, even in the middle of a line, and asks again what failed', async () => {
    const questions = file('r.jsonl', [
      question('one', 'What is 2 * 3?'),
      question('two', 'What is 2 * 4?'),
      question('three', 'What is 2 * 5?'),
    ])
    const out = join(folder, 'b.jsonl')
    writeFileSync(
      out,
      `${JSON.stringify({ custom_id: 'one', response: {}, error: null })}\n${JSON.stringify({ custom_id: 'two', response: {}, error: { code: 'x' } })}\n`,
    )
    appendFileSync(out, '{"custom_id":"three","resp')
    const { out: said, code } = await run(going(), questions, '--out', out)
    expect(said).toContain('2 questions answered, 1 were before')
    expect(code).toBe(0)
    const lines = readFileSync(out, 'utf8').trim().split('\n')
    expect(lines).toHaveLength(5)
    expect(
      lines
        .slice(3)
        .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id)
        .sort(),
    ).toEqual(['three', 'two'])
  })

  it('stops at a hard limit, and at once when told to', async () => {
    const questions = file(
      's.jsonl',
      Array.from({ length: 20 }, (_, at) => question(`q${at}`, `What is ${at} * 7?`)),
    )
    const { out, code } = await run(going(), questions, '--out', join(folder, 'c.jsonl'), '--alone', '--max-usd', '0.0001')
    expect(out.replace(/\s+/g, ' ')).toContain('It stopped because of a limit: The budget')
    expect(code).toBe(1)
    const { fault } = await run(AbortSignal.abort(new Error('stopped')), questions, '--out', join(folder, 'd.jsonl'))
    expect(fault).toMatchObject({ code: 'client_closed_request' })
  })

  it('reads lines that hold other ends of lines, packed ones too, and names what is no text', async () => {
    const odd = question('odd', 'What is 3\u2028 * 7?\u2029')
    expect(odd).toContain('\u2028')
    const packed = join(folder, 'packed.jsonl')
    writeFileSync(
      packed,
      gzipSync(Buffer.concat([Buffer.from(`\ufeff${odd}\r\n\n`), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('\u001b[2J {\n')])),
    )
    const out = join(folder, 'odd-answers.jsonl')
    const first = await run(going(), packed, '--out', out)
    expect(first.err).toContain('line 3: the line is not UTF-8')
    expect(first.err).toContain('line 4: no JSON')
    expect(first.err).not.toContain('\u001b')
    expect(answers('odd-answers.jsonl').map(({ custom_id: id, error }) => [id, error])).toEqual([['odd', null]])
    // The answer repeats the question with its U+2028: the file is one line, and nothing is asked and paid for twice.
    expect(readFileSync(out, 'utf8')).toContain('\u2028')
    expect((await run(going(), packed, '--out', out)).out).toContain('0 questions answered, 1 were before')
  })

  it('counts what was spent before against the limit', async () => {
    const questions = file('limit.jsonl', [question('one', 'What is 2 * 3?'), question('two', 'What is 2 * 4?')])
    const out = join(folder, 'limit-answers.jsonl')
    const before = (cost: unknown) =>
      writeFileSync(
        out,
        `${JSON.stringify({ custom_id: 'one', response: { status_code: 200, body: { usage: { cost } } }, error: null })}\n`,
      )
    before(0.5)
    expect((await run(going(), questions, '--out', out, '--max-usd', '0.5')).fault).toMatchObject({
      path: 'max-usd',
      message: expect.stringContaining('$0.5'),
    })
    expect((await run(going(), questions, '--out', out, '--max-usd', '0.50000001')).out).toContain('It stopped because of a limit')
    before('nobody knows')
    expect((await run(going(), questions, '--out', out, '--max-usd', '0.5')).out).toContain('1 questions answered, 1 were before')
  })

  it('refuses what cannot be read or written before anything is asked', async () => {
    const questions = file('u.jsonl', [question('one', 'x')])
    expect((await run(going(), folder, '--out', join(folder, 'f.jsonl'))).fault).toMatchObject({ path: 'questions' })
    expect((await run(going(), questions, '--out', folder)).fault).toMatchObject({ path: 'out' })
    expect((await run(going(), questions, '--out', join(folder, 'none', 'g.jsonl'))).fault).toMatchObject({ path: 'out' })
  })

  it('refuses to write answers over the questions, and a file that is not there', async () => {
    const questions = file('t.jsonl', [question('one', 'x')])
    expect((await run(going(), questions, '--out', questions)).fault).toMatchObject({ path: 'out' })
    expect((await run(going(), join(folder, 'none.jsonl'), '--out', join(folder, 'e.jsonl'))).fault).toMatchObject({ path: 'questions' })
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { replayCommand } from '../../src/cli/commands/replay.js'
import { BursarError } from '../../src/errors/index.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-replay-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function log(name: string, rows: number, extra: readonly string[] = []): string {
  const file = join(folder, name)
  const lines = Array.from({ length: rows }, (_, index) =>
    JSON.stringify({
      id: String(index),
      request: { messages: [{ role: 'user', content: `question ${index % 7}` }] },
      outcomes: { 'a/large': { quality: 1, usd: 0.01 }, 'b/small': { quality: index % 7 < 5 ? 1 : 0, usd: 0.001 } },
    }),
  )
  writeFileSync(file, [...lines, ...extra].join('\n'))
  return file
}

let asked: number | undefined

async function run(...args: string[]): Promise<{ out: string; err: string; code: number; width: number }> {
  const said = { out: '', err: '', code: 0, width: 80 }
  const program = new Command()
    .exitOverride()
    .configureOutput({ writeErr: (text) => void (said.err += text), writeOut: (text) => void (said.out += text) })
  replayCommand(program, {
    print: (text) => void (said.out += text),
    report: (text) => void (said.err += text),
    terminal: false,
    width: said.width,
    signal: new AbortController().signal,
    now: () => 0,
    openWorld: (_options, usd) => {
      asked = usd
      return Promise.reject(new Error('nobody answers'))
    },
    exitWith: (code) => void (said.code = code),
  })
  await program.parseAsync(['node', 'bursar', 'replay', ...args])
  return said
}

describe('bursar replay', () => {
  it('keeps to 80 columns against a reference that is far cheaper, and steers no terminal', async () => {
    const row = (id: string) =>
      JSON.stringify({
        id,
        request: { messages: [{ role: 'user', content: 'x' }] },
        outcomes: {
          'vendor/a-model-with-a-long-name': { quality: 1, usd: 12.5 },
          'b/small': { quality: Number(id) % 3 > 0 ? 1 : 0, usd: 0.00004 },
        },
      })
    const file = join(folder, 'far.jsonl')
    writeFileSync(file, [...Array.from({ length: 200 }, (_, at) => row(String(at))), '\u001b[2J'].join('\n'))
    const { out, err } = await run('--log', file, '--reference', 'b/small', '--policies', 'fixed')
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    expect(out).toMatch(/name +100\.0 % +\+33\.5 .* \$12,500 +costs 313,000× +proven$/m)
    expect(err).toContain('row 201: is not JSON')
    expect(err).not.toContain('\u001b')
  })

  it('says where a result could not be written', async () => {
    const file = log('unwritable.jsonl', 20)
    for (const option of ['--json', '--html'])
      await expect(
        run('--log', file, '--reference', 'a/large', '--policies', 'fixed', option, join(folder, 'none', 'x')),
      ).rejects.toSatisfy((thrown) => BursarError.is(thrown) && thrown.message.startsWith(`${option}: `))
  })

  it('prints a table of 80 columns and writes the same figures as JSON', async () => {
    const json = join(folder, 'out.json')
    const { out, code } = await run(
      '--log',
      log('log.jsonl', 120),
      '--reference',
      'a/large',
      '--warm-up',
      '20',
      '--objective',
      'best',
      '--objective',
      '0.002',
      '--json',
      json,
    )
    expect(code).toBe(0)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(out).toMatch(/^a\/large +100\.0 % .* \$10\.0 +0 % .* proven$/m)
    expect(out).toMatch(/^b\/small .* \$1\.00 +90 % \[90, 90\] +worse$/m)
    expect(out).toMatch(/^λ = \$0\.002 /m)
    expect(out).toMatch(/100 requests decided, after 20 that were only learned from\. Against\s+always\s+"a\/large"\./)
    const written = JSON.parse(readFileSync(json, 'utf8')) as { requests: number; policies: { name: string }[] }
    expect(written.requests).toBe(100)
    expect(written.policies.map(({ name }) => name)).toEqual([
      'always a/large',
      'always b/small',
      'random arm',
      'oracle',
      'best',
      'λ = $0.002',
    ])
  })

  it('asks for the reference by the names that there are', async () => {
    await expect(run('--log', log('ask.jsonl', 3))).rejects.toThrow(/--reference.*"a\/large", "b\/small"/)
    await expect(run('--log', log('ask.jsonl', 3), '--reference', 'c')).rejects.toSatisfy(
      (thrown) => BursarError.is(thrown) && thrown.path === 'reference',
    )
  })

  it('names wrong rows, goes on without them, and exits with 1 unless told to be lenient', async () => {
    const file = log('wrong.jsonl', 30, ['{"id": 1}', 'nothing'])
    const strict = await run('--log', file, '--reference', 'a/large', '--warm-up', '5')
    expect(strict.err).toMatch(/row 31: id/)
    expect(strict.err).toMatch(/row 32: is not JSON/)
    expect(strict.out).toMatch(/2 rows of the log were wrong and left out/)
    expect(strict.code).toBe(1)
    expect((await run('--log', file, '--reference', 'a/large', '--warm-up', '5', '--lenient')).code).toBe(0)
  })

  it.each([
    [['--objective', 'fastest'], /--objective: "fastest"/],
    [['--predictor', 'crystal-ball'], /no predictor "crystal-ball"/],
  ])('refuses %j', async (args, message) => {
    await expect(run('--log', log('bad.jsonl', 3), '--reference', 'a/large', ...args)).rejects.toThrow(message)
  })

  it.each([
    ['--margin', '2'],
    ['--warm-up', 'some'],
    ['--limit', '-1'],
  ])('refuses %s %s', async (option, value) => {
    await expect(run('--log', log('bad.jsonl', 3), '--reference', 'a/large', option, value)).rejects.toMatchObject({
      code: 'commander.invalidArgument',
    })
  })

  it('writes a page, and replays what predicts nothing alone', async () => {
    const html = join(folder, 'out.html')
    const { out } = await run('--log', log('page.jsonl', 40), '--reference', 'a/large', '--policies', 'fixed', '--html', html)
    expect(out).toMatch(/^oracle /m)
    expect(out).not.toMatch(/^balanced /m)
    expect(out).toMatch(/40 requests decided\. Against/)
    expect(readFileSync(html, 'utf8')).toMatch(/<svg[^]*b\/small/)
  })

  it('says of a log of one model a request what it did cost, and what cannot be known', async () => {
    const file = join(folder, 'litellm.jsonl')
    const call = {
      request_id: 'a',
      call_type: 'acompletion',
      spend: 0.02,
      prompt_tokens: 1000,
      completion_tokens: 1000,
      startTime: '2026-10-01T10:00:00Z',
      endTime: '2026-10-01T10:00:02Z',
      model: 'gpt-4o',
      custom_llm_provider: 'openai',
      messages: [{ role: 'user', content: 'q' }],
    }
    writeFileSync(
      file,
      [call, { ...call, request_id: 'b' }, { ...call, request_id: 'c', spend: 'dear' }].map((one) => JSON.stringify(one)).join('\n'),
    )
    const json = join(folder, 'spent.json')
    const { out, err, code } = await run('--log', file, '--candidates', 'openai/gpt-4o-mini,nobody/nothing', '--json', json)
    expect(code).toBe(1)
    expect(err).toMatch(/row 3: spend/)
    expect(out).toMatch(/LiteLLM\s+spend\s+logs,\s+2\s+requests,\s+each\s+answered\s+by\s+one\s+model/)
    expect(out).toMatch(/^openai\/gpt-4o +2 +\$0\.0400 +\$20\.0 +2,000 +2,000 +2\.00 +unknown$/m)
    expect(out).toMatch(/^openai\/gpt-4o-mini +~\$0\.00\d+ +~\d\d %/m)
    expect(out).toMatch(/^nobody\/nothing +no price known/m)
    expect(out).toMatch(/can't be known from this log/)
    expect(out).toMatch(/--collect 200/)
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
      requests: 2,
      leftOut: 1,
      withContent: 2,
      models: [{ model: 'openai/gpt-4o', usd: 0.04 }],
    })
  })

  it('shows what asking again costs at most, and asks only when told', async () => {
    const file = join(folder, 'collect.jsonl')
    writeFileSync(
      file,
      Array.from({ length: 50 }, (_, at) =>
        JSON.stringify({
          id: String(at),
          request: { messages: [{ role: 'user', content: `Which river flows through city ${at}?` }] },
          outcomes: { 'openai/gpt-4o': { usd: 0.01, answer: 'The Rhine.' } },
        }),
      ).join('\n'),
    )
    await expect(run('--log', file, '--collect', '10', '--max-usd', '1')).rejects.toThrow(/--models, --judge, --out/)
    const args = [
      '--log',
      file,
      '--collect',
      '10',
      '--max-usd',
      '1.5',
      '--models',
      'openai/gpt-4o-mini',
      '--judge',
      'openai/gpt-4o',
      '--out',
      join(folder, 'collected.jsonl'),
    ]
    const { out } = await run(...args)
    expect(out).toMatch(/^REQUESTS ALIKE +IN THE LOG +ASKED/)
    expect(out).toMatch(/10 of 50 requests, drawn by chance/)
    expect(out).toMatch(/costs at\s+most\s+\$\d+\.\d\d; usually\s+much\s+less\.\s+It\s+stops\s+before\s+\$1\.50/)
    expect(out).toMatch(/Nothing was asked/)
    expect(asked).toBeUndefined()
    await expect(run(...args, '--yes')).rejects.toThrow('nobody answers')
    expect(asked).toBe(1.5)
  })

  it('says which file is not there', async () => {
    await expect(run('--log', join(folder, 'nothing.jsonl'), '--reference', 'x')).rejects.toThrow(/doesn't exist/)
  })
})
